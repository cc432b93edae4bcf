# SPDX-License-Identifier: MIT
"""Readings become rows: totals equal the registers to the Wh, whatever happens."""

import os

from wattport.history import days, export, past, place, repair, store
from wattport.history.halfhour import HalfHour
from wattport.history.ledger import Ledger
from wattport.history.record import write
from wattport.history.rows import CLOCK, ESTIMATED, NEW, PART, Rows, spread
from wattport.history.segment import Segment
from wattport.posixzone import parse

NOON = 1_760_004_000  # a half-hour's beginning
HALF = 1800
ZONE = parse("CET-1CEST,M3.5.0,M10.5.0/3")


def clean():
    """An empty folder of its own; the tests of a module run one after another."""
    place.FOLDER = "history-test"
    try:
        for name in os.listdir(place.FOLDER):
            os.remove(place.FOLDER + "/" + name)
    except OSError:
        pass


def done():
    clean()
    try:
        os.rmdir(place.FOLDER)
    except OSError:
        pass
    place.FOLDER = "history"


class House:
    """A dongle: telegrams of a meter that counts `watts`."""

    def __init__(self, utc=NOON, **registers):
        clean()
        self.half = HalfHour()
        self.utc = utc
        self.registers = registers or {"import_wh": 1000}
        self.meter = "E1"
        self.offset = 0  # the clock's error
        self.told = []

    def telegram(self, **more):
        reading = dict(self.registers)
        reading["meter_id"] = self.meter
        reading.update(more)
        self.half.take(reading, self.utc + self.offset, False)
        self.work()

    def work(self):
        if self.half.marks:
            ledger = Ledger(self.half.kept)
            for _ in ledger.load():
                pass
            marks, self.half.marks = self.half.marks, []
            for mark in marks:
                ledger.take(mark)
            ledger.flush()
            self.half.kept = ledger.kept()

    def run(self, seconds, every=10, wh=1, **more):
        for _ in range(0, seconds, every):
            self.telegram(**more)
            self.utc += every
            self.registers["import_wh"] += wh

    def restart(self):
        self.half = HalfHour()

    def grown(self, rows):
        """Whether they add up to what the register was at the end of the last one."""
        names, registers = self.half.kept[2].split(), self.half.kept[7]
        return total(rows) == registers[names.index("import_wh")] - 1000

    def rows(self, since=0, until=2 * NOON):
        return list(past.rows(since, until))


def total(rows, name="import_wh"):
    return sum([row[2].get(name, 0) for row in rows])


def test_a_record_reads_back_as_it_was_written():
    names = "power_import_max_w voltage_min_mv import_wh import_t1_wh import_t2_wh 1.volume_l".split()
    out, into = Rows(names, 5), Rows(names, 5)
    values = ([4300, 229100, 150, 100, 50, 0], [0, 230000, 0, 0, 0, 12], [None, None, 7000000, 3, 2, 1 << 40],
              [None, 228000, 1, 0, 0, 0], [7, None, 1, 0, 0, 0], [None, 228000, 0, 2, 3, 0])
    buf = b""
    for i, row in enumerate(values):
        buf += bytes(write(out, (0, ESTIMATED, NEW | PART, CLOCK, 0, 0)[i], row, (0, 0, 70, 0, 0, 300)[i],
                               (1, 1, 1, 2, 1, 5000)[i]))
    at = 0
    for i, row in enumerate(values):
        at = into.read(buf, at, len(buf))
        assert into.values == row, (i, into.values)
        assert into.flags == (0, ESTIMATED, NEW | PART, CLOCK, 0, 0)[i]
        assert into.skip == (0, 0, 70, 0, 0, 300)[i] and into.count == (1, 1, 1, 2, 1, 5000)[i]
    assert at == len(buf) and into.next == out.next == 5 + 3 + 70 + 2 + 1 + 5300


def test_a_half_record_is_not_whole_and_a_flipped_bit_is_seen():
    names = ["import_wh", "voltage_min_mv"]
    whole = bytes(write(Rows(names, 0), 0, [300, 230000]))
    for size in range(len(whole)):
        try:
            Rows(names, 0).read(whole[:size], 0, size)
            raise AssertionError(size)
        except IndexError:
            pass
    seen = 0
    for bit in range(8 * len(whole)):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            Rows(names, 0).read(bytes(broken), 0, len(broken))
        except (ValueError, IndexError):
            seen += 1
    assert seen >= 8 * len(whole) - 1, seen


