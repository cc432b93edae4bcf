# SPDX-License-Identifier: MIT
"""A day's totals: 46 and 50 half-hours, gaps, a clock that was wrong."""

from test_history import HALF, House, done, total

from wattport.history import days, export, place, rollup
from wattport.history.rows import ESTIMATED, PART
from wattport.posixzone import parse

ZONE = parse("CET-1CEST,M3.5.0,M10.5.0/3")
MARCH = 1_743_202_800  # Saturday, 2025-03-29 00:00 in Central Europe; summer time begins on Sunday
OCTOBER = 1_761_343_200  # Saturday, 2025-10-25 00:00; it ends on Sunday


def kept():
    return [row for row in days.rows(0, 99999) if row]


def caught_up(house):
    closed = house.half.kept[3] * HALF
    for told in rollup.catch_up(ZONE, closed):
        last = told
    assert last == days.number(ZONE, closed)


def test_the_days_when_the_clocks_change_have_46_and_50_half_hours():
    for start, halves in ((MARCH, 46), (OCTOBER, 50)):
        house = House(start)
        for _ in range(3):
            house.run(86400, every=300, wh=30)
            caught_up(house)
        first = days.number(ZONE, start)
        found = kept()
        assert [row[0] for row in found] == [first, first + 1, first + 2][:len(found)]
        assert [row[2]["import_wh"] for row in found[:2]] == [48 * 180, halves * 180]
        begin, end = days.bounds(ZONE, first + 1)
        assert end - begin == halves * HALF and total(house.rows(begin, end)) == halves * 180
    done()


def test_days_that_were_missed_are_made_up_for_and_none_is_counted_twice():
    house = House(MARCH)
    house.run(3 * 86400, every=300, wh=30)
    house.utc += 20 * 86400
    house.registers["import_wh"] += 20 * 3333
    house.run(2 * 86400, every=300, wh=30)
    caught_up(house)
    caught_up(house)
    found = kept()
    assert len(found) == 25 and len(place.files("d")) == 1
    assert [row[1] & ESTIMATED for row in found] == [0, 0, 0] + [ESTIMATED] * 21 + [0]
    begin, end = days.bounds(ZONE, found[0][0])[0], days.bounds(ZONE, found[-1][0])[1]
    assert sum([row[2]["import_wh"] for row in found]) == total(house.rows(begin, end))
    done()


def test_a_day_of_which_half_hours_are_missing_says_so():
    house = House(MARCH + 36000)
    house.run(2 * 86400, every=300, wh=30)
    caught_up(house)
    assert [row[1] & PART for row in kept()] == [PART, 0]
    done()


def looked(work):
    """What is done: days that are looked for, and breaths (None)."""
    log = []
    plain = days.total

    def total(zone, number, found):
        log.append(number)
        return plain(zone, number, found)
    days.total = total
    try:
        for told in work:
            if told is None:
                log.append(None)
    finally:
        days.total = plain
    return log


def test_no_day_before_the_first_half_hour_is_looked_for_and_others_get_their_turn_between_two_looks():
    long_ago = MARCH - 400 * 86400
    assert looked(export.rows(ZONE, "month", long_ago, MARCH)) == []
    house = House(MARCH)
    house.run(2 * 86400, every=300, wh=30)
    house.utc += 30 * 86400
    house.run(86400, every=300, wh=30, meter_id="another one")
    log = looked(export.rows(ZONE, "month", long_ago, house.utc))
    looks = [number for number in log if number is not None]
    assert looks == list(range(days.number(ZONE, MARCH), days.number(ZONE, house.utc) + 1))
    assert not [at for at in range(1, len(log)) if log[at] is not None and log[at - 1] is not None]
    log = looked(rollup.catch_up(ZONE, house.half.kept[3] * HALF))
    assert len(log) > 33 and not [at for at in range(1, len(log)) if log[at] is not None and log[at - 1] is not None]
    done()


def test_extremes_of_a_day():
    house = House(MARCH)
    house.run(40000, every=300, power_import_w=700, voltage_l1_mv=229000)
    house.telegram(power_import_w=9100, voltage_l1_mv=221000)
    house.run(50000, every=300, power_import_w=700, voltage_l1_mv=241000)
    caught_up(house)
    row = kept()[0][2]
    assert (row["power_import_max_w"], row["voltage_min_mv"], row["voltage_max_mv"]) == (9100, 221000, 241000)
    done()


def test_a_child_meter_that_comes_and_a_clock_that_goes_back_begin_new_files_and_every_day_is_there_once():
    house = House(MARCH)
    house.run(2 * 86400, every=300, wh=30)
    caught_up(house)
    house.run(2 * 86400, every=300, wh=30, devices={1: {"id": "G", "volume_l": 5}})
    caught_up(house)
    house.utc -= 2 * 86400
    for _ in range(5):
        house.run(86400, every=300, wh=30)
        caught_up(house)
    found = kept()
    numbers = [row[0] for row in found]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) == 7, numbers
    assert "1.volume_l" in found[2][2]
    begin, end = days.bounds(ZONE, numbers[0])[0], days.bounds(ZONE, numbers[-1])[1]
    assert sum([row[2]["import_wh"] for row in found]) == total(house.rows(begin, end))
    done()
