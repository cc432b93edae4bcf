# SPDX-License-Identifier: MIT
"""Registers that cannot be: what waits, what is dropped, what is another meter, and what goes on at once."""

from wattport.plausible import Guard

LIMIT_W = 80000
START = 1760000000
WRAP = 1 << 30  # of ticks


class Line:
    """A meter's Readings, ten seconds apart; `tell` gives what comes out."""

    def __init__(self, checked=True, limit_w=LIMIT_W, ticks=0):
        self.guard = Guard(limit_w)
        self.checked = checked
        self.ticks = ticks
        self.seconds = 0

    def tell(self, registers, after_s=10, clock=True, **others):
        self.seconds += after_s
        self.ticks = (self.ticks + after_s * 1000) % WRAP
        if isinstance(registers, int):
            registers = {"import_wh": registers}
        reading = {"power_import_w": 300}
        if clock:
            reading["time"] = START + self.seconds
        reading.update(registers)
        reading.update(others)
        self.guard.take(reading, self.ticks, self.checked)
        assert reading.get("power_import_w") == others.get("power_import_w", 300) or reading == {}
        return reading

    def registers(self, *values, **options):
        """What came out of the registers that went in, None for those that did not."""
        return [self.tell(value, **options).get("import_wh") for value in values]

    @property
    def counts(self):
        return tuple([self.guard.counts[kind] for kind in ("held", "dropped", "swap")])


def test_registers_that_rise_come_out_at_once():
    line = Line()
    assert line.registers(5000, 5001, 5001, 5200, 5422) == [5000, 5001, 5001, 5200, 5422]
    assert line.counts == (0, 0, 0) and line.guard.news == ""


def test_one_odd_telegram_is_dropped_whichever_way_it_is_odd():
    for odd in (0, 1, 4999, 5000 + 0x80000, 0x80000, 0xFFFFFFFF, 50010, 7000, -5):
        for checked in (True, False):
            line = Line(checked)
            line.registers(4990, 5000)
            assert line.registers(odd) == [None] and line.guard.news == "held"
            assert line.registers(5010) == [5010] and line.guard.news == "dropped"
            assert line.registers(5011) == [5011] and line.guard.news == ""
            assert line.counts == (1, 1, 0)


def test_a_bit_of_a_large_register_is_seen_and_so_is_one_that_is_lost():
    value = 99999999999 - 0x80000
    line = Line()
    line.tell(value)
    line.tell(value)  # more than any register has, so it was asked for twice
    assert line.registers(value + 1, value + 0x80000, value + 2, value + 2 - 0x80000, value + 3) == [
        value + 1, None, value + 2, None, value + 3]


def test_two_odd_telegrams_that_do_not_fit_each_other_are_both_dropped():
    line = Line()
    assert line.registers(5000, 700000, 12, 5020) == [5000, None, None, 5020]
    assert line.counts == (2, 2, 0)


def test_a_meter_that_was_reset_is_believed_when_the_next_telegram_says_the_same():
    line = Line()
    assert line.registers(5000, 12, 13, 14) == [5000, None, 13, 14]
    assert line.counts == (1, 0, 1)
    line.registers(15)
    assert line.guard.news == ""


def test_a_swap_is_told_by_its_news():
    line = Line()
    line.registers(5000, 800000)
    assert line.guard.news == "held"
    line.registers(800000)
    assert line.guard.news == "swap"


def test_another_number_with_other_registers_is_another_meter_at_once():
    line = Line()
    line.tell(5000, meter_id="A")
    assert line.tell(12, meter_id="B")["import_wh"] == 12
    assert line.tell(13, meter_id="B")["import_wh"] == 13
    assert line.counts == (0, 0, 1)


def test_without_a_checksum_another_number_has_to_be_said_twice():
    line = Line(False)
    for value in (5000, 5001):
        line.tell(value, meter_id="A")
    assert "import_wh" not in line.tell(12, meter_id="B")
    assert line.tell(5002, meter_id="A")["import_wh"] == 5002
    assert "import_wh" not in line.tell(12, meter_id="B")
    assert line.tell(12, meter_id="B")["import_wh"] == 12
    assert line.counts == (2, 1, 1)


def test_a_number_that_was_misread_beside_right_registers_holds_nothing_up():
    line = Line(False)
    for value, number in ((5000, "A"), (5001, "A"), (5002, "@"), (5003, "A")):
        reading = line.tell(value, meter_id=number)
    assert reading["import_wh"] == 5003 and line.counts == (0, 0, 0)


