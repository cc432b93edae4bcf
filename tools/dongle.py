# SPDX-License-Identifier: MIT
"""The very firmware, under the MicroPython unix port: for tests, for trying it out, and for a Raspberry Pi with a USB
cable in the meter's port.

    python -m tools.dongle --uart serial:/dev/ttyUSB0 --mqtt broker.local:1883 --state ~/wattport
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from tools import cpython, flashed, hashed, label, signing
from tools.paths import FIRMWARE

cpython.install()

from tools.compile import RUNTIMES, SIM, compile_tree, micropython, simulation, slot_tree  # noqa: E402, F401
from tools.sim import bootloader, wire  # noqa: E402
from wattport import settings as schema  # noqa: E402

RESET_STATUS = 64  # what the simulated machine.reset() ends with
BITTEN_STATUS = -signal.SIGALRM  # what the simulated watchdog ends it with
# what a chip does by itself; neither it nor this keeps the texts of the two
START = "import sys; sys.path[:0] = ['']; execfile('boot.py'); execfile('main.py')"
# 32 bits: what a chip has; pointers of 64 bits take twice that, and then some
# `machine` and `network`, which a chip has in its ROM, are modules here: they take 5 KB of the heap (test_dongle.py)
HEAP = {"micropython32": "141k", "micropython": "400k"}
HEAP_OF_A_CHIP = "124k"  # what main.py takes for Python on a stock ESP32 makes 119 KB, and those 5
HEAP_WITH_LINE = {"micropython32": "173k", "micropython": "464k"}  # a simulated line lies in there too


class DongleError(Exception):
    """Why the firmware can't be started; the text is for the person who tried."""


def prepare(state, settings=None, mqtt=None, http=None):
    """Make the folder that stands in for the dongle's flash, with its identity and checked settings."""
    state = Path(state)
    state.mkdir(parents=True, exist_ok=True)
    identity = state / "id"
    if not identity.exists():
        identity.write_text(secrets.token_hex(6))
    access = state / "ap.txt"
    if not access.exists():
        access.write_text(label.password())
        access.chmod(0o600)
    kept = state / schema.PATH
    source = Path(settings) if settings else kept
    try:
        document = json.loads(source.read_text(encoding="utf-8-sig")) if source.exists() or settings else {}
    except OSError as error:
        raise DongleError("settings: %s" % error)
    except ValueError:
        raise DongleError("%s is no JSON" % source)
    other = isinstance(document, dict) and document.get("schema", 1) != schema.SCHEMA
    told = []
    document = schema.adopt(document, told, None if settings else str(kept))
    if told:  # of a newer version: that is no reason to lose it
        raise DongleError("%s: %s" % (source, told[0]))
    if other and not settings:
        schema.keep(schema.current(str(kept)), str(kept))
    if mqtt:
        host, _, port = mqtt.rpartition(":")
        if not host or not port.isdecimal():
            raise DongleError("--mqtt takes HOST:PORT")
        document.setdefault("mqtt", {}).update(host=host, port=int(port))
    if isinstance(document, dict) and isinstance(document.setdefault("web", {}), dict):
        document["web"].setdefault("port", 0)
        if http is not None:
            document["web"]["port"] = http
    if isinstance(document, dict) and isinstance(document.setdefault("time", {}), dict):
        document["time"].setdefault("server", "")  # this machine's own clock is right
    try:
        schema.check(document)
    except schema.SettingsError as error:
        raise DongleError("settings: %s" % error)
    # the chip's JSON makes two halves of a character that is written as two escapes
    kept.write_bytes(json.dumps(hashed.settings(document), indent=1, ensure_ascii=False).encode())
    return identity.read_text().strip()


def _link(path, target):
    """Whoever starts at the same moment has one or the other, and both are right."""
    if not path.is_symlink() or os.readlink(path) != str(target):
        new = path.with_name("%s.%d" % (path.name, os.getpid()))
        new.symlink_to(target)
        new.replace(path)


def flash(state, runtime="micropython", key=None, program=None):
    """Put into `state` what a chip's flash has: the start, and the program in slot a. What a start finds there already
    stays as it is. key: the public key for updates; program: {name: bytes} instead of this checkout's."""
    state = Path(state)
    if (state / flashed.RECORD).exists() or (state / flashed.SLOT).exists():
        return
    arch = RUNTIMES[runtime][1]
    files = flashed.start((SIM / "board.py").read_bytes())
    del files["board.py"]  # the simulation has it, and there it is compiled
    files.update(flashed.first_slot(program or flashed.program(arch), arch))
    if key:
        files[flashed.KEY] = key
    for name, data in files.items():
        (state / name).parent.mkdir(exist_ok=True)
        (state / name).write_bytes(data)


