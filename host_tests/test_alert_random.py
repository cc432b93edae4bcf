# SPDX-License-Identifier: MIT
"""Alerts and peaks under what no list of cases holds: random sequences, and a month in which everything goes wrong,
each judged by a model of its own."""

import bisect
import random
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from wattport import posixzone
from wattport import settings as document
from wattport.alert import store, watch
from wattport.tariff import peaks

GROUP = document.check({})["alert"]
ZONE = posixzone.parse("CET-1CEST,M3.5.0,M10.5.0/3")
MONTH = 1_759_269_600  # 2025-10-01 00:00 in Central Europe, whose summer time ends on the 26th
QUARTER = 900


class House:
    """What alerts look at, by a clock of its own; `told` are those sent."""

    def __init__(self, path, **given):
        self.path, self.settings = str(path), {**GROUP, **given}
        self.told = []
        self.utc_s = MONTH
        self.wall = SimpleNamespace(utc=lambda: self.utc_s, state="ntp", steps=0, offset_s=0, proven=1)
        self.publisher = SimpleNamespace(alert=self.told.append, keep=lambda name, value: None)
        self.log = lambda level, text: None
        self.health = SimpleNamespace(heard=None, decoded=None, age_s=self.age_s)
        self.meter = SimpleNamespace(counters=SimpleNamespace(errors={"wrong_key": 0, "no_key": 0}))
        self.start()

    def age_s(self, at, never=None):
        return never if at is None else self.now - at

    def start(self):
        """Of the dongle."""
        self.now = 0
        self.health.heard = self.health.decoded = None
        self.alerts = store.load(self, self.settings, self.settings["silent_s"], 2, self.path)

    def telegram(self, reading, odd=""):
        self.health.heard = self.health.decoded = self.now
        self.alerts.take(reading, odd, self.now)

    def second(self, seconds=1):
        if self.now >= self.alerts.at:
            watch.look(self.alerts, self.now)
        self.now += seconds
        self.utc_s += seconds

    def judge(self):
        """Each is raised, then ended, then raised; what is active is what was raised last."""
        active = {}
        for alert in self.told:
            name = alert["name"]
            assert alert["active"] != (name in active), name
            if alert["active"]:
                active[name] = alert
            else:
                begun = active.pop(name)
                assert alert["since"] == begun["since"] <= alert["until"] and alert["text"] == begun["text"]
        assert set(active) == set(self.alerts.active)
        assert len(active.keys() & {"meter_silent", "meter_unreadable", "wrong_key", "changed_key"}) <= 1
        assert len(self.alerts.last) <= 10


READING = st.fixed_dictionaries({}, optional={
    "voltage_l1_mv": st.sampled_from([0, 99999, 120000, 206999, 207500, 208000, 230000, 252500, 253001, 260000]),
    "voltage_l3_mv": st.sampled_from([0, 140000, 230000, 400000]),
    "power_import_w": st.sampled_from([0, 4750, 4900, 5001, 60000]),
    "power_export_w": st.sampled_from([0, 20, 40, 51, 9000]),
    "meter_id": st.sampled_from(["E1", "E2"]), "tariff": st.sampled_from([1, 2]),
    "power_failures": st.integers(0, 3), "long_power_failures": st.integers(0, 2),
    "power_failure_log": st.just([[MONTH, 300]]),
    "message": st.sampled_from(["a", "b", "c" * 400]), "import_wh": st.integers(0, 9)})
