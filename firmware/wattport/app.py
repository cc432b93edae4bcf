# SPDX-License-Identifier: MIT
"""Builds the parts from the settings and keeps them running. The only module that knows everybody."""

import asyncio
import gc
import time

import machine
from micropython import const

from wattport.modules import fetch, forget, load

_WATCHDOG_MS = const(30000)
_HEALTH_S = const(60)
_FIRST_HEALTH_S = const(5)
_STARVED = const(2048)  # bytes of the system's heap with which no packet can be sent
_RESTART_S = const(3)
_PROVEN_S = const(60)
_TIME_S = const(60)  # in which a TLS connection waits for the time
_UNCHECKED = ("dsmr2", "iec62056-21", "tic")  # no checksum protects them, or a weak one


class App:
    """`document`: the whole settings, as settings.check gives them. asked: somebody wants the portal.

    What a request may look at: `portal`, whether the set-up's own Wi-Fi is what runs, and `access`, its address and
    mask as soon as it does; `wifi`, `meter`, `line`; `tried`, what the set-up has found to be good, not saved yet;
    `trials`, how it tries; `kept`, the last frames that were errors; `slot`, the one that runs, "a" or
    "b", or None; `trial`, whether that is still to prove itself; `update`, the group of the settings, and how it
    stands, see `update.state`; `restart_s`, not 0 before a restart. All the parts come from `build`.
    """

    def __init__(self, document, log, asked=False):
        self.log = log
        self.access = self.web = self.kept = None
        self.visited = time.ticks_ms()  # when the portal's page was asked for last, or anything of it
        self.tried, self.trials = {}, {}
        self.trial = False
        self.restart_s = 0
        fetch("wattport.build", "parts")(self, document, log, asked)

    def connected(self):
        return self.wifi.connected

    def renew(self):
        return fetch("wattport.port", "renew")(self)

    def restart(self):
        """In two seconds or three: an answer is still to go out."""
        self.restart_s = self.restart_s or _RESTART_S

    def reading(self, reading, family):
        odd = ""
        if self.guard:
            self.guard.take(reading, time.ticks_ms(), family not in _UNCHECKED)
            odd = self.guard.news
            if odd and odd != "dropped":  # which follows "held", and is only counted
                self.log.limited(odd, "warning", lambda: fetch("wattport.advice", "odd")(odd))
            if self.window and odd == "swap":
                self.window.edge = None
        if "time" in reading:
            self.wall.meter(reading["time"], family not in _UNCHECKED)
        if self.half:
            self.half.take(reading, self.wall.utc(), self.guard and self.guard.news == "swap")
        if self.hour:
            self._count(reading)
        if self.alerts:
            self.alerts.take(reading, odd, self.log.uptime_s())
        if self.window and self.window.take(reading, self.log.uptime_s(), self.wall):
            fetch("wattport.tariff.projection", "tell")(self)
        if self.publisher:
            self.publisher.reading(reading)
        if self.web:
            self.web.reading(reading)
        self.led.flash()
        if family != self.health.family:
            self.log("info", "reading %s telegrams from %s" % (family, reading.get("meter_model", "the meter")))
            self.health.family = family
        counters = self.meter.counters
        if counters.key_unused:
            self.log.limited("key_unused", "warning", self.meter.key_verdict)
        if counters.stale:
            self.log.limited("stale", "warning", "the frame counter of %d telegrams had not risen" % counters.stale)
        gc.collect()  # in the pause behind a telegram, so that it never happens inside of one

    def _count(self, reading):
        """For the dashboard: the last hour, the last day, and today."""
        self.hour.take(reading, time.ticks_ms())
        if self.day:
            self.day.take(reading, time.ticks_ms())
        text = self.today.take(reading, self.wall.utc(), self.log.uptime_s())
        if text:
            try:
                fetch("wattport.files", "replace")("today.txt", text, False)
            except OSError as error:
                self.log.limited("today", "error", "the day's start can't be kept: %s" % error)

    def error(self, error, frame):
        self.log.limited("meter " + error.kind, "warning", lambda: fetch("wattport.advice", "error")(error, len(frame)))
        if self.web:
            try:
                self.kept = self.kept or fetch("wattport.kept", "Kept")()
                self.kept.take(error, frame, self.log.uptime_s())
            except MemoryError:  # the meter goes on without
                pass

    def _report(self):
        report = self.health.report()
        report.update(self.about)
        report["trial"] = self.trial
        if self.web:
            report["web"] = self.web.status
        if self.window:
            report["peak_w"] = self.window.state.get("figure")
        if self.alerts:
            report["alerts"] = list(self.alerts.active)
        return report

    def _look(self):
        """The health for who asks in between: the longest stall stays for the next report to the broker."""
        stall_ms = self.line.stall_ms
        self.health.look()
        report = self._report()
        self.line.stall_ms = stall_ms
        return report

    async def serve(self):
        if not self.web:
            from wattport.web.waiter import Waiter
            self.web = Waiter(self, self.served, self._look)
        await self.web.run()

    async def open(self):
        from wattport import portal
        await portal.run(self, self.device_id, self.asked)

    async def press(self):
        from wattport import button
        await button.run(self.pin, self.log)

    async def sync(self):
        """Asks for the time once an hour, and when there is another network, or another source of time."""
        plan = []
        while True:
            connected, state = self.wifi.connected, self.wall.state
            left_s = await fetch("wattport.net.sync", "run")(self.wall, self.servers, connected, plan, self.log)
            while left_s > 0 and connected == self.wifi.connected and state == self.wall.state:
                left_s -= 1
                await asyncio.sleep_ms(1000)
                self.wall.utc()

    def room(self):
        """For discovery: the heap holds neither the dashboard nor the history besides."""
        return not (self.half and self.half.busy) and (not self.web or self.web.give_way(3000))

    async def remember(self):
        """Half-hours that are over go into the history, and to the broker."""
        half, publisher = self.half, self.publisher
        while True:
            owes = publisher and publisher.status["connected"] and half.kept and half.kept[3] != half.owed
            if (half.marks or owes) and not half.users and not (publisher and publisher.announces()) and (
                    not self.web or self.web.give_way(30000)):
                half.busy = True
                try:
                    if half.marks:
                        await fetch("wattport.history.task", "run")(half, self.wall.zone, self.log)
                    else:
                        await fetch("wattport.history.forward", "run")(half, publisher)
                finally:
                    half.busy = False
                    if self.web:
                        self.web.give_way(0)
            await asyncio.sleep_ms(1000)

    async def prove(self):
        """Where this program is on trial, or the start before ended badly: until it is decided."""
        try:
            await load("wattport.update.trial", "run")(self, self.slot)
        except MemoryError:
            if self.trial:  # not even enough to say so: the restart counts
                machine.reset()
            raise
        forget("wattport.update.trial")
        if self.trial:  # who waits for that need not wait for the next minute
            self.trial = False
            if self.publisher:
                self.publisher.health(self._report())
        self.tell_update()

    def tell_update(self):
        """The broker, how it stands with updates."""
        if self.publisher and self.slot:
            self.publisher.update(fetch("wattport.update.state", "entity")(self))
        fetch("wattport.update.state", "let_go")()

    async def poll(self):
        await load("wattport.update.polled", "run")(self)

    async def publish(self):
        # an attempt before that can only fail, and costs a wait: to a chip without a time no certificate is good yet
        while not self.wifi.connected or (self.secure and self.wall.utc() is None and self.log.uptime_s() < _TIME_S):
            await asyncio.sleep_ms(500)
        await self.publisher.run()

    async def watch(self):
        """Feeds the watchdog as long as the meter task lives, looks at the health, and reports it."""
        watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        looks = -1
        left_s = _FIRST_HEALTH_S
        starved = 0
        proven = False
        while True:
            if self.line.looks != looks:
                looks = self.line.looks
                watchdog.feed()
            self.health.look()
            if self.alerts and self.log.uptime_s() >= self.alerts.at:
                fetch("wattport.alert.watch", "look")(self.alerts, self.log.uptime_s())
            left_s -= 1
            if left_s <= 0:
                report = self._report()
                if self.publisher:
                    self.publisher.health(report)
                free = report["system_free"]
                starved = starved + 1 if free is not None and free < _STARVED else 0
                report = None
                if starved > 1:  # what Python once took, it hardly ever gives back
                    self.log("error", "Python's heap has taken what Wi-Fi lives on: restart")
                    self.restart()
                left_s = _HEALTH_S
                if not proven and self.log.uptime_s() > _PROVEN_S:
                    proven = True
                    fetch("wattport.annex", "lasts")()
                if self.window:
                    fetch("wattport.tariff.projection", "tell")(self)
                if self.hour:
                    self.hour.look(time.ticks_ms())
                if self.day:
                    self.day.look(time.ticks_ms())
            if self.publisher and self.publisher.orders:
                taker, order = self.publisher.orders.popitem()
                gc.collect()
                try:
                    fetch(taker, "take")(self, *order)
                except MemoryError:  # discovery takes some seconds
                    self.publisher.orders.setdefault(taker, order)
                    self.log.limited("order", "warning", "mqtt: the heap has no room yet for what was sent to us")
            if self.restart_s:
                self.restart_s -= 1
                if not self.restart_s:
                    if self.supply:
                        self.supply.leave()
                    machine.reset()
            await asyncio.sleep_ms(1000)

    def run(self):
        """To be awaited: all its tasks, for ever."""
        return self.supervisor.run()


def start():
    """Run for ever. What the settings needed has gone by then: a function that still runs would hold on to 8 KB of it,
    as what lies on the stack is taken for in use."""
    asyncio.run(fetch("wattport.startup", "begin")(App))
