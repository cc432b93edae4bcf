# SPDX-License-Identifier: MIT
"""What a chip says on its serial console, line by line, over a device or any URL that pyserial opens."""

import re
import time

import serial

from tools.esp import WITHOUT_LINES

BAUD = 115200
LINE, QUIET, GONE, BACK = "line", "quiet", "gone", "back"
_LOOK_S = 0.2
_QUIET_LOOKS = 3  # so many without a byte end a line too: a prompt has no end
_AGAIN_S = 0.3
_RESET_S = 0.1
_LONGEST = 1000
_COLOURS = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


class Console:
    """`events()` gives (LINE, text); (QUIET, "") now and then while nothing comes; (GONE, why) when the port goes away,
    as USB does while the chip restarts; (BACK, "") when it is there again."""

    def __init__(self, url, baud=BAUD):
        self.url, self.baud = url, baud
        self._port = None

    def open(self):
        """SerialException when that can't be."""
        # a port that is opened twice gives each reader half
        port = serial.serial_for_url(self.url, self.baud, timeout=_LOOK_S, exclusive=True, do_not_open=True)
        port.dtr = port.rts = False  # most boards have these lines at GPIO 0 and the reset
        port.open()
        self._port = port

    def close(self):
        if self._port:
            self._port.close()
            self._port = None

    def can_reset(self):
        return not self.url.startswith(WITHOUT_LINES)

    def reset(self):
        """Restart the chip, where the port has the lines for it."""
        try:
            self._port.rts = True
            time.sleep(_RESET_S)
            self._port.rts = False
        except (OSError, ValueError, AttributeError):  # a pseudo terminal; a port that has just gone
            pass

    def _read(self):
        data = self._port.read(1)
        try:
            while data and len(data) < 4096 and self._port.in_waiting:
                data += self._port.read(self._port.in_waiting)
        except (serial.SerialException, OSError):  # what has come counts; the next look tells of it again
            pass
        return data

    def events(self):
        """For ever. The port is opened if it is not yet, and then SerialException passes."""
        if not self._port:
            self.open()
        pending, quiet = b"", 0
        while True:
            try:
                data = self._read()
            except (serial.SerialException, OSError, TypeError) as error:  # TypeError: pyserial, closed meanwhile
                if pending:
                    yield LINE, _text(pending)
                pending = b""
                self.close()
                yield GONE, str(error)
                yield from self._again()
                continue
            quiet = 0 if data else quiet + 1
            pending += data
            *lines, pending = pending.split(b"\n")
            if pending and (quiet >= _QUIET_LOOKS or len(pending) > _LONGEST):
                lines.append(pending)
                pending = b""
            for line in lines:
                yield LINE, _text(line)
            if not data:
                yield QUIET, ""

    def _again(self):
        while not self._port:
            time.sleep(_AGAIN_S)
            try:
                self.open()
            except (serial.SerialException, OSError):
                yield QUIET, ""
        yield BACK, ""


def _text(line):
    return _COLOURS.sub(b"", line).decode("utf-8", "replace").strip("\r\0")[:_LONGEST]