def test_zeros_however_often_are_no_reset_until_they_rise():
    line = Line()
    assert line.registers(5000, 0, 0, 0, 5010) == [5000, None, None, None, 5010]
    assert line.registers(0, 0, 1, 2) == [None, None, 1, 2]
    assert line.guard.counts["swap"] == 1


def test_a_new_meter_may_begin_at_zero():
    line = Line()
    line.tell(5000, meter_id="A")
    assert "import_wh" not in line.tell(0, meter_id="B")
    assert line.tell(0, meter_id="B")["import_wh"] == 0
    assert line.guard.counts["swap"] == 1
    assert Line().registers(0, 0, 1) == [None, 0, 1]


def test_values_that_were_not_set_at_the_start_do_not_come_out():
    for odd in (0, 0xFFFFFFFF, 0x80000000):
        line = Line()
        assert line.registers(odd, 5000, 5001) == [None, 5000, 5001]
        assert line.counts == (0, 1, 0)


def test_the_register_of_a_factory_comes_out_at_once():
    assert Line().registers(1445173100) == [1445173100]


def test_without_a_checksum_the_first_telegram_waits_for_the_second():
    assert Line(False).registers(5000, 5001, 5002) == [None, 5001, 5002]
    line = Line(False)
    assert line.registers(1005000, 5001, 5002, 5003) == [None, None, 5002, 5003]
    assert line.guard.counts["swap"] == 0


def test_without_a_checksum_a_name_that_is_new_waits():
    line = Line(False)
    line.registers(5000, 5001)
    assert "import_t3_wh" not in line.tell({"import_wh": 5002, "import_t3_wh": 17})
    assert line.tell(5003)["import_wh"] == 5003
    assert "import_t3_wh" not in line.tell({"import_wh": 5004, "import_t3_wh": 18})
    assert line.tell({"import_wh": 5005, "import_t3_wh": 18})["import_t3_wh"] == 18
    assert line.counts == (2, 1, 0)


def test_a_small_rise_that_was_wrong_makes_nothing_fall():
    line = Line(False)
    assert line.registers(5000, 5001) == [None, 5001]
    assert line.registers(5102) == [5102]  # a hundred too many: no connection forbids it
    assert line.registers(5003, 5004, 5060, 5101) == [None, None, None, None]
    assert line.registers(5102, 5103) == [5102, 5103]
    assert line.counts == (1, 1, 0)


def test_a_wrong_line_beside_a_lost_one_is_no_swap():
    line = Line(False)
    for exported in (70, 70, 170):
        line.tell({"import_wh": 5000, "export_wh": exported})
    assert line.tell({"import_wh": 5001}, 1)["import_wh"] == 5001
    line.tell({"import_wh": 5000, "export_wh": 170}, 1)
    assert line.tell({"import_wh": 5000, "export_wh": 170}, 1)["export_wh"] == 170
    assert line.registers(5001) == [5001] and line.guard.counts["swap"] == 0


def test_beside_a_register_that_was_too_high_the_others_come_out():
    line = Line(False)
    for k in range(2):
        line.tell({"import_wh": 5000 + k, "export_wh": 70 + k})
    line.tell({"import_wh": 5102, "export_wh": 72})
    line.tell({"import_wh": 5003, "export_wh": 73})
    reading = line.tell({"import_wh": 5004, "export_wh": 74})
    assert reading["export_wh"] == 74 and "import_wh" not in reading


def test_all_registers_of_an_odd_telegram_wait_and_everything_else_goes_on():
    line = Line()
    line.tell({"import_wh": 5000, "export_wh": 70, "reactive_import_varh": 8})
    reading = line.tell({"import_wh": 5001, "export_wh": 70 + 0x80000, "reactive_import_varh": 8}, voltage_l1_mv=230000,
                        meter_id="A", tariff=1, apparent_import_va=300)
    assert reading == {"time": START + 20, "power_import_w": 300, "voltage_l1_mv": 230000, "meter_id": "A",
                       "tariff": 1, "apparent_import_va": 300}


def test_each_kind_of_register_is_looked_at():
    for name in ("export_wh", "import_t1_wh", "export_t4_wh", "import_l2_wh", "reactive_import_varh",
                 "reactive_export_t2_varh", "apparent_import_vah"):
        line = Line()
        line.tell({name: 5000})
        assert name not in line.tell({name: 4000}), name


