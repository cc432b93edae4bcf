# SPDX-License-Identifier: MIT
import os

from wattport import settings
from wattport.alert import store, watch
from wattport.alert.texts import describe
from wattport.modules import fetch

GROUP = dict([(key, default) for name, rows in settings.groups() if name == "alert" for key, default, _ in rows])
START = 1_760_000_000
PATH = "alerts_test.json"


class Clock:
    state = "ntp"
    steps = 0
    offset_s = 0
    second = 0

    def utc(self):
        return START + self.second


class House:
    """Alerts in an application that has what they look at; `told` are those sent, `kept` the newest summary."""

    def __init__(self, path=PATH, reset_cause=2, **given):
        self.path = path
        self.settings = dict(GROUP)
        self.settings.update(given)
        self.told = []
        self.kept = None
        self.lines = []
        self.wall = Clock()
        self.publisher = self.health = self.meter = self.counters = self
        self.start(reset_cause)

    def start(self, reset_cause=2):
        self.now = 0
        self.heard = self.decoded = None
        self.errors = {"wrong_key": 0, "no_key": 0}
        self.alerts = store.load(self, self.settings, self.settings["silent_s"], reset_cause, self.path)

    def age_s(self, at, never=None):
        return never if at is None else self.now - at

    def log(self, level, text):
        self.lines.append(text)

    def alert(self, alert):
        self.told.append(alert)

    def keep(self, name, value):
        assert name == "/alerts"
        self.kept = value

    def run(self, seconds, odd="", silent=False, **reading):
        """A telegram each second."""
        for _ in range(seconds):
            if not silent:
                self.heard = self.decoded = self.now
                self.alerts.take(dict(reading), odd, self.now)
            if self.now >= self.alerts.at:
                watch.look(self.alerts, self.now)
            self.now += 1
            self.wall.second += 1

    def news(self):
        """What was told since the last time: [(name, active), ...]."""
        told, self.told = self.told, []
        return [(alert["name"], alert["active"]) for alert in told]


def begun():
    try:
        os.remove(PATH)
    except OSError:
        pass


def test_a_voltage_is_an_alert_when_it_lasts_and_ends_with_some_distance():
    begun()
    house = House()
    house.run(9, voltage_l2_mv=254000)
    house.run(1, voltage_l2_mv=252900)
    house.run(10, voltage_l2_mv=253100)
    assert house.news() == []
    house.run(1, voltage_l2_mv=254321)
    alert = house.told[0]
    assert alert == {"name": "voltage_high_l2", "active": True, "since": START + 20, "value": 254321,
                     "severity": "alarm", "text": "The voltage of L2 is too high: 254.3 V."}
    assert house.kept == {"active": ["voltage_high_l2"], "severity": "alarm", "text": alert["text"]}
    house.run(50, voltage_l2_mv=252001)
    assert house.news() == [("voltage_high_l2", True)]
    house.run(50, voltage_l2_mv=252000)
    assert house.told[0]["until"] == START + 71 and house.told[0]["since"] == START + 20
    assert house.news() == [("voltage_high_l2", False)]
    assert house.kept == {"active": [], "severity": "", "text": ""}
    begun()


def test_a_phase_that_is_gone_is_missing_and_not_low():
    begun()
    house = House()
    house.run(30, voltage_l1_mv=230000, voltage_l2_mv=0)  # never there: no such phase
    house.run(30, voltage_l1_mv=0, voltage_l2_mv=0)
    assert house.news() == [("phase_missing_l1", True)]
    house.run(30, voltage_l1_mv=190000, voltage_l2_mv=0)
    assert house.news() == [("phase_missing_l1", False), ("voltage_low_l1", True)]
    house.run(30, voltage_l1_mv=50000)
    assert house.news() == [("voltage_low_l1", False), ("phase_missing_l1", True)]
    house.run(30, voltage_l1_mv=231000)
    assert house.news() == [("phase_missing_l1", False)]
    begun()


def test_limits_of_power_are_off_until_they_are_set():
    begun()
    house = House()
    house.run(200, power_import_w=70000, power_export_w=3000)
    assert house.news() == []
    house = House(power_w=5000, reverse=True)
    house.run(31, power_import_w=5001, power_export_w=0)
    house.run(1, power_import_w=4800)
    assert house.news() == [("power_high", True)]
    house.run(1, power_import_w=4750)
    house.run(61, power_import_w=0, power_export_w=60)
    house.run(1, power_export_w=21)
    assert house.news() == [("power_high", False), ("reverse_flow", True)]
    house.run(1, power_export_w=20)
    assert house.news() == [("reverse_flow", False)]
    begun()


