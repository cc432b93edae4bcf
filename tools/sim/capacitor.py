# SPDX-License-Identifier: MIT
"""A simulated supply, for `machine.ADC`. WATTPORT_SUPPLY is

- the name of a file with its millivolts, which a test may write anew at any time (and then rename into place), or
- a capacitor: "uf=100000 feeds=60 full=5000 reset=3500 mv=0 idle=35 station=50 join=60 access=110", microfarads, then
  milliamperes that come in, millivolts where it is full, where the chip resets and at the start, and the milliamperes
  that the chip takes, a station and an access point that are on, and a station while it joins. What it has fallen
  to is looked at whenever somebody reads it, and below `reset` the process ends with BROWN_OUT.
"""

import os
import sys
import time

import board
import network

BROWN_OUT = 66


class Capacitor:
    def __init__(self, text):
        for part in text.split():
            name, _, value = part.partition("=")
            setattr(self, name, int(value))
        self.uv = self.mv * 1000
        self.at = time.ticks_ms()
        self.dead = False

    def draw(self):
        """Milliamperes."""
        taken = self.idle
        station, access = network.WLAN(network.STA_IF), network.WLAN(network.AP_IF)
        if station.active():
            taken += self.station
            if station.status() == 1001:
                taken += self.join
        if access.active():
            taken += self.access
        return taken

    def take(self, ma, ms):
        """A burst."""
        self.uv -= ma * ms * 1000000 // self.uf

    def look(self):
        now = time.ticks_ms()
        passed = time.ticks_diff(now, self.at)
        self.at = now
        self.uv = min(self.full * 1000, self.uv + (self.feeds - self.draw()) * passed * 1000000 // self.uf)
        if self.uv < self.reset * 1000 and self.mv >= self.reset:
            self.dead = True
        self.mv = self.uv // 1000
        return self.mv


class ADC:
    ATTN_11DB = 3
    capacitor = None

    def __init__(self, pin, atten=0):
        text = os.getenv("WATTPORT_SUPPLY")
        if "=" in text:
            ADC.capacitor = Capacitor(text)
        else:
            self._path = text
            self._mv = 0

    def _written(self):
        try:
            with open(self._path) as file:
                self._mv = int(file.read())
        except (OSError, ValueError):  # somebody writes it
            pass
        return self._mv

    def read_uv(self):
        if self.capacitor:
            mv = self.capacitor.look()
            if self.capacitor.dead:
                print("brown-out at %d mV" % mv)
                sys.exit(BROWN_OUT)
        else:
            mv = self._written()
        return max(0, mv) * 1000000 // board.SUPPLY_DIVIDER
