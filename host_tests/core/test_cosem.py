# SPDX-License-Identifier: MIT
"""COSEM notifications → Reading: A-XDR of every type, clocks of every kind, Kamstrup's lists."""

from refusal import kind_of

from wattport import posixzone
from wattport.clock import seconds
from wattport.decode import codes
from wattport.decode.cosem import CosemDecoder, Walker, text_of, time_of
from wattport.errors import MeterError

CET = posixzone.parse("CET-1CEST,M3.5.0,M10.5.0/3")
EET = posixzone.parse("EET-2EEST,M3.5.0/3,M10.5.0/4")
WET = posixzone.parse("WET0WEST,M3.5.0/1,M10.5.0")
NONE = -0x8000


def date_time(year, month, day, hour, minute, second, deviation=NONE, status=0, hundredths=0xFF):
    """Blue Book 4.1.6.1."""
    deviation &= 0xFFFF
    return bytes([year >> 8, year & 0xFF, month, day, 0xFF, hour, minute, second, hundredths, deviation >> 8,
                  deviation & 0xFF, status])


def text(value):
    return bytes([10, len(value)]) + value.encode()


def octets(value):
    return bytes([9, len(value)]) + value


def code(*groups):
    return octets(bytes(groups) + b"\xff")


def u32(value):
    return bytes([6, value >> 24 & 0xFF, value >> 16 & 0xFF, value >> 8 & 0xFF, value & 0xFF])


def u16(value):
    return bytes([18, value >> 8, value & 0xFF])


def structure(*elements):
    return bytes([2, len(elements)]) + b"".join(elements)


NOON = date_time(2023, 6, 15, 12, 0, 0)
NOON_UTC = seconds(2023, 6, 15, 11, 0, 0)  # Kamstrup's clock knows no summer time


def notification(*elements, stamp=NOON):
    return b"\x0f\x00\x00\x00\x00" + bytes([len(stamp)]) + stamp + structure(*elements)


def decode(data, zone=CET):
    # what is behind the notification in the buffer is not to be read
    return CosemDecoder(zone).decode(bytearray(data) + b"\x00\x06\x09" * 20, 0, len(data))


# -- clocks: peers.md C1 ------------------------------------------------------------------------------------------

def at(zone, clock, deviation, status, month, day=15, hour=12, minute=0):
    stamp = date_time(2023, month, day, hour, minute, 0, deviation, status)
    local = seconds(2023, month, day, hour, minute, 0)
    return local - time_of(b"xx" + stamp, 2, zone, clock)


def test_a_deviation_says_what_the_offset_is_whatever_else_is_set():
    # deviation → hours east of Greenwich as seen in CET, EET, WET. Turned round where it is the zone's own offset.
    table = {-120: (2, 2, 2), -60: (1, 1, 1), 60: (1, -1, 1), 120: (2, 2, -2), -180: (3, 3, 3)}
    for deviation, hours in table.items():
        for zone, offset in zip((CET, EET, WET), hours):
            for clock in ("local", "standard"):
                for status in (0x00, 0x80, 0xFF):
                    for month in (1, 7):
                        assert at(zone, clock, deviation, status, month) == offset * 3600, (
                            deviation, offset, clock, status, month)


def test_a_deviation_of_zero_counts_only_where_it_can_be_right():
    for status, month in ((0x00, 1), (0x80, 7)):
        assert at(WET, "local", 0, status, month) == 0
        for zone, offset in ((CET, 1), (EET, 2)):  # Aidon sends 0 and means wall time
            assert at(zone, "local", 0, status, month) == (offset + (month == 7)) * 3600
            assert at(zone, "standard", 0, status, month) == offset * 3600


def test_a_standard_clock_without_deviation_knows_no_summer():
    for zone, offset in ((CET, 1), (EET, 2), (WET, 0)):
        for status in (0x00, 0x80, 0xFF):
            for month in (1, 7):
                assert at(zone, "standard", NONE, status, month) == offset * 3600


def test_a_local_clock_without_deviation_goes_by_the_rule_and_its_summer_bit():
    for zone, offset in ((CET, 1), (EET, 2), (WET, 0)):
        for status, month, summer in ((0x00, 1, 0), (0x00, 7, 1), (0x80, 7, 1), (0xFF, 1, 0), (0xFF, 7, 1)):
            assert at(zone, "local", NONE, status, month) == (offset + summer) * 3600, (offset, status, month)


