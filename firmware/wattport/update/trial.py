# SPDX-License-Identifier: MIT
"""The new version, of the program or of MicroPython, proves itself: only then is it the one that runs. Loaded at a
start that is part of a trial, or that follows one which ended badly, and gone when that is decided.

It is well when for half a minute without a break: Wi-Fi or the set-up's own is up, the meter and the broker do again
what they did before the update, there is heap, and no task fails. If that does not come in ten minutes it restarts,
which counts; see `slots.choose` for what follows.
"""

import asyncio
import gc

import board
import machine
from micropython import const

from wattport.modules import fetch, forget
from wattport.update import slots

_SETTLE_S = const(30)
_LIMIT_S = const(600)
_FLOOR = const(10240)  # bytes of heap
_SYSTEM_FLOOR = const(2048)  # bytes of the system's: with less no packet can be sent
_FAILURES = const(3)  # of tasks; an access point or a broker that is away is none


def _trouble(app, alive):
    """What is missing, a word, or "". Without heap all the rest goes wrong too."""
    system = fetch("wattport.spare", "left")()[1]
    # of a chip it counts what is the system's, too: who waits for the outcome asks again and again, and so the web
    # server is in the heap. What Wi-Fi needs has to be there
    if gc.mem_free() < _FLOOR or system is not None and system < _SYSTEM_FLOOR:
        return "heap"
    if not (app.access if app.portal else app.connected()):
        return "wifi"
    if "meter" in alive and not app.meter.counters.telegrams or "bytes" in alive and not app.line.bytes:
        return "meter"
    if "mqtt" in alive and app.publisher and not app.publisher.status["connected"]:
        return "mqtt"
    return ""


def _failures(app):
    return sum([task["restarts"] for task in app.supervisor.status.values()])


async def run(app, slot):
    """Until it is decided. slot: the one that runs."""
    forget("wattport.update.slots")
    record = slots.read()
    tried = record if record.get("trial") == slot else None
    if "micropython" in record:
        tried = tried or _tried(app, record)
    if not tried and not record["crashes"]:
        return
    app.trial = bool(tried)
    alive = tried.get("alive", "").split() if tried else ()
    well_s = 0
    failures = 0
    while well_s < getattr(board, "SETTLE_S", _SETTLE_S):
        await asyncio.sleep_ms(1000)
        why = _trouble(app, alive)
        well_s += 1
        # its waits grow: one that failed that often would look well in between
        if _failures(app) != failures or failures >= _FAILURES:
            failures = _failures(app)
            why = why or "task"
        if why:
            well_s = 0
            if tried and app.log.uptime_s() > getattr(board, "TRIAL_S", _LIMIT_S):
                _give_up(app, why)
    confirm(record)
    if tried:
        app.log("info", "update: this version is well, and stays")


def _tried(app, record):
    """What the record says of the MicroPython that is tried out, if it is the one that runs."""
    if fetch("wattport.update.micropython", "undone")(record):
        slots.write(record)
        if record.get("why") == "micropython":
            app.log("error", "update: %s" % record["detail"])
    return record.get("micropython")


def confirm(record):
    """What runs stays."""
    if "micropython" in record and fetch("wattport.update.micropython", "pending")(record):
        fetch("wattport.update.micropython", "confirm")(record)
    if record.get("trial"):
        record["slot"] = record.pop("trial")
        if "successor" in record:
            record["key"] = record.pop("successor")
        for name in ("left", "alive", "why", "detail"):
            record.pop(name, None)
    record["crashes"] = 0
    slots.write(record)


def _give_up(app, why):
    app.log("error", "update: this version is not well: %s" % why)
    record = slots.read()
    record["why"] = why
    try:
        slots.write(record)
    except OSError:
        pass
    machine.reset()
