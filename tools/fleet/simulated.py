# SPDX-License-Identifier: MIT
"""Dongles that are not there, as a broker sees them: for tests of the fleet, and to see what a broker can take.

    python -m tools.fleet.simulated --mqtt 127.0.0.1:1883 --count 200 --fault rolls_back=2 --fault hangs=1

One process, a connection each. They publish what a dongle does, and update as one does: the address of a bundle in
…/update/set is received (its version and chip are read from the bundle, or from the address with --no-fetch), verified,
tried after a restart, confirmed, or not, as the fault says.
"""

import argparse
import asyncio
import json
import random
import re
import time

from tools.fleet.bundles import BundlesError, manifest
from tools.fleet.mqtt import Client, MqttError, address

FAULTS = {
    "rolls_back": "the new version does not prove itself, and the old one comes back",
    "crashes": "the new version is never seen, and the old one comes back",
    "vanishes": "restarts into the new version and is never heard of again",
    "hangs": "stops receiving half-way",
    "refuses": "says that the signature is wrong",
    "slow": "takes ten times as long",
    "deaf": "does nothing",
    "boasts": "does nothing, but repeats a report of the new version from long ago",
    "sick": "confirms the new version, but no longer hears the meter",
    "undecided": "runs the new version on trial, for ever",
    "noise": "sends what is no JSON",
    "types": "sends JSON of other types",
    "huge": "sends a megabyte at a time",
}
_NOISE = (b"\xff\xfe\x00", b"{", b"[1,2", b"\x1b[2J\x1b]0;owned\x07", b"[" * 4000, b"NaN", b"9" * 4000, b"null")
_TYPES = (b"[]", b'"online"', b'{"version": 12, "uptime_s": 1}', b'{"version": "\\u001b[31m0.2.0", "trial": false}',
          b'{"version": "0.2.0", "uptime_s": -1, "trial": false}', b'{"uptime_s": 1e400, "version": "0.2.0"}',
          b'{"version": "0.2.0", "trial": {"a": 1}}', b'{"errors": {"checksum": true}}', b'{"meter": "fine"}')
_READING = {"meter_model": "ISK5\\2M550T-1012", "import_wh": 8163682, "export_wh": 8012587, "power_import_w": 731,
            "power_export_w": 0, "voltage_l1_mv": 227700, "voltage_l2_mv": 228100, "voltage_l3_mv": 229400,
            "current_l1_ma": 1040, "current_l2_ma": 910, "current_l3_ma": 1310, "tariff": 2, "import_t1_wh": 4093112,
            "import_t2_wh": 4070570, "power_failures": 7, "long_power_failures": 2,
            "devices": {"1": {"channel": 1, "type": "gas", "time": 1759999800, "volume_l": 3171374}}}
_HEALTH = {"reset_cause": "power", "family": "dsmr5", "telegrams": 0, "frames": 0, "key": "", "key_unused": 0,
           "stale": 0, "line": "115200 8N1 inverted", "line_found": True, "held": 0, "dropped": 0, "swaps": 0,
           "garbage": 0, "bytes": 0, "stall_ms": 12, "wifi": "connected", "tasks": {}, "time_source": "ntp",
           "clock_offset_s": 0, "errors": {"checksum": 0, "truncated": 0, "wrong_key": 0, "no_key": 0, "malformed": 0},
           "mqtt": {"connected": True, "connects": 1, "published": 9, "dropped": 0, "error": ""}, "clock_steps": 0}


class Pace:
    """Seconds. `receive_s`, `restart_s` and `trial_s` of an update."""

    def __init__(self, reading_s=10, health_s=60, keepalive_s=60, receive_s=20, restart_s=4, trial_s=35, backoff_s=2,
                 fetch=True):
        self.reading_s, self.health_s, self.keepalive_s = reading_s, health_s, keepalive_s
        self.receive_s, self.restart_s, self.trial_s = receive_s, restart_s, trial_s
        self.backoff_s, self.fetch = backoff_s, fetch


class _Restart(Exception):
    pass


