# SPDX-License-Identifier: MIT
"""A chip's serial bootloader on a TCP port or a terminal, for esptool to talk to: the ROM's, and the stub that esptool
loads into it. Its flash is one of NOR cells: what was not erased only loses bits. With `boot` it then says what a start
would say.

The protocol: Espressif, "Serial Protocol" of esptool's documentation.
"""

import contextlib
import hashlib
import os
import pty
import select
import socket
import struct
import threading
import tty
import zlib

END, ESCAPE = 0xC0, 0xDB
SYNC, READ_REG, WRITE_REG, SECURITY = 0x08, 0x0A, 0x09, 0x14
MEM_BEGIN, MEM_END, MEM_DATA = 0x05, 0x06, 0x07
BEGIN, DATA, DONE = 0x02, 0x03, 0x04
DEFLATED_BEGIN, DEFLATED_DATA, DEFLATED_DONE = 0x10, 0x11, 0x12
MD5, ERASE, READ = 0x13, 0xD0, 0xD2
SECTOR = 4096
UNKNOWN, BAD_CHECKSUM = b"\x01\x05", b"\x01\x07"
CHECKED = (MEM_DATA, DATA, DEFLATED_DATA)
MAC = bytes.fromhex("240ac4124d3a")
# chip → (register that tells old ones apart, its value; chip id that newer ones tell; registers of the MAC, low and
# high; base of the SPI controller; its offsets of USR2 and W0)
KINDS = {"esp32": (0x40001000, 0x00F01D83, None, (0x3FF5A004, 0x3FF5A008), 0x3FF42000, 0x24, 0x80),
         "esp32c3": (0x40001000, 0x1B31506F, 5, (0x60008844, 0x60008848), 0x60002000, 0x20, 0x58),
         "esp32s3": (0x40001000, 0x00000009, 9, (0x60007044, 0x60007048), 0x60002000, 0x20, 0x58)}


def escaped(data):
    return b"\xc0" + data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


class Terminal:
    """The far end of a pseudo terminal, in the words of a socket."""

    def __init__(self):
        self._fd, self._near = pty.openpty()
        tty.setraw(self._near)
        self.name = os.ttyname(self._near)
        self._wake = os.pipe()

    def recv(self, size):
        if self._wake[0] in select.select([self._fd, self._wake[0]], [], [])[0]:
            return b""
        return os.read(self._fd, size)

    def sendall(self, data):
        while data:
            data = data[os.write(self._fd, data):]

    def end(self):
        os.write(self._wake[1], b"x")

    def close(self):
        for fd in (self._fd, self._near, *self._wake):
            os.close(fd)


