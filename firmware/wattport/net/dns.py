# SPDX-License-Identifier: MIT
"""Host names to addresses, without ever stopping the program: `socket.getaddrinfo` blocks for seconds.

One question over UDP (RFC 1035), for `.local` names over multicast (RFC 6762, one-shot). IPv4 only.
The application sets SERVERS from what DHCP said; where it is empty, /etc/resolv.conf is read.
"""

import asyncio
import random
import socket
import time

from micropython import const

_PACKET_LIMIT = const(512)  # RFC 1035 2.3.4, and no EDNS asked for
_ATTEMPTS = const(3)
_POLL_MS = const(20)
_NAME_LIMIT = const(255)
_RECORD_LIMIT = const(32)
_CNAME_LIMIT = const(8)
_TYPE_A = const(1)
_TYPE_CNAME = const(5)

SERVERS = []  # addresses as text, or (address, port)
MULTICAST = ("224.0.0.251", 5353)


class ResolveError(OSError):
    """No address for this name; the text says why, in words."""


class Malformed(Exception):
    """What came is no DNS."""


def is_address(host):
    """Whether it is an IPv4 address in figures."""
    parts = host.split(".")
    return len(parts) == 4 and all(
        0 < len(part) < 4 and all("0" <= char <= "9" for char in part) and int(part) < 256 for part in parts)


def sockaddr(address, port):
    """What connect and sendto want, from an address in figures; opaque, and without a wait on every port."""
    return socket.getaddrinfo(address, port)[0][-1]


def question(number, host, multicast=False):
    """The packet that asks for a host's A record. Raises ResolveError for a name that cannot be asked for."""
    packet = number.to_bytes(2, "big") + (b"\x00\x00" if multicast else b"\x01\x00")  # RD for a server
    packet += b"\x00\x01\x00\x00\x00\x00\x00\x00"
    for label in host.rstrip(".").split("."):
        label = label.encode()
        if not 0 < len(label) < 64:
            raise ResolveError("not a host name: %s" % host)
        packet += bytes((len(label),)) + label
    if len(packet) > _NAME_LIMIT + 11:
        raise ResolveError("not a host name: %s" % host)
    # RFC 6762 5.4: the top bit of the class asks for an answer to us alone
    return packet + (b"\x00\x00\x01\x80\x01" if multicast else b"\x00\x00\x01\x00\x01")


def _number(packet, at):
    if at + 2 > len(packet):
        raise Malformed
    return packet[at] << 8 | packet[at + 1]


def name_at(packet, at):
    """(name in lower case, where the record goes on); pointers lead backwards only (RFC 1035 4.1.4)."""
    out = bytearray()
    end = None
    while True:
        if at >= len(packet):
            raise Malformed
        size = packet[at]
        if size & 0xC0 == 0xC0:
            target = _number(packet, at) & 0x3FFF
            if end is None:
                end = at + 2
            if target >= at:  # always going back, it must come to an end
                raise Malformed
            at = target
        elif size & 0xC0:
            raise Malformed
        elif size:
            if at + 1 + size > len(packet) or len(out) + size > _NAME_LIMIT:
                raise Malformed
            if out:
                out.append(46)
            for i in range(at + 1, at + 1 + size):
                byte = packet[i]
                out.append(byte + 32 if 65 <= byte <= 90 else byte)
            at += 1 + size
        else:
            return bytes(out), at + 1 if end is None else end


def records(packet, at, count):
    """(name, type, where the data starts, its size) of each record."""
    for _ in range(min(count, _RECORD_LIMIT)):
        name, at = name_at(packet, at)
        size = _number(packet, at + 8)
        if at + 10 + size > len(packet):
            raise Malformed
        yield name, _number(packet, at), at + 10, size
        at += 10 + size


def answer(packet, number, host, multicast=False):
    """The address in a packet that answers our question; None when it answers another one or is damaged.

    Raises ResolveError when the server knows that there is none.
    """
    try:
        if len(packet) < 12 or not packet[2] & 0x80 or packet[2] & 0x78:
            return None
        asked = _number(packet, 0)
        if asked != number and not (multicast and asked == 0):
            return None
        wanted = b".".join([label.encode() for label in host.rstrip(".").lower().split(".")])
        at = 12
        for _ in range(min(_number(packet, 4), _RECORD_LIMIT)):
            name, at = name_at(packet, at)
            if name != wanted or _number(packet, at) != _TYPE_A:
                return None
            at += 4
        if at == 12 and not multicast:  # RFC 6762 6: only a multicast answer may leave the question out
            return None
        code = packet[3] & 15
        if code:
            raise ResolveError("%s: %s" % (
                host, "no such name" if code == 3 else "the name server refuses (%d)" % code))
        for _ in range(_CNAME_LIMIT):
            alias = None
            for name, kind, start, size in records(packet, at, _number(packet, 6)):
                if name != wanted:
                    continue
                if kind == _TYPE_A and size == 4:
                    return "%d.%d.%d.%d" % tuple(packet[start : start + 4])
                if kind == _TYPE_CNAME:
                    alias = name_at(packet, start)[0]
            if alias is None:
                break
            wanted = alias
    except Malformed:
        return None
    if multicast:  # another record of that host; the address may come yet
        return None
    raise ResolveError("%s has no IPv4 address" % host)


def servers():
    """[(address, port), ...] of the name servers to ask."""
    found = [(server, 53) if isinstance(server, str) else server for server in SERVERS]
    if not found:
        try:
            with open("/etc/resolv.conf") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) > 1 and words[0] == "nameserver" and is_address(words[1]):
                        found.append((words[1], 53))
        except OSError:
            pass
    return found


async def _ask(host, asked, multicast, timeout_ms):
    """The address that the first good answer to one question gives, or None after the time."""
    number = random.getrandbits(16)
    packet = question(number, host, multicast)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.sendto(packet, sockaddr(asked[0], asked[1]))
        start = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), start) < timeout_ms:
            try:
                packet = udp.recvfrom(_PACKET_LIMIT)[0]
            except OSError:  # nothing there yet, or a port unreachable: both may still change
                packet = None
            if packet:
                address = answer(packet, number, host, multicast)
                if address:
                    return address
            else:
                await asyncio.sleep_ms(_POLL_MS)
    finally:
        udp.close()
    return None


async def resolve(host, port, timeout_ms=6000):
    """The opaque socket address of a host: from its figures, a name server or, for `.local`, the network.

    Raises ResolveError; never takes longer than about timeout_ms.
    """
    if is_address(host):
        return sockaddr(host, port)
    name = host.lower().rstrip(".")
    if not name:
        raise ResolveError("no host name")
    if name == "localhost":
        return sockaddr("127.0.0.1", port)
    multicast = name.endswith(".local")
    asked = [MULTICAST] if multicast else servers()
    if not asked:
        raise ResolveError("%s: no name server known" % host)
    for attempt in range(_ATTEMPTS):
        try:
            address = await _ask(name, asked[attempt % len(asked)], multicast, timeout_ms // _ATTEMPTS)
        except ResolveError:
            raise
        except OSError as error:
            address, problem = None, str(error)
            await asyncio.sleep_ms(_POLL_MS)
        else:
            problem = "no answer"
        if address:
            return sockaddr(address, port)
    raise ResolveError("%s: %s" % (host, problem))
