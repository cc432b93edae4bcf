# SPDX-License-Identifier: MIT
"""The name server of the access point: every name has the access point's address, so that a phone which looks whether
there is an internet finds the set-up page instead. RFC 1035 over UDP, one question a packet.

Loaded with the access point only, and bound to its address: nobody on the household's network is answered.
"""

import socket

from micropython import const

_HEAD = const(12)
_NAME_LIMIT = const(255)
_LABEL_LIMIT = const(63)
# of a query: what follows its question (EDNS, cookies) is nothing to us, and a datagram's rest is thrown away
_IN = const(271)  # head, name, type and class
_RECORD = const(16)
_AT_ONCE = const(4)


def _question_end(packet):
    """Where the first question ends; 0 for what is no query for one name. A name in a query is never compressed: there
    is nothing before it to point to."""
    # QR and Opcode (RFC 1035 4.1.1): an answer is never answered, nothing but a standard query is
    if len(packet) < _HEAD or packet[2] & 0xF8 or packet[4] or packet[5] != 1:
        return 0
    at = _HEAD
    while True:
        if at >= len(packet) or at - _HEAD >= _NAME_LIMIT:
            return 0
        size = packet[at]
        at += 1 + size
        if not size:
            break
        if size > _LABEL_LIMIT:
            return 0
    return at + 4 if at + 4 <= len(packet) else 0


def answer(packet, address, out):
    """The size of the answer to `packet`, put into `out`, at least 287 bytes; 0 when there is none to give.

    address: the 4 bytes that every name has. What else is asked for does not exist, said at once (NOERROR and no
    record, RFC 2308 2.2): a phone that got no answer to AAAA or HTTPS would wait.
    """
    end = _question_end(packet)
    if not end:
        return 0
    kind, family = packet[end - 4] << 8 | packet[end - 3], packet[end - 2] << 8 | packet[end - 1]
    has = kind in (1, 255) and family in (1, 255)  # A or any, IN or any
    out[:end] = packet[:end]
    out[2] = 0x84 | packet[2] & 1  # QR, AA, RD as it was
    out[3] = 0x80  # RA: who asks for recursion wants to see it
    out[6:_HEAD] = b"\x00\x01\x00\x00\x00\x00" if has else b"\x00\x00\x00\x00\x00\x00"
    if not has:
        return end
    # a pointer to the question's name, A, IN, 5 s: a phone must not remember it for longer than it is here
    out[end:end + _RECORD] = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + address
    return end + _RECORD


class Answerer:
    """`address` of the access point, a text. `dropped` counts what was no question, or could not be answered. OSError
    when the port is taken."""

    def __init__(self, address, port):
        self.dropped = 0
        self._address = bytes([int(part) for part in address.split(".")])
        self._out = memoryview(bytearray(_IN + _RECORD))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setblocking(False)
        self._udp.bind(socket.getaddrinfo(address, port)[0][-1])

    def turn(self):
        """Answer what has come in since the last turn, a few: then it is the others' turn, whoever asks how often."""
        for _ in range(_AT_ONCE):
            try:
                packet, client = self._udp.recvfrom(_IN)
            except OSError:  # nothing there
                return
            size = answer(packet, self._address, self._out)
            try:
                if size:
                    self._udp.sendto(self._out[:size], client)
                    continue
            except OSError:
                pass
            self.dropped += 1

    def close(self):
        self._udp.close()