def test_the_summer_bit_counts_in_the_hour_that_comes_twice():
    for zone, offset, hour in ((CET, 1, 2), (EET, 2, 3), (WET, 0, 1)):
        assert at(zone, "local", NONE, 0x80, 10, 29, hour, 30) == (offset + 1) * 3600
        assert at(zone, "local", NONE, 0x00, 10, 29, hour, 30) == offset * 3600
        assert at(zone, "local", NONE, 0xFF, 10, 29, hour, 30) == (offset + 1) * 3600
        assert at(zone, "standard", NONE, 0x80, 10, 29, hour, 30) == offset * 3600


def test_a_clock_that_says_no_time_gives_none():
    good = (2023, 6, 15, 12, 0, 0)
    assert time_of(date_time(*good), 0, CET, "standard") == NOON_UTC
    for place, value in ((0, 0xFFFF), (0, 1999), (0, 0), (1, 0xFF), (1, 0), (1, 13), (1, 0xFD), (2, 0xFF), (2, 0),
                         (2, 31), (2, 0xFE), (3, 0xFF), (3, 24), (4, 0xFF), (4, 60), (5, 60)):
        fields = list(good)
        fields[place] = value
        for deviation in (NONE, 0, -60):
            assert time_of(date_time(*fields, deviation), 0, CET, "local") is None, (place, value)
    assert time_of(date_time(2023, 6, 15, 12, 0, 0xFF), 0, CET, "standard") == NOON_UTC
    for deviation in (-721, 841, 0x7FFF):
        assert time_of(date_time(*good, deviation), 0, CET, "local") is None


# -- A-XDR ----------------------------------------------------------------------------------------------------------

def walk(data, end=None):
    walker = Walker(data, 0, len(data) if end is None else end)
    walker.walk()
    return walker.items


def test_every_type_is_walked():
    for data, items in (
            (b"\x00", [None]), (b"\x03\x01", [1]), (b"\x05\xff\xff\xff\xfe", [-2]),
            (b"\x05\x7f\xff\xff\xff", [0x7FFFFFFF]),
            (b"\x05\x80\x00\x00\x00", [-0x80000000]), (b"\x06\xff\xff\xff\xfe", [0xFFFFFFFE]), (b"\x0d\x42", [0x42]),
            (b"\x0f\x80", [-128]), (b"\x0f\x7f", [127]), (b"\x10\xff\xff", [-1]), (b"\x10\x80\x00", [-32768]),
            (b"\x11\xff", [255]), (b"\x12\xff\xfe", [65534]), (b"\x14\xff\xff\xff\xff\xff\xff\xff\xff", [-1]),
            (b"\x14\x7f\xff\xff\xff\xff\xff\xff\xff", [0x7FFFFFFFFFFFFFFF]),
            (b"\x15\xff\xff\xff\xff\xff\xff\xff\xff", [0xFFFFFFFFFFFFFFFF]), (b"\x16\x1e", [30]),
            (b"\x0a\x03abc", [(2, 5)]), (b"\x0c\x00", [(2, 2)]), (b"\x09\x02\x01\x02", [(2, 4)]),
            (b"\x09\x00", [(2, 2)]),
            (b"\x09\x81\x02\x01\x02", [(3, 5)]), (b"\x09\x82\x00\x02\x01\x02", [(4, 6)]), (b"\x02\x00", []),
            (b"\x02\x02\x11\x01\x01\x02\x11\x02\x00", [1, 2, None])):
        assert walk(data) == items, data
        for cut in range(len(data)):
            assert kind_of(walk, data, cut) == "truncated", (data, cut)
            assert kind_of(walk, data[:cut]) == "truncated", (data, cut)


def test_types_that_nobody_sends_are_unsupported_by_name():
    known = (0, 1, 2, 3, 5, 6, 9, 10, 12, 13, 15, 16, 17, 18, 20, 21, 22)
    for kind in range(256):
        if kind not in known:
            assert kind_of(walk, bytes([kind]) + bytes(40)) == "unsupported", kind