class SimulatedDongle:
    def __init__(self, broker, name, pace, version="0.1.0", chip="xtensawin", board="esp32_generic", fault="",
                 tls=None):
        self._broker, self._pace, self.name, self.fault, self._tls = broker, pace, name, fault, tls
        self.version, self.chip, self.board = version, chip, board
        self.slot, self.trial, self.meter = "a", False, "ok"
        self.commands = []  # addresses that it was told
        self.connects = self.published = self.bytes = 0
        self._update = {"in_progress": False, "update_percentage": None, "error": "", "why": ""}
        self._latest = version
        self._new = None
        self._booted = time.monotonic() - random.uniform(100, 200000)
        self._client = self._ending = self._work = None

    # ---- what it says

    async def _say(self, kind, value, qos=0, retain=False):
        payload = value if isinstance(value, bytes) else json.dumps(value).encode()
        await self._client.publish("wattport/%s/%s" % (self.name, kind), payload, qos, retain)
        self.published += 1
        self.bytes += len(payload)

    async def _say_update(self, **what):
        self._update.update(what)
        await self._say("update", {"installed_version": self.version, "latest_version": self._latest, **self._update},
                        1, True)

    async def _say_health(self):
        if self.fault in ("noise", "types", "huge"):
            what = {"noise": _NOISE, "types": _TYPES}.get(self.fault)
            await self._say("health", random.choice(what) if what else b"{" + bytes(1000000) + b"}")
            return
        report = {**_HEALTH, "version": self.version, "uptime_s": int(time.monotonic() - self._booted),
                  "meter": self.meter, "telegram_age_s": 1, "heap_free": 52000 + random.randrange(4000),
                  "rssi": -50 - random.randrange(30), "utc": int(time.time()), "slot": self.slot,
                  "trial": self.slot if self.trial else None, "chip": self.chip, "board": self.board}
        if self.fault == "boasts" and self.commands:
            report.update(version="0.2.0", uptime_s=900000, slot="b")
        await self._say("health", report)

    # ---- what it does

    async def run(self):
        """For ever, however the broker fares; until it vanishes."""
        backoff_s = self._pace.backoff_s
        while True:
            try:
                await self._session()
            except _Restart:
                if self.fault == "vanishes":
                    return
                await asyncio.sleep(self._pace.restart_s)
                self._booted = time.monotonic()
                backoff_s = self._pace.backoff_s
                continue
            except (MqttError, OSError):
                pass
            backoff_s = self._pace.backoff_s if self._connected else min(60, 2 * backoff_s)
            await asyncio.sleep(backoff_s * random.uniform(0.75, 1.4))

    def stop(self):
        if self._work:
            self._work.cancel()

    async def _session(self):
        base = "wattport/" + self.name
        self._connected = False
        self._ending = asyncio.get_running_loop().create_future()
        self._client = Client(*self._broker, "wattport-" + self.name, self._message, keepalive_s=self._pace.keepalive_s,
                              tls=self._tls, will=(base + "/state", "offline"), most=512)
        await self._client.open()
        self.connects += 1
        self._connected = True
        tasks = [asyncio.ensure_future(self._client.run())]
        try:
            await self._say("state", b"online", 1, True)
            await self._client.subscribe([base + "/update/set", "homeassistant/status"])
            await self._say_update()
            tasks += [asyncio.ensure_future(self._readings()), asyncio.ensure_future(self._healths()), self._ending]
            if self.trial and self._work is None:
                self._work = asyncio.ensure_future(self._prove())
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for task in tasks:
                task.cancel()
            self._client.close(False)  # as when the power goes: the broker publishes the will
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _readings(self):
        await asyncio.sleep(random.uniform(0, self._pace.reading_s))
        while True:
            await self._say("reading", {**_READING, "time": int(time.time())})
            await asyncio.sleep(self._pace.reading_s)

    async def _healths(self):
        if not self.trial:
            await asyncio.sleep(random.uniform(0, self._pace.health_s))
        while True:
            await self._say_health()
            await asyncio.sleep(self._pace.health_s)

    def _message(self, topic, payload, retained, size):
        if topic.endswith("/update/set"):
            self.commands.append(payload.decode())
            busy = self._work or self.trial or self._ending.done()
            if not busy and self.fault not in ("deaf", "boasts", "noise", "types", "huge"):
                self._work = asyncio.ensure_future(self._receive(payload.decode()))

    def _restart(self):
        self._work = None
        if not self._ending.done():
            self._ending.set_exception(_Restart())

    async def _receive(self, url):
        try:
            if self.fault == "refuses":
                await self._try(self._say_update(error="signature"))
                self._work = None
                return
            await self._try(self._say_update(in_progress=True, update_percentage=0, error=""))
            version, chip = await self._head(url)
            self._latest = version
            if chip not in (self.chip, None):
                await self._try(self._say_update(in_progress=False, update_percentage=None, error="chip"))
                self._work = None
                return
            for percent in range(20, 101, 20):
                if self.fault == "hangs" and percent > 50:
                    await asyncio.Event().wait()
                await asyncio.sleep(self._pace.receive_s / 5 * (10 if self.fault == "slow" else 1))
                await self._try(self._say_update(update_percentage=percent))
            self._new, self._update["in_progress"], self._update["update_percentage"] = version, False, None
            if self.fault == "crashes":
                self._update["why"] = "crashed"
            else:
                self._old, self.version, self.trial = self.version, version, True
                self.slot = "b" if self.slot == "a" else "a"
            self._restart()
        except (OSError, TypeError, BundlesError) as error:
            await self._try(self._say_update(in_progress=False, update_percentage=None, error="network: %s" % error))
            self._work = None

    @staticmethod
    async def _try(saying):
        try:
            await saying
        except (MqttError, OSError):  # the download does not need the broker
            pass

    async def _head(self, url):
        """(version, chip) of a bundle that is fetched whole, or of its address."""
        if not self._pace.fetch:
            found = re.search(r"(\d+\.\d+\.\d+)(?:-(xtensawin|rv32imc|x64|x86))?", url)
            return found[1], found[2]
        host, _, path = url.partition("://")[2].partition("/")
        host, port = address(host, 80)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n" % (path.encode(), host.encode()))
        head, _, body = (await asyncio.wait_for(reader.read(-1), 60)).partition(b"\r\n\r\n")
        writer.close()
        if b" 200 " not in head.splitlines()[0]:
            raise OSError("no bundle at %s" % url)
        found = manifest(body, url)
        return found["version"], found["chip"]

    async def _prove(self):
        await asyncio.sleep(self._pace.trial_s)
        if self.fault == "undecided":
            return
        self.trial = False
        if self.fault == "rolls_back":
            self.version, self.slot = self._old, "b" if self.slot == "a" else "a"
            self._update["why"] = "meter"
            self._restart()
            return
        if self.fault == "sick":
            self.meter = "silent"
        self._update["why"] = ""
        self._work = None
        await self._try(self._say_update())