def test_energies_that_start_anew_each_day_may_fall():
    line = Line()
    for name in ("import_day_wh", "import_week_wh", "import_month_wh"):
        line.tell({"import_wh": 5000, name: 70000})
        assert line.tell({"import_wh": 5000, name: 0})[name] == 0
    assert line.counts == (0, 0, 0)


def test_lists_without_registers_pass_between_the_two_that_confirm_each_other():
    line = Line()
    line.registers(5000)
    for value in (700000, 5100):
        for _ in range(1440):
            assert line.tell({}, 2, clock=False) == {"power_import_w": 300}
        out = line.registers(value)
    assert out == [5100]


def test_an_hourly_register_may_rise_by_an_hour_of_the_connection_and_no_more():
    line = Line()
    assert line.registers(100000, 180000, 270000, after_s=3600) == [100000, 180000, None]
    assert line.registers(275000, after_s=3600) == [275000]


def test_an_hourly_list_that_is_sent_twice_leaves_two_hours_for_the_next():
    line = Line()
    for hour, value in ((0, 100000), (1, 150000), (1, 150000), (3, 290000)):
        line.ticks += 3600 * 1000
        reading = {"import_wh": value, "time": START + hour * 3600}
        line.guard.take(reading, line.ticks, True)
        assert reading["import_wh"] == value
    assert line.counts == (0, 0, 0)


def test_registers_that_come_in_turns_each_have_their_own_time():
    line = Line()
    for k in range(3):
        assert line.tell({"import_wh": 100000 + 70000 * k}, 1800)["import_wh"] == 100000 + 70000 * k
        assert line.tell({"export_wh": 500 + 70000 * k}, 1800)["export_wh"] == 500 + 70000 * k


def test_meters_that_count_in_tens_and_in_kilowatt_hours():
    line = Line()
    assert line.registers(5000, 6000, 6000, 7000, after_s=1) == [5000, 6000, 6000, 7000]
    line = Line()
    assert line.registers(5010, 5020, 5030, after_s=0) == [5010, 5020, 5030]
    line = Line()
    assert line.registers(5001, 6000, after_s=1) == [5001, None]


def test_ticks_come_round():
    line = Line(ticks=WRAP - 15000)
    assert line.registers(5000, 5200, 5400, 5600, clock=False) == [5000, 5200, 5400, 5600]
    assert line.registers(5601 + 2000, clock=False) == [None]


def test_three_days_of_silence_at_the_limit_are_no_jump():
    line = Line()
    line.registers(5000, clock=False)
    assert line.registers(5000 + 3 * 24 * 80000, after_s=3 * 86400, clock=False) == [5000 + 3 * 24 * 80000]
    assert line.registers(5000 + 7 * 24 * 80000, after_s=3 * 86400, clock=False) == [None]


def test_after_a_month_of_silence_the_meters_own_clock_tells_how_long_it_was():
    line = Line()
    line.registers(5000)
    assert line.registers(5000 + 30 * 24 * 80000, after_s=30 * 86400) == [5000 + 30 * 24 * 80000]
    line = Line(False)  # its clock may be wrong: asked for twice
    line.registers(5000, 5000)
    value = 5000 + 30 * 24 * 80000
    assert line.registers(value, after_s=30 * 86400) == [None] and line.registers(value) == [value]


def test_telegrams_that_were_stored_and_come_at_once_are_measured_by_their_own_time():
    line = Line()
    for k in range(5):
        reading = {"import_wh": 5000 + 13000 * k, "time": START + 600 * k}
        line.guard.take(reading, 0, True)
        assert reading["import_wh"] == 5000 + 13000 * k


def test_clocks_that_are_wrong_or_set_hold_nothing_up_and_let_nothing_through():
    steps = (300, -300, 3600, -3600, -400 * 86400, 0)  # five minutes, an hour, a year, and back
    for step in steps:
        line = Line()
        line.registers(5000, 5100)
        line.seconds += step
        assert line.registers(5200, 5300, 5400) == [5200, 5300, 5400], step
        assert line.registers(905300, 5500) == [None, 5500], step
        assert line.counts == (1, 1, 0)


def test_a_clock_that_jumps_to_and_fro_widens_nothing():
    line = Line()
    value = 5000
    for k in range(50):
        line.seconds += 3600 if k % 2 else -3600
        value += 100
        assert line.registers(value) == [value]
    assert line.registers(value + 100000) == [None]


