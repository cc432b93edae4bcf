# SPDX-License-Identifier: MIT
import time

from wattport.means import Means


class Hand:
    def __init__(self):
        self.hour = Means(10, 360)
        self.now = time.ticks_add(0, -5000)  # ticks come round in the first step

    def send(self, taken, given=None, every_ms=1000, count=1):
        for _ in range(count):
            self.hour.take({"power_import_w": taken} if given is None else
                           {"power_import_w": taken, "power_export_w": given}, self.now)
            self.wait(every_ms)

    def wait(self, ms):
        self.now = time.ticks_add(self.now, ms)

    def means(self):
        self.hour.look(self.now)
        return list(self.hour.means())


def test_before_the_first_reading_there_is_nothing():
    hand = Hand()
    hand.wait(100000)
    assert hand.means() == []
    hand.hour.take({"import_wh": 5}, hand.now)
    assert hand.means() == [] and hand.hour.age_ms(hand.now) == 0


def test_each_ten_seconds_give_their_mean():
    hand = Hand()
    hand.send(100, count=5)
    hand.send(300, count=5)
    hand.send(1000, count=11)
    assert hand.means() == [200, 1000]


def test_export_is_negative():
    hand = Hand()
    hand.send(0, 2500, count=11)
    hand.send(400, 100, count=11)
    assert hand.means() == [-2500, (-2500 + 9 * 300) // 10]


def test_a_power_holds_until_the_next_so_a_slow_meter_leaves_no_gaps():
    for every_ms in (700, 2500, 9990, 10000, 10010, 30000, 60000):
        hand = Hand()
        hand.send(1234, every_ms=every_ms, count=700000 // every_ms)
        found = hand.means()
        assert found == [1234] * len(found) and len(found) >= 60, every_ms


def test_silence_leaves_a_gap_and_is_not_filled_with_what_was_before():
    hand = Hand()
    hand.send(500, count=21)
    hand.wait(99000)  # the next one comes 100 s behind the last
    hand.send(700, count=11)
    assert hand.means() == [500, 500] + 10 * [None] + [700]


def test_while_nothing_comes_the_hour_goes_on():
    hand = Hand()
    hand.send(500, count=11)
    for _ in range(30):
        hand.wait(10000)
        hand.hour.look(hand.now)
    found = hand.means()
    assert found[0] == 500 and found[1:] == (len(found) - 1) * [None] and 24 < len(found) <= 31
    assert 0 <= hand.hour.age_ms(hand.now) < 75000
    hand.wait(3700000)
    assert hand.means() == []


def test_large_powers_lose_less_than_16_w():
    for power in (16383, 16384, 16385, 16399, 16400, 17000, 80000, 278000):
        for sign in (1, -1):
            hand = Hand()
            hand.send(max(0, sign * power), max(0, -sign * power), every_ms=10000, count=2)
            hand.send(0)
            for mean in hand.means():
                assert 0 <= power - sign * mean < (16 if power > 16384 else 1), power
    hand = Hand()
    hand.send(10000000, every_ms=10000, count=2)
    hand.send(0)
    assert hand.means()[0] > 278000


def test_only_the_last_hour_is_kept_oldest_first():
    hand = Hand()
    for power in range(400):
        hand.send(power, every_ms=10000)
    hand.send(0)
    assert hand.means() == list(range(40, 400))


def test_it_is_told_how_long_ago_the_last_step_ended():
    hand = Hand()
    hand.send(1, count=13)
    assert hand.hour.age_ms(hand.now) == 3000
    hand.wait(40000)
    assert hand.hour.age_ms(hand.now) == 43000


def test_days_of_silence_with_ticks_that_come_round_leave_nothing_old():
    hand = Hand()
    hand.send(500, count=100)
    for _ in range(9 * 24):
        hand.wait(3600000)
        hand.hour.look(hand.now)
    assert hand.means() == []
    hand.send(300, count=11)
    assert hand.means() == [300]


def test_the_last_day_is_kept_by_the_minute_and_no_longer():
    hand = Hand()
    hand.hour = Means(60, 1440)
    hand.send(600, every_ms=10000, count=3)
    hand.send(1200, every_ms=10000, count=4)
    assert hand.means() == [900]
    hand.send(100, every_ms=60000, count=1440)
    assert hand.means() == [900, 283] + [100] * 1438
    hand.send(100, every_ms=60000, count=2)
    assert hand.means() == [100] * 1440
    hand.wait(3600000)
    assert hand.means()[-58:] == [None] * 58 and hand.means()[-70] == 100
    hand.wait(86400000)
    assert hand.means() == []
