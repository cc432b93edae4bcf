# SPDX-License-Identifier: MIT
"""DNS-SD over multicast DNS (RFC 6763, RFC 6762): questions, and what the answers tell. Pure; loaded while somebody
looks for a broker."""

from micropython import const

from wattport.net.dns import Malformed, name_at, records

_A = const(1)
_PTR = const(12)
_SRV = const(33)
_HEAD = const(12)
_MOST = const(8)  # services and hosts that are remembered; a household has one or two
_NAME = b"abcdefghijklmnopqrstuvwxyz0123456789-._"


def question(name, kind):
    """A one-shot query that asks for an answer to us alone (RFC 6762 5.1, 5.4)."""
    packet = b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    for label in name.split("."):
        packet += bytes((len(label),)) + label.encode()
    return packet + b"\x00\x00%c\x80\x01" % kind


def questions():
    """For brokers that say so, for Home Assistant under its usual name, and for one that only tells where it is."""
    return (question("_mqtt._tcp.local", _PTR), question("homeassistant.local", _A),
            question("_home-assistant._tcp.local", _PTR))


def _is_host(name):
    for byte in name:
        if byte not in _NAME:
            return False
    return bool(name)


def read(packet, services, hosts):
    """Take what a packet tells: `services`, {name: (host, port)}, bytes, of SRV; `hosts`, {host: address}, of A. What
    is no answer, or damaged, tells nothing."""
    try:
        if len(packet) < _HEAD or not packet[2] & 0x80 or packet[3] & 15:
            return
        at = _HEAD
        for _ in range(packet[5]):
            at = name_at(packet, at)[1] + 4
        # answers, then authorities and additional records, which is where they put what is asked for next
        for name, kind, start, size in records(packet, at, packet[7] + packet[9] + packet[11]):
            if kind == _A and size == 4 and len(hosts) < _MOST and _is_host(name):
                hosts[name] = "%d.%d.%d.%d" % tuple(packet[start:start + 4])
            elif kind == _SRV and size > 6 and len(services) < _MOST:
                host = name_at(packet, start + 6)[0]
                if _is_host(host):
                    services[name] = host, packet[start + 4] << 8 | packet[start + 5]
    except Malformed:  # what came before it holds
        pass


def candidates(services, hosts, gateway):
    """[(host to set, address to try, port, name for a person)], the likeliest first; texts."""
    found = []
    for name, (host, port) in services.items():
        address = hosts.get(host)
        title, _, kind = name.partition(b"._mqtt._tcp.")
        try:
            title = title.decode()
        except UnicodeError:
            title = ""
        if kind and port and address:
            found.append((host.decode(), address, port, title))
    for host, address in hosts.items():
        if host == b"homeassistant.local":
            found.append((host.decode(), address, 1883, "Home Assistant"))
    for name, (host, _) in services.items():
        if b"._home-assistant._tcp." in name and host in hosts:
            found.append((hosts[host], hosts[host], 1883, "Home Assistant"))
    if gateway not in ("", "0.0.0.0"):
        found.append((gateway, gateway, 1883, ""))
    once = []
    for item in found:
        if not [other for other in once if other[1:3] == item[1:3]]:
            once.append(item)
    return once
