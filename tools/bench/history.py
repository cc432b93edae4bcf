# SPDX-License-Identifier: MIT
"""The history's figures: 13 months of a household recorded by the core on CPython, then read by the 32-bit port; flash
and its wear by counting blocks."""

import json
import os
import subprocess
from pathlib import Path

from tools import cpython, meters
from tools.bench.show import show, wanted
from tools.compile import RUNTIMES, micropython

cpython.install()

from wattport.history import days, rollup, store  # noqa: E402
from wattport.history.halfhour import HalfHour  # noqa: E402
from wattport.history.ledger import Ledger  # noqa: E402
from wattport.history.place import FOLDER  # noqa: E402
from wattport.posixzone import CENTRAL_EUROPE, parse  # noqa: E402

DAYS, DAY, HALF = 396, 86400, 1800
BLOCK = 4096
ROOM = 350 * 1024
COMMITS = 60  # of a folder, before its pair of blocks is written anew
REGISTERS = ("import_wh", "export_wh", "import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh",
             "reactive_import_varh", "reactive_export_varh")
GAUGES = ("power_import_w", "power_export_w", "voltage_l1_mv", "voltage_l2_mv", "voltage_l3_mv")

PROGRAM = '''
import gc, json, sys, time
from wattport.posixzone import parse, CENTRAL_EUROPE
from wattport.history import export
zone = parse(CENTRAL_EUROPE)
every = 20 if sys.argv[1] == "day" else 500
what, since, until = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
gc.collect()
before = gc.mem_alloc()
start = time.ticks_ms()
size = most = pieces = 0
for piece in export.csv(zone, what, since, until):
    pieces += 1
    if piece:
        size += len(piece)
    if pieces % every == 0:
        gc.collect()
        most = max(most, gc.mem_alloc() - before)
print(json.dumps([time.ticks_diff(time.ticks_ms(), start), size, most]))
'''


def record(start, span=DAYS, after=lambda now: None):
    """So many days, every quantity, in the folder where we are: how many times something was written. `after`: called
    with the time when a half-hour was."""
    house = meters.make("dsmr5", seed=3, start=start).household
    house.advance(start - house.time)
    half, kept, writes, zone = HalfHour(), None, 0, parse(CENTRAL_EUROPE)
    while house.time < start + span * DAY:
        reading = {name: house[name] for name in REGISTERS + GAUGES}
        reading["devices"] = {1: {"id": "G", "volume_l": house.child("gas_l")[1]},
                              2: {"id": "W", "volume_l": house.child("water_l")[1]}}
        half.take(reading, house.time, False)
        ledger = Ledger(kept)
        marks, half.marks = half.marks, []
        for mark in marks:
            ledger.take(mark)
        ledger.flush()
        kept = ledger.kept()
        writes += 1
        if ledger.next is not None and days.number(zone, ledger.next * HALF) != half.day:
            for told in rollup.catch_up(zone, ledger.next * HALF):
                half.day = told
            writes += 1
        after(house.time)
        house.advance(HALF)
    return writes


def measure(folder, start):
    if not wanted("history."):
        return
    here = os.getcwd()
    place = folder / "history"
    place.mkdir()
    os.chdir(place)
    room, store.ROOM["h"] = store.ROOM["h"], 1000  # all of it, to see what it takes
    try:
        writes = record(start)
    finally:
        store.ROOM["h"] = room
        os.chdir(here)
    files = list((place / FOLDER).iterdir())
    blocks = sum(-(-file.stat().st_size // BLOCK) for file in files if file.name[0] == "h")
    show("history.flash_13_months", blocks * BLOCK, "bytes", ROOM)
    days_bytes = sum(file.stat().st_size for file in files if file.name[0] == "d")
    show("history.flash_days_10_years", days_bytes * 3652 // DAYS, "bytes")
    show("history.erasures_a_year", writes * 365 // DAYS + writes * 2 * 365 // DAYS // COMMITS, "blocks")
    for runtime in RUNTIMES:
        for name, step, span in (("history.year_daily", "day", 365), ("history.csv_13_months", "halfhour", DAYS)):
            if not wanted(name):
                continue
            command, environment = micropython(runtime, heap="100k")
            program = Path(place) / "read.py"
            program.write_text(PROGRAM)
            done = subprocess.run(
                [*command, str(program), step, str(start), str(start + span * DAY)], cwd=place, env=environment,
                capture_output=True, text=True, timeout=300)
            passed_ms, _, heap = json.loads(done.stdout) if done.returncode == 0 else (0, 0, 0)
            show("%s.%s" % (name, runtime), passed_ms, "ms", 1000 if step == "day" else None)
            show("%s_heap.%s" % (name, runtime), heap, "bytes")
