# SPDX-License-Identifier: MIT
"""A year of a household through the wall clock, the guard, the history, capacity peaks and alerts, on CPython with a
clock of its own: summer time, month ends, outages from a minute to three days, a meter's clock that is wrong, resets, a
swap, a full file system. It adds up to the registers, to the Wh, no peak is told that never was, and each alert comes
once."""

import csv
import errno
import io
from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from tools import cpython, meters

cpython.install()

from wattport import modules, posixzone  # noqa: E402
from wattport import settings as document  # noqa: E402
from wattport.alert import store as alert_store  # noqa: E402
from wattport.alert import watch  # noqa: E402
from wattport.history import days, export, past, rollup, store  # noqa: E402
from wattport.history.halfhour import HalfHour  # noqa: E402
from wattport.history.ledger import Ledger  # noqa: E402
from wattport.history.rows import CLOCK, ESTIMATED, NEW  # noqa: E402
from wattport.plausible import Guard  # noqa: E402
from wattport.tariff import peaks  # noqa: E402
from wattport.wall import Wall  # noqa: E402

START = 1_738_364_400  # 2025-02-01 00:00 in Central Europe
DAY, HALF, QUARTER = 86400, 1800, 900
SILENT_S = 1200  # telegrams are a quarter-hour apart here
ALERTS = {**document.check({})["alert"], "silent_s": SILENT_S}
CIVIL = ZoneInfo("Europe/Amsterdam")
ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)
REGISTERS = ("import_wh", "export_wh", "import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh",
             "reactive_import_varh", "reactive_export_varh")
GAUGES = ("power_import_w", "power_export_w", "voltage_l1_mv", "voltage_l2_mv", "voltage_l3_mv")
ALL = REGISTERS + ("1.volume_l", "2.volume_l")