def test_a_limit_of_zero_switches_a_voltage_off():
    begun()
    house = House(voltage_low_mv=0, voltage_high_mv=0)
    house.run(30, voltage_l1_mv=300000)
    house.run(30, voltage_l1_mv=150000)
    assert house.news() == []
    begun()


def test_a_silent_meter_is_told_from_one_that_sends_nothing_readable():
    begun()
    house = House(silent_s=20)
    house.run(5)
    house.run(30, silent=True)
    assert house.news() == [("meter_silent", True)]
    for _ in range(30):
        house.heard = house.now
        house.run(1, silent=True)
    assert house.news() == [("meter_silent", False), ("meter_unreadable", True)]
    house.run(2)
    assert house.news() == [("meter_unreadable", False)]
    house = House(silent_s=0)
    house.run(500, silent=True)
    assert house.news() == []
    begun()


def test_a_key_that_worked_once_was_changed_and_one_that_never_did_is_wrong():
    begun()
    house = House(silent_s=20)

    def refused(seconds):
        for _ in range(seconds):
            house.heard = house.now
            house.errors["no_key"] += 1
            house.run(1, silent=True)
    refused(30)
    assert house.news() == [("wrong_key", True)]
    house.run(5)
    refused(30)
    assert house.news() == [("wrong_key", False), ("changed_key", True)]
    house.start()  # and that survives a restart
    refused(30)
    house.run(2)
    assert house.news() == [("changed_key", False)]
    begun()


def test_a_power_cut_is_what_the_meter_counts_also_over_a_restart():
    begun()
    house = House()
    fields = {"meter_id": "E1", "power_failures": 4, "long_power_failures": 2,
              "power_failure_log": [[START - 900, 7], [START - 90000, 12345]]}
    house.run(5, **fields)
    assert house.news() == []
    house.start(1)
    fields["power_failures"] += 1
    fields["long_power_failures"] += 1
    fields["power_failure_log"] = [[START + 3, 600]] + fields["power_failure_log"]
    house.run(5, **fields)
    assert house.told[0]["value"] == 600 and house.told[0]["text"] == "There was a power cut, for 10 min."
    house.run(1000, **fields)
    assert house.news() == [("outage", True), ("outage", False)]
    fields["power_failures"] += 1
    house.run(5, **fields)
    assert house.told[0]["value"] is None and house.told[0]["text"] == "There was a power cut."
    begun()


def test_where_the_meter_does_not_count_a_start_without_power_before_is_a_power_cut():
    begun()
    house = House(reset_cause=1)
    house.run(5, import_wh=1)
    assert house.news() == []  # the first start of all
    house.start(2)
    house.run(5, import_wh=1)
    assert house.news() == []
    house.start(1)
    assert house.news() == [("outage", True)]
    begun()


def test_another_meter_is_told_once_and_its_counters_are_no_power_cut():
    begun()
    house = House()
    house.run(5, meter_id="E1", power_failures=4)
    house.run(1, "swap", meter_id="E2", power_failures=9)
    house.run(5, meter_id="E2", power_failures=9)
    assert house.told[0]["value"] == "E2" and house.news() == [("meter_swapped", True)]
    house.run(900, meter_id="E2", power_failures=9)
    assert house.news() == [("meter_swapped", False)]
    begun()


def test_values_that_cannot_be_are_one_alert_as_long_as_they_come():
    begun()
    house = House()
    house.run(3, "held")
    assert house.news() == []
    house.run(2000, "power")
    assert house.news() == [("implausible", True)]
    house.run(901)
    assert house.news() == [("implausible", False)]
    begun()


def test_a_step_of_the_meters_clock_is_told_and_one_of_ours_is_not():
    begun()
    house = House()
    house.run(5)
    house.wall.offset_s = 3
    house.run(130)
    house.wall.offset_s = 303
    house.run(130)
    assert house.told[0]["text"] == "The meter's clock made a step of 300 s."
    assert house.news() == [("clock_step", True)]
    house.run(900)
    house.news()
    house.wall.steps, house.wall.offset_s = 1, -4000  # network time corrected ours
    house.run(130)
    assert house.news() == []
    house.wall.steps, house.wall.state, house.wall.offset_s = 2, "meter", None
    house.run(130)
    assert house.news() == [("clock_step", True)]
    begun()


