# SPDX-License-Identifier: MIT
import os

from wattport import posixzone
from wattport.tariff import window
from wattport.tariff.peaks import Rule, load
from wattport.tariff.projection import told

ZONE = posixzone.parse("CET-1CEST,M3.5.0,M10.5.0/3")
MONTH = 1_759_269_600  # 2025-10-01 00:00 in Central Europe
DAY, HOUR, QUARTER = 86400, 3600, 900
PATH = "peaks_test.json"


class Clock:
    """The dongle's: right, where there is network time."""

    def __init__(self, network=True):
        self.now = 0
        self.proven = 1 if network else None
        self.state = "ntp" if network else "meter"

    def utc(self):
        return self.now


class House:
    """A meter with a register in Wh and a clock, and the dongle on it."""

    def __init__(self, preset, at=MONTH + DAY, setting_w=0, network=True, **fields):
        remove()
        self.preset, self.setting_w = preset, setting_w
        self.clock = Clock(network)
        self.ws = 5_000_000 * 3600
        self.time, self.ahead_s = at, 0  # the true time, and what the meter's clock is ahead
        self.fields = fields
        self.news = 0
        self.start()

    def start(self):
        self.began = self.time
        self.window = load(self.preset, self.setting_w, 80000, ZONE, PATH)

    def telegram(self, power_w, **more):
        reading = {"time": self.time + self.ahead_s, "import_wh": self.ws // 3600, "power_import_w": power_w,
                   "meter_id": "E1"}
        reading.update(self.fields)
        reading.update(more)
        self.clock.now = self.time
        if self.window.take(reading, self.uptime_s(), self.clock):
            self.news += 1

    def uptime_s(self):
        return self.time - self.began + 5

    def run(self, seconds, power_w, step=10, silent=False):
        """Use that power for so long."""
        end = self.time + seconds
        while self.time < end:
            if not silent:
                self.telegram(power_w)
            pause = min(step, end - self.time)
            self.time += pause
            self.ws += power_w * pause

    def told(self):
        return told(self.window, self.uptime_s())

    def peaks(self):
        return [(peak["time"], peak["w"]) for peak in self.told()["peaks"]]


def remove():
    try:
        os.remove(PATH)
    except OSError:
        pass


def hours(house, *powers, step=30):
    for power_w in powers:
        house.run(HOUR, power_w, step)
    house.telegram(0)