def boot(state):
    """What the chip does before the firmware starts, where the state has partitions with MicroPython (tools/sim). One
    with PANIC in it never gets as far as the firmware."""
    while (Path(state) / bootloader.DATA).exists():
        label = bootloader.start(state)
        if not label:
            raise DongleError("there is no MicroPython that can be started")
        if b"PANIC" not in (Path(state) / (label + ".bin")).read_bytes():
            break


def command(uart, state, identity, runtime="micropython", program=None, heap=None, line=None, slot=True):
    """(command, environment) that runs the firmware with `state` as the working directory. As on the chip, there is
    main.py, and the application lies in the folder a, so that the heap holds no longer paths. slot: as it ships, joined
    and renamed; False: the modules and names of the sources, for who imports them; "flash": as a chip starts, from what
    `flash` has put there."""
    heap = heap or (HEAP_WITH_LINE if line else HEAP)[runtime]
    words, environment = micropython(runtime, heap=heap)
    if program:
        words[0] = str(program)
    environment.update(WATTPORT_UART=uart, WATTPORT_ID=identity, WATTPORT_LINE=line or "", MICROPYPATH="s:a:.frozen")
    arch = RUNTIMES[runtime][1]
    state = Path(state)
    _link(state / "s", simulation(arch))
    if slot == "flash":
        environment["MICROPYPATH"] = "s:.frozen"
        return [*words, "-c", START], environment
    _link(state / "a", slot_tree(arch) if slot else compile_tree(arch))
    (state / "main.py").write_bytes((FIRMWARE / "main.py").read_bytes())
    return words + ["main.py"], environment


def on_a_chip(uart, state, identity, heap=HEAP_OF_A_CHIP):
    """`command` for the 32-bit port that starts as a stock ESP32 does, from its flash, in as much heap."""
    flash(state, "micropython32")
    return command(uart, state, identity, "micropython32", heap=heap, slot="flash")


def resolve(uart):
    """`uart` with a path that holds wherever the firmware runs."""
    kind, _, place = uart.partition(":")
    if kind not in ("tcp", "serial", "file") or not place:
        raise DongleError("--uart takes tcp:HOST:PORT, serial:DEVICE or file:PATH")
    if kind != "tcp":
        if not os.path.exists(place):
            raise DongleError("there is no %s" % place)
        return "%s:%s" % (kind, os.path.abspath(place))
    return uart


def main():
    parser = argparse.ArgumentParser(prog="tools.dongle", description="Run the firmware on this machine.")
    parser.add_argument("--uart", required=True, help="the meter: tcp:HOST:PORT, serial:DEVICE or file:PATH")
    parser.add_argument("--line", metavar="LINE", help="let the meter's bytes come over a simulated line, as "
                        "\"2400 8E1 inverted\" sends them, however the UART is set")
    parser.add_argument("--mqtt", metavar="HOST:PORT", help="the broker; overrides the settings")
    parser.add_argument("--http", metavar="PORT", type=int, help="port of the dashboard; overrides the settings")
    parser.add_argument("--state", required=True, metavar="DIR", help="where the settings and all else are kept")
    parser.add_argument("--settings", metavar="FILE", help="settings to start with")
    parser.add_argument("--key", metavar="FILE", help="run from slots that can be updated, with this public key (PEM)")
    parser.add_argument("--micropython", metavar="PATH", help="another MicroPython, of 64 bits, to run it")
    parser.add_argument("--runtime", choices=tuple(RUNTIMES), default="micropython")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    options = parser.parse_args()
    try:
        uart = resolve(options.uart)
        if options.line:
            wire.parse(options.line)
        identity = prepare(options.state, options.settings, options.mqtt, options.http)
    except (DongleError, ValueError) as error:
        parser.error(str(error))
    if options.key:
        flash(options.state, options.runtime, signing.public(options.key))
    words, environment = command(uart, options.state, identity, options.runtime, options.micropython,
                                 line=options.line, slot="flash" if options.key else True)
    # what of the simulation has no option: WATTPORT_AIR, WATTPORT_BUTTON, ...
    environment.update({name: value for name, value in os.environ.items()
                        if name.startswith("WATTPORT_") and name not in environment})
    if "WATTPORT_AIR" in environment:
        environment["WATTPORT_AIR"] = os.path.abspath(environment["WATTPORT_AIR"])
        label.label(identity, (Path(options.state) / "ap.txt").read_text())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends this ends the firmware, too
    deadline = time.monotonic() + options.seconds if options.seconds else None
    while True:
        boot(options.state)
        firmware = subprocess.Popen(words, env=environment, cwd=options.state)
        try:
            status = firmware.wait(deadline and max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            firmware.terminate()
            firmware.wait()
            return 0
        if status not in (RESET_STATUS, BITTEN_STATUS):
            return status
        environment["WATTPORT_BITTEN"] = "1" if status == BITTEN_STATUS else ""


if __name__ == "__main__":
    sys.exit(main())