def test_a_rise_is_spread_over_a_gap_and_nothing_is_lost():
    for value in (0, 1, 7, 1000, 1 << 40):
        for parts in (1, 2, 7, 48, 4000):
            pieces = [spread(value, i + 1, parts) - spread(value, i, parts) for i in range(parts)]
            assert sum(pieces) == value and max(pieces) - min(pieces) <= 1


def test_a_half_hour_is_what_the_registers_rose_from_its_beginning_to_its_end():
    house = House(import_wh=5000, import_t1_wh=3000, import_t2_wh=2000, export_wh=7)
    house.run(2 * HALF + 10, power_import_w=360, power_export_w=0, voltage_l1_mv=230100, voltage_l2_mv=229000)
    assert house.rows() == [
        (NOON, NEW, {"import_wh": 180, "import_t1_wh": 0, "import_t2_wh": 0, "export_wh": 0, "power_import_max_w": 360,
                     "power_export_max_w": 0, "voltage_min_mv": 229000, "voltage_max_mv": 230100}),
        (NOON + HALF, 0, {"import_wh": 180, "import_t1_wh": 0, "import_t2_wh": 0, "export_wh": 0,
                          "power_import_max_w": 360, "power_export_max_w": 0, "voltage_min_mv": 229000,
                          "voltage_max_mv": 230100})]
    assert len(place.files("h")) == 1
    done()


def test_extremes_are_those_of_their_half_hour():
    house = House()
    house.run(900, power_import_w=100)
    house.telegram(power_import_w=9000)
    house.run(900, power_import_w=100)
    house.run(HALF + 10, power_import_w=50)
    assert [row[2]["power_import_max_w"] for row in house.rows()] == [9000, 50]
    done()


def test_the_first_row_of_a_series_says_that_it_is_a_part():
    house = House(NOON + 600)
    house.run(HALF)
    assert [row[:2] for row in house.rows()] == [(NOON, NEW | PART)]
    assert total(house.rows()) == 120
    done()


def test_a_gap_is_filled_from_the_registers_and_left_out_of_the_maxima():
    for gap in (60, 600, 5000, 3 * 86400):
        house = House()
        house.run(1000, power_import_w=2000)
        house.utc += gap
        house.registers["import_wh"] += 7777
        house.run(4000, power_import_w=2000)
        rows = house.rows()
        starts = [row[0] for row in rows]
        assert starts == [NOON + HALF * i for i in range(len(rows))]
        assert house.grown(rows)
        flagged = [row[1] & ESTIMATED for row in rows]
        if gap < 300:
            assert not any(flagged)
        else:
            assert sum(flagged) == gap // HALF + (1 if (1000 + gap) // HALF else 0) + (0 if gap != 600 else 0) or gap
        middle = rows[2:-3]
        for row in middle:
            assert "power_import_max_w" not in row[2] and row[1] == ESTIMATED
        if middle:
            assert max([row[2]["import_wh"] for row in middle]) - min([row[2]["import_wh"] for row in middle]) <= 1
    done()


def test_a_gap_of_months_is_one_record():
    house = House()
    house.run(1000)
    house.utc += 100 * 86400
    house.registers["import_wh"] += 1_000_000
    house.run(2000)
    count = 0
    for _ in past.rows(0, 2 * NOON):
        count += 1
    assert count > 4800 and os.stat(place.path(place.files("h")[0][2]))[6] < 500
    done()


def test_after_a_restart_it_goes_on_from_the_registers_of_the_last_row():
    house = House()
    house.run(HALF + 1790)  # a reset at hh:59:58
    house.restart()
    house.utc += 32
    house.registers["import_wh"] += 5
    house.run(HALF)
    rows = house.rows()
    assert [row[1] for row in rows] == [NEW, ESTIMATED, ESTIMATED] and len(place.files("h")) == 1
    house.run(HALF)
    assert house.grown(house.rows())
    done()


def test_a_restart_within_a_half_hour_loses_nothing():
    house = House()
    house.run(HALF + 600)
    house.restart()
    house.run(HALF)
    assert [(row[1], row[2]["import_wh"]) for row in house.rows()] == [(NEW, 180), (0, 180)]
    done()