def test_deep_nesting_and_endless_lists_are_malformed():
    assert walk(b"\x02\x01" * 6 + b"\x11\x07") == [7]
    assert kind_of(walk, b"\x02\x01" * 7 + b"\x11\x07") == "malformed"
    assert kind_of(walk, b"\x02\x01" * 2000) == "malformed"
    assert kind_of(walk, b"\x01\x82\xff\xff" + bytes(2000)) == "malformed"
    assert kind_of(walk, b"\x01\x81\xff" + b"\x01\x81\xff" * 50 + bytes(1000)) == "malformed"


def test_lengths_beyond_the_data_are_truncated_and_longer_ones_malformed():
    for kind in (1, 2, 9, 10, 12):
        assert kind_of(walk, bytes([kind]) + b"\x82\xff\xff" + b"\x11\x01" * 3) == "truncated", kind
        assert kind_of(walk, bytes([kind]) + b"\x7f" + b"\x11\x01" * 3) == "truncated", kind
        for size in (b"\x80", b"\x83\x00\x00\x01", b"\x84\xff\xff\xff\xff", b"\xff"):
            assert kind_of(walk, bytes([kind]) + size + bytes(300)) == "malformed", (kind, size)


def test_octets_are_told_as_their_text_or_as_digits_in_every_runtime():
    for raw, told in ((b"E 77", "E 77"), (b" 77\x00\x00", "77"), (b"", ""), (b"\xff\xfe", "fffe"),
                      (b"\xc0\x80", "c080"),
                      (b"\xed\xa0\x80", "eda080"), (b"a\x80", "6180"), (b"\x7f", "7f"), (b"a\nb", "610a62"),
                      (b'"\\', '"\\')):
        assert text_of(b"xx" + raw, 2, 2 + len(raw)) == told, raw


def shape_of(data):
    walker = Walker(data, 0, len(data), True)
    walker.walk()
    return walker.shape, walker.scales, walker.objects


def test_a_shape_tells_codes_clocks_texts_and_numbers_apart():
    data = structure(code(1, 0, 1, 7, 0), u32(1), text("a"), octets(b"a"), octets(NOON), b"\x00", b"\x16\x01",
                     b"\x03\x01", u16(1), octets(b"abcdef"))
    assert shape_of(data) == ("c4sotneb2o", {}, [])


def scaler_unit(scaler, unit):
    return structure(bytes([15, scaler & 0xFF]), bytes([22, unit]))


def pushed(*groups, kind=3):
    return structure(u16(kind), code(*groups), b"\x0f\x02", u16(0))


def test_scalers_and_pushed_objects_are_no_items():
    data = structure(code(1, 0, 1, 7, 0), u32(1), scaler_unit(-3, 27), pushed(1, 0, 2, 7, 0), u16(5))
    assert shape_of(data) == ("c42", {1: (-3, 27)}, [0x020700])
    assert shape_of(structure(b"\x0f\x01", b"\x11\x16"))[0] == "11"  # two numbers that only look like it
    for cut in range(len(data)):
        assert kind_of(walk, data[:cut]) == "truncated", cut


def test_lists_of_other_codes_units_or_sizes_have_other_marks():
    def mark(*elements):
        data = structure(*elements)
        walker = Walker(data, 0, len(data))
        walker.walk()
        return walker.mark

    one = [code(1, 0, 1, 7, 0), u32(1), scaler_unit(-3, 27), text("ab")]
    assert mark(*one) == mark(code(1, 0, 1, 7, 0), u32(99), scaler_unit(-3, 27), text("xy"))
    assert mark(text("Maker_1"), u32(1)) == mark(text("Maker_1"), u32(2)) != mark(text("Maker_2"), u32(1))
    assert mark(octets(b"\x07\xe9\x0c\x01\x02"), u32(1)) == mark(octets(b"\x07\xe9\x0c\x03\x04"), u32(1))  # dates
    others = [[code(1, 0, 2, 7, 0)] + one[1:], [one[0], u16(1)] + one[2:], one[:2] + [scaler_unit(0, 27)] + one[3:],
              one[:2] + [scaler_unit(-3, 30)] + one[3:], one[:3] + [text("abc")], one[:3] + [octets(b"ab")],
              one[:1] + [b"\x00"] + one[2:], one[:3]]
    assert len(set([mark(*other) for other in others] + [mark(*one)])) == len(others) + 1


# -- Kamstrup -------------------------------------------------------------------------------------------------------