def test_without_a_checksum_the_meters_clock_lets_nothing_through():
    line = Line(False)
    line.registers(5000, 5001)
    line.seconds += 86400
    assert line.registers(5001 + 10000) == [None]


def test_a_register_that_comes_round_behind_its_last_digit_goes_on_and_is_told():
    for last in (99999990, 999999990):
        line = Line()
        assert line.registers(last, 5, 6) == [last, 5, 6]
        assert line.counts == (0, 0, 1)
    line = Line()
    assert line.registers(99999990, 5000, 99999995) == [99999990, None, 99999995]
    line = Line(False)
    assert line.registers(99999980, 99999990, 5, 6) == [None, 99999990, None, 6]
    assert line.guard.counts["swap"] == 1


def test_a_roof_that_only_exports_is_watched_too():
    line = Line()
    for value in (70000, 70100, 70200):
        assert line.tell({"import_wh": 0, "export_wh": value})["export_wh"] == value
    assert "export_wh" not in line.tell({"import_wh": 0, "export_wh": 0})
    assert line.tell({"import_wh": 0, "export_wh": 70300})["export_wh"] == 70300
    assert line.counts == (1, 1, 0)


def test_a_power_above_the_limit_is_left_out_alone():
    line = Line()
    for name in ("power_import_w", "power_export_l2_w", "reactive_import_var", "apparent_import_va", "demand_import_w"):
        reading = {"import_wh": 5000, name: 80001, "limiter_w": 999900, "voltage_l1_mv": 230000}
        line.guard.take(reading, 0, True)
        assert reading == {"import_wh": 5000, "limiter_w": 999900, "voltage_l1_mv": 230000}
        assert line.guard.news == "power"
        reading[name] = 80000
        line.guard.take(reading, 0, True)
        assert reading[name] == 80000
    assert line.guard.counts["power"] == 5


def test_a_meter_behind_transformers_needs_its_own_limit():
    line = Line(limit_w=150000)
    for k in range(5):
        reading = line.tell(5000 + 333 * k, power_import_w=120000)
        assert reading["import_wh"] == 5000 + 333 * k and reading["power_import_w"] == 120000
    line = Line()
    reading = line.tell(5000)
    line.guard.take({"power_import_w": 120000}, 0, True)
    assert line.guard.news == "power"


def gas(line, litres, after_s=10, own_id="G", channel="1", **values):
    device = {"channel": 1, "type": "gas", "id": own_id, "volume_l": litres}
    device.update(values)
    return line.tell(5000, after_s, devices={channel: device})["devices"][channel].get("volume_l")


def test_an_odd_child_meter_holds_up_nobody_else():
    line = Line()
    assert gas(line, 700000) == 700000
    reading = line.tell(5000, devices={"1": {"type": "gas", "volume_l": 700000 + 0x80000},
                                       "2": {"type": "water", "volume_l": 9}})
    assert reading["import_wh"] == 5000
    assert reading["devices"] == {"1": {"type": "gas"}, "2": {"type": "water", "volume_l": 9}}
    assert gas(line, 700000) == 700000
    assert line.counts == (1, 1, 0)


def test_a_child_meter_tells_of_hours_at_once():
    line = Line()
    assert gas(line, 700000) == 700000
    for _ in range(20):
        assert gas(line, 700000, 3600) == 700000
    assert gas(line, 700000 + 20 * 6000) == 700000 + 20 * 6000
    assert gas(line, 700000 + 40 * 6000) is None  # and the same again ten seconds later


def test_another_child_meter_is_recognised_by_its_number_or_by_the_second_telegram():
    line = Line()
    gas(line, 700000)
    assert gas(line, 12, own_id="H") == 12
    assert gas(line, 700001, own_id=None) is None and gas(line, 700001, own_id=None) == 700001
    assert line.guard.counts["swap"] == 2


def test_heat_and_energy_of_child_meters_only_rise():
    for name in ("energy_kj", "energy_wh"):
        line = Line()
        for value, out in ((5000, 5000), (4000, None), (5600, 5600), (5600 + 2 * 3600000 + 9, None)):
            device = {"type": "heat", name: value}
            line.guard.take({"devices": {"1": device}}, 0, True)
            assert device.get(name) == out


def test_more_channels_than_there_can_be_take_no_more_heap():
    line = Line()
    for channel in range(50):
        assert gas(line, 5, channel=str(channel)) == 5