def test_another_meter_begins_a_new_series_within_its_half_hour():
    for name, value in (("E2", 50), ("E1", 50), ("E2", 900000)):
        house = House()
        house.run(HALF + 600)
        house.meter = name
        house.registers["import_wh"] = value
        house.run(HALF + 2000)
        rows = house.rows()
        assert [row[0] for row in rows] == [NOON, NOON + HALF, NOON + 2 * HALF]
        assert [row[1] for row in rows] == [NEW, NEW | PART, 0]
        # 59 rises until the last telegram of the old one
        assert [row[2]["import_wh"] for row in rows] == [180, 59 + 120, 180]
        assert len(place.files("h")) == 2
        house.restart()
        house.run(HALF)
        assert len(place.files("h")) == 2
    done()


def test_registers_once_an_hour_give_hours_that_are_exact():
    house = House()
    for second in range(0, 4 * 3600 + 30, 10):
        house.utc = NOON + second
        reading = {"power_import_w": 1000 + second // HALF}
        if second % 3600 == 10:
            reading["import_wh"] = 1000 + second // 3600 * 501
        house.half.take(reading, house.utc, False)
        house.work()
    rows = house.rows()
    assert [row[2]["import_wh"] for row in rows] == [250, 251] * 4
    assert [row[2]["power_import_max_w"] for row in rows] == list(range(1000, 1008))
    done()


def test_sparse_telegrams_are_cut_at_the_half_hour():
    house = House(NOON + 25)
    house.run(2 * HALF + 100, every=50, wh=50)  # 1 Wh a second
    assert [row[2]["import_wh"] for row in house.rows()] == [1775, 1800]
    assert not house.rows()[1][1]
    done()


def test_a_clock_that_is_set_back_a_little_makes_a_long_half_hour():
    house = House()
    house.run(HALF + 100)
    house.offset = -300
    house.run(2 * HALF)
    rows = house.rows()
    assert [row[:2] for row in rows] == [(NOON, NEW), (NOON + HALF, CLOCK)]
    assert [row[2]["import_wh"] for row in rows] == [180, 210]
    done()


def test_a_clock_that_is_set_forward_leaves_a_gap_that_is_filled():
    house = House()
    house.run(HALF + 100)
    house.offset = 3000
    house.run(HALF)
    rows = house.rows()
    assert [row[0] for row in rows] == [NOON + HALF * i for i in range(len(rows))]
    assert house.grown(rows)
    done()


def test_a_clock_that_is_set_back_by_days_begins_anew_and_loses_nothing():
    house = House()
    house.offset = 5 * 86400
    house.run(3 * HALF + 100)
    house.offset = 0
    house.run(2 * HALF)
    rows = house.rows()
    assert [row[0] for row in rows] == sorted([row[0] for row in rows])
    assert house.grown(rows)
    assert len([row for row in rows if row[1] & CLOCK]) == 2
    assert not house.rows(NOON + 2 * 86400, NOON + 4 * 86400)
    house.restart()
    house.run(2 * HALF)
    assert house.grown(house.rows())
    done()


def test_before_there_is_a_clock_nothing_is_counted_and_nothing_lost():
    house = House()
    house.run(HALF + 100)
    house.restart()
    for _ in range(40):
        house.half.take({"import_wh": house.registers["import_wh"], "meter_id": "E1"}, None, False)
        house.utc += 10
        house.registers["import_wh"] += 1
    house.run(HALF)
    rows = house.rows()
    assert [(row[1], row[2]["import_wh"]) for row in rows] == [(NEW, 180), (0, 180)]
    done()


def test_a_child_meter_that_comes_later_counts_from_then():
    house = House()
    house.run(HALF + 100)
    house.run(2 * HALF, devices={1: {"type": "gas", "id": "G7", "volume_l": 500}})
    house.run(HALF, devices={1: {"type": "gas", "id": "G7", "volume_l": 740}, 2: {"id": "W1", "volume_l": 9}})
    house.run(HALF, devices={1: {"type": "gas", "id": "G7", "volume_l": 741}, 2: {"id": "W1", "volume_l": 19}})
    house.run(HALF, devices={1: {"type": "gas", "id": "G8", "volume_l": 1}, 2: {"id": "W1", "volume_l": 19}})
    rows = house.rows()
    assert total(rows, "1.volume_l") == 241 and total(rows, "2.volume_l") == 10
    assert house.grown(rows)
    assert Segment(place.path(place.files("h")[-1][2])).head["ids"] == {"1": "G8", "2": "W1"}
    done()


def test_a_range_gives_the_rows_that_start_in_it_from_however_many_files():
    house = House()
    full, store.FULL = store.FULL, 250
    try:
        for _ in range(200):
            house.run(HALF, every=900, wh=3)
    finally:
        store.FULL = full
    assert len(place.files("h")) > 4
    every = house.rows()
    assert len(every) == 199 and [row[0] for row in every] == [NOON + HALF * i for i in range(199)]
    for since, until in ((0, 7), (3, 150), (77, 78), (50, 50), (190, 300)):
        assert house.rows(NOON + since * HALF, NOON + until * HALF) == every[since:until]
    assert house.rows(NOON + 1, NOON + HALF + 1) == every[1:2]
    done()


def test_a_torn_end_is_dropped_and_what_follows_is_found():
    house = House()
    house.run(3 * HALF + 100)
    name = place.path(place.files("h")[0][2])
    with open(name, "rb") as file:
        whole = file.read()
    for size in range(1, 12):
        with open(name, "wb") as file:
            file.write(whole[:-size])
        assert len(house.rows()) <= 2
    with open(name, "wb") as file:
        file.write(whole[:-2])
    house.restart()
    house.run(2 * HALF)
    rows = house.rows()
    assert [row[0] for row in rows] == [NOON + HALF * i for i in range(len(rows))]
    assert house.grown(rows)
    done()


def test_rows_that_are_brought_in_count_instead_of_those_that_were_recorded():
    house = House()
    house.run(60 * HALF, every=900, wh=50)
    lines = "".join([piece or "" for piece in export.csv(ZONE, "halfhour", 0, 2 * NOON)]).split("\r\n")
    assert lines[0] == "start,note,import_wh" and lines[-1] == ""
    mended = lines[:5] + [line[:line.rfind(",")] + ",7" for line in lines[5:10]] + lines[10:]
    before = house.rows()

    def bring(lines):
        for told in repair.take(lines, house.half.kept[3]):
            last = told
        return last
    number = NOON // HALF
    assert bring(mended[:8]) == (number, number + 6, 7)
    assert bring(mended[:1] + mended[8:]) == (number + 7, number + 58, 52)
    assert len(place.files("h")) == 2
    wanted = [(row[0], row[1], {"import_wh": 7} if 4 <= i < 9 else row[2]) for i, row in enumerate(before)]
    assert house.rows() == wanted
    house.restart()
    house.run(3 * HALF, every=900, wh=50)
    assert house.rows()[:len(wanted)] == wanted and len(house.rows()) == 62
    assert house.rows(NOON + 50 * HALF, NOON + 55 * HALF) == wanted[50:55]
    for bad in (["start,import_wh", "x"], ["start,note,Import", ""], [lines[0], "2025-10-09T10:00:00,,5"],
                [lines[0], "2025-10-09T10:10:00Z,,5"], [lines[0], lines[1] + ",5"], [lines[0], lines[2], lines[1]],
                [lines[0], lines[1][:27] + "-5"]):
        try:
            bring(bad)
            raise AssertionError(bad)
        except ValueError as error:
            assert str(error), bad
    for told in repair.add_up(ZONE, number, number + 58, house.half.kept[3]):
        assert told is None
    found = [row for row in days.rows(0, 99999) if row]
    assert len(found) == 1 and found[0][2]["import_wh"] == sum([row[2]["import_wh"] for row in house.rows(
        *days.bounds(ZONE, found[0][0]))])
    done()


def test_the_oldest_file_goes_when_the_room_is_full():
    house = House()
    full, room = store.FULL, store.ROOM["h"]
    store.FULL, store.ROOM["h"] = 250, 6
    try:
        house.run(400 * HALF, every=900, wh=3)
    finally:
        store.FULL, store.ROOM["h"] = full, room
    files = place.files("h")
    assert len(files) <= 6 and files[0][1] > 3
    assert house.rows()[-1][0] == NOON + 398 * HALF
    done()
