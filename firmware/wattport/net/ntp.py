# SPDX-License-Identifier: MIT
"""One question to a server of network time: SNTP, RFC 4330 and RFC 5905. Loaded when it is time to ask.

Our request holds 64 random bits where others put their own time: who does not see it cannot answer it, and nobody
learns what our clock shows.
"""

import asyncio
import os
import socket
import time

from micropython import const

from wattport.net import dns

_SIZE = const(48)  # what follows, extensions and signatures, is not looked at
_PORT = const(123)
_POLL_MS = const(10)
_TO_1970 = const(2208988800)  # from 1900
_ERA = const(4294967296)
_REFUSALS = ("DENY", "RSTR")  # RFC 5905, 7.4


class NtpError(OSError):
    """No time; the text says why. `refused`: the server does not want to be asked ever again. `rate`: not so often."""

    def __init__(self, text, refused=False, rate=False):
        super().__init__(text)
        self.refused = refused
        self.rate = rate


def request(nonce):
    """The packet: version 4, mode 3 (client), `nonce` of 8 bytes as the time of sending."""
    return b"\x23" + bytes(39) + nonce


def _stamp(packet, at):
    """(seconds since 1970, milliseconds) of a timestamp. Those that begin with a 0 bit are of the era that begins in
    2036 (RFC 4330, 3)."""
    seconds = int.from_bytes(packet[at:at + 4], "big")
    if seconds < _ERA // 2:
        seconds += _ERA
    return seconds - _TO_1970, (packet[at + 4] << 8 | packet[at + 5]) * 1000 >> 16


def answer(packet, nonce, way_ms):
    """(seconds since 1970, milliseconds) at the end of a way of so many milliseconds there and back; None when this is
    no answer to our request. Raises NtpError when it is one and says no (RFC 4330, 5)."""
    if len(packet) < _SIZE or packet[0] & 7 != 4 or packet[24:32] != nonce or not 3 <= packet[0] >> 3 & 7 <= 4:
        return None
    stratum = packet[1]
    if stratum == 0:
        code = "".join([chr(byte) if 32 < byte < 127 else "?" for byte in packet[12:16]])
        raise NtpError("it refuses: " + code, code in _REFUSALS, code == "RATE")
    if packet[0] >> 6 == 3 or stratum > 15 or packet[40:48] == bytes(8):
        raise NtpError("it does not know the time itself")
    if packet[4] or packet[5] > 15 or packet[8] or packet[9] > 15:  # 16 s, RFC 5905's MAXDISP
        raise NtpError("it is not sure of its time")
    came_s, came_ms = _stamp(packet, 32)
    seconds, ms = _stamp(packet, 40)
    held_s = seconds - came_s  # by the server
    if 0 <= held_s < 60:
        way_ms = max(0, way_ms - held_s * 1000 - ms + came_ms)
    ms += way_ms // 2
    return seconds + ms // 1000, ms % 1000


async def ask(server, timeout_ms=3000):
    """(seconds since 1970, milliseconds) now, by "host" or "host:port". Names are asked for where dns.SERVERS says.
    Raises OSError in words: NtpError, ResolveError."""
    host, _, port = server.partition(":")
    address = await dns.resolve(host, int(port) if port else _PORT, timeout_ms)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.connect(address)  # from now on only its packets are heard
        nonce = os.urandom(8)
        udp.send(request(nonce))
        start = time.ticks_ms()
        while True:
            packet = None
            try:
                packet = udp.recv(_SIZE)
            except OSError:  # nothing there yet, or a port unreachable: that may still change
                pass
            way_ms = time.ticks_diff(time.ticks_ms(), start)
            if packet:
                found = answer(packet, nonce, way_ms)
                if found:
                    return found
            if way_ms > timeout_ms:
                raise NtpError("no answer")
            await asyncio.sleep_ms(_POLL_MS)
    finally:
        udp.close()
