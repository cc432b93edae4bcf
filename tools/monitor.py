# SPDX-License-Identifier: MIT
"""A board's serial console with the time of day, tracebacks in the names of the sources; until Ctrl-C.

    python -m tools.monitor --port /dev/ttyUSB0

It only reads: what is typed does not reach the board. A port that goes away is waited for.
"""

import argparse
import sys
import time

import serial

from tools import console, esp
from tools.trace import Names


def stamp(now):
    """The time of day to the millisecond."""
    return time.strftime("%H:%M:%S", time.localtime(now)) + ".%03d" % (now * 1000 % 1000)


def monitor(port, tell, names=None, restart=False, now=time.time):
    """Until the events end, which is never, or KeyboardInterrupt. SerialException when the port can't be opened."""
    names = names or Names()
    line = console.Console(port)
    try:
        line.open()
        if restart:
            line.reset()
        for kind, text in line.events():
            if kind == console.LINE:
                tell("%s  %s" % (stamp(now()), names.told(text)))
            elif kind == console.GONE:
                tell("%s  -- the port is gone (%s); waiting for it" % (stamp(now()), text))
            elif kind == console.BACK:
                tell("%s  -- it is back" % stamp(now()))
    finally:
        line.close()


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools.monitor", description="Show what a board says.")
    parser.add_argument("--port", metavar="PORT", help="a device, or a URL of pyserial")
    parser.add_argument("--restart", action="store_true", help="restart the board first, where the port can")
    options = parser.parse_args(argv)
    if not options.port:
        print("monitor: which port? make monitor PORT=…; %s" % esp.ports(), file=sys.stderr)
        return 2
    try:
        monitor(options.port, lambda text: print(text, flush=True), restart=options.restart)
    except KeyboardInterrupt:
        pass
    except (serial.SerialException, OSError) as error:
        print("monitor: %s" % (esp.meaning(str(error)) or error), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
