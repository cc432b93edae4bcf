# SPDX-License-Identifier: MIT
"""Lists that explain themselves, lists that a profile explains, and profiles that are none."""

from refusal import kind_of
from test_cosem import (
    CET,
    NOON,
    NOON_UTC,
    code,
    date_time,
    decode,
    notification,
    octets,
    pushed,
    scaler_unit,
    structure,
    text,
    u16,
    u32,
)

from wattport.decode import profile
from wattport.decode.cosem import CosemDecoder
from wattport.errors import MeterError


def i32(value):
    return bytes([5, value >> 24 & 0xFF, value >> 16 & 0xFF, value >> 8 & 0xFF, value & 0xFF])


def i16(value):
    return bytes([16, value >> 8 & 0xFF, value & 0xFF])


def u64(value):
    return b"\x15" + bytes([value >> 8 * i & 0xFF for i in range(7, -1, -1)])


# -- with scalers and units -----------------------------------------------------------------------------------------

def test_scalers_bring_values_to_base_units_and_cut_off_what_is_smaller():
    W, WH, A, V, HZ = 27, 30, 33, 35, 44
    for groups, value, scaler, unit, name, expected in (
            ((1, 0, 1, 7, 0), u32(1122), 0, W, "power_import_w", 1122),
            ((1, 0, 1, 7, 0), u32(12), 3, W, "power_import_w", 12000),
            ((1, 0, 1, 7, 0), u32(11229), -1, W, "power_import_w", 1122),
            ((1, 0, 1, 8, 0), u32(10955225), 1, WH, "import_wh", 109552250),
            ((1, 0, 1, 8, 0), u64(0x0102030405060708), -2, WH, "import_wh", 0x0102030405060708 // 100),
            ((1, 0, 2, 8, 0), u32(0xFFFFFFFF), 3, WH, "export_wh", 4294967295000),
            ((1, 0, 31, 7, 0), i16(75), -1, A, "current_l1_ma", 7500),
            ((1, 0, 31, 7, 0), u16(85), -2, A, "current_l1_ma", 850),
            ((1, 0, 31, 7, 0), u32(85), -4, A, "current_l1_ma", 8),
            ((1, 0, 31, 7, 0), i16(-85), -4, A, "current_l1_ma", -8),
            ((1, 0, 52, 7, 0), u16(2307), -1, V, "voltage_l2_mv", 230700),
            ((1, 0, 14, 7, 0), u16(4998), -2, HZ, "frequency_mhz", 49980),
            ((1, 0, 13, 7, 0), i16(991), -3, 255, "power_factor_milli", 991)):
        # as three items of one structure, and one behind the other
        nested = structure(structure(code(*groups), value, scaler_unit(scaler, unit)))
        flat = structure(code(*groups), value, scaler_unit(scaler, unit))
        pair = structure(code(*groups), structure(value, scaler_unit(scaler, unit)))
        for body in (nested, flat, pair):
            data = b"\x0f\x40\x00\x00\x00\x00" + body
            assert decode(data) == {name: expected}, (groups, scaler, body)


def test_a_unit_of_something_else_is_no_value():
    known = structure(code(1, 0, 2, 7, 0), u32(5), scaler_unit(0, 27))
    for unit in (30, 29, 35, 8, 254):
        assert decode(notification(structure(code(1, 0, 1, 7, 0), u32(1), scaler_unit(0, unit)), known)) == {
            "power_export_w": 5, "time": NOON_UTC - 3600}, unit


def test_a_signed_net_power_is_split_and_beside_scalers_a_bare_power_counts_in_watts():
    data = notification(code(1, 0, 16, 7, 0), i32(-700), code(1, 0, 32, 7, 0), u16(2307), scaler_unit(-1, 35),
                        code(1, 0, 31, 7, 0), u16(5))
    reading = decode(data)
    assert (reading["power_import_w"], reading["power_export_w"]) == (0, 700)
    assert reading["voltage_l1_mv"] == 230700 and "current_l1_ma" not in reading  # amperes of what size?


def test_identity_comes_from_the_usual_codes_and_the_first_counts():
    reading = decode(notification(
        code(0, 0, 96, 1, 0), octets(b"1SAG123"), code(0, 0, 42, 0, 0), octets(b"SAT0"),
        code(0, 0, 96, 1, 7), text("6534"),
        code(1, 0, 1, 7, 0), u32(1), scaler_unit(0, 27)))
    assert reading["meter_id"] == "1SAG123" and reading["meter_model"] == "6534"


def test_aidons_clock_shows_standard_time_whatever_it_says_of_its_offset():
    for month, stamp in ((1, date_time(2023, 1, 15, 12, 0, 0, 0)), (6, date_time(2023, 6, 15, 12, 0, 0, 0))):
        reading = decode(notification(
            structure(code(1, 1, 0, 2, 129), text("AIDON_V0001")), structure(code(0, 0, 1, 0, 0), octets(stamp)),
            structure(code(1, 0, 1, 8, 0), u32(10955225), scaler_unit(1, 30)), stamp=b""))
        assert reading["time"] == NOON_UTC - (0 if month == 6 else 151 * 86400)
        assert reading["import_wh"] == 109552250


# -- with a list of what was pushed ---------------------------------------------------------------------------------

def e450(*objects, values):
    itself = pushed(0, 8, 25, 9, 0, kind=40)
    head = bytes([1, len(objects) + 2]) + itself + itself + b"".join(objects)
    return b"\x0f\x00\x00\x00\x01\x0c" + NOON + structure(head, code(0, 8, 25, 9, 0), *values)


def test_pushed_objects_name_the_values_behind_them():
    objects = [pushed(0, 0, 96, 1, 0, kind=1), pushed(1, 0, 1, 7, 0), pushed(1, 1, 1, 8, 0), pushed(1, 0, 31, 7, 0),
               pushed(1, 0, 32, 7, 0), pushed(1, 0, 13, 7, 0)]
    values = [octets(b"63316890"), u32(331), u32(4912257), u16(49), u16(234), u16(941)]
    assert decode(e450(*objects, values=values)) == {
        "meter_id": "63316890", "power_import_w": 331, "import_wh": 4912257, "current_l1_ma": 490,
        "voltage_l1_mv": 234000, "power_factor_milli": 941, "time": NOON_UTC - 3600}
    assert kind_of(decode, e450(*objects, values=values[:-1])) == "unsupported"  # one is missing: which?
    assert kind_of(decode, e450(*objects, values=values + [u16(1)])) == "unsupported"


# -- with a profile --------------------------------------------------------------------------------------------------

MINE = {"name": "mine", "shape": "o42e", "text": "XYZ", "fields": {
    "0": "meter_id", "1": "power_import_w", "2": ["voltage_l1_mv", 100], "3": "breaker"}}
BODY = [octets(b"XYZ77"), u32(1500), u16(2301), b"\x16\x01"]


def test_a_profile_of_ones_own_names_values_by_their_place():
    data = notification(*BODY, stamp=b"")
    assert kind_of(decode, data) == "unsupported"
    decoder = CosemDecoder(CET, MINE)
    expected = {"meter_id": "XYZ77", "power_import_w": 1500, "voltage_l1_mv": 230100, "breaker": 1}
    for _ in range(3):
        assert decoder.decode(data, 0, len(data)) == expected
    absent = notification(BODY[0], b"\x00", *BODY[2:], stamp=b"")
    assert decoder.decode(absent, 0, len(absent)) == {"meter_id": "XYZ77", "voltage_l1_mv": 230100, "breaker": 1}
    for other in (BODY[:3], BODY + [u16(1)], [octets(b"XYW77")] + BODY[1:], [BODY[0], u16(1)] + BODY[2:]):
        data = notification(*other, stamp=b"")
        assert kind_of(decoder.decode, data, 0, len(data)) == "unsupported", other


def test_factors_multiply_and_negative_ones_divide():
    for factor, value, expected in ((1, 7, 7), (1000, 7, 7000), (-10, 79, 7), (-1, 7, 7)):
        own = {"shape": "4o", "fields": {"0": ["import_wh", factor]}}
        data = notification(u32(value), octets(b"x"))
        assert CosemDecoder(CET, own).decode(data, 0, len(data))["import_wh"] == expected, factor


def test_a_profile_of_ones_own_goes_before_those_built_in():
    own = {"shape": "4", "fields": {"0": "power_export_w"}}
    data = notification(u32(5))
    assert decode(data)["power_import_w"] == 5  # Kaifa's list 1
    reading = CosemDecoder(CET, own).decode(data, 0, len(data))
    assert reading["power_export_w"] == 5 and "power_import_w" not in reading


def test_a_meter_of_another_maker_on_the_same_line_is_not_read_by_the_old_layout():
    decoder = CosemDecoder(CET, {"shape": "o44", "text": "XYZ", "fields": {"1": "import_wh"}})
    for maker, kind in ((b"XYZ1", None), (b"ABC1", "unsupported"), (b"XYZ1", None)):
        data = notification(octets(maker), u32(1), u32(2))
        if kind:
            assert kind_of(CosemDecoder(CET).decode, data, 0, len(data)) == kind
        else:
            assert decoder.decode(data, 0, len(data))["import_wh"] == 1


def test_a_list_that_was_refused_is_tried_again_now_and_then():
    own = {"shape": "44", "fields": {"0": "import_wh"}}
    decoder = CosemDecoder(CET, own)
    data = notification(u16(7), u16(2))
    assert kind_of(decoder.decode, data, 0, len(data)) == "unsupported"
    own["shape"] = "22"  # now it would be read
    refused = 0
    while kind_of(decoder.decode, data, 0, len(data)):
        refused += 1
        assert refused < 20
    assert refused > 5 and decoder.decode(data, 0, len(data))["import_wh"] == 7


def test_many_lists_of_one_meter_do_not_fill_the_heap():
    decoder = CosemDecoder(CET)
    for count in range(1, 60):
        data = notification(*([octets(b"x" * count), u32(1)]))
        assert kind_of(decoder.decode, data, 0, len(data)) == "unsupported"
    data = notification(u32(5))
    assert decoder.decode(data, 0, len(data))["power_import_w"] == 5


def test_a_profile_that_is_none_is_refused_in_a_sentence():
    for document, words in (
            ([], "a JSON object"), ({"x": 1}, "no x"), ({"clock": "utc"}, "clock"), ({"shape": 4}, "shape"),
            ({"fields": []}, "fields"), ({"fields": {"0": "import_wh"}}, "shape"),
            ({"shape": "4", "fields": {"1": "import_wh"}}, "no place 1"),
            ({"shape": "4", "fields": {"-1": "import_wh"}}, "no place"),
            ({"shape": "4", "fields": {"x": "import_wh"}}, "no place"),
            ({"shape": "4", "fields": {"0": "import"}}, "no name"),
            ({"shape": "4", "fields": {"0": 'a"_wh'}}, "no name"), ({"shape": "4", "fields": {"0": 5}}, "no name"),
            ({"shape": "4", "fields": {"0": ["import_wh", 0]}}, "no name"),
            ({"shape": "4", "fields": {"0": ["import_wh", 1.5]}}, "no name"),
            ({"shape": "4", "fields": {"0": ["import_wh", True]}}, "no name"),
            ({"shape": "4", "fields": {"0": ["import_wh", 10 ** 12]}}, "no name"),
            ({"shape": "4", "fields": {"0": ["import_wh", 1, 2]}}, "no name"),
            ({"scales": {"31.7": "10"}}, "factor"), ({"scales": {"31.700": 10}}, "OBIS"),
            ({"scales": {"31.7.0": 10}}, "OBIS"), ({"scales": {"": 10}}, "OBIS"),
            ({"names": {"0.0.5": "nobody"}}, "name"),
            ({"names": {"a.b.c": "meter_id"}}, "OBIS")):
        try:
            profile.check(document)
        except ValueError as error:
            assert words in str(error), (document, error)
        else:
            raise AssertionError(document)
    assert profile.check(MINE)["fields"][2] == ("voltage_l1_mv", 100)
    assert profile.check({"scales": {"31.7": 10, "8": 10}})["scales"] == {0x1F07: 10, 8: 10}


def test_every_profile_that_is_built_in_is_one():
    import json
    names = []
    with open(profile.__file__.rsplit("/", 1)[0] + "/profiles.jsonl") as file:
        for line in file:
            assert len(line) < 1024, line  # it is read a line at a time
            document = json.loads(line)
            profile.check(document)
            names.append(document["name"])
    assert len(names) == len(set(names)) > 20


# -- makers' lists ----------------------------------------------------------------------------------------------------

def numbers(size, *values):
    kinds = {1: b"\x11", 2: b"\x12", 4: b"\x06", 8: b"\x15"}
    return [kinds[size] + bytes([value >> 8 * i & 0xFF for i in range(size - 1, -1, -1)]) for value in values]


def test_kaifas_lists_of_one_and_three_phases():
    head = [octets(b"KFM_001"), octets(b"6970631"), octets(b"MA304H3E")]
    powers = {"power_import_w": 11, "power_export_w": 12, "reactive_import_var": 13, "reactive_export_var": 14,
              "meter_id": "6970631", "meter_model": "MA304H3E", "current_l1_ma": 7087, "voltage_l1_mv": 236700}
    registers = {"import_wh": 21, "export_wh": 22, "reactive_import_varh": 23, "reactive_export_varh": 24,
                 "time": NOON_UTC - 3600}
    three = {"current_l2_ma": 6896, "current_l3_ma": 4206, "voltage_l2_mv": 0, "voltage_l3_mv": 236800}
    one_phase = head + numbers(4, 11, 12, 13, 14, 7087, 2367)
    three_phases = head + numbers(4, 11, 12, 13, 14, 7087, 6896, 4206, 2367, 0, 2368)
    for body, expected in ((one_phase, powers), (three_phases, dict(powers, **three))):
        assert decode(notification(*body, stamp=b"")) == expected
        for size in (4, 8):
            full = body + [octets(NOON)] + numbers(size, 21, 22, 23, 24)
            assert decode(notification(*full, stamp=b"")) == dict(expected, **registers)


def test_a_time_that_is_not_set_is_no_time():
    body = [octets(bytes(12))] + numbers(4, 1, 2, 3, 4, 5, 6, 7, 8)
    reading = decode(notification(*body, stamp=b""))
    assert "time" not in reading and reading["import_wh"] == 1 and reading["reactive_export_var"] == 8


def test_a_meters_number_at_the_end_of_its_list_is_not_taken_for_a_clock():
    pairs = [u32(1), u32(2), u32(3), u32(4), u16(2329), u16(2365), u16(2372), u16(85), u16(94), u16(118), u16(819)]
    groups = ((1, 8), (2, 8), (1, 7), (2, 7), (32, 7), (52, 7), (72, 7), (31, 7), (51, 7), (71, 7), (13, 7))
    units = ((0, 30), (0, 30), (0, 27), (0, 27), (-1, 35), (-1, 35), (-1, 35), (-2, 33), (-2, 33), (-2, 33), (-3, 255))
    parts = [octets(NOON)]
    for (c, d), value, unit in zip(groups, pairs, units):
        parts += [code(1, 0, c, d, 0), value, scaler_unit(*unit)]
    reading = decode(notification(*(parts + [octets(b"178210431186")]), stamp=b""))
    assert reading["meter_id"] == "178210431186" and reading["import_wh"] == 1 and reading["current_l3_ma"] == 1180


def test_a_tariff_may_be_written_in_octets_or_in_words():
    for written, tariff in ((b"\x00\x02", 2), (b"\x01", 1), (b"RATE2\x00\x00\x00", 2), (b"T3", 3), (b"2", 2),
                            (b"", None), (b"low", None), (b"\x00\x00", None), (b"\xff\xfe", None),
                            (b"1234567890", None)):
        head = [octets(b"ISK1030789375606"), octets(b"16820006"), b"\x16\x01", octets(written)]
        body = head + numbers(4, *range(8))
        assert decode(notification(*body)).get("tariff") == tariff, written


def test_czechias_untyped_descriptors_are_codes():
    def item(kind, groups, value):
        return b"\x02\x02" + bytes([0, kind]) + bytes(groups) + b"\xff\x02" + value

    parts = [item(1, (0, 0, 42, 0, 0), octets(b"EGD012345")), item(3, (1, 0, 1, 7, 0), u32(3)),
             item(3, (1, 0, 1, 8, 0), u32(8)), item(70, (0, 0, 96, 3, 10), b"\x16\x01")]
    data = b"\x0f\x00\x00\x00\x01\x00" + structure(b"\x16\x01", bytes([1, len(parts)]) + b"".join(parts))
    whole = {"meter_id": "EGD012345", "power_import_w": 3, "import_wh": 8, "breaker": 1}
    assert decode(data) == whole
    for cut in range(6, len(data)):
        try:
            reading = decode(data[:cut])
        except MeterError as error:
            assert error.kind in ("truncated", "unsupported", "malformed")
        else:  # without types in front a cut one can look like other data, but not like other values
            assert all([whole[name] == reading[name] for name in reading]), cut
