# SPDX-License-Identifier: MIT
"""The wall clock, with ticks that a test turns. (`host_tests/test_time.py` has random sources and the tz database.)"""

import time

from wattport import posixzone
from wattport.civil import local
from wattport.wall import Wall

NOW = 1_760_000_000  # 2025-10-09 08:53:20 UTC
CET = "CET-1CEST,M3.5.0,M10.5.0/3"
DAY = 86400


class Hand:
    """Turns the ticks; collects what is logged."""

    def __init__(self, source="auto", servers=True):
        self.ticks = time.ticks_add(0, -500)
        self.lines = []
        self.wall = Wall(posixzone.parse(CET), source, servers, lambda level, text: self.lines.append(text),
                         lambda: self.ticks)

    def wait(self, seconds):
        """As somebody who looks every minute."""
        while seconds > 0:
            self.turn(min(seconds, 60) * 1000)
            seconds -= 60
            self.wall.utc()

    def turn(self, ms):
        self.ticks = time.ticks_add(self.ticks, ms)

    def telegrams(self, seconds, ahead, late=(0, 2, 1)):
        """A telegram every 10 s from a meter whose clock is `ahead` of our own at the start."""
        start = self.wall.utc() or NOW
        for i in range(seconds // 10):
            self.wait(10)
            self.wall.meter(start + 10 * (i + 1) + ahead - late[i % len(late)], True)


def test_before_anything_is_known_there_is_no_time():
    hand = Hand()
    hand.wait(100)
    assert hand.wall.utc() is None and local(hand.wall) is None and hand.wall.state == "none"


def test_network_time_is_taken_at_once_and_runs_on_through_ticks_that_come_round():
    hand = Hand()
    hand.wait(5)
    assert hand.wall.network(NOW, 400)
    assert hand.wall.state == "ntp" and hand.wall.utc() == NOW
    hand.turn(599)
    assert hand.wall.utc() == NOW
    hand.turn(1)
    assert hand.wall.utc() == NOW + 1
    hand.wait(40 * DAY)
    assert hand.wall.utc() == NOW + 1 + 40 * DAY


def test_a_correction_forward_is_taken_and_one_back_is_waited_out():
    hand = Hand()
    hand.wall.network(NOW, 0)
    hand.wait(10)
    assert hand.wall.network(NOW + 100, 0) and hand.wall.utc() == NOW + 100
    hand.wait(10)
    assert hand.wall.network(NOW + 90, 0)
    for _ in range(4):
        assert hand.wall.utc() == NOW + 110
        hand.wait(5)
    hand.wait(10)
    assert hand.wall.utc() == NOW + 120
    assert hand.wall.steps == 0


def test_a_step_needs_a_second_answer_that_agrees_and_is_counted_and_logged():
    for error in (3600, -3600):
        hand = Hand()
        hand.wall.network(NOW, 0)
        assert not hand.wall.network(NOW + error, 0)
        assert hand.wall.utc() == NOW
        assert not hand.wall.network(NOW + 2 * error, 0)  # two wrong ones are no proof
        hand.wait(16)
        assert hand.wall.network(NOW + 2 * error + 16, 0)
        assert hand.wall.utc() == NOW + 2 * error + 16
        assert hand.wall.steps == 1
        assert [line for line in hand.lines if "7200 s " + ("slow" if error > 0 else "fast") in line]


def test_a_step_that_was_told_once_is_forgotten_when_the_next_answer_fits():
    hand = Hand()
    hand.wall.network(NOW, 0)
    assert not hand.wall.network(NOW + 3600, 0)
    assert hand.wall.network(NOW, 0)
    assert not hand.wall.network(NOW + 3600, 0)
    assert hand.wall.utc() == NOW and hand.wall.steps == 0


def test_telegrams_between_two_answers_do_not_spoil_the_proof():
    hand = Hand()
    hand.wall.network(NOW, 0)
    assert not hand.wall.network(NOW + 3600, 0)
    hand.telegrams(100, 7200)
    assert hand.wall.network(NOW + 3700, 0) and hand.wall.steps == 1


def test_where_there_is_network_time_the_meter_only_tells_how_far_off_it_is():
    hand = Hand()
    hand.wall.network(NOW, 0)
    hand.telegrams(1200, 45)
    assert hand.wall.utc() == NOW + 1200 and hand.wall.state == "ntp"
    assert hand.wall.offset_s == 45
    hand.telegrams(1200, -290)
    assert hand.wall.utc() == NOW + 2400 and hand.wall.steps == 0
    assert hand.wall.offset_s == -290
    assert hand.wall.network(NOW + 2400, 0)


def test_a_telegram_whose_clock_is_wild_once_changes_nothing():
    hand = Hand()
    hand.wall.network(NOW, 0)
    hand.telegrams(700, 10)
    hand.wall.meter(NOW + 3600, True)
    hand.wall.meter(NOW - 3600, True)
    hand.telegrams(700, 10)
    assert hand.wall.offset_s == 10 and hand.wall.utc() == NOW + 1400


def test_the_meters_clock_waits_for_the_router_and_then_has_to_do():
    hand = Hand()
    hand.telegrams(290, 0)
    assert hand.wall.utc() is None
    hand.telegrams(20, 290)
    assert hand.wall.state == "meter"
    for hand in (Hand("auto", False), Hand("meter")):
        hand.wall.meter(NOW, True)
        assert hand.wall.utc() == NOW and hand.wall.state == "meter"
    hand = Hand("ntp")
    hand.telegrams(1000, 0)
    assert hand.wall.utc() is None


def test_without_a_checksum_two_telegrams_have_to_agree():
    hand = Hand("meter")
    hand.wall.meter(NOW + 5000, False)
    hand.wait(10)
    hand.wall.meter(NOW + 10, False)
    assert hand.wall.utc() is None
    hand.wait(10)
    hand.wall.meter(NOW + 20, False)
    assert hand.wall.utc() == NOW + 20


def test_the_meters_clock_moves_ours_slowly_by_its_least_late_telegrams():
    hand = Hand("meter")
    hand.wall.meter(NOW - 5, True)  # the first came late
    hand.telegrams(3600, 5, (0, 3, 7))
    assert NOW + 3598 <= hand.wall.utc() <= NOW + 3600
    assert hand.wall.steps == 0
    before = hand.wall.utc()
    for i in range(600):
        hand.wait(10)
        last = hand.wall.utc()
        assert before <= last <= before + 13
        before = last
        hand.wall.meter(NOW + 3600 + 10 * (i + 1) - 60, True)
    assert NOW + 9600 - 22 <= hand.wall.utc() <= NOW + 9600 - 18  # ten windows


def test_a_step_of_the_meters_clock_is_taken_when_it_lasts():
    hand = Hand("meter")
    hand.wall.meter(NOW, True)
    hand.telegrams(50, 3600)
    assert hand.wall.utc() == NOW + 50
    hand.telegrams(70, 3600)
    assert NOW + 3718 <= hand.wall.utc() <= NOW + 3720
    assert hand.wall.steps == 1 and hand.wall.state == "meter"


def test_a_meters_clock_that_stands_still_does_not_hold_ours():
    hand = Hand("meter")
    hand.wall.meter(NOW, True)
    for _ in range(3600):
        hand.wait(1)
        hand.wall.meter(NOW, True)
    assert NOW + 3600 - 14 <= hand.wall.utc() <= NOW + 3600 and hand.wall.steps == 0


def test_a_meter_that_was_never_set_is_not_believed():
    for source in ("auto", "meter"):
        hand = Hand(source, False)
        for year in (0, 946684800, 1483228800, 0xFFFFFFFF, 1 << 40):
            hand.wall.meter(year, True)
        assert hand.wall.utc() is None
        hand.wall.network(5, 0)
        assert hand.wall.utc() is None


def test_when_network_time_stays_away_the_meter_less_its_offset_keeps_the_drift_small():
    hand = Hand()
    hand.wall.network(NOW, 0)
    hand.telegrams(1200, 300)
    hand.wait(2 * DAY)
    truth = NOW + 1200 + 2 * DAY + 8  # our ticks are slow
    assert hand.wall.utc() == truth - 8
    for i in range(600):
        hand.wait(10)
        hand.wall.meter(truth + 10 * (i + 1) + 300, True)
    assert hand.wall.state == "meter" and hand.wall.steps == 0
    assert truth + 6000 - 1 <= hand.wall.utc() <= truth + 6000
    # the grid company sets the meter right: its step, not ours
    for i in range(600):
        hand.wait(10)
        hand.wall.meter(truth + 6000 + 10 * (i + 1), True)
    assert truth + 12000 - 1 <= hand.wall.utc() <= truth + 12000
    assert hand.wall.steps == 0 and abs(hand.wall.offset_s) <= 1
    assert hand.wall.network(truth + 12000, 0) and hand.wall.state == "ntp"


def test_the_clock_that_ran_through_a_restart_may_be_corrected_by_the_meter():
    hand = Hand("auto", False)
    assert hand.wall.network(NOW, 0, "system", False)
    assert hand.wall.state == "system" and hand.wall.utc() == NOW
    hand.telegrams(200, 3600)
    assert hand.wall.steps == 1 and NOW + 3798 <= hand.wall.utc() <= NOW + 3800
    assert hand.wall.state == "meter"


def test_a_system_that_keeps_its_own_clock_is_not_corrected_by_the_meter():
    hand = Hand("auto", False)
    assert hand.wall.network(NOW, 0, "system")
    hand.telegrams(2000, 3600)
    assert hand.wall.steps == 0 and hand.wall.utc() == NOW + 2000
    assert hand.wall.offset_s == 3600


def test_whoever_wants_the_meters_clock_gets_no_other():
    hand = Hand("meter")
    assert hand.wall.network(NOW, 0)
    assert hand.wall.utc() is None


def test_a_step_of_the_network_moves_the_meters_offset_too():
    hand = Hand()
    hand.wall.network(NOW + 3600, 0)  # a bad server
    hand.telegrams(700, -3600)
    assert hand.wall.offset_s == -3600
    assert not hand.wall.network(NOW + 700, 0)
    assert hand.wall.network(NOW + 700, 0)
    assert hand.wall.offset_s == 0 and hand.wall.utc() == NOW + 700


def test_local_time_is_that_of_the_household():
    hand = Hand()
    hand.wall.network(NOW, 0)
    assert local(hand.wall) == (2025, 10, 9, 10, 53, 20, 3)
    hand.wait(60 * DAY)
    assert local(hand.wall) == (2025, 12, 8, 9, 53, 20, 0)