def fleet(broker, count, pace, faults=(), **how):
    """Dongles; faults: their names, for the first ones."""
    faults = list(faults) + [""] * (count - len(faults))
    return [SimulatedDongle(broker, "sim%05d" % at, pace, fault=fault, **how) for at, fault in enumerate(faults)]


async def run(dongles, per_second=100):
    """For ever; they come one after the other, as fast as that."""
    tasks = []
    try:
        for dongle in dongles:
            tasks.append(asyncio.ensure_future(dongle.run()))
            await asyncio.sleep(1 / per_second)
        await asyncio.gather(*tasks)
        await asyncio.Event().wait()
    finally:
        for dongle in dongles:
            dongle.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main():
    parser = argparse.ArgumentParser(prog="tools.fleet.simulated", description="Dongles that are not there.")
    parser.add_argument("--mqtt", metavar="HOST:PORT", type=address, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--fault", metavar="NAME=N", action="append", default=[], help=", ".join(
        "%s: %s" % fault for fault in FAULTS.items()))
    parser.add_argument("--reading", metavar="SECONDS", type=float, default=10)
    parser.add_argument("--health", metavar="SECONDS", type=float, default=60)
    parser.add_argument("--no-fetch", action="store_true", help="take version and chip from the address of a bundle")
    options = parser.parse_args()
    faults = []
    for one in options.fault:
        name, _, count = one.partition("=")
        if name not in FAULTS or not (count or "1").isdecimal():
            parser.error("--fault takes NAME=N, a name of: " + ", ".join(FAULTS))
        faults += [name] * int(count or 1)
    pace = Pace(options.reading, options.health, fetch=not options.no_fetch)
    try:
        asyncio.run(run(fleet(options.mqtt, options.count, pace, faults)))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
