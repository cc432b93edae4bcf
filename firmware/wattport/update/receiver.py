# SPDX-License-Identifier: MIT
"""The start that takes an update: Wi-Fi, the broker that is told how it goes, and nothing of the meter or the
dashboard, whose heap this needs. What it is to do stands in the job, see `job`; it ends with a restart, whatever
happens.
"""

import asyncio
import gc
import sys
import time
from binascii import hexlify

import board
import machine
from micropython import const

from wattport.modules import fetch, load
from wattport.supervisor import Supervisor
from wattport.update.refusal import BundleError
from wattport.version import VERSION

_IDLE_S = const(300)  # nobody uploads anything
_LONGEST_S = const(2400)  # for a pull
_JOIN_S = const(180)
_WATCHDOG_MS = const(60000)
_TELL_MS = const(1500)
_PORT = const(80)


class Receiver:
    """As much of an App as its parts ask for. `state`: ready, receiving, verifying or restarting."""

    def __init__(self, document, log, job):
        self.log = log
        self.job = job
        self.health = self  # of which a weak supply wants `report` and `led_state`
        self.state = "ready"
        self.error = self.detail = ""
        self.device_id = hexlify(machine.unique_id()).decode()
        self.slot = sys.modules["slot"].runs
        self.update = document["update"]
        self.supervisor = Supervisor(log)
        self.wifi = load("wattport.net.wifi", "Wifi")(document["wifi"], log)
        self.portal = bool(job.get("portal"))
        self.access = None
        self.visited = time.ticks_ms()
        self.served = document["web"]
        self.served["port"] = self.served["port"] or _PORT
        self.publisher = self.supply = None
        if document["mqtt"]["host"] and not self.portal:
            # what Home Assistant knows of us is still so
            document["mqtt"]["discovery"] = False
            self.publisher = load("wattport.publish.publisher", "Publisher")(
                document["mqtt"], self.device_id, VERSION, log)
        self.document = document
        self._install = None
        self._seen = self._began = log.uptime_s()
        self._told = time.ticks_ms()

    def report(self):
        return {}

    def led_state(self):
        return "offline"

    # ---- what the door asks for

    def status(self):
        about = fetch("wattport.update.running", "running")(VERSION)
        install = self._install
        return {"device": self.device_id, "version": VERSION, "chip": about["chip"], "board": board.NAME,
                "slot": self.slot, "trial": False, "state": self.state,
                "done": install.done if install else 0, "total": install.total if install else 0,
                "error": self.error, "detail": self.detail}

    def touch(self):
        self._seen = self.log.uptime_s()
        self._tell()

    def open(self, downgrade):
        """An Install, fresh. BundleError."""
        gc.collect()
        self.error = self.detail = ""
        install = self._install = load("wattport.update.begin", "install")(
            self.slot, self.job["alive"], downgrade, self.job["kind"] == "pull")
        self.state = "receiving"
        return install

    async def finish(self, install):
        self.state = "verifying"
        self._tell(True)
        for _ in install.finish():
            await asyncio.sleep(0)
        self.log("info", "update: %s is in the flash, and tried next" % install.manifest["version"])
        fetch("wattport.update.job", "end")()

    def refused(self, error):
        self.error, self.detail = error.kind, str(error)
        self.log("error", "update: %s: %s" % (error.kind, error))
        self._tell(True)

    def restart(self):
        self.state = "restarting"

    def leave(self, error="", detail=""):
        """Back to the application, without a new version."""
        if self.state != "restarting":
            install = self._install
            version = install.manifest["version"] if error and install and install.manifest else ""
            fetch("wattport.update.job", "end")(error, detail, version)
            self.restart()

    # ---- what it does

    def _tell(self, at_once=False):
        """The broker, so that Home Assistant has its bar."""
        if not self.publisher or not at_once and time.ticks_diff(time.ticks_ms(), self._told) < _TELL_MS:
            return
        self._told = time.ticks_ms()
        install = self._install
        total = install.total if install else 0
        self.publisher.update({
            "installed_version": VERSION, "latest_version": install.manifest["version"] if total else VERSION,
            "in_progress": not self.error, "update_percentage": 100 * install.done // total if total else None,
            "error": self.error, "why": ""})

    async def _pull(self):
        job = self.job
        try:
            chip = fetch("wattport.update.running", "running")(VERSION)["chip"]
            url = fetch("wattport.url", "expand")(str(job.get("url")), chip)
            await self._join(url)
            install = self.open(bool(job.get("downgrade")))
            try:
                await fetch("wattport.update.pull", "pull")(url, self.update["ca"], install, self.touch)
                await self.finish(install)
                return self.restart()
            except Exception as error:
                install.abort(isinstance(error, BundleError) and error.kind == "network")
                raise
        except BundleError as error:
            self.refused(error)
        except (OSError, MemoryError, ValueError) as error:
            self.refused(BundleError("failed", "%s: %s" % (type(error).__name__, error)))
        await asyncio.sleep_ms(_TELL_MS)
        self.leave(self.error, self.detail)

    async def _join(self, url):
        """Until the address can be asked: Wi-Fi, for https the time, of a weak supply enough of it."""
        while not self.wifi.connected:
            if self.log.uptime_s() - self._began > _JOIN_S:
                raise BundleError("network", "Wi-Fi did not come up.")
            await asyncio.sleep_ms(200)
        if self.supply:
            await self.supply.settle()
        if url.startswith("https:"):
            times = self.document["time"]
            zone = fetch("wattport.posixzone", "parse")(times["zone"])
            wall = load("wattport.wall", "Wall")(zone, "ntp", times["server"], self.log)
            plan = []
            for _ in range(4):
                if wall.utc() is None:
                    await fetch("wattport.net.sync", "run")(wall, times["server"], True, plan, self.log)
                    plan[:1] = [0]

    async def _watch(self):
        """Feeds the watchdog, and ends what takes too long."""
        watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        idle_s = getattr(board, "RECEIVE_S", _IDLE_S)
        while self.state != "restarting":
            watchdog.feed()
            now = self.log.uptime_s()
            if now - self._began > _LONGEST_S:
                self.leave("network", "It took too long.")
            elif self.job["kind"] == "upload" and now - self._seen > idle_s:
                self.leave(self.error or "truncated", self.detail or "Nothing was uploaded.")
            await asyncio.sleep_ms(500)
        self._tell(True)
        await asyncio.sleep_ms(2000)  # answers are still to go out
        if self.supply:
            self.supply.leave()
        machine.reset()

    async def _open(self):
        await load("wattport.portal", "run")(self, self.device_id, False)

    async def run(self):
        self.log("info", "Wattport %s, device %s, takes an update: %s" % (VERSION, self.device_id, self.job["kind"]))
        if getattr(board, "SUPPLY", None) is not None:
            self.supply = load("wattport.supply", "Supply")(self.log)
            self.supply.attach(self)
        add = self.supervisor.add
        add("watch", self._watch)
        if self.portal:
            add("portal", self._open)
        else:
            add("wifi", self.wifi.run)
        door = load("wattport.update.door", "Door")(self, self.served["port"], self.job.get("ticket", ""))
        add("door", door.run)
        if self.job["kind"] == "pull":
            add("pull", self._pull)
        if self.publisher:
            add("mqtt", self._publish)
        gc.collect()
        await self.supervisor.run()

    async def _publish(self):
        while not self.wifi.connected:
            await asyncio.sleep_ms(500)
        await self.publisher.run()


async def run(document, log, job):
    """For ever, which the restart ends."""
    await Receiver(document, log, job).run()