def test_a_windows_average_comes_from_the_register_at_its_edges():
    house = House("be")
    house.run(QUARTER // 2, 6000)
    house.run(QUARTER // 2, 2000)
    house.run(10, 0)
    assert house.told()["average_w"] == 4000
    assert house.peaks() == [(MONTH + DAY, 4000)] and house.told()["figure_w"] == 4000
    remove()


def full(times):
    """A heap that has no room for the engine, so often."""
    fetch = window.fetch
    left = [times]

    def failing(module, name):
        if left[0]:
            left[0] -= 1
            raise MemoryError
        return fetch(module, name)

    window.fetch = failing
    return fetch


def test_an_edge_that_comes_while_the_heap_is_full_is_taken_with_the_next_telegram():
    house = House("be")
    house.run(QUARTER, 3000, step=1)
    fetch = full(2)
    try:
        house.run(5, 3000, step=1)
        house.run(QUARTER - 5, 3000, step=1)
        house.run(2, 0, step=1)
    finally:
        window.fetch = fetch
    (peak,) = house.peaks()
    assert 3000 <= peak[1] <= 3007  # two seconds late
    remove()


def test_the_meters_own_peak_is_taken_later_when_the_heap_is_full():
    house = House("be", demand_import_w=1000)
    house.run(20, 5000, step=1)
    fetch = full(1)
    try:
        house.telegram(5000, peak_month_w=4321)
        assert house.told()["figure_w"] == 2500
        house.telegram(5000, peak_month_w=4321)
    finally:
        window.fetch = fetch
    assert house.told()["figure_w"] == 4321
    remove()


def test_a_month_of_flanders_is_its_highest_quarter_hour_but_2500_w_at_least():
    house = House("be")
    house.run(QUARTER + 10, 1000)
    assert house.told()["figure_w"] == 2500 and house.told()["limit_w"] == 2500
    house.run(2 * QUARTER, 3000)
    house.run(QUARTER, 1500)
    assert house.told()["figure_w"] == 3000 == house.told()["limit_w"]
    assert house.peaks() == [(MONTH + DAY + QUARTER + QUARTER, 3000)]
    remove()


def test_the_meters_own_peak_counts_where_it_tells_one():
    house = House("be", peak_month_w=4321, demand_import_w=1000)
    house.run(100, 5000)
    told = house.told()
    assert told["figure_w"] == told["limit_w"] == 4321
    assert told["projected_w"] == (1000 * 900 + 5000 * 810) // 900
    house.fields["peak_month_w"] = 5000
    house.run(10, 5000)
    assert house.told()["figure_w"] == 5000
    remove()


def test_the_running_quarter_hour_is_known_in_the_middle_where_the_meter_tells_its_demand():
    house = House("be", MONTH + DAY + 300, demand_import_w=1200)
    house.run(10, 3000)
    told = house.told()
    # 1200 W × 900 s so far, and 600 s to go at 3000 W
    assert told["projected_w"] == (1200 * 900 + 3000 * 600) // 900
    without = House("be", MONTH + DAY + 300)
    without.run(10, 3000)
    assert without.told()["projected_w"] is None and without.told()["until"] == MONTH + DAY + 900
    remove()


def test_what_may_be_used_more_is_told():
    house = House("be", setting_w=4000)
    house.run(600, 3000, 1)
    house.telegram(3000)
    told = house.told()
    assert told["projected_w"] == 3000 and told["until"] == MONTH + DAY + 900 and not told["over"]
    # 4000 × 900 − 3000 × 600 W s are left for 300 s
    assert told["allowed_w"] == 6000 - 3000
    house.run(200, 9000, 1)
    house.telegram(9000)
    told = house.told()
    assert told["over"] and told["allowed_w"] == 0 - 9000
    remove()


def test_an_alarm_waits_until_a_quarter_is_used_has_distance_and_ends_with_the_window():
    house = House("be", setting_w=4000)
    house.run(210, 5000)  # 1.0 of 3.6 MJ
    assert house.window.over and house.news == 1
    house.run(100, 3450)  # back, but for 5 %
    assert house.window.over
    house.run(100, 2000)
    assert not house.window.over and house.news == 2
    early = House("be", setting_w=4000)
    early.run(100, 5000)
    assert not early.window.over
    house.run(300, 9000)
    assert house.window.over
    house.run(210, 0)
    assert not house.window.over
    remove()


def test_norway_takes_the_mean_of_the_highest_hours_of_three_days():
    house = House("no")
    hours(house, 3000, 7000, 6000)
    house.time += DAY - 3 * HOUR
    hours(house, 4000, 1000)
    house.time += DAY - 2 * HOUR
    hours(house, 1000)
    house.run(30, 0, 10)
    assert [watts for _, watts in house.peaks()] == [7000, 4000, 1000]
    told = house.told()
    assert told["figure_w"] == 4000 and told["step_w"] == 5000
    # of this day there is 1000 already: (7000 + 4000 + x) / 3 = 5000
    assert told["limit_w"] == 4000
    remove()


def test_before_there_are_three_days_the_mean_is_of_those_there_are():
    house = House("no")
    hours(house, 3000)
    house.time += DAY - HOUR
    house.run(30, 0, 10)
    assert house.told()["figure_w"] == 3000 and house.told()["limit_w"] == 2 * 5000 - 3000
    remove()


def test_in_sweden_the_night_counts_half():
    house = House("se", MONTH + DAY)
    hours(house, 8000)  # from 0 to 1
    house.time += DAY + 11 * HOUR
    hours(house, 5000)
    house.time += DAY + 9 * HOUR
    hours(house, 2000)
    assert [watts for _, watts in house.peaks()] == [5000, 4000, 1000]
    told = house.told()
    assert told["figure_w"] == 3333
    # this night half of 2000 is there already, and changes nothing
    assert told["limit_w"] == 2000
    remove()


def test_luxembourg_counts_energy_above_the_reference_power():
    house = House("lu")
    house.run(QUARTER, 5000)
    house.run(QUARTER, 2000)
    house.run(QUARTER, 4000)
    house.run(10, 0)
    told = house.told()
    assert told["excess_wh"] == (2000 + 1000) // 4 and told["limit_w"] == 3000
    assert [watts for _, watts in house.peaks()] == [5000, 4000, 2000]
    mine = House("lu", setting_w=4500)
    mine.run(QUARTER, 5000)
    mine.run(10, 0)
    assert mine.told()["excess_wh"] == 125
    remove()


def test_masks_take_months_weekdays_and_hours_also_over_their_turn():
    rule = Rule("x 3600 3 1 0 mean 11-3/0-4/7-18/100,11-3/5-6/*/50,*/*/*/0")
    assert rule.percent(12, 0, 7) == rule.percent(3, 4, 18) == 100
    assert rule.percent(1, 6, 3) == 50
    assert rule.percent(4, 0, 12) == rule.percent(12, 0, 19) == 0
    assert Rule("x 900 1 0 0 max -").percent(1, 1, 1) == 100


def test_a_gap_at_an_edge_makes_no_peak_and_one_inside_does():
    house = House("be")
    house.run(QUARTER - 60, 3000)
    house.run(120, 3000, silent=True)
    house.run(QUARTER, 9000)
    assert house.peaks() == []
    house.run(300, 3000)
    house.run(300, 3000, silent=True)
    house.run(400, 3000)
    assert len(house.peaks()) == 1
    remove()


def test_an_hourly_list_is_enough():
    house = House("no")
    for _ in range(4):
        house.telegram(5000)
        house.ws += 5000 * HOUR
        for _ in range(HOUR // 10):
            house.clock.now = house.time
            house.window.take({"power_import_w": 5000}, house.uptime_s(), house.clock)
            house.time += 10
    told = house.told()
    assert told["average_w"] == 5000 and told["figure_w"] == 5000
    assert told["projected_w"] == 5000  # by power alone
    remove()


def test_another_meter_or_a_register_that_fell_is_no_peak():
    house = House("be")
    house.run(300, 1000)
    house.ws += 15_000 * 3600  # the new one stands higher, and would be 60 kW
    house.fields["meter_id"] = "E2"
    house.run(QUARTER, 1000)
    assert house.peaks() == []
    house.run(300, 1000)
    house.ws = 1000 * 3600
    house.run(QUARTER, 1000)
    assert house.peaks() == []
    house.run(QUARTER, 1000)
    assert [watts for _, watts in house.peaks()] == [1000]
    remove()


def test_more_than_the_connection_allows_is_no_peak():
    house = House("be")
    house.run(300, 1000)
    house.ws += 30_000 * 3600
    house.run(QUARTER, 1000)
    assert house.peaks() == []
    remove()


def test_a_step_of_the_meters_clock_is_no_peak():
    for step in (-420, -120, -30, 30, 120, 420, 4 * HOUR, -4 * HOUR):
        house = House("be")
        house.run(500, 3000)
        house.ahead_s += step
        house.run(2 * QUARTER, 3000)
        assert all([abs(watts - 3000) < 10 for _, watts in house.peaks()]), step
        assert abs(house.told()["average_w"] - 3000) < 10
        remove()


def test_a_restart_loses_no_window():
    house = House("be")
    house.run(500, 3000)
    house.run(50, 3000, silent=True)
    house.start()
    house.run(100, 3000)
    assert 2990 < house.told()["projected_w"] <= 3000
    house.run(300, 3000)
    assert house.peaks() == [(MONTH + DAY, 3000)]
    remove()


def test_a_restart_at_the_edge_loses_no_window():
    house = House("be")
    house.run(QUARTER - 2, 3000)
    house.run(17, 3000, silent=True)
    house.start()
    house.run(10, 3000)
    (start, watts), = house.peaks()
    assert start == MONTH + DAY and 2990 < watts <= 3000
    remove()


def test_behind_a_restart_nobody_but_the_network_proves_that_the_meters_clock_made_no_step():
    for network, step, wanted in ((True, 0, [3000]), (False, 0, []), (True, -300, []), (True, 300, [])):
        house = House("be", network=network)
        house.run(400, 3000)
        house.start()
        house.ahead_s = step
        house.run(QUARTER - 400 - step + 20, 3000)
        assert [watts for _, watts in house.peaks()] == wanted, (network, step)
        remove()


def test_months_begin_by_the_households_clock_and_twelve_are_kept():
    house = House("be", MONTH - 2 * QUARTER)
    house.run(QUARTER, 9000)
    house.run(QUARTER, 3000)
    house.run(QUARTER, 4000)
    house.run(10, 0)
    assert house.window.state["months"] == [202509, 9000]
    assert house.peaks() == [(MONTH, 4000)]
    for month in range(1, 15):
        house.time = MONTH + month * 31 * DAY
        house.time -= house.time % QUARTER
        house.run(QUARTER, 3000 + 40 * month)
        house.run(10, 0)
    months = house.window.state["months"]
    assert len(months) == 24 and months[-1] == 3520 and months[1] == 3080
    house.start()
    assert house.window.state["months"] == months
    remove()


def test_a_meter_without_a_clock_goes_by_the_dongles():
    house = House("be", MONTH + DAY, time=None)
    for _ in range(91):
        house.clock.now = house.time
        house.window.take({"import_wh": house.ws // 3600, "power_import_w": 3000}, house.uptime_s(), house.clock)
        house.time += 10
        house.ws += 30_000
    assert house.peaks() == [(MONTH + DAY, 3000)]
    nothing = House("be")
    nothing.clock.now = None
    assert not nothing.window.take({"import_wh": 1}, 5, nothing.clock) and nothing.told()["until"] is None
    remove()


def test_a_damaged_file_or_another_tariffs_is_a_new_beginning():
    house = House("be")
    house.run(QUARTER + 10, 3000)
    with open(PATH) as file:
        text = file.read()
    assert len(load("be", 0, 0, ZONE, PATH).state["peaks"]) == 1
    for damaged in (text[:40], "", "[]", "null", text.replace("3000", '"x"'), text.replace("peaks", "pecks")):
        with open(PATH, "w") as file:
            file.write(damaged)
        assert load("be", 0, 0, ZONE, PATH).state["peaks"] == [], damaged
    with open(PATH, "w") as file:
        file.write(text)
    assert load("lu", 0, 0, ZONE, PATH).state["peaks"] == []
    remove()


def test_a_silent_meter_has_no_projection_and_no_alarm():
    house = House("be", setting_w=2000)
    house.run(400, 5000)
    assert house.told()["over"]
    house.time += 100
    told = house.told()
    assert not told["over"] and told["projected_w"] is None and told["allowed_w"] is None
    remove()
