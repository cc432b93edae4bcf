# SPDX-License-Identifier: MIT
"""GET /api/brokers: MQTT brokers that seem to be there, found by multicast DNS, and each looked at whether its port
answers. Loaded for a request, which takes three seconds at most."""

import asyncio
import socket
import time

import board
from micropython import const

from wattport.modules import forget
from wattport.net import services, stream

_MULTICAST = "224.0.0.251:5353"
_LISTEN_MS = const(1200)  # a responder waits up to 120 ms (RFC 6762 6); one that is asleep takes longer
_AGAIN_MS = const(500)
_POLL_MS = const(20)
_TRY_MS = const(400)  # in the house
_MOST = const(4)
_PACKET = const(512)


def _ask(udp, place):
    for packet in services.questions():
        try:
            udp.sendto(packet, place)
        except OSError:  # no network, or none that knows multicast: the gateway is still looked at
            pass


async def _listen(found, hosts):
    host, port = getattr(board, "MDNS", _MULTICAST).split(":")
    place = socket.getaddrinfo(host, int(port))[0][-1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        start = time.ticks_ms()
        asked = 0
        while True:
            passed = time.ticks_diff(time.ticks_ms(), start)
            if passed >= _LISTEN_MS:
                return
            if passed >= asked * _AGAIN_MS:
                asked += 1
                _ask(udp, place)
            try:
                services.read(udp.recvfrom(_PACKET)[0], found, hosts)
            except OSError:  # nothing there
                pass
            await asyncio.sleep_ms(_POLL_MS)
    finally:
        udp.close()


async def get(web, request):
    found, hosts, brokers = {}, {}, []
    station = web.app.wifi
    await _listen(found, hosts)
    gateway = station.station.ifconfig()[2] if station.connected else ""
    for host, address, port, name in services.candidates(found, hosts, gateway)[:_MOST]:
        try:
            (await stream.connect(address, port, timeout_ms=_TRY_MS)).close()
        except OSError:
            continue
        brokers.append({"host": host, "port": port, "name": name})
    for name in ("wattport.net.services", "wattport.net.dns"):
        forget(name)
    return {"brokers": brokers}