MODEL = "6841131BN243101040"
ID = "5706567000000007"
HEAD = [text("Kamstrup_V0001"), code(1, 1, 0, 0, 5), text(ID), code(1, 1, 96, 1, 1)]
POWER = [code(1, 1, 1, 7, 0), u32(1101), code(1, 1, 2, 7, 0), u32(1102), code(1, 1, 3, 7, 0), u32(1103),
         code(1, 1, 4, 7, 0), u32(1104), code(1, 1, 31, 7, 0), u32(201), code(1, 1, 51, 7, 0), u32(202),
         code(1, 1, 71, 7, 0), u32(203), code(1, 1, 32, 7, 0), u16(231), code(1, 1, 52, 7, 0), u16(232),
         code(1, 1, 72, 7, 0), u16(233)]
CLOCK = [code(0, 1, 1, 0, 0), octets(NOON)]
REGISTERS = [code(1, 1, 1, 8, 0), u32(4294967291), code(1, 1, 2, 8, 0), u32(302), code(1, 1, 3, 8, 0), u32(303),
             code(1, 1, 4, 8, 0), u32(304)]
LIST_1 = HEAD + [text(MODEL)] + POWER
LIST_2 = LIST_1 + CLOCK + REGISTERS

POWER_READING = {
    "power_import_w": 1101, "power_export_w": 1102, "reactive_import_var": 1103, "reactive_export_var": 1104,
    "current_l1_ma": 2010, "current_l2_ma": 2020, "current_l3_ma": 2030,
    "voltage_l1_mv": 231000, "voltage_l2_mv": 232000, "voltage_l3_mv": 233000}
REGISTER_READING = {"import_wh": 42949672910, "export_wh": 3020, "reactive_import_varh": 3030,
                    "reactive_export_varh": 3040}


def merged(*dicts):
    whole = {}
    for one in dicts:
        whole.update(one)
    return whole


def test_a_norwegian_list_1_and_2():
    identity = {"meter_id": ID, "meter_model": MODEL, "time": NOON_UTC}
    assert decode(notification(*LIST_1)) == merged(POWER_READING, identity)
    assert decode(notification(*LIST_2)) == merged(POWER_READING, identity, REGISTER_READING)


def test_swedish_meters_send_watt_hours():
    for model, factor in (("6841131BN245101040", 1), ("6841131BN243101040", 10), ("6861111BN242101040", 10)):
        reading = decode(notification(*(HEAD + [text(model)] + POWER + CLOCK + REGISTERS)))
        assert reading["export_wh"] == 302 * factor and reading["meter_model"] == model, model


def danish():
    return notification(
        text("Kamstrup_V0001"), *(REGISTERS + [code(1, 1, 0, 0, 1), u32(12345678), code(1, 1, 1, 7, 0), u32(1083)]
                                  + CLOCK + [code(1, 1, 32, 7, 0), u16(231), code(1, 1, 31, 7, 0), u32(57)]
                                  + [code(1, 1, 33, 7, 0), u16(31), code(1, 1, 53, 7, 0), u16(87)]
                                  + [code(1, 1, 73, 7, 0), u16(85), code(1, 1, 13, 7, 0), u16(83)]
                                  + [code(1, 1, 22, 7, 0), u32(22), code(1, 1, 41, 7, 0), u32(41)]
                                  + [code(1, 1, 22, 8, 0), u32(5), code(1, 1, 61, 8, 0), u32(7)]))


def test_the_danish_list_counts_in_ten_watt_hours_too():
    assert decode(danish()) == merged(REGISTER_READING, {
        "meter_id": "12345678", "power_import_w": 1083, "time": NOON_UTC, "voltage_l1_mv": 231000, "current_l1_ma": 570,
        "power_factor_l1_milli": 310, "power_factor_l2_milli": 870, "power_factor_l3_milli": 850,
        "power_factor_milli": 830, "power_export_l1_w": 22, "power_import_l2_w": 41, "export_l1_wh": 50,
        "import_l3_wh": 70})


def test_a_list_without_clock_gets_no_time_from_the_list_before():
    decoder = CosemDecoder(CET)
    bare, full = notification(*LIST_1, stamp=b""), notification(*LIST_2)
    for _ in range(3):
        assert decoder.decode(full, 0, len(full))["time"] == NOON_UTC
        reading = decoder.decode(bare, 0, len(bare))
        assert "time" not in reading and "import_wh" not in reading and reading["power_import_w"] == 1101