class Year:
    """`grown`: what all registers have risen by while the dongle knew of it, over all meters. `peak`: of all telegrams
    that it got. `told`: the alerts. `windows`: start of a quarter-hour by the meter's clock → its average that was
    told; `shown`: UTC by the meter's clock → its register."""

    def __init__(self, seed):
        self.household = meters.make("dsmr5", seed=seed, start=START).household
        self.swapped = {}  # what a later meter's registers have less
        self.meter = "E1"
        self.grown = dict.fromkeys(ALL, 0)
        self.before = None
        self.peak = 0
        self.told, self.windows, self.shown = [], {}, {}
        self.network = True
        self.offset = 0  # of the meter's clock
        self.start()

    def start(self):
        """The dongle starts, with nothing in its memory."""
        self.began = self.household.time
        self.wall = Wall(ZONE, "auto", True, lambda level, text: None,
                         lambda: (self.household.time - self.began) * 1000 & 0x3FFFFFFF)
        self.guard = Guard(80000)
        self.half = HalfHour()
        self.health = SimpleNamespace(heard=None, decoded=None, age_s=self.age_s)
        app = SimpleNamespace(
            wall=self.wall, health=self.health, log=lambda level, text: None,
            publisher=SimpleNamespace(alert=self.told.append, keep=lambda name, value: None),
            meter=SimpleNamespace(counters=SimpleNamespace(errors={"wrong_key": 0, "no_key": 0})))
        self.alerts = alert_store.load(app, ALERTS, SILENT_S, 2)
        self.window = peaks.load("be", 0, 80000, ZONE)
        self.asked = None
        if self.network:
            self.ask()

    @property
    def uptime(self):
        return self.household.time - self.began

    def age_s(self, at, never=None):
        return never if at is None else self.uptime - at

    def ask(self):
        self.wall.network(self.household.time, 0)
        self.asked = self.household.time

    def registers(self):
        made = {name: self.household[name] for name in REGISTERS}
        made.update({"%d.volume_l" % (i + 1): self.household.child(name)[1] for i, name in enumerate(
            ("gas_l", "water_l"))})
        return {name: made[name] - self.swapped.get(name, 0) for name in made}

    def telegram(self):
        house = self.household
        if self.network and house.time - (self.asked or 0) >= 3600:
            self.ask()
        shown = self.registers()
        if self.before:
            for name in ALL:
                self.grown[name] += shown[name] - self.before[name]
        self.before = shown
        reading = {name: shown[name] for name in REGISTERS}
        reading.update({name: house[name] for name in GAUGES})
        reading.update(meter_id=self.meter, time=house.time + self.offset, power_failures=house["power_failures"],
                       long_power_failures=house["long_power_failures"], power_failure_log=house.power_failure_log)
        reading.update(devices={
            1: {"type": "gas", "id": "G1", "volume_l": shown["1.volume_l"]},
            2: {"type": "water", "id": "W1", "volume_l": shown["2.volume_l"]}})
        self.peak = max(self.peak, house["power_import_w"])
        self.guard.take(reading, (house.time - self.began) * 1000 & 0x3FFFFFFF, True)
        self.wall.meter(reading["time"], True)
        self.half.take(reading, self.wall.utc(), self.guard.news == "swap")
        self.alarm(reading)
        if self.half.marks:
            self.work()

    def alarm(self, reading):
        """As App does."""
        self.health.heard = self.health.decoded = self.uptime
        self.alerts.take(reading, self.guard.news, self.uptime)
        window, before = self.window, self.window.start
        if self.guard.news == "swap":
            window.edge = None
        self.shown[reading["time"]] = reading["import_wh"]
        if window.take(reading, self.uptime, self.wall):
            self.alerts.change("peak", window.over, window.limit_w, self.uptime)
        if window.start != before and window.average_w is not None:
            assert before not in self.windows  # nor twice
            self.windows[before] = window.average_w
        self.look()

    def look(self):
        if self.uptime >= self.alerts.at:
            watch.look(self.alerts, self.uptime)

    def work(self):
        """As `task` does."""
        marks, self.half.marks = self.half.marks, []
        kept, self.half.kept = self.half.kept, None
        ledger = Ledger(kept)
        for _ in ledger.load():
            pass
        for mark in marks:
            ledger.take(mark)
        ledger.flush()
        self.half.kept = ledger.kept()
        self.closed = ledger.next * HALF
        if days.number(ZONE, self.closed) != self.half.day:
            for told in rollup.catch_up(ZONE, self.closed):
                self.half.day = told

    def live(self, seconds, step=QUARTER):
        end = self.household.time + seconds
        while self.household.time < end:
            self.household.advance(min(step - self.household.time % step, end - self.household.time))
            self.telegram()

    def away(self, seconds):
        """No telegrams."""
        end = self.household.time + seconds
        while self.household.time < end:
            self.household.advance(min(max(1, self.alerts.at - self.uptime), end - self.household.time))
            self.look()

    def cut(self, seconds):
        """A power cut: nothing flows, nothing runs but the meter's clock."""
        self.household.fail(seconds)
        self.start()
        self.telegram()

    def swap(self):
        """Another meter, whose registers begin at nothing."""
        shown = self.registers()
        self.swapped = {name: self.swapped.get(name, 0) + shown[name] for name in REGISTERS}
        self.before = None
        self.meter = "E2"

    def until(self, day, second=0):
        self.live(START + day * DAY + second - self.household.time)


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    folder = tmp_path_factory.mktemp("year")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(modules, "forget", lambda *names: None)  # the heap is no matter here, the time for imports is
        one = Year(5)
        one.away(START - one.household.time)
        one.start()
        one.telegram()
        one.until(9)
        for day, seconds in ((10, 60), (12, 600), (14, 5400), (20, 3 * DAY)):  # silence of the meter
            one.until(day, 13 * 3600 + 17 * 60)
            one.away(seconds)
            one.telegram()
        for day, seconds in ((25, 60), (30, 150), (33, 7000), (40, DAY), (45, 3 * DAY)):
            one.until(day, 7 * 3600 + 1680)
            one.cut(seconds)
        one.until(50, 3600 - 2)  # a reset at hh:59:58
        one.away(35)
        one.start()
        one.live(3600, 5)
        one.until(70)
        one.network = False  # the meter's clock alone, five minutes fast; then it is set right
        one.offset = 300
        one.start()
        one.until(80, 1000)
        one.live(60, 10)
        one.network = True
        for _ in range(2):
            one.ask()
        one.live(60, 10)
        one.until(90, 7 * 3600 + 450)  # the grid company sets the meter right
        one.offset = 0
        one.live(600, 10)
        one.until(130, 40000)
        one.swap()
        one.until(200)
        full(patch, folder)
        one.until(365, 3600)
        yield one


