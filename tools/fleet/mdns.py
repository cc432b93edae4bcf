# SPDX-License-Identifier: MIT
"""The addresses behind a name in `.local`. A dongle answers for its host name only, and all that were never renamed
answer for the same one: so every answer counts, and not only the first as a system's resolver takes it."""

import socket
import struct
import time

import dns.exception
import dns.message
import dns.rdatatype

GROUP = "224.0.0.251", 5353
_TRIES = 3


def _question(name):
    """RFC 6762, 6.7: from a port of its own, so that the answer comes to it alone."""
    labels = b"".join(bytes((len(label),)) + label for label in name.rstrip(".").encode("idna").split(b"."))
    return struct.pack(">HHHHHH", 0x5757, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def _addresses(data, name):
    """Addresses in an answer, if it is one to that question."""
    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return
    for found in message.answer + message.additional:
        if found.rdtype == dns.rdatatype.A and found.name.to_text(True).lower() == name.rstrip(".").lower():
            for record in found:
                yield socket.inet_ntoa(record.to_wire())


def resolve(name, seconds=2, group=GROUP):
    """All the addresses that claim a name within that time, sorted."""
    found = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        for _ in range(_TRIES):
            try:
                asker.sendto(_question(name), group)
            except OSError:  # no network that takes multicast
                break
            end = time.monotonic() + seconds / _TRIES
            while (left := end - time.monotonic()) > 0:
                asker.settimeout(left)
                try:
                    found.update(_addresses(asker.recv(9000), name))
                except OSError:
                    break
    return sorted(found)
