# SPDX-License-Identifier: MIT
"""Wi-Fi as a station: stays connected, for ever, without making anybody wait. What it takes to get connected is in
`join`, which is in the heap for so long only."""

import asyncio

import network
from micropython import const

from wattport.modules import forget, load

_LOOK_MS = const(500)
_LOOKS = const(120)  # a lease that was renewed may bring another name server, and nobody tells


class Wifi:
    """`settings`: the `wifi` group. `state`: "" where `run` is not in charge, "connected", "trying", "power" while the
    supply can't feed it, or a reason of `join`. `trial`: see `start_trial`; empty before the first."""

    def __init__(self, settings, log):
        self.settings = settings
        self.log = log
        self.state = ""
        self.trial = {}
        network.hostname(settings["hostname"])
        self.station = network.WLAN(network.STA_IF)

    @property
    def connected(self):
        return self.station.isconnected()

    def rssi(self):
        """In dBm, or None."""
        try:
            return self.station.status("rssi") if self.connected else None
        except (OSError, RuntimeError):  # it went just now
            return None

    def address(self):
        return self.station.ifconfig()[0] if self.connected else ""

    async def scan(self):
        """[{"ssid", "rssi", "secure"}], the strongest first, 20 at most; after some 3 s. Empty while it connects."""
        found = load("wattport.net.join", "scan")
        forget("wattport.net.join")
        return await found(self.station)

    def start_trial(self, ssid, password):
        """Try a network, which takes up to 20 s, and tell in `trial`: {"state": "trying", "ok" or "failed", "reason",
        "detail", "ssid", "address"}. False when another trial runs. In the portal the station then stays connected;
        otherwise it goes back to the network of the settings."""
        if self.trial.get("state") == "trying":
            return False
        self.trial = load("wattport.net.join", "trial")(self, ssid, password)
        forget("wattport.net.join")
        return True

    async def run(self):
        if not self.settings["ssid"]:
            if not self.connected:
                self.log("warning", "no Wi-Fi is set; readings stay here")
            return
        from wattport.net import stream
        place = 0  # of the network that answered last
        while True:
            self.state = "trying"
            seek = load("wattport.net.join", "seek")
            forget("wattport.net.join")
            place = await seek(self, place)
            seek = None
            self.state = "connected"
            looks = 0
            while self.connected:
                if looks % _LOOKS == 0:
                    stream.NAME_SERVERS[:] = [self.station.ifconfig()[3]]
                looks += 1
                await asyncio.sleep_ms(_LOOK_MS)
            self.log.limited("wifi", "warning", "Wi-Fi is gone")
