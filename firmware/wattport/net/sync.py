# SPDX-License-Identifier: MIT
"""Sets the wall clock by network time, and the chip's by the wall clock. Loaded once an hour, to ask, and whenever
there is another network or another source of time."""

import asyncio
import random
import time

import machine
from micropython import const

from wattport.modules import forget
from wattport.net import stream
from wattport.wall import EPOCH, own_time

_EVERY_S = const(3600)
_FIRST_S = const(16)  # behind an attempt that failed, doubled each time; never sooner (RFC 4330, 10: 15 s)
_DAY_S = const(86400)


def _set_own(utc):
    """TLS asks the chip's clock whether a certificate is still good. A PC's clock is not ours to set."""
    own = own_time()
    if hasattr(machine.RTC, "datetime") and utc is not None and (own is None or abs(utc - own) > 1):
        fields = time.gmtime(utc - EPOCH)
        machine.RTC().datetime((fields[0], fields[1], fields[2], fields[6], fields[3], fields[4], fields[5], 0))


async def run(wall, servers, connected, plan, log):
    """Do what is due; the seconds until the next time. servers: hosts, separated by commas, or "".

    plan: a list, empty at first, that this keeps: when to ask next, in seconds since the start; how long to wait when
    that fails; the servers, the best first."""
    now = log.uptime_s()
    keeps = not servers and not hasattr(machine.RTC, "datetime")  # a system that somebody else keeps right
    own = own_time()
    if not plan:
        plan.extend((now, _FIRST_S))
        if own is not None:
            wall.network(own, 0, "system", keeps)
    if len(plan) == 2:
        plan.extend([server.strip() for server in servers.split(",") if server.strip()])
    wait_s = plan[0] - now
    if wait_s <= 0 and keeps:
        wait_s = _FIRST_S if own is None or not wall.network(own, 0, "system") else _EVERY_S
    elif wait_s <= 0 and len(plan) > 2 and connected:
        wait_s = await _ask(wall, plan, log)
        if not wait_s:
            plan[1], wait_s = _FIRST_S, _EVERY_S
        elif wait_s < _EVERY_S:
            wait_s = plan[1]
            plan[1] = min(2 * wait_s, _EVERY_S)
        wait_s += wait_s * random.getrandbits(4) // 64  # the dongles of a street start together after a power cut
    _set_own(wall.utc())
    if wait_s <= 0:
        return _EVERY_S
    plan[0] = now + wait_s
    return wait_s


async def _ask(wall, plan, log):
    """Ask the first server: 0 when that went well, else how long to leave it alone at least. One that did not answer
    goes to the end of the list, one that refuses is taken out (RFC 5905, 7.4); when it was the last, it has a day."""
    server = plan.pop(2)
    from wattport.net import dns
    await asyncio.sleep_ms(0)  # the meter's turn: the chip needs some milliseconds for each import
    from wattport.net import ntp
    try:
        dns.SERVERS = stream.NAME_SERVERS
        seconds, ms = await ntp.ask(server)
    except (OSError, ValueError) as error:
        log.limited("ntp", "warning", "no time from %s: %s" % (server, error))
        if not getattr(error, "refused", False):
            plan.append(server)
            return _EVERY_S if getattr(error, "rate", False) else 1
        return 1 if len(plan) > 2 else _DAY_S
    finally:
        del dns, ntp
        forget("wattport.net.ntp")
        forget("wattport.net.dns")
    if wall.network(seconds, ms):
        plan.insert(2, server)
        return 0
    plan.append(server)  # another one is the better witness
    return 1
