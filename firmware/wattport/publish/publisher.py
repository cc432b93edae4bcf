# SPDX-License-Identifier: MIT
"""Everything that goes to the broker: takes it without ever waiting, sends it when there is a connection.

Of readings, raw frames, health and what the broker keeps only the newest is kept: nobody wants a queue of stale power
values. Alerts queue, a few. Home Assistant's discovery is imported while it has something to say and forgotten
afterwards.
"""

import asyncio
import gc
import json
import random
import time

from micropython import const

from wattport.modules import forget
from wattport.net import stream
from wattport.publish import mqtt

CONNECT_MS = 15000
BACKOFF_MS = 1000  # after a failure, doubled each time
BACKOFF_LIMIT_MS = 60000
_SETTLED_MS = const(10000)  # a session that lived so long starts the backoff anew
_ALERTS = const(8)
_MOST = const(4096)  # bytes of a message that comes in, with its topic: two days of prices, say
_LEAST = const(144)  # the longest topic of ours
_PACE_MS = const(200)  # between two discovery messages: a burst browns a bus-powered dongle out
_CALM_MS = const(8000)  # from the first reading: until then, finding the line and the time needs the heap
_PROBE_MS = const(3000)  # in which the broker shows whether it still has our discovery messages
_BIRTH_MS = const(3000)  # Home Assistant asks for a random wait after its start
_CHILD_VALUES = ("volume_l", "energy_kj", "energy_wh")


def _passed(at):
    return at is None or time.ticks_diff(time.ticks_ms(), at) >= 0


def _after(ms):
    return time.ticks_add(time.ticks_ms(), ms)


