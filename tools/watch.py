# SPDX-License-Identifier: MIT
"""The first boot, watched on the serial line: does the application run, or what was seen instead?

    python -m tools.watch --port /dev/ttyUSB0 [--seconds 60]
"""

import argparse
import re
import sys
import time

import serial

from tools import console, esp
from tools.trace import Names

SECONDS = 60
_SILENT_S = 8  # then the chip is restarted, once, where the port can
_SETTLE_S = 2  # what else may come behind the lines that say it runs
_LOOP = 3  # so many starts are a boot loop

_LOG = re.compile(r"^ *\d+ (info|warning|error) +(.*)")
_RUNS = re.compile(r"Wattport (\S+), device (\w+)")
_PASSWORD = re.compile(r"the Wi-Fi of the set-up has the password (\S+)")
_PORTAL = re.compile(r"set-up: join the Wi-Fi (.+), then open (\S+)")
_JOINED = re.compile(r"Wi-Fi connected, address (\S+)")
_NOT_JOINED = re.compile(r"no connection to Wi-Fi .*")
_SAFE = re.compile(r"^safe mode: (.*)")
_START = re.compile(r"^(rst:0x|ESP-ROM:esp32)")  # what the chip's ROM says first
_BANNER = re.compile(r"MicroPython v\S+ on \d{4}-\d\d-\d\d")
_PROMPT = re.compile(r"^>>> ?$")
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"^\w+(?:Error|Exception|Exit|Interrupt|Iteration)\b")
# a sign on the line → what it means
_SIGNS = (
    (re.compile(r"waiting for download|DOWNLOAD_BOOT|DOWNLOAD\("),
     "the chip waits for a download: let go of BOOT (GPIO 0) and press reset"),
    (re.compile(r"Brownout detector was triggered"),
     "the supply voltage breaks down: another cable or another supply, without a hub"),
    (re.compile(r"invalid header: 0x|No bootable app|flash read err|invalid magic byte|ets_main\.c"),
     "there is no MicroPython where the chip looks for it: is it the right BOARD? Flash again"),
    (re.compile(r"Image hash failed|Checksum failed|image corrupt|checksum mismatch"),
     "the MicroPython in the flash is damaged: flash again"),
    (re.compile(r"Guru Meditation Error: *(.*)"), "MicroPython crashes ({0})"),
    (re.compile(r"(Task watchdog got triggered|task_wdt)"), "the watchdog had to end it: something hung"),
)