EVENT = st.one_of(
    st.tuples(st.just("telegrams"), READING, st.sampled_from(["", "", "held", "dropped", "power", "swap"]),
              st.integers(1, 40)),
    st.tuples(st.just("silence"), st.sampled_from(["nothing", "bytes", "key"]), st.integers(1, 2000)),
    st.tuples(st.just("clock"), st.sampled_from([None, 0, 30, 400, -4000]), st.integers(0, 1)),
    st.tuples(st.just("time"), st.integers(1, 1000)))


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENT, max_size=25))
def test_whatever_comes_each_alert_is_raised_once_and_ended_once(tmp_path_factory, events):
    house = House(tmp_path_factory.mktemp("alerts") / "alerts.json", power_w=5000, reverse=True, tariff=True,
                  silent_s=60)
    for kind, *rest in events:
        if kind == "telegrams":
            for _ in range(rest[2]):
                house.telegram(dict(rest[0]), rest[1])
                house.second()
        elif kind == "silence":
            for _ in range(rest[1] // 10):
                if rest[0] != "nothing":
                    house.health.heard = house.now
                house.meter.counters.errors["wrong_key"] += rest[0] == "key"
                house.second(10)
        elif kind == "clock":
            house.wall.offset_s = rest[0]
            house.wall.steps += rest[1]
        else:
            house.second(rest[0])
        house.judge()
    house.telegram({"voltage_l1_mv": 230000, "voltage_l3_mv": 230000, "power_import_w": 0, "power_export_w": 0,
                    "import_wh": 1})
    for _ in range(40):
        house.health.decoded = house.now
        house.second(60)
    house.judge()
    assert not house.alerts.active or house.wall.offset_s is None


class Month:
    """A household in October, whose use is written down beside: `passed` UTC, and `used` W s up to then."""

    def __init__(self, folder, seed):
        self.chance = random.Random(seed)
        self.house = House(folder / "alerts.json", voltage_low_mv=0)
        self.path = str(folder / "peaks.json")
        self.register_ws, self.number, self.ahead_s, self.failures = 4_000_000 * 3600, 1, 0, 3
        self.passed, self.used = [MONTH], [0]
        self.watts = 500
        self.windows = 0
        self.restart()

    def restart(self):
        self.house.start()
        self.window = peaks.load("be", 0, 80000, ZONE, self.path)

    def run(self, seconds, silent=False, off=False):
        """off: a power cut, nothing is used and nothing runs."""
        end = self.house.utc_s + seconds
        while self.house.utc_s < end:
            if self.chance.random() < 0.02:
                self.watts = self.chance.randint(0, 6000)
            watts = 0 if off else self.watts
            if not silent and not off:
                self._telegram()
            step_s = min(30, end - self.house.utc_s)
            self.register_ws += watts * step_s
            if off:
                self.house.utc_s += step_s
            else:
                self.house.second(step_s)
            self.passed.append(self.house.utc_s)
            self.used.append(self.used[-1] + watts * step_s)

    def _telegram(self):
        house, before = self.house, self.window.start
        reading = {"time": house.utc_s + self.ahead_s, "import_wh": self.register_ws // 3600,
                   "power_import_w": self.watts, "meter_id": "E%d" % self.number, "power_failures": self.failures}
        if self.window.take(reading, house.now, house.wall):
            house.alerts.change("peak", self.window.over, self.window.limit_w, house.now)
        if self.window.start != before and self.window.average_w is not None:
            self.windows += 1
            began, ended = [self._used_at(before + edge - self.ahead_s) for edge in (0, QUARTER)]
            # an edge's telegram may be late by 20 s, and the register counts whole Wh
            assert abs(self.window.average_w - (ended - began) // QUARTER) <= 6000 * 20 // QUARTER + 8
        house.telegram(reading)

    def _used_at(self, utc):
        at = bisect.bisect_right(self.passed, utc) - 1
        if at + 1 == len(self.passed):
            return self.used[at]
        part = (self.used[at + 1] - self.used[at]) * (utc - self.passed[at]) // (self.passed[at + 1] - self.passed[at])
        return self.used[at] + part


def test_a_month_in_which_everything_goes_wrong_has_no_false_peak_and_each_alert_once(tmp_path):
    month = Month(tmp_path, 7)
    house, chance = month.house, month.chance
    wanted = dict.fromkeys(("outage", "meter_swapped", "clock_step", "meter_silent"), 0)
    for number in range(93):
        month.run(8 * 3600 - 1200)
        what = chance.choice(["cut", "swap", "clock", "silence", "restart", "edge"])
        if what == "cut":
            month.run(chance.randint(60, 900), off=True)
            month.failures += 1
            month.restart()
            wanted["outage"] += 1
        elif what == "swap":
            month.number += 1
            month.register_ws += chance.randint(-3000, 9000) * 1000 * 3600
            wanted["meter_swapped"] += 1
        elif what == "clock":
            step_s = chance.choice([-420, -90, 90, 420])
            month.ahead_s += step_s
            house.wall.offset_s += step_s
            wanted["clock_step"] += 1
        elif what == "silence":
            month.run(chance.randint(200, 900), silent=True)
            wanted["meter_silent"] += 1
        elif what == "restart":
            month.restart()
        else:  # a restart over the edge of a quarter-hour
            month.run(QUARTER - (house.utc_s + month.ahead_s) % QUARTER - 2)
            month.run(7, silent=True)
            month.restart()
        month.run(MONTH + 8 * 3600 * (number + 1) - house.utc_s)
    house.judge()
    begun = [alert["name"] for alert in house.told if alert["active"]]
    assert {name: begun.count(name) for name in wanted} == wanted and min(wanted.values()) > 3
    # of those without a trouble none is missing, but the first; a trouble takes two at most, a silent one three
    assert month.windows > 31 * 96 - 3 * 93
    assert set(begun) <= set(wanted) | {"peak"}