def full(patch, folder):
    """A file system with no more room than what is on it now, in blocks; half of it taken by others from then on."""
    def blocks():
        return sum(-(-path.stat().st_size // 4096) for path in (folder / "history").iterdir())
    room = blocks() // 2

    def open_(path, mode="r"):
        if mode == "ab" and blocks() >= room:
            raise OSError(errno.ENOSPC, "full")
        return open(path, mode)
    patch.setattr(store, "open", open_, raising=False)


def total(rows, name):
    return sum(row[2].get(name, 0) for row in rows)


def test_days_and_the_half_hours_since_add_up_to_the_registers_to_the_wh(year):
    kept = [row for row in days.rows(0, 1 << 30) if row]
    rest = list(past.rows(days.bounds(ZONE, kept[-1][0])[1], 1 << 31))
    running = dict(zip(year.half.kept[2].split(), zip(year.half.kept[7], year.half.kept[8])))
    for name in ALL:
        before, last = running[name]
        assert total(kept, name) + total(rest, name) + last - before == year.grown[name], name


def test_every_day_is_there_and_each_is_the_sum_of_its_half_hours(year):
    kept = [row for row in days.rows(0, 1 << 30) if row]
    first = days.number(ZONE, START)
    assert [row[0] for row in kept] == list(range(first, first + 365))
    assert {days.bounds(ZONE, row[0])[1] - days.bounds(ZONE, row[0])[0] for row in kept} == {
        23 * 3600, DAY, 25 * 3600}
    held = [row[0] for row in past.rows(0, 1 << 31)]
    for number, _, values in kept:
        since, until = days.bounds(ZONE, number)
        if since >= held[0]:
            rows = list(past.rows(since, until))
            assert len(rows) == (until - since) // HALF
            assert {name: total(rows, name) for name in ALL} == {name: values[name] for name in ALL}


def test_no_peak_is_told_that_never_was(year):
    kept = [row for row in days.rows(0, 1 << 30) if row]
    assert max(row[2].get("power_import_max_w", 0) for row in kept) == year.peak
    for row in past.rows(0, 1 << 31):
        if not row[1] & (ESTIMATED | NEW | CLOCK):
            assert row[2]["import_wh"] <= row[2]["power_import_max_w"] + 20_000  # no half-hour holds two


def test_a_silent_meter_leaves_estimates_and_a_swap_one_mark(year):
    kept = [row for row in days.rows(0, 1 << 30) if row]
    flagged = [row[0] - days.number(ZONE, START) for row in kept if row[1] & ESTIMATED]
    # silences across a half-hour's end; and, as telegrams are a quarter-hour apart, a clock that is five minutes off
    assert flagged == [14, 20, 21, 22, 23, 30, 33, 40, 41, 45, 46, 47, 48, 50, *range(70, 81)]
    assert [row[0] - days.number(ZONE, START) for row in kept if row[1] & NEW] == [0, 130]
    assert [row[0] - days.number(ZONE, START) for row in kept if row[1] & CLOCK] == [80]


def test_a_full_file_system_takes_the_oldest_half_hours_and_nothing_else(year):
    held = [row[0] for row in past.rows(0, 1 << 31)]
    assert held == list(range(held[0], year.closed, HALF))
    assert START + 100 * DAY < held[0] < START + 330 * DAY


def test_a_months_csv_says_what_the_days_say(year):
    text = "".join(piece or "" for piece in export.csv(ZONE, "month", START, START + 365 * DAY))
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [line["start"][:7] for line in table] == ["2025-%02d" % month for month in range(2, 13)] + ["2026-01"]
    kept = [row for row in days.rows(0, 1 << 30) if row]
    for name in ALL:
        assert sum(int(line[name]) for line in table) == total(kept, name)


def test_each_average_of_a_quarter_hour_is_the_registers_and_each_months_peak_is_one_of_them(year):
    assert len(year.windows) > 365 * 96 - 20 * 96 - 8 * 96  # 20 days by a clock that meets no edge, some of silence
    months = {}
    for start, average in year.windows.items():
        first, last = [min(at for at in range(edge, edge + 21) if at in year.shown)
                       for edge in (start, start + QUARTER)]
        assert average == (year.shown[last] - year.shown[first]) * 3600 // (last - first), start
        local = datetime.fromtimestamp(start, CIVIL)
        month = local.year * 100 + local.month
        months[month] = max(months.get(month, 2500), average)
    state = year.window.state
    told = dict(zip(state["months"][::2], state["months"][1::2]))
    assert told == {month: months[month] for month in sorted(months)[:-1]} and len(told) == 12
    assert max(year.windows.values()) <= year.peak


def test_each_alert_came_once_and_has_ended(year):
    states = {}
    for alert in year.told:
        states.setdefault(alert["name"], []).append(alert["active"])
    assert all(told == [True, False] * (len(told) // 2) for told in states.values()), states
    # five power cuts; silences of 90 minutes and of three days, as those of a minute and of ten are none; the meter
    # that was replaced; the clock that was set right. None by summer time, by resets or by a full file system
    assert {name: len(told) // 2 for name, told in states.items() if name != "peak"} == {
        "outage": 5, "meter_silent": 2, "meter_swapped": 1, "clock_step": 1}
    cuts = [alert["value"] for alert in year.told if alert["name"] == "outage" and alert["active"]]
    assert cuts == [None, None, 7000, DAY, 3 * DAY]
