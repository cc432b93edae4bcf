# SPDX-License-Identifier: MIT
"""The history with the power cut at every write to the flash, and in the middle of each: LittleFS as on the chip, on a
RAM that writes down what is done to it. Each state that a cut could leave is started."""

import json
import subprocess

import pytest

from host_tests.conftest import CORE
from tools.compile import micropython

PROGRAM = '''
import json

import flash as nor
from flash import mounted, unmounted
from wattport.history import days, past, place, rollup, store
from wattport.history.halfhour import HalfHour
from wattport.history.ledger import Ledger
from wattport.posixzone import parse

ZONE = parse("CET-1CEST,M3.5.0,M10.5.0/3")
HALF = 1800
START = 1742770800  # a Monday's midnight in Central Europe, the week before summer time
store.FULL = {FULL}
store.ROOM["h"] = {ROOM}


class Dongle:
    def __init__(self):
        self.half = HalfHour()

    def telegram(self, utc):
        """A meter that counts a Wh a second, and gas."""
        register = utc - START
        self.half.take({"meter_id": "E1", "import_wh": register, "power_import_w": 3600, "voltage_l1_mv": 230000,
                        "devices": {1: {"id": "G", "volume_l": register // 7}}}, utc, False)
        while self.half.marks:
            ledger = Ledger(self.half.kept)
            for _ in ledger.load():
                pass
            marks, self.half.marks = self.half.marks, []
            for mark in marks:
                ledger.take(mark)
            ledger.flush()
            self.half.kept = ledger.kept()
            for _ in rollup.catch_up(ZONE, self.half.kept[3] * HALF):
                pass


def look(since, until, now):
    """All that was closed before the cut is there, and right. since: the oldest that must be."""
    first = None
    end = None
    for start, flags, values in past.rows(since, now):
        if first is None:
            first = start
        assert end is None or start == end, (start, end)
        assert values["import_wh"] == HALF and not flags & 1, (start, flags, values)
        end = start + HALF
    assert until <= since or first is not None and first <= since and end >= until, (first, since, end, until)
    for number, flags, values in [row for row in days.rows(0, 99999) if row]:
        hours = 23 if number == {SUMMER} else 24
        assert values["import_wh"] == hours * 3600, (number, flags, values)


flash = nor.Journaled(nor.new({BLOCKS}).data)
mounted(flash)
dongle = Dongle()
before = None
closed = []  # (writes so far, moment, end of the half-hours that are kept, the oldest one there)
for half in range({HALVES}):
    utc = START + half * HALF
    if half == {FROM}:
        before = bytearray(flash.data)
        flash.journal.clear()
    for second in (2, 1000, 1795):
        if before:
            closed.append((len(flash.journal), utc + second, dongle.half.kept[3] * HALF, place.files("h")[0][0] * HALF))
        dongle.telegram(utc + second)
journal = flash.journal
told = {"writes": len(journal), "files": len(place.files("h")), "dropped": place.files("h")[0][1] - 1,
        "days": len([row for row in days.rows(0, 99999) if row])}
closed.append((len(journal) + 1, 0, 0, place.files("h")[0][0] * HALF))
unmounted()

starts = place = 0
for number, (at, new) in enumerate(journal):
    while closed[place + 1][0] <= number:
        place += 1
    _, utc, until, oldest = closed[place]
    for size in (0, len(new) // 2, len(new) - 1) if number % 5 == 0 else (len(new) // 2,):
        data = bytearray(before)
        data[at:at + size] = new[:size]
        flash = nor.Journaled(data)
        mounted(flash)
        look(closed[place + 1][3], until, utc)
        one = Dongle()  # and it goes on, over the next half-hour's end
        one.telegram(utc + 20)
        one.telegram(utc + HALF - 5)
        end = (utc + HALF) // HALF * HALF
        one.telegram(end + 2)
        first, total = None, 0
        for start, flags, values in past.rows(0, 2 * START):
            first = first or start
            total += values["import_wh"]
        assert total == end - first, (number, total, end - first)
        assert first <= oldest + 40 * HALF
        unmounted()
        starts += 1
    before[at:at + len(new)] = new


told["starts"] = starts
print(json.dumps(told))
'''


@pytest.mark.parametrize("name, blocks, full, room, since, halves", [
    ("segments, days and the end of the room", 40, 360, 6, 274, 291),
    ("a full file system", 18, 420, 60, 264, 291),
])
def test_a_power_cut_at_any_write_loses_no_half_hour_that_was_over(name, blocks, full, room, since, halves, tmp_path):
    program = PROGRAM
    for word, value in (("FULL", full), ("ROOM", room), ("BLOCKS", blocks), ("FROM", since), ("HALVES", halves),
                        ("SUMMER", 20177)):
        program = program.replace("{%s}" % word, str(value))
    (tmp_path / "cuts.py").write_text(program)
    command, environment = micropython("micropython32", [CORE], heap="64m")
    done = subprocess.run([*command, "cuts.py"], env=environment, cwd=tmp_path, capture_output=True, text=True,
                          timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    print(name, told)
    assert told["writes"] > 80 and told["starts"] > 110 and told["dropped"] > 2 and told["days"] == 6, told
