# SPDX-License-Identifier: MIT
"""Time under random trouble, on CPython: zones against the tz database, the wall clock by sources that say anything,
the day and the hour against what they should be."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tools import cpython, zones

cpython.install()

from wattport import civil, midnight, posixzone  # noqa: E402
from wattport.clock import days, year_of  # noqa: E402
from wattport.means import Means  # noqa: E402
from wattport.today import Today  # noqa: E402
from wattport.wall import Wall  # noqa: E402

NOW = 1_800_000_000
# summer time in the north, in the south, none, by half an hour, negative (Dublin), changes at midnight or before it
ZONES = ("Europe/Amsterdam", "Europe/Vilnius", "Europe/London", "Atlantic/Azores", "Europe/Dublin", "America/New_York",
         "America/St_Johns", "America/Nuuk", "America/Santiago", "America/Havana", "Asia/Beirut", "Asia/Kolkata",
         "Asia/Kathmandu", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham",
         "Pacific/Kiritimati", "Etc/UTC")
CENTRAL = posixzone.parse(posixzone.CENTRAL_EUROPE)
# years in which the tz database already has the rules that its POSIX texts tell of the future
FROM, UNTIL = 1_767_225_600, 2_082_758_400  # 2026 to 2035


def thorough(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def pair(name):
    return posixzone.parse(zones.posix(name)), ZoneInfo(name)


def changes(zone, until=UNTIL):
    """Hours of the tz database in which the offset changes."""
    found = []
    for hour in range(FROM, until, 3600):
        if (datetime.fromtimestamp(hour, zone).utcoffset()
                != datetime.fromtimestamp(hour + 3600, zone).utcoffset()):
            found.append(hour)
    return found


@given(st.integers(-200_000, 200_000))
@example(0)
@example(-1)
def test_the_year_of_a_day_is_that_of_the_calendar(day):
    year = year_of(day)
    assert days(year, 1, 1) <= day < days(year + 1, 1, 1)


@thorough(1000)
@given(st.integers(0, 4_102_444_799))
def test_fields_are_those_of_the_calendar(seconds):
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    assert civil.fields(seconds) == (*moment.timetuple()[:6], moment.weekday())


@pytest.mark.parametrize("name", ZONES)
def test_offsets_are_those_of_the_tz_database(name):
    ours, theirs = pair(name)

    @thorough(300)
    @given(st.integers(FROM, UNTIL))
    def anywhere(utc):
        assert ours.offset(utc) == datetime.fromtimestamp(utc, theirs).utcoffset().total_seconds()
    anywhere()
    for hour in changes(theirs):
        for utc in range(hour, hour + 3601, 60):
            assert ours.offset(utc) == datetime.fromtimestamp(utc, theirs).utcoffset().total_seconds(), utc


@pytest.mark.parametrize("name", ZONES)
def test_what_is_made_civil_and_back_is_the_same_moment(name):
    ours, theirs = pair(name)

    @thorough(200)
    @given(st.integers(FROM, UNTIL))
    def anywhere(utc):
        offset = ours.offset(utc)
        fields = civil.fields(utc + offset)[:6]
        back = ours.utc(*fields, offset == ours.summer if ours.summer != ours.standard else None)
        assert back == utc
    anywhere()
    assert theirs.key == name


@pytest.mark.parametrize("name", ZONES)
def test_a_day_begins_with_its_first_second_and_ends_where_the_next_begins(name):
    ours, theirs = pair(name)

    def number(utc):
        return (utc + ours.offset(utc)) // 86400

    def right(utc):
        start, end = civil.day(ours, utc)
        assert start <= utc < end and 23 * 3600 <= end - start <= 25 * 3600
        assert number(start) == number(end - 1) == number(utc)
        assert number(start - 1) < number(start) and number(end) > number(end - 1)
        assert civil.day(ours, end)[0] == end
        assert civil.day(ours, start) == (start, end)
    for hour in changes(theirs, FROM + 3 * 366 * 86400):
        for utc in range(hour - 30 * 3600, hour + 30 * 3600, 1800):
            right(utc)
    thorough(200)(given(st.integers(FROM, UNTIL))(right))()


# ---- the wall clock

SOURCES = st.sampled_from(("auto", "ntp", "meter"))
ERRORS = st.one_of(st.integers(-3, 3), st.integers(-130, 130), st.integers(-10**5, 10**5), st.integers(-NOW, 2**33))
EVENTS = st.lists(st.one_of(
    st.tuples(st.just("wait"), st.one_of(st.integers(0, 30_000), st.integers(0, 500_000_000))),
    st.tuples(st.just("network"), ERRORS), st.tuples(st.just("meter"), ERRORS),
    st.tuples(st.just("unchecked"), ERRORS), st.tuples(st.just("telegrams"), st.integers(-200, 200))), max_size=40)


@thorough(500)
@given(SOURCES, st.booleans(), st.integers(0, 2**30 - 1), EVENTS)
def test_the_clock_never_goes_back_and_never_jumps_but_for_a_step_that_is_counted(source, servers, start, events):
    ticks, truth_ms, lines = start, NOW * 1000, []
    wall = Wall(CENTRAL, source, servers, lambda level, text: lines.append(text), lambda: ticks)
    told, told_ms = None, 0

    def look():
        nonlocal told, told_ms
        steps = wall.steps
        utc = wall.utc()
        if utc is None:
            assert told is None
        elif told is not None and steps == look.steps:
            passed = (truth_ms - told_ms) // 1000
            assert told <= utc <= told + passed + 1 + 121, (told, utc)
        told, told_ms, look.steps = utc, truth_ms, steps
    look.steps = 0
    for kind, value in events:
        if kind == "wait":
            ticks = ticks + value & 0x3FFFFFFF
            truth_ms += value
        elif kind == "network":
            wall.network(truth_ms // 1000 + value, truth_ms % 1000)
        elif kind == "telegrams":
            for _ in range(90):
                ticks = ticks + 10_000 & 0x3FFFFFFF
                truth_ms += 10_000
                wall.meter(truth_ms // 1000 + value, True)
                look()
        else:
            wall.meter(truth_ms // 1000 + value, kind == "meter")
        look()
        assert wall.state in ("none", "meter", "ntp") and (wall.state == "none") == (told is None)
        if source != "auto":
            assert wall.state in ("none", source)
        assert wall.offset_s is None or abs(wall.offset_s) < 2**33
    assert len([line for line in lines if "the clock was" in line]) == wall.steps


@thorough(30)
@given(st.integers(-150, 150), st.lists(st.integers(0, 8), min_size=5, max_size=20), st.integers(0, 59))
def test_by_a_meter_whose_telegrams_come_late_the_clock_is_right_after_some_hours(drift, late, first):
    """drift: of our ticks, in parts per million, more than a crystal has."""
    assume(0 in late)
    ticks = 0
    wall = Wall(CENTRAL, "meter", True, lambda level, text: None, lambda: ticks)
    for i in range(6 * 60 * 12):
        truth = NOW + first + 10 * i
        ticks = int(i * (10_000 + drift / 100)) & 0x3FFFFFFF
        wall.meter(truth - late[i % len(late)], True)
        if i > 6 * 60 * 6:
            assert -3 <= wall.utc() - truth <= 3
    assert wall.steps == 0


# ---- the day and the hour


@thorough(200)
@given(st.sampled_from(("Europe/Amsterdam", "Asia/Beirut", "Australia/Sydney", "Etc/UTC")),
       st.integers(FROM, UNTIL - 10**6),
       st.lists(st.tuples(st.integers(1, 9000), st.integers(0, 5000), st.sampled_from((False, False, False, True))),
                min_size=1, max_size=60))
def test_todays_energy_is_the_difference_of_registers_since_it_says_so(name, start, telegrams):
    """Each telegram: seconds since the last, Wh since the last, whether the dongle was restarted in between."""
    ours, theirs = pair(name)
    today, kept = Today(ours, ""), ""
    utc, register, booted = start, 10**6, start - 5
    history = []
    for pause, energy, restarted in telegrams:
        utc += pause
        register += energy
        if restarted:
            today, booted = Today(ours, kept), utc - 5
        text = today.take({"import_wh": register}, utc, utc - booted)
        if text is not None:
            kept = text
        history.append((utc, register))
        found = midnight.get(today, utc)
        since = found["since"]
        start_of_day = datetime.fromtimestamp(utc, theirs).replace(hour=0, minute=0, second=0, fold=0)
        assert int(start_of_day.astimezone(UTC).timestamp()) <= since <= utc
        # the first telegram of the day at or behind `since`
        first = next(value for at, value in history if at >= since)
        assert found["import_wh"] == register - first
        assert found["export_wh"] is None


@thorough(200)
@given(st.integers(0, 2**30 - 1), st.lists(st.tuples(
    st.integers(100, 64_000), st.integers(0, 30_000), st.integers(0, 30_000)), min_size=2, max_size=200))
def test_the_hours_means_are_those_of_the_power_over_its_time(start, telegrams):
    """Against a sum millisecond by millisecond, in pieces."""
    hour, now, at = Means(10, 360), start, 0
    steps = {}
    for i, (pause, taken, given_) in enumerate(telegrams):
        hour.take({"power_import_w": taken, "power_export_w": given_}, now)
        if i == len(telegrams) - 1:
            break
        now = now + pause & 0x3FFFFFFF
        end = at + pause
        while at < end:
            piece = min(end, at // 10_000 * 10_000 + 10_000) - at
            steps[at // 10_000] = steps.get(at // 10_000, 0) + piece * (taken - given_)
            at += piece
    expected = [steps[number] // 10_000 for number in range(at // 10_000)][-360:]
    found = list(hour.means())
    assert len(found) == len(expected)
    for mean, right in zip(found, expected):  # above 16384 W in units of 16 W, cut off
        assert 0 <= abs(right) - abs(mean) < (16 if abs(right) > 16384 else 1)
    assert hour.age_ms(now) == at % 10_000


@thorough(200)
@given(st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(-30_000, 30_000)), max_size=50))
def test_nothing_is_told_of_a_time_in_which_nothing_came(telegrams):
    hour, now = Means(10, 360), 0
    for pause, power in telegrams:
        now += pause
        hour.take({"power_import_w": max(0, power), "power_export_w": max(0, -power)}, now & 0x3FFFFFFF)
        means = list(hour.means())
        assert len(means) <= 360 and (not means or means[0] is not None)
        if 65_001 + 20_000 < pause < 3_500_000:
            assert not means or means[-1] is None
