# SPDX-License-Identifier: MIT
"""Keeps the wall clock by network time: asks once an hour, another server or later when there is no answer."""

import asyncio
import random
import time

import machine
from micropython import const

from wattport.modules import forget
from wattport.net import stream
from wattport.wall import EPOCH, own_time

_LOOK_MS = const(1000)
_EVERY_S = const(3600)
_FIRST_S = const(16)  # behind an attempt that failed, doubled each time; never sooner (RFC 4330, 10: 15 s)
_DAY_S = const(86400)


def _set_own(utc):
    """TLS asks the chip's clock whether a certificate is still good. A PC's clock is not ours to set."""
    own = own_time()
    if hasattr(machine.RTC, "datetime") and utc is not None and (own is None or abs(utc - own) > 1):
        fields = time.gmtime(utc - EPOCH)
        machine.RTC().datetime((fields[0], fields[1], fields[2], fields[6], fields[3], fields[4], fields[5], 0))


async def run(wall, servers, connected, log):
    """For ever. servers: hosts, separated by commas; "" for none. connected(): whether there is a network."""
    every = [server.strip() for server in servers.split(",") if server.strip()]
    servers = list(every)
    own = own_time()
    keeps = not servers and not hasattr(machine.RTC, "datetime")  # a system that somebody else keeps right
    if own is not None:
        wall.network(own, 0, "system", keeps)
    wait_s = _FIRST_S
    left_s = 0
    while True:
        left_s -= 1
        if left_s <= 0 and keeps:
            own = own_time()
            left_s = _FIRST_S if own is None or not wall.network(own, 0, "system") else _EVERY_S
        elif left_s <= 0 and servers and connected():
            left_s = await _ask(wall, servers, log)
            if not left_s:
                wait_s, left_s = _FIRST_S, _EVERY_S
            elif left_s < _EVERY_S:
                left_s, wait_s = wait_s, min(2 * wait_s, _EVERY_S)
            if not servers:
                servers.extend(every)
            left_s += left_s * random.getrandbits(4) // 64  # the dongles of a street start together after a power cut
        _set_own(wall.utc())
        await asyncio.sleep_ms(_LOOK_MS)


async def _ask(wall, servers, log):
    """Ask the first server: 0 when that went well, else how long to leave it alone at least. One that did not answer
    goes to the end of the list, one that refuses is taken out (RFC 5905, 7.4); when it was the last, it has a day."""
    server = servers.pop(0)
    from wattport.net import dns
    await asyncio.sleep_ms(0)  # the meter's turn, as each import takes the chip some time
    from wattport.net import ntp
    try:
        dns.SERVERS = stream.NAME_SERVERS
        seconds, ms = await ntp.ask(server)
    except (OSError, ValueError) as error:
        log.limited("ntp", "warning", "no time from %s: %s" % (server, error))
        if not getattr(error, "refused", False):
            servers.append(server)
            return _EVERY_S if getattr(error, "rate", False) else 1
        return 1 if servers else _DAY_S
    finally:
        del dns, ntp
        forget("wattport.net.ntp")
        forget("wattport.net.dns")
    if wall.network(seconds, ms):
        servers.insert(0, server)
        return 0
    servers.append(server)  # another one is the better witness
    return 1