class Watch:
    """Takes the lines. `runs`: the application said that it runs; `done`: no more has to be seen."""

    def __init__(self, names=None):
        self.names = names or Names()
        self.version = self.identity = self.where = self.password = ""
        self.starts = 0
        self.lines = self.noise = 0
        self.traceback = []
        self._in_traceback = False
        self._trouble = self._warning = ""
        self._banner = self._prompt = self._safe = False

    @property
    def runs(self):
        return bool(self.version)

    @property
    def done(self):
        if self._safe or self._prompt or self.starts > _LOOP or self._trouble.startswith("the chip waits"):
            return True
        return self.runs and bool(self.where)

    def take(self, line):
        if not line.strip():
            return
        self.lines += 1
        self.noise += sum(char == "\ufffd" or char < " " and char != "\t" for char in line) * 4 > len(line)
        self._collect(line)
        if _START.match(line):
            self.starts += 1
            self.version = self.where = ""
            self._banner = False
        for pattern, sentence in _SIGNS:
            found = pattern.search(line)
            if found:
                self._trouble = sentence.format(*found.groups())
        found = _SAFE.match(line)
        if found:
            self._safe = True
            self._trouble = "the dongle is in safe mode: " + found[1]
        self._banner = self._banner or bool(_BANNER.search(line))
        self._prompt = self._prompt or bool(_PROMPT.match(line)) and self._banner
        found = _PASSWORD.search(line)
        if found:
            self.password = found[1]
        found = _LOG.match(line)
        if found:
            self._log(found[2])

    def _log(self, text):
        found = _RUNS.match(text)
        if found:
            self.version, self.identity = found.groups()
        found = _PORTAL.match(text)
        if found:
            self.where = "its own Wi-Fi is %s, the page http://%s" % (found[1], found[2].removeprefix("http://"))
        found = _JOINED.match(text)
        if found:
            self.where = "it is in the Wi-Fi: http://%s" % found[1]
        if _NOT_JOINED.match(text):
            self._warning = text
        self.version = self.version or "(its version was not seen)"  # such lines are written by nobody else

    def _collect(self, line):
        """The newest traceback, in the names of the sources."""
        if line.startswith(_TRACEBACK):
            self.traceback, self._in_traceback = [line], True
        elif self._in_traceback:
            self.traceback.append(self.names.told(line))
            self._in_traceback = line.startswith("  ") and len(self.traceback) < 40
        elif _EXCEPTION.match(line) and not self.traceback:  # an import error at the very start has no more
            self.traceback = [line]

    def verdict(self):
        """(whether the application runs, the sentence that says what was seen)"""
        if self.runs and self.starts <= _LOOP and not self._safe:
            if self.where:
                return True, "Wattport %s runs; %s." % (self.version, self.where)
            return True, "Wattport %s runs; it is in no Wi-Fi yet%s." % (
                self.version, ": " + self._warning if self._warning else "")
        if self.starts > _LOOP:
            why = self._trouble or (self.traceback[-1] if self.traceback else "it does not say why")
            return False, "the chip restarts again and again: %s." % why
        if self._trouble:
            return False, self._trouble + "."
        if self.traceback:
            return False, "the application ends with an error: %s." % self.traceback[-1]
        if self._prompt or self._banner:
            return False, ("MicroPython runs, but the application does not: is the file system of this image where the "
                           "board has it? Flash again.")
        if self.noise * 2 > self.lines:
            return False, "what comes is no text: is the speed of the line %d?" % console.BAUD
        if self.lines:
            return False, "the chip talks, but neither MicroPython nor the application are among it."
        return False, ("not a sign of life: press the board's reset; if nothing comes then either, is it the right "
                       "port, and does the board have current?")


def watch(port, seconds=SECONDS, tell=print, names=None):
    """Watch a port for so long at most: (whether the application runs, the sentence, the Watch)."""
    seen = Watch(names)
    line = console.Console(port)
    end = time.monotonic() + seconds
    heard = time.monotonic()
    restarted = not line.can_reset()
    settled = None
    opened = False
    while time.monotonic() < end and not opened:
        try:
            line.open()  # esptool has only just let go of it, and USB comes again with the restart
            opened = True
        except (serial.SerialException, OSError) as error:
            problem = str(error)
            time.sleep(0.3)
    if not opened:
        return False, "the port could not be opened: " + (esp.meaning(problem) or problem), seen
    try:
        for kind, text in line.events():
            now = time.monotonic()
            if kind == console.LINE:
                heard = now
                before = len(seen.traceback)
                seen.take(text)
                told = seen.traceback[-1] if len(seen.traceback) > before > 0 else text
                if text.strip():
                    tell("  | " + told)
            elif kind == console.GONE:
                heard = now
            elif now - heard > _SILENT_S and not restarted and not seen.lines:
                restarted = True
                line.reset()
            if seen.done and settled is None:
                settled = now + _SETTLE_S
            if settled is not None and (now >= settled or kind == console.GONE):
                break
            if now > end:
                break
    finally:
        line.close()
    return *seen.verdict(), seen


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools.watch", description="Watch a board start.")
    parser.add_argument("--port", required=True, metavar="PORT", help="a device, or a URL of pyserial")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="N", help="at most; %(default)s")
    options = parser.parse_args(argv)
    runs, sentence, _ = watch(options.port, options.seconds)
    print("watch: " + sentence, file=sys.stdout if runs else sys.stderr)
    return 0 if runs else 3


if __name__ == "__main__":
    sys.exit(main())
