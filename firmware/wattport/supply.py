# SPDX-License-Identifier: MIT
"""A weak supply, as a meter's bus is: less than Wi-Fi takes, and the difference comes from a capacitor. Only where the
board has a pin that sees its voltage (boards/README.md). What it can feed is switched on, what it can't waits; the
meter is read all the same.

The wait has an end: a supply that rises no more is full, whatever the levels of the board say, and a pin that sees
nothing is not believed. A start that ended soon after Wi-Fi was on makes the next one wait longer, up to an hour: so
whatever is wrong, the dongle does not start over and over.
"""

import asyncio
import time

import board
import machine
import network
from micropython import const

from wattport.led import PATTERNS
from wattport.modules import fetch

PATH = "supply.txt"  # how many starts in a row ended soon after Wi-Fi was on
_LOOK_MS = const(100)
_SAMPLES = const(8)
_RISE_MV = const(20)  # what rises less than that in _RISE_MS is full
_RISE_MS = const(30000)
_CHARGED_MS = const(2000)  # and in this time, once START is reached
_PATIENCE_MS = const(600000)  # for one that is full below OK, where Wi-Fi may pull it down
_STEADY_MV = const(30)  # above OK again
_PROVEN_MS = const(60000)
_LONGEST_MS = const(3600000)
_SETTLE_MS = const(120000)
_IDLE_S = const(900)  # see portal.py
_BLINK = (30, 200, 30, 200, 30, 2510)  # three flashes every three seconds
_PAUSE_MS = const(300000)  # before an access point is tried again that it could not feed
_CALM_MS = const(180000)  # one that was weak for so long, and no less, may be tried