def test_the_tariff_is_told_where_somebody_wants_it():
    begun()
    house = House()
    house.run(3, tariff=1)
    house.run(3, tariff=2)
    assert house.news() == []
    house = House(tariff=True)
    house.run(3, tariff=1)
    house.run(3, tariff=2)
    assert house.told[0]["text"] == "The tariff is now 2."
    house.run(100, tariff=2)
    assert house.news() == [("tariff_change", True), ("tariff_change", False)]
    begun()


def test_a_message_is_there_until_it_goes_or_another_comes():
    begun()
    house = House()
    house.run(5, message="Work on Monday", import_wh=1)
    assert house.told[0]["text"] == "The grid operator says: Work on Monday"
    house.run(5, message="x" * 300, import_wh=1)
    assert house.told[2]["value"] == "x" * 160
    house.run(2, power_import_w=1)  # a short list
    assert house.news() == [("message", True), ("message", False), ("message", True)]
    house.run(600, message="x" * 300, import_wh=1)
    house.start()
    house.run(100, message="x" * 300, import_wh=1)
    assert house.news() == []
    house.run(5, import_wh=1)
    assert house.news() == [("message", False)]
    begun()


def test_what_was_wrong_before_a_restart_is_not_raised_again_and_ends_once():
    begun()
    house = House()
    house.run(30, voltage_l1_mv=254000)
    assert house.news() == [("voltage_high_l1", True)]
    house.start()
    house.run(30, voltage_l1_mv=254000)
    assert house.news() == [] and house.kept["active"] == ["voltage_high_l1"]
    house.run(1, voltage_l1_mv=230000)
    assert house.news() == [("voltage_high_l1", False)]
    house.run(700, voltage_l1_mv=254000)
    house.settings["voltage_high_mv"] = 0
    house.start()
    house.run(60, voltage_l1_mv=254000)
    assert house.news() == [("voltage_high_l1", True), ("voltage_high_l1", False)]
    begun()


def test_the_last_ten_are_kept():
    begun()
    house = House()
    for _ in range(12):
        house.run(11, voltage_l1_mv=254000)
        house.run(1, voltage_l1_mv=230000)
    house.run(700, voltage_l1_mv=230000)
    last = [list(one) for one in house.alerts.last]
    assert len(last) == 10 and last[-1][2] - last[-1][1] == 1
    house.start()
    assert [list(one) for one in house.alerts.last] == last
    begun()


def test_the_flash_is_written_some_times_at_once_and_then_once_in_ten_minutes():
    begun()
    house = House()
    writes, dirty = 0, False
    for number in range(2400):
        house.run(1, voltage_l1_mv=254000 if number % 24 < 12 else 230000)
        writes += dirty and not house.alerts.dirty or number % 12 in (0, 10) and not house.alerts.dirty
        dirty = house.alerts.dirty
    assert 8 <= writes <= 13 + 2400 // 600
    begun()


def test_a_damaged_file_and_a_flash_that_is_full_are_borne():
    for text in ("", "[]", '{"known": 1}', '{"known": {}, "active": {"x": 1}, "last": []}', "null"):
        with open(PATH, "w") as file:
            file.write(text)
        assert House().alerts.active == {}
    house = House("no/such/folder/alerts.json")
    house.run(30, voltage_l1_mv=254000)
    assert house.news() == [("voltage_high_l1", True)]
    begun()


def test_every_name_has_its_words():
    rules = fetch("wattport.alert.rules", "make")(dict(GROUP, power_w=1, reverse=True))
    names = [name for name, _ in fetch("wattport.alert.rules", "numbers")(rules)]
    assert len(names) == 11
    for name in names + ["peak", "outage", "meter_silent", "meter_unreadable", "wrong_key", "changed_key"]:
        for value in (None, 1234):
            severity, _, text = describe(name, value)
            assert severity in ("warning", "alarm") and text[-1] == "." and "{" not in text and "[" not in text
            assert "?" not in text
