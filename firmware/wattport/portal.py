# SPDX-License-Identifier: MIT
"""The set-up's own Wi-Fi: an access point, and a name server that leads whoever joins it to the page. Loaded with it
only; the page itself and the meter are the others' business."""

import asyncio
import time

import board
from micropython import const

from wattport.modules import forget
from wattport.net.captive import Answerer

_LOOK_MS = const(20)
_IDLE_S = const(900)
_DNS = const(53)


async def run(app, device_id, asked, fed=False):
    """For ever; but where Wi-Fi is set and the portal was asked for, until nobody has requested anything for a quarter
    of an hour: then back to normal, by a restart. Of a weak supply until that can't feed it; fed: it can now."""
    if app.supply and not fed:
        return await app.supply.opening(run, app, device_id, asked)
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
    idle_ms = getattr(board, "PORTAL_S", _IDLE_S) * 1000
    dropped = 0
    try:
        while not app.supply or app.supply.good:
            answerer.turn()
            await asyncio.sleep_ms(_LOOK_MS)
            if answerer.dropped != dropped:
                dropped = answerer.dropped
                app.log.limited("dns", "warning", "set-up: %d packets to the name server were no questions" % dropped)
            # a phone that is here by itself, and only looks for an internet now and then, does not count
            if asked and time.ticks_diff(time.ticks_ms(), app.visited) > idle_ms:
                app.log("info", "set-up: nobody is here any more")
                app.restart()
                asked = False
    finally:
        answerer.close()
