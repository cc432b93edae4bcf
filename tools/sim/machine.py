# SPDX-License-Identifier: MIT
"""`machine` for the MicroPython unix port: the parts of the chip that the firmware uses.

WATTPORT_UART names what stands in for the wire: tcp:HOST:PORT (a meter that listens), serial:DEVICE (a real P1 or M-Bus
cable), file:PATH (bytes to be played once). To a pin that interrupts, each byte of it is an edge.
WATTPORT_SUPPLY gives the board a weak supply that it can see: capacitor.py.
WATTPORT_LINE, "2400 8E1 inverted" say, puts a line of such settings between that and the UART, which then hears what
hardware with its own settings would hear, when it would.
"""

import asyncio
import os
import socket
import sys
import time

import board
import ffi
import uselect

PWRON_RESET = 1
WDT_RESET = 3


def unique_id():
    return bytes([int(os.getenv("WATTPORT_ID")[i:i + 2], 16) for i in range(0, 12, 2)])


def reset_cause():
    return WDT_RESET if os.getenv("WATTPORT_BITTEN") else PWRON_RESET


def reset():
    sys.exit(64)  # tools.dongle starts the firmware again


def _released():
    """The level of the button's pin: a file stands for the finger."""
    try:
        os.stat(os.getenv("WATTPORT_BUTTON"))
    except OSError:
        return 1
    return 0


class Pin:
    IN = 0
    OUT = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, number, mode=IN, pull=None, value=0):
        self._number = number
        self._value = value

    def __call__(self, value=None):
        if value is None:
            if self._number == board.BUTTON:
                return _released()
            return UART.line.level() if UART.line and self._number == board.RX else self._value
        self._value = value

    value = __call__

    def irq(self, handler, trigger):
        asyncio.create_task(self._interrupt(handler))

    async def _interrupt(self, handler):
        """As a soft interrupt: between two turns of the others. The wire keeps what comes meanwhile."""
        source = _source()
        buf = bytearray(64)
        while True:
            for _ in range(source.readinto(buf) or 0):
                handler(self)
            await asyncio.sleep_ms(5)


class RTC:
    """Its memory is a file beside the flash's; a test that cuts the power deletes it."""

    def memory(self, data=None):
        if data is not None:
            with open("rtc.bin", "wb") as file:
                file.write(data)
            return None
        try:
            with open("rtc.bin", "rb") as file:
                return file.read()
        except OSError:
            return b""


class WDT:
    """Bites like the real one, whatever the program does: the kernel's alarm ends the process."""

    def __init__(self, timeout=5000):
        self._timeout_s = int(os.getenv("WATTPORT_WATCHDOG_S") or (timeout + 999) // 1000)
        self._alarm = ffi.open(None).func("I", "alarm", "I")
        self.feed()

    def feed(self):
        self._alarm(self._timeout_s)


class _Tcp:
    """A meter that listens; connects again when it has gone."""

    def __init__(self, place):
        host, port = place.rsplit(":", 1)
        self._address = socket.getaddrinfo(host, int(port))[0][-1]
        self._socket = None
        self._again = time.ticks_ms()

    def readinto(self, buf):
        if not self._socket:
            if time.ticks_diff(time.ticks_ms(), self._again) < 0:
                return None
            self._again = time.ticks_add(time.ticks_ms(), 500)
            meter = socket.socket()
            try:
                meter.connect(self._address)
            except OSError:
                meter.close()
                return None
            meter.setblocking(False)
            self._socket = meter
        try:
            size = self._socket.readinto(buf)
        except OSError:
            size = 0
        if size == 0:
            self._socket.close()
            self._socket = None
        return size or None

    def write(self, data):
        return self._socket.write(data) if self._socket else None


class _File:
    def __init__(self, path):
        self._file = open(path, "rb")

    def readinto(self, buf):
        return self._file.readinto(buf) or None

    def write(self, data):
        return len(data)


class _Serial:
    """A serial device: `stty` sets it so that a read gives what is there and never waits."""

    def __init__(self, path):
        self._path = path
        self._file = None

    def set_line(self, baud, bits, parity):
        settings = "%d cs%d %s %s" % (baud, bits, "-parenb" if parity is None else "parenb",
                                      "parodd" if parity else "-parodd")
        if os.system("stty -F '%s' raw -echo -crtscts clocal min 0 time 0 -cstopb %s" % (self._path, settings)):
            raise OSError("no serial device %s" % self._path)
        if not self._file:
            self._file = open(self._path, "r+b", buffering=0)
        self._poll = uselect.poll()
        self._poll.register(self._file, uselect.POLLIN)

    def readinto(self, buf):
        if not self._poll.poll(0):
            return None
        return self._file.readinto(buf) or None

    def write(self, data):
        return self._file.write(data)


def _source():
    kind, place = os.getenv("WATTPORT_UART").split(":", 1)
    return {"tcp": _Tcp, "file": _File, "serial": _Serial}[kind](place)


class UART:
    INV_RX = 1
    INV_TX = 2
    line = None  # the simulated one, if there is any

    def __init__(self, number, **settings):
        self._source = _source()
        text = os.getenv("WATTPORT_LINE")
        if text:
            from wireline import Line  # here, as its names would cost the heap of every other run
            UART.line = Line(self._source, text)
        self.init(**settings)

    def write(self, data):
        return self._source.write(data)

    def init(self, baudrate=115200, bits=8, parity=None, stop=1, invert=0, **rest):
        if self.line:
            self.line.set(baudrate, "%d%s%d" % (bits, "N" if parity is None else "E", stop), bool(invert & self.INV_RX))
        if isinstance(self._source, _Serial):
            self._source.set_line(baudrate, bits, parity)

    def readinto(self, buf):
        return (self.line or self._source).readinto(buf)


if os.getenv("WATTPORT_SUPPLY"):
    from capacitor import ADC  # noqa: F401  here, as its names would cost the heap of every other run
