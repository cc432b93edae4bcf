# SPDX-License-Identifier: MIT
"""The set-up's own Wi-Fi: an access point, and a name server that leads whoever joins it to the page. Loaded with it
only; the page itself and the meter are the others' business."""

import asyncio
import time

import board
from micropython import const

from wattport.modules import forget, load
from wattport.net.captive import Answerer

_LOOK_MS = const(20)
_IDLE_S = const(900)
_DNS = const(53)


async def run(app, device_id, asked):
    """For ever; but where Wi-Fi is set and the portal was asked for, until nobody has requested anything for a quarter
    of an hour: then back to normal, by a restart. A weak supply opens it when it can feed it, and as long as it can."""
    idle_ms = getattr(board, "PORTAL_S", _IDLE_S) * 1000
    while not app.supply or await app.supply.access(idle_ms if asked else None):
        await _open(app, device_id, asked and idle_ms)
        app.supply.sagged()
        app.log("error", "set-up: the supply fell to %d mV, its Wi-Fi is closed for some minutes: power the dongle "
                "over USB" % app.supply.mv)
    app.log("info", "set-up: the supply could not feed its Wi-Fi")
    app.restart()


async def _open(app, device_id, idle_ms):
    """Until the supply can't feed it. idle_ms: in which somebody has to request something, 0: for ever."""
    from wattport.net import access
    channel = await access.likely_channel(app.wifi.station)
    ssid, _, address, mask = access.open_network(device_id, channel)
    del access
    forget("wattport.net.access")
    answerer = Answerer(address, getattr(board, "DNS_PORT", _DNS))
    app.access = address, mask
    app.visited = time.ticks_ms()
    port = app.served["port"]
    app.log("info", "set-up: join the Wi-Fi %s, then open http://%s%s" % (
        ssid, address, "" if port == 80 else ":%d" % port))
    dropped = 0
    try:
        while not app.supply or app.supply.good:
            answerer.turn()
            await asyncio.sleep_ms(_LOOK_MS)
            if answerer.dropped != dropped:
                dropped = answerer.dropped
                app.log.limited("dns", "warning", "set-up: %d packets to the name server were no questions" % dropped)
            # a phone that is here by itself, and only looks for an internet now and then, does not count
            if idle_ms and time.ticks_diff(time.ticks_ms(), app.visited) > idle_ms:
                app.log("info", "set-up: nobody is here any more")
                app.restart()
                idle_ms = 0
    finally:
        answerer.close()
    app.access = None
    load("wattport.net.access", "close_network")(app.wifi.station)
    forget("wattport.net.access")
