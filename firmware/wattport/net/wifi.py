# SPDX-License-Identifier: MIT
"""Wi-Fi as a station: connects, and connects again for ever, without making anybody wait."""

import asyncio

import network
from micropython import const

from wattport.net import stream

_TRY_MS = const(20000)
_LOOK_MS = const(500)
_PAUSE_MS = const(5000)


class Wifi:
    """`settings`: the `wifi` group. `rssi()` in dBm or None."""

    def __init__(self, settings, log):
        self._settings = settings
        self._log = log
        network.hostname(settings["hostname"])
        self._station = network.WLAN(network.STA_IF)

    @property
    def connected(self):
        return self._station.isconnected()

    def rssi(self):
        return self._station.status("rssi") if self.connected else None

    def address(self):
        return self._station.ifconfig()[0] if self.connected else ""

    async def run(self):
        if not self._settings["ssid"]:
            if not self.connected:
                self._log("warning", "no Wi-Fi is set; readings stay here")
            return
        self._station.active(True)
        # the driver's own reconnecting scans channels in the background for ever; this loop does it in its own time
        self._station.config(reconnects=0)
        while True:
            await self._connect()
            while self.connected:
                await asyncio.sleep_ms(_LOOK_MS)
            self._log.limited("wifi", "warning", "Wi-Fi is gone")

    async def _connect(self):
        while not self.connected:
            try:
                self._station.connect(self._settings["ssid"], self._settings["password"])
                for _ in range(_TRY_MS // _LOOK_MS):
                    await asyncio.sleep_ms(_LOOK_MS)
                    if self.connected:
                        stream.NAME_SERVERS[:] = [self._station.ifconfig()[3]]
                        self._log("info", "Wi-Fi connected, address %s" % self.address())
                        return
                self._station.disconnect()
            except OSError as error:
                self._log.limited("wifi-driver", "warning", "Wi-Fi: %s" % error)
            self._log.limited("wifi-try", "warning", "no connection to Wi-Fi %s" % self._settings["ssid"])
            await asyncio.sleep_ms(_PAUSE_MS)