class Chip:
    """`port`: where it is, as esptool takes it. `flash`: its bytes; `seen`: the commands that came; `vanish_after`: so
    many blocks of data are taken, then the connection goes away; `boot`: lines that a start says, to who connects after
    something was written."""

    def __init__(self, kind="esp32", size=4 << 20, boot=None, stub=True, vanish_after=None, terminal=False):
        self.kind, self.flash, self.boot, self.vanish_after = kind, bytearray(size), boot, vanish_after
        self.has_stub, self.in_stub, self.written = stub, False, False
        self.flash[:] = bytes(byte & 0x5A for byte in range(256)) * (size // 256)  # what somebody else left there
        self.seen, self.blocks, self.baud = [], 0, None
        place, value, self.identity, (low, high), self.spi, usr2, w0 = KINDS[kind]
        self.usr2, self.w0 = self.spi + usr2, self.spi + w0
        crc = 0
        self.registers = {place: value, low: int.from_bytes(MAC[2:], "big"),
                          high: crc << 16 | int.from_bytes(MAC[:2], "big")}
        self._size_id = size.bit_length() - 1
        self._terminal = self._listener = None
        if terminal:
            self._terminal = Terminal()
            self.port = self._terminal.name
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = "socket://127.0.0.1:%d" % self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        if self._terminal:
            self._terminal.end()
            self._thread.join(10)
            self._terminal.close()
            return
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _run(self):
        if self._terminal:
            self._serve(self._terminal)
            return
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.written and self.boot is not None:
                    self._boot(client)
                else:
                    self._serve(client)

    def _boot(self, client):
        """Once a second, as pyserial throws away what comes while it opens."""
        client.settimeout(1)
        while True:
            client.sendall("".join(line + "\r\n" for line in self.boot).encode())
            with contextlib.suppress(TimeoutError):
                if not client.recv(1):
                    return

    # ---- packets

    def _serve(self, client):
        self._client, packet, inside, escape = client, bytearray(), False, False
        while data := client.recv(65536):
            for byte in data:
                if byte == END:
                    if inside and packet:
                        if self._command(bytes(packet)) is False:
                            return
                        inside = False
                    else:
                        inside = True
                    packet.clear()
                elif escape:
                    packet.append({0xDC: END, 0xDD: ESCAPE}[byte])
                    escape = False
                elif byte == ESCAPE:
                    escape = True
                elif inside:
                    packet.append(byte)

    def _send(self, data):
        self._client.sendall(escaped(data))

    def _answer(self, op, data=b"", value=0, status=b"\0\0"):
        status += b"" if self.in_stub else b"\0\0"
        data += status
        self._send(struct.pack("<BBHI", 1, op, len(data), value) + data)

    def _command(self, packet):
        if self._reading:
            return self._acknowledged(packet)
        kind, op, length, checksum = struct.unpack("<BBHI", packet[:8])
        data = packet[8:]
        assert kind == 0 and length == len(data), "no command: %r" % packet[:16]
        self.seen.append(op)
        if op in CHECKED:
            content = data[16:]
            found = 0xEF
            for byte in content:
                found ^= byte
            if found != checksum or int.from_bytes(data[:4], "little") != len(content):
                return self._answer(op, status=BAD_CHECKSUM)
            self.blocks += op != MEM_DATA
            if self.vanish_after is not None and self.blocks > self.vanish_after:
                return False
        does = self._DOES.get(op)
        if not does:
            return self._answer(op, status=UNKNOWN)
        return does(self, op, data)

    # ---- commands

    _reading = None

    def _sync(self, op, data):
        assert data == b"\x07\x07\x12\x20" + 32 * b"\x55"
        for _ in range(8):
            self._answer(op, value=0 if self.in_stub else 0x20120707)

    def _read_register(self, op, data):
        place = int.from_bytes(data, "little")
        value = self.registers.get(place, 0)
        if place == self.w0:
            command = self.registers.get(self.usr2, 0) & 0xFF
            value = self._size_id << 16 | 0x40C8 if command == 0x9F else 0
        self._answer(op, value=0 if place == self.spi else value)  # the SPI controller has always just finished

    def _write_register(self, op, data):
        place, value, _, _ = struct.unpack("<IIII", data[:16])
        self.registers[place] = value
        self._answer(op)

    def _security(self, op, data):
        if self.identity is None:
            return self._answer(op, status=UNKNOWN)
        self._answer(op, struct.pack("<IB7sII", 0, 0, bytes(7), self.identity, 0))

    def _nothing(self, op, data):
        self._answer(op)

    def _speed(self, op, data):
        self.baud = int.from_bytes(data[:4], "little")
        self._answer(op)

    def _run_stub(self, op, data):
        self._answer(op)
        if int.from_bytes(data[4:8], "little"):
            self.in_stub = True
            self._send(b"OHAI")

    def _erase(self, start, size):
        start -= start % SECTOR
        end = min(-(-(start + size) // SECTOR) * SECTOR, len(self.flash))
        self.flash[start:end] = b"\xff" * (end - start)

    def _begin(self, op, data):
        size, _, _, self._at = struct.unpack("<IIII", data[:16])
        if self._at + size > len(self.flash):
            return self._answer(op, status=b"\x01\x06")
        self._inflate = zlib.decompressobj()
        self._erase(self._at, size)
        self._answer(op)

    def _data(self, op, data):
        content = data[16:]
        if op == DEFLATED_DATA:
            content = self._inflate.decompress(content)
        old = self.flash[self._at:self._at + len(content)]
        cells = int.from_bytes(old, "little") & int.from_bytes(content, "little")
        self.flash[self._at:self._at + len(content)] = cells.to_bytes(len(content), "little")
        self._at += len(content)
        self.written = True
        self._answer(op)

    def _md5(self, op, data):
        place, size, _, _ = struct.unpack("<IIII", data)
        digest = hashlib.md5(self.flash[place:place + size])
        self._answer(op, digest.digest() if self.in_stub else digest.hexdigest().encode())

    def _erase_all(self, op, data):
        if not self.in_stub:
            return self._answer(op, status=UNKNOWN)
        self._erase(0, len(self.flash))
        self._answer(op)

    def _read(self, op, data):
        if not self.in_stub:
            return self._answer(op, status=UNKNOWN)
        place, size, block, _ = struct.unpack("<IIII", data)
        self._answer(op)
        whole = bytes(self.flash[place:place + size])
        blocks = [whole[at:at + block] for at in range(0, size, block)]
        self._reading = size, hashlib.md5(whole).digest()
        for one in blocks:
            self._send(one)

    def _acknowledged(self, packet):
        size, digest = self._reading
        if int.from_bytes(packet, "little") >= size:
            self._reading = None
            self._send(digest)

    _DOES = {SYNC: _sync, READ_REG: _read_register, WRITE_REG: _write_register, SECURITY: _security,
             0x0D: _nothing, 0x0B: _nothing, 0x0F: _speed, MEM_BEGIN: _nothing, MEM_DATA: _nothing,
             MEM_END: _run_stub, BEGIN: _begin, DATA: _data, DONE: _nothing, DEFLATED_BEGIN: _begin,
             DEFLATED_DATA: _data, DEFLATED_DONE: _nothing, MD5: _md5, ERASE: _erase_all, READ: _read}