class Publisher:
    """settings: the group `mqtt`, complete; log(level, text), level "info", "warning" or "error".
    `supply`: where the board has a weak one, what may be sent just now. `half`: the history's HalfHour, with what is to
    be sent in `out`.

    `status` is for /health.
    """

    supply = half = None
    room = None  # a function that tells whether discovery may have the heap now

    def __init__(self, settings, device_id, version, log=print):
        self._settings = settings
        from wattport.publish.topics import safe_id, safe_topic
        forget("wattport.publish.topics")
        device_id = safe_id(device_id)
        self.base = safe_topic(settings["base"], "wattport/" + device_id)
        self._client_id = settings["client_id"] or "wattport-" + device_id
        self._prefix = safe_topic(settings["discovery_prefix"], "homeassistant")
        self._log = log
        self.status = {"connected": False, "connects": 0, "published": 0, "dropped": 0, "error": ""}
        self.takers = {}  # name: module whose `take` gets what is sent to …/name/set
        self.orders = {}  # such a module: (payload, retained, whole), the newest
        self.listens = False  # to all that have a taker
        self._wake = asyncio.Event()
        self._out = bytearray(mqtt.OUT_SIZE)
        self._reading = self._raw = self._health = None  # the newest, not sent yet
        self._update = None  # kept: a broker that has lost it gets it again
        self._update_wanted = False
        self._alerts = []
        self._kept, self._unsent = {}, set()  # by topic: what the broker is to keep, and whether it has to be told
        self._holding = False  # a reading was sent less than interval_s ago
        self._due = None  # the end of that
        self._settled = False
        self._state_wanted = False
        # discovery
        self._about = (self._prefix, device_id, self.base, version, max(600, 4 * settings["interval_s"]))
        self._seen_reading = self._seen_health = None  # the last one sent, for the fields it has
        self._announced = set()  # fields that have had their turn
        self._configs = None  # the messages on their way
        self._config_at = None  # not before
        self._look = False  # there may be new fields
        self._probe = None  # a topic that the broker has when it has them all
        self._probe_at = None

    # ---- taking: synchronous, at once, without an error

    def reading(self, reading):
        """The newest Reading; must not be changed afterwards."""
        if self._reading is not None and not (self._holding and self.status["connected"]):
            self.status["dropped"] += 1
        self._reading = reading
        self._wake.set()

    def raw(self, frame):
        if self._settings["raw"]:
            self._raw = frame
            self._wake.set()

    def health(self, health):
        self._health = health
        self._wake.set()

    def update(self, update):
        """How it stands with updates, a dict as Home Assistant's MQTT update takes it."""
        self._update = update
        self._update_wanted = True
        self._wake.set()

    def alert(self, alert):
        if len(self._alerts) >= _ALERTS:
            self._alerts.pop(0)
            self.status["dropped"] += 1
        self._alerts.append(alert)
        self._wake.set()

    def keep(self, name, value):
        """What the broker is to keep under "/name": the newest, and after each connection once more."""
        self._kept[name] = value
        self._unsent.add(name)
        self._wake.set()

    def look(self):
        """There is something in `half.out`, or new in `takers` and not listened to."""
        self._wake.set()

    # ---- sending

    async def run(self):
        """For ever."""
        backoff = BACKOFF_MS
        while True:
            self._settled = False
            try:
                if self.supply and self._settings["tls"]:
                    await self.supply.settle()
                await self._session()
            except Exception as error:
                text = str(error) or repr(error)
                if text != self.status["error"]:  # not the same one every minute
                    self._log("warning", "mqtt: " + text)
                self.status["error"] = text
            if self._settled:
                backoff = BACKOFF_MS
            await asyncio.sleep_ms(backoff * (75 + random.getrandbits(6)) // 100)
            backoff = min(backoff * 2, BACKOFF_LIMIT_MS)

    async def _session(self):
        """From connecting to the end of the connection, which is always an exception."""
        settings = self._settings
        host, port = settings["host"], settings["port"]
        authority = settings["ca"] if settings["tls"] else None
        connection = await stream.connect(host, port, authority, CONNECT_MS)
        client = mqtt.Client(connection, self._out, self._message, self._wake.set, _LEAST, _MOST)
        try:
            state = self.base + "/state"
            await client.open(
                self._client_id, settings["keepalive_s"], settings["user"], settings["password"],
                state, "offline")
            await client.publish(state, b"online", 1, True)
            self.listens = False
            self._update_wanted = self._update is not None
            self.status["connected"] = True
            self.status["connects"] += 1
            self.status["error"] = ""
            self._log("info", "mqtt: connected to %s:%d" % (host, port))
            began = time.ticks_ms()
            self._unsent.update(self._kept)
            self._holding = False
            # not the one of before: it may be days old, and ticks come round
            self._config_at = None if self._announced else _after(_CALM_MS)
            while True:
                if client.failed:
                    raise client.failed
                if not self._settled and time.ticks_diff(time.ticks_ms(), began) > _SETTLED_MS:
                    self._settled = True
                if not await self._send_next(client):
                    await self._rest()
        finally:
            self.status["connected"] = False
            client.close()
            if self._configs is not None:  # some got lost: all of them again
                self._rediscover(0)

    async def _send_next(self, client):
        """Send the most urgent message there is; False when there is none."""
        settings = self._settings
        if self._holding and _passed(self._due):
            self._holding = False
        if not self.listens:
            self.listens = True
            await self._subscribe(client)
        elif self._state_wanted:
            self._state_wanted = False
            await client.publish(self.base + "/state", b"online", 1, True)
        elif self._reading is not None and not self._holding:
            reading, self._reading = self._reading, None
            try:
                await self._publish(client, "/reading", reading, settings["qos"], settings["retain"])
            except Exception:
                if self._reading is None:  # nothing newer came meanwhile
                    self._reading = reading
                else:
                    self.status["dropped"] += 1
                raise
            if settings["discovery"] and _has_news(reading, self._announced):
                if self._seen_reading is None and not self._announced:
                    self._config_at = _after(_CALM_MS)
                self._seen_reading = reading
                self._look = True
            if settings["interval_s"]:
                self._holding = True
                self._due = _after(settings["interval_s"] * 1000)
        elif self._update_wanted:
            self._update_wanted = False
            await self._publish(client, "/update", self._update, 1, True)
        elif self._alerts:
            alert = self._alerts[0]
            await self._publish(client, "/alert", alert, 1, False)
            if self._alerts and self._alerts[0] is alert:  # else the queue overflowed and it is gone already
                self._alerts.pop(0)
        elif self._unsent:
            name = self._unsent.pop()
            await self._publish(client, name, self._kept[name], 1, True)
        elif self.half and self.half.out:
            await client.publish(self.base + "/halfhour", self.half.out, 1)
            self.half.out = None
            self.status["published"] += 1
        elif self._health is not None:
            health, self._health = self._health, None
            await self._publish(client, "/health", health, settings["qos"], settings["retain"])
            if settings["discovery"]:
                self._seen_health = health
                self._look = True
        elif self._raw is not None:
            frame, self._raw = self._raw, None
            await client.publish(self.base + "/raw", frame, settings["qos"])
            self.status["published"] += 1
        else:
            return settings["discovery"] and await self._send_config(client)
        return True

    async def _publish(self, client, name, value, qos, retain):
        try:
            value = json.dumps(value).encode()
        except Exception as error:  # no JSON, or no memory: this message is lost, not the connection
            self._log("error", "mqtt: %s not sent: %r" % (name, error))
            self.status["dropped"] += 1
            return
        await client.publish(self.base + name, value, qos, retain)
        self.status["published"] += 1

    async def _rest(self):
        """Until there is something new or the next thing is due."""
        self._wake.clear()
        wait_ms = None
        for at in (self._due if self._holding else None,
                   self._config_at if self._look or self._configs else None, self._probe_at):
            if at is not None:
                left = max(0, time.ticks_diff(at, time.ticks_ms()))
                wait_ms = left if wait_ms is None else min(wait_ms, left)
        try:
            if wait_ms is None:
                await self._wake.wait()
            else:
                await asyncio.wait_for_ms(self._wake.wait(), wait_ms)
        except asyncio.TimeoutError:
            pass

    # ---- Home Assistant

    async def _subscribe(self, client):
        topics = ["%s/%s/set" % (self.base, name) for name in self.takers]
        if self._settings["discovery"]:
            topics.append(self._prefix + "/status")
        if self._probe:
            topics.append(self._probe)
            self._probe_at = _after(_PROBE_MS)
        if topics and not await client.subscribe(topics):
            self._log("warning", "mqtt: the broker does not let us see %s" % topics[0])

    def _message(self, topic, text, retained, whole):
        topic = topic.decode()
        if topic == self._prefix + "/status":
            if text == b"online" and not retained:  # a retained one tells of a start long ago
                self._state_wanted = True
                self._rediscover(_BIRTH_MS // 3 + random.getrandbits(11))
                self._wake.set()
        elif topic == self._probe:
            if retained and text:
                self._probe_at = None  # the broker kept them
        else:
            taker = self.takers.get(topic[len(self.base) + 1 : -4])
            if taker:
                self.orders[taker] = text, retained, whole

    def _rediscover(self, wait_ms):
        self._announced = set()
        self._configs = None
        self._config_at = _after(wait_ms)
        self._look = True

    async def _send_config(self, client):
        """One discovery message, if there is one and it is time."""
        if self._probe_at is not None and _passed(self._probe_at):
            self._probe_at = None
            self._rediscover(0)
        if not _passed(self._config_at):
            return False
        self._config_at = None
        if self.supply and not self.supply.strong and (self._look or self._configs):
            self._config_at = _after(_PACE_MS)
            return False
        if self._configs is None and self._look:
            self._look = False
            self._configs = self._new_configs()
        if self._configs is None:
            return False
        self._has_room()  # it stays ours
        gc.collect()
        try:
            topic, text = next(self._configs)
        except StopIteration:
            self._look = False
            self._configs = self._new_configs()  # what came meanwhile
            return True
        await client.publish(topic, text, 1, True)
        self._probe = topic
        self._config_at = _after(_PACE_MS)
        return True

    def _new_configs(self):
        """An iterator of the messages for fields not announced yet, or None.

        What it imports is 8 KB. They stay from the fields of the reading to those of the health, as a second copy
        beside one that is not collected yet is more than there is; with None they go.
        """
        configs = self._wanted()
        if configs is None:
            forget("wattport.publish.discovery", "wattport.publish.topics")
        return configs

    def _wanted(self):
        reading, health, announced = self._seen_reading, self._seen_health, self._announced
        new = reading is not None and _has_news(reading, announced)
        if not new:
            self._seen_reading = None  # another one comes if it has news
            if health is None or all([health[name] is None or "health_" + name in announced for name in health]):
                return None
        if not self._has_room():
            self._look = True
            self._config_at = _after(_PACE_MS)
            return None
        gc.collect()  # the import takes 10 KB; a heap that grows for it takes them from Wi-Fi, for ever
        from wattport.publish import discovery
        if not new:
            return discovery.of_health(self._about, health, announced)
        self._seen_reading = None
        return discovery.of_reading(self._about, reading, announced)

    def _has_room(self):
        return not self.room or self.room()

    def announces(self):
        """Discovery is in the heap."""
        return self._configs is not None


def _has_news(reading, announced):
    for name in reading:
        if name not in announced and name != "devices":
            return True
    devices = reading.get("devices")
    if devices:
        for channel, device in devices.items():
            for name in _CHILD_VALUES:
                if name in device and (
                        channel, device.get("id"), device.get("type", ""), name) not in announced:
                    return True
    return False