def test_the_clock_in_the_list_counts_before_the_one_in_the_head():
    later = date_time(2023, 6, 15, 12, 0, 10)
    assert decode(notification(*LIST_2, stamp=later))["time"] == NOON_UTC
    assert decode(notification(*LIST_1, stamp=later))["time"] == NOON_UTC + 10
    typed = b"\x0f\x00\x00\x00\x00\x09\x0c" + later + structure(*LIST_1)
    assert decode(typed)["time"] == NOON_UTC + 10


def test_null_data_in_the_place_of_other_phases_are_no_values():
    reading = decode(notification(*(HEAD + [text(MODEL)] + POWER[:10] + [b"\x00"] * 4)))
    assert reading["current_l1_ma"] == 2010 and "current_l2_ma" not in reading
    reading = decode(notification(*(HEAD + [text(MODEL), code(1, 1, 1, 7, 0), b"\x00", code(1, 1, 2, 7, 0), u32(5)])))
    assert reading["power_export_w"] == 5 and "power_import_w" not in reading


def test_a_text_in_the_place_of_a_number_is_no_value_and_a_number_is_a_text_where_one_belongs():
    for odd in (text("1101"), octets(b"\xff\xfe"), octets(b"12"), b"\x02\x00"):
        reading = decode(notification(*(HEAD + [text(MODEL), code(1, 1, 1, 7, 0), odd, code(1, 1, 16, 7, 0), odd,
                                                code(1, 1, 2, 7, 0), u32(5)])))
        assert "power_import_w" not in reading and reading["power_export_w"] == 5, odd
    identity = [text("Kamstrup_V0001"), code(1, 1, 0, 0, 5)]
    assert decode(notification(*(identity + [u32(77)] + POWER)))["meter_id"] == "77"
    assert decode(notification(*(identity + [octets(b"E77")] + POWER)))["meter_id"] == "E77"
    assert kind_of(decode, notification(*(identity + [octets(b"\xff\xfe")] + POWER))) == "malformed"


def test_lists_of_nobody_are_unsupported():
    for elements in ((), (u32(1101), u32(1102)), (text("AIDON_V0001"),), (text("Kamstrup_V0001"),),
                     (text("Kamstrup_V0001"), code(1, 1, 0, 0, 5)), [text("Kamstrup_V0002")] + LIST_1[1:],
                     LIST_1[1:]):
        assert kind_of(decode, notification(*elements)) == "unsupported", elements


def test_data_behind_a_list_make_it_malformed():
    for data in (notification(*LIST_2), danish()):
        for rest in (b"\x00", b"\x06\x00\x00\x00\x01", data):
            assert kind_of(decode, data + rest) == "malformed"


def test_a_list_cut_at_any_byte_is_truncated_and_nothing_else():
    for data in (notification(*LIST_2), notification(*LIST_1, stamp=b""), danish()):
        for cut in range(len(data)):
            assert kind_of(decode, data[:cut]) == "truncated", cut
            assert kind_of(CosemDecoder(CET).decode, data[:cut], 0, cut) == "truncated", cut


def test_any_wrong_byte_gives_a_reading_or_a_named_error():
    for data in (notification(*LIST_2), danish()):
        for place in range(len(data)):
            for value in (0x00, 0x01, 0x02, 0x09, 0x0A, 0x7F, 0x80, 0x82, 0xFF, data[place] ^ 0x01, data[place] ^ 0x80):
                bad = data[:place] + bytes([value]) + data[place + 1:]
                try:
                    reading = decode(bad)
                except MeterError:
                    continue
                for name, item in reading.items():
                    assert isinstance(item, str if name in ("meter_id", "meter_model") else int), (place, name, item)


def test_every_code_of_a_notification_can_be_listed():
    data = notification(*LIST_2)
    found = codes.of_notification(data, 0, len(data))
    assert found["1-1:1.8.0"] == [4294967291, 0, ""] and found["1-1:0.0.5"] == ID and found["1-1:96.1.1"] == MODEL
    assert found["0-1:1.0.0"] == "07e7060fff0c0000ff800000"
    assert len(found) == 17
