# SPDX-License-Identifier: MIT
"""A British smart meter by way of Hildebrand's Glow, a device that the meter's radio has admitted and that tells the
local network over MQTT what it hears. Our own client listens, to the broker of the group `mqtt` or to another one.

Electricity comes every ten seconds or so, gas in messages of its own, every half hour: the last gas that was heard goes
into each Reading, since everything after this expects a whole one.
"""

import asyncio
import random
import time

from micropython import const

from wattport.decode.glow import GlowDecoder
from wattport.errors import MeterError
from wattport.link.source import Source
from wattport.net import stream
from wattport.publish import mqtt

_CONNECT_MS = const(15000)
_BACKOFF_MS = const(1000)  # after a failure, doubled each time
_BACKOFF_LIMIT_MS = const(60000)
_SETTLED_MS = const(10000)  # a session that lived so long starts the backoff anew
_TURN_MS = const(1000)  # the watchdog wants to see the task alive
_KEEPALIVE_S = const(60)
_MOST = const(2304)  # bytes of a message and its topic; the longest known has 1 KB
_ALONE_MS = const(60000)  # gas goes on by itself when no electricity has come for so long


class Glow(Source):
    """`settings`: the group `meter`; `broker`: the group `mqtt`, used when `glow_host` is empty. `online()`: is there a
    network. `on_reading(reading, family)`, `on_error(error, payload)`. `bytes` counts those of payloads, `garbage`
    those of messages about no meter."""

    def __init__(self, settings, broker, client_id, online, on_reading, on_error, log):
        super().__init__()
        if settings["glow_host"]:
            self._address = settings["glow_host"], settings["glow_port"], None
            self._login = settings["glow_user"], settings["glow_password"]
        else:
            self._address = broker["host"], broker["port"], broker["ca"] if broker["tls"] else None
            self._login = broker["user"], broker["password"]
        self._topic = settings["glow_topic"]
        self._client_id = client_id
        self._online = online
        self._on_reading = on_reading
        self._on_error = on_error
        self._log = log
        self._decoder = GlowDecoder(None)
        self._gas = None  # the devices of the last message that had some
        self._electric = None  # ticks of the last electricity
        self._wake = asyncio.Event()
        self._error = ""
        self._settled = False

    def _message(self, topic, payload, retained, whole):
        self.bytes += len(payload)
        self.frames += 1
        try:
            reading = self._decoder.decode(payload, 0, len(payload))
        except MeterError as error:
            self.errors[error.kind] += 1
            if error.kind == "unsupported":
                self.garbage += len(payload)
            else:
                self._on_error(error, payload)
            return
        self.telegrams += 1
        now = time.ticks_ms()
        devices = reading.get("devices")
        if devices:
            self._gas = devices
            if len(reading) == 1 and self._electric is not None \
                    and time.ticks_diff(now, self._electric) < _ALONE_MS:
                return  # the next electricity takes it along
        elif self._gas:
            reading["devices"] = self._gas
        if len(reading) > 1:
            self._electric = now
        self._on_reading(reading, GlowDecoder.family)

    async def _rest(self, ms):
        while ms > 0:
            self._turn()
            await asyncio.sleep_ms(min(ms, _TURN_MS))
            ms -= _TURN_MS

    def _turn(self):
        self.look()
        self.stall_ms = 0  # nothing is lost while this task waits
        if self._electric is not None and time.ticks_diff(time.ticks_ms(), self._electric) > _ALONE_MS:
            self._electric = None  # ticks come round

    async def _session(self):
        """From connecting to the end of the connection, which is always an exception."""
        host, port, authority = self._address
        connection = await stream.connect(host, port, authority, _CONNECT_MS)
        self._turn()
        client = mqtt.Client(connection, None, self._message, self._wake.set, _MOST)
        try:
            await client.open(self._client_id, _KEEPALIVE_S, self._login[0], self._login[1])
            self._turn()
            if not await client.subscribe([self._topic]):
                raise mqtt.MqttError("the broker does not let us see " + self._topic)
            self._log("info", "glow: listening to %s at %s:%d" % (self._topic, host, port))
            self._error = ""
            began = time.ticks_ms()
            while not client.failed:
                self._turn()
                if time.ticks_diff(time.ticks_ms(), began) > _SETTLED_MS:
                    self._settled = True
                self._wake.clear()
                try:
                    await asyncio.wait_for_ms(self._wake.wait(), _TURN_MS)
                except asyncio.TimeoutError:
                    pass
            raise client.failed
        finally:
            client.close()

    async def run(self):
        """For ever."""
        backoff = _BACKOFF_MS
        while True:
            while not self._online():
                await self._rest(_TURN_MS // 2)
            self._settled = False
            try:
                await self._session()
            except Exception as error:
                text = str(error) or repr(error)
                if text != self._error:  # not the same one every minute
                    self._log("warning", "glow: " + text)
                self._error = text
            if self._settled:
                backoff = _BACKOFF_MS
            await self._rest(backoff * (75 + random.getrandbits(6)) // 100)
            backoff = min(backoff * 2, _BACKOFF_LIMIT_MS)