class Supply:
    """`state`: "charging" until the first time that it is full, "ok", "weak": no bursts, "low": no Wi-Fi until it is
    full again. `mv`: of the last look. failed: starts that ended badly, None to read the file."""

    def __init__(self, log, failed=None):
        self._adc = machine.ADC(machine.Pin(board.SUPPLY), atten=machine.ADC.ATTN_11DB)
        self._divider = board.SUPPLY_DIVIDER
        self._low, self._ok = board.SUPPLY_LOW_MV, board.SUPPLY_OK_MV
        self._start, self._access = board.SUPPLY_START_MV, board.SUPPLY_AP_MV
        self._log = log
        self._less = 0  # what it lacks of START when it is full: the other levels are lower by that
        self._failed = self._kept = _failed() if failed is None else failed
        self._hold_ms = min(_RISE_MS << 2 * self._failed - 2, _LONGEST_MS) if self._failed else 0
        self._began = self._since = time.ticks_ms()
        self._on = None  # ticks of the first time that Wi-Fi was let on
        self._access_at = None  # ticks from which on the access point may be tried again
        self._best = 0
        self._weak = self._began  # ticks since when it is weak
        self.state = "charging"
        self.mv = self.read()
        self.refused = False  # the access point waits

    def attach(self, app):
        """Have the parts of an App ask here, before it runs. They know nothing of it: most boards have no such supply,
        and each of them would pay with its heap."""
        self._station = app.wifi.station
        app.wifi.supply = self
        if app.publisher:
            app.publisher.supply = self
        PATTERNS["power"] = _BLINK
        health = app.health
        report, led_state = health.report, health.led_state

        def with_supply():
            found = report()
            found["supply_mv"], found["supply"] = self.mv, self.state
            return found

        health.report = with_supply
        health.led_state = lambda: led_state() if self.good and not self.refused else "power"
        app.supervisor.add("supply", self.run)

    def read(self):
        """Millivolts of the supply. By ones and thousands, as larger numbers cost the heap."""
        total = 0
        for _ in range(_SAMPLES):
            total += self._adc.read_uv() // 1000
        return total * self._divider // (1000 * _SAMPLES)

    @property
    def good(self):
        """Wi-Fi may be on."""
        return self.state in ("ok", "weak")

    @property
    def strong(self):
        """And send much: also where it stays weak, else that would wait for ever. If it is too much, it charges."""
        return self.state == "ok" or self.state == "weak" and (
            time.ticks_diff(time.ticks_ms(), self._weak) > _CALM_MS)

    def take(self, mv, now):
        """What was read, at a tick."""
        self.mv = mv
        if not self.good:
            self._charge(mv, now)
        elif mv < self._low - self._less:
            self.state = "low"
            self._station.active(False)
            self._best, self._since = mv, now
            self._log.limited("supply", "warning", "the supply fell to %d mV: Wi-Fi is off until it has %d" % (
                mv, self._start - self._less))
        elif mv < self._ok - self._less:
            if self.state == "ok":
                self.state = "weak"
                self._weak = now
        elif mv >= self._ok - self._less + _STEADY_MV:
            self.state = "ok"
        if self._less and mv >= self._start:
            self._less = 0

    def _charge(self, mv, now):
        if mv >= self._best + _RISE_MV:
            self._best, self._since = mv, now
        seen = mv > self._low // 2  # below, the chip could not run: nothing is wired to that pin
        full_ms = _RISE_MS if mv >= self._ok or not seen else _PATIENCE_MS
        enough = mv >= self._start - self._less
        # what still rises quickly is worth the wait: Wi-Fi that comes and goes each few seconds is of no use
        if time.ticks_diff(now, self._since) < (_CHARGED_MS if enough else full_ms):
            return
        if time.ticks_diff(now, self._began) < self._hold_ms:
            return
        if not enough:
            self._less = self._start - mv
            self._log.limited("supply", "warning", "the supply gives no more than %d mV, %d are wanted: %s" % (
                mv, self._start, "goes on with that" if seen else "not believed"))
        self._hold_ms = 0
        self.state = "ok"
        if self._on is None:
            self._on = now

    async def run(self):
        """For ever. The file is written before Wi-Fi may be on, and deleted when it has been for a minute."""
        self._log("info", "the supply has %d mV, Wi-Fi waits for %d" % (self.mv, self._start))
        if self._failed:
            self._log("warning", "%d starts ended soon after Wi-Fi was on: this one waits for %d s" % (
                self._failed, self._hold_ms // 1000))
        proven = False
        while True:
            now = time.ticks_ms()
            self.take(self.read(), now)
            if self._on is not None and not proven:
                if self._kept == self._failed:
                    self._kept += 1
                    _keep(self._kept)
                elif time.ticks_diff(now, self._on) > _PROVEN_MS:
                    proven = True
                    self._failed = self._kept = 0
                    _keep(0)
            await asyncio.sleep_ms(_LOOK_MS)

    def leave(self):
        """Before a restart that is meant: a start that it ends is none that ended badly."""
        if self._kept != self._failed:
            _keep(self._failed)

    async def settle(self):
        """Before something that takes much: until it is strong, for two minutes at most."""
        start = time.ticks_ms()
        while not self.strong and time.ticks_diff(time.ticks_ms(), start) < _SETTLE_MS:
            await asyncio.sleep_ms(_LOOK_MS)

    async def access(self, most_ms=None):
        """Until it can feed an access point: whether it can, in most_ms."""
        start = time.ticks_ms()
        try:
            while not self.good or self.mv < self._access or (
                    self._access_at is not None and time.ticks_diff(self._access_at, time.ticks_ms()) > 0):
                if self.state != "charging":
                    self.refused = True
                    self._log.limited("access", "warning", "set-up: the supply of %d mV can't feed its Wi-Fi, which "
                                      "takes %d: power the dongle over USB" % (self.mv, self._access))
                if most_ms is not None and time.ticks_diff(time.ticks_ms(), start) > most_ms:
                    return False
                await asyncio.sleep_ms(_LOOK_MS)
        finally:
            self.refused = False
        self._access_at = None
        return True

    async def opening(self, portal, app, device_id, asked):
        """For ever: the set-up's own Wi-Fi, when it can be fed and as long as it can. asked, as portal.py has it: with
        an end, also when it never could. portal: its `run`."""
        idle_ms = getattr(board, "PORTAL_S", _IDLE_S) * 1000
        while await self.access(idle_ms if asked else None):
            await portal(app, device_id, asked, True)
            app.access = None
            network.WLAN(network.AP_IF).active(False)
            self._station.active(False)
            self._access_at = time.ticks_add(time.ticks_ms(), _PAUSE_MS)
            self._log("error", "set-up: the supply fell to %d mV, its Wi-Fi is closed for some minutes: power the "
                      "dongle over USB" % self.mv)
        self._log("info", "set-up: the supply could not feed its Wi-Fi")
        app.restart()


def _failed():
    try:
        with open(PATH) as file:
            return min(max(int(file.read(4)), 0), 9)
    except (OSError, ValueError):
        return 0


def _keep(count):
    try:
        fetch("wattport.files", "replace")(PATH, str(count))
    except OSError:  # a flash that is full: then it is not counted
        pass
