# SPDX-License-Identifier: MIT
"""What a Glow device says over MQTT → Reading: today's form, the older one with ZigBee's attributes, and what is
neither."""

import sys

from refusal import kind_of

from wattport.decode.glow import GlowDecoder
from wattport.decode.jsontext import Json as Text
from wattport.decode.jsontext import fixed, path_hash
from wattport.errors import MeterError
from wattport.frame.framer import Framer
from wattport.frame.json import Json

# made up, in the shape of what Hildebrand's devices publish
ELECTRICITY = (
    '{"electricitymeter":{"timestamp":"2026-01-31T12:00:01Z","energy":{"export":{"cumulative":12.003,"units":"kWh"},'
    '"import":{"cumulative":98765.432,"day":1.5,"week":20.25,"month":300,"units":"kWh","mpan":"1200012345678",'
    '"supplier":"Some Energy","price":{"unitrate":0.24503,"standingcharge":0.60097}}},'
    '"power":{"value":0.425,"units":"kW"}}}')
GAS = (
    '{"gasmeter":{"timestamp":"2026-01-31T11:30:00Z","energy":{"import":{"cumulative":7000.5,"day":10.000,'
    '"week":50,"month":100,"units":"kWh","cumulativevol":634.567,"cumulativevolunits":"m3","dayvol":10.000,'
    '"dayweekmonthvolunits":"kWh","mprn":"3000123406","supplier":"---",'
    '"price":{"unitrate":0.06,"standingcharge":0.29620}}}}}')
OLD = (
    '{"elecMtr":{"0702":{"03":{"01":"000001","02":"0003E8","07":"1200012345678","00":"00"},'
    '"00":{"00":"0000019A0B0D","01":"000000000020"},'
    '"04":{"00":"%s","01":"0044ED","30":"02488B","40":"11BF5D"}}},'
    '"gasMtr":{"0702":{"03":{"01":"000001","02":"0003E8","07":"3000123406","00":"01","12":"00"},'
    '"00":{"00":"00000031FF53"},"0C":{"01":"0098A6","30":"02527D","40":"FFFFFF"}}},"gmtime":1648738605}')
STATE = '{"software":"v1.8.12","timestamp":"2022-06-11T20:54:53Z","han":{"rssi":-75,"status":"joined","lqi":100}}'


def decode(text):
    data = text.encode()
    # what stands around it in the buffer is not to be read
    return GlowDecoder(None).decode(bytearray(b"}}" + data + b'"}'), 2, 2 + len(data))


def read(text):
    data = text.encode() if isinstance(text, str) else text
    return Text(bytearray(b'"{' + data + b'1"'), 2, 2 + len(data))


def refusal(text):
    try:
        read(text)
    except MeterError as error:
        return error.kind
    return None


def number(text, decimals):
    """`fixed` of a text in the midst of a buffer."""
    return fixed(b"12" + text.encode() + b"34", 2, 2 + len(text), decimals)


def test_electricity_in_todays_form_gives_registers_power_and_prices():
    assert decode(ELECTRICITY) == {
        "time": 1769860801, "meter_id": "1200012345678", "import_wh": 98765432, "import_day_wh": 1500,
        "import_week_wh": 20250, "import_month_wh": 300000, "export_wh": 12003, "power_import_w": 425,
        "power_export_w": 0, "unit_rate_micro": 245030, "standing_charge_micro": 600970}


def test_gas_in_todays_form_becomes_a_child_meter():
    assert decode(GAS) == {"devices": {"1": {
        "channel": 1, "type": "gas", "id": "3000123406", "time": 1769859000, "energy_wh": 7000500,
        "energy_day_wh": 10000, "energy_week_wh": 50000, "energy_month_wh": 100000, "volume_l": 634567,
        "unit_rate_micro": 60000, "standing_charge_micro": 296200}}}


def test_the_older_form_is_scaled_by_its_own_formatting():
    assert decode(OLD % "000643") == {
        "time": 1648738605, "meter_id": "1200012345678", "import_wh": 26872589, "export_wh": 32,
        "import_day_wh": 17645, "import_week_wh": 149643, "import_month_wh": 1163101, "power_import_w": 1603,
        "power_export_w": 0,
        "devices": {"1": {"channel": 1, "type": "gas", "id": "3000123406", "volume_l": 3276627,
                          "energy_day_wh": 39078, "energy_week_wh": 152189}}}


def test_demand_is_a_signed_number_of_24_bits_in_six_digits_or_eight():
    for digits, net in (("000001", 1), ("00000643", 1603), ("FFFFFF", -1), ("FFFFFFFF", -1), ("FFF060", -4000),
                        ("FFFFF060", -4000), ("00FFF060", -4000), ("7FFFFF", 8388607)):
        reading = decode(OLD % digits)
        assert reading["power_import_w"] - reading["power_export_w"] == net
        assert min(reading["power_import_w"], reading["power_export_w"]) == 0
    for digits in ("800000", "", "00800000"):
        assert "power_import_w" not in decode(OLD % digits)


def test_multiplier_and_divisor_of_any_size_give_exact_numbers():
    cases = (("000001", "0003E8", 26872589), ("000002", "0003E8", 53745178), ("000001", "000001", 26872589000),
             ("000001", "2710", 2687258), ("0186A0", "5F5E100", 26872589))
    for multiplier, divisor, wh in cases:
        text = (OLD % "000000").replace('"01":"000001","02":"0003E8"', '"01":"%s","02":"%s"' % (multiplier, divisor), 1)
        assert decode(text)["import_wh"] == wh
    for unset in ('"01":"FFFFFF","02":"0003E8"', '"01":"000001","02":"000000"'):
        reading = decode((OLD % "000643").replace('"01":"000001","02":"0003E8"', unset, 1))
        assert "import_wh" not in reading and "power_import_w" not in reading and "devices" in reading
    none = (OLD % "000643").replace('"01":"000001","02":"0003E8",', "", 1)
    assert decode(none)["import_wh"] == 26872589000  # annex D.3: one, when a meter doesn't say


def test_gas_in_cubic_feet_becomes_litres():
    for unit, litres in (("01", 3276627), ("02", 92783), ("03", 9278374), ("07", 3276), ("81", 3276627)):
        text = (OLD % "000000").replace('"00":"01","12"', '"00":"%s","12"' % unit)
        assert decode(text)["devices"]["1"]["volume_l"] == litres
    text = (OLD % "000000").replace('"00":"01","12"', '"00":"00","12"')
    assert decode(text)["devices"]["1"]["energy_wh"] == 3276627
    text = (OLD % "000000").replace('"00":"01","12"', '"00":"05","12"')
    assert "devices" not in decode(text)


def test_negative_power_is_export():
    reading = decode(ELECTRICITY.replace("0.425", "-1.25"))
    assert (reading["power_import_w"], reading["power_export_w"]) == (0, 1250)


def test_what_a_device_does_not_know_yet_is_left_out():
    for told in ("not available", "---", "read pending", ""):
        assert "meter_id" not in decode(ELECTRICITY.replace("1200012345678", told))
    assert "time" not in decode(ELECTRICITY.replace("2026-", "1970-"))
    for stamp in ("2026-02-30T12:00:00Z", "soon", "2026-01-31T12:00:01", ""):
        assert "time" not in decode(ELECTRICITY.replace("2026-01-31T12:00:01Z", stamp))
    reading = decode(ELECTRICITY.replace("98765.432", "null").replace('"kW"', '"hp"'))
    assert "import_wh" not in reading and "power_import_w" not in reading and reading["import_day_wh"] == 1500


def test_a_register_keeps_every_digit():
    for number, wh in (("16777.217", 16777217), ("99999999.999", 99999999999), ("0.001", 1), ("1e3", 1000000),
                       ("1.5E-1", 150), ("123456.7899", 123456789), ("0.000", 0), ("7", 7000)):
        assert decode(ELECTRICITY.replace("98765.432", number))["import_wh"] == wh


def test_messages_about_no_meter_are_unsupported_and_broken_ones_malformed_or_truncated():
    assert kind_of(decode, STATE) == "unsupported"
    assert kind_of(decode, "{}") == "unsupported"
    assert kind_of(decode, '{"electricitymeter":{"timestamp":"2026-01-31T12:00:01Z"}}') == "unsupported"
    assert kind_of(decode, '{"electricitymeter":[],"gasmeter":7}') == "unsupported"
    assert kind_of(decode, "[]") == kind_of(decode, '"electricitymeter"') == kind_of(decode, "7") == "malformed"
    assert kind_of(decode, ELECTRICITY.replace("98765.432", "98765.432.1")) == "malformed"
    assert kind_of(decode, ELECTRICITY.replace("98765.432", "[1]")) == "malformed"
    assert kind_of(decode, ELECTRICITY.replace("0.24503", '"free"')) == "malformed"
    assert kind_of(decode, ELECTRICITY.replace('"kWh","mpan"', '{},"mpan"')) == "malformed"
    assert kind_of(decode, (OLD % "000643").replace("019A0B0D", "019A0B0G")) == "malformed"
    for size in range(len(ELECTRICITY)):
        assert kind_of(decode, ELECTRICITY[:size]) in ("truncated", "malformed"), size


def test_values_are_found_by_their_paths():
    text = read(' {"a" : [1, {"x": 2} ,"x"], "b":{"c":{"d": -2.5e3 ,"e":"m\u00b3"}}, '
                '"n":null,"t":true,"f":false, "z":{} } ')
    assert text.number(0, b"b/c/d", 0) == -2500
    assert text.text(0, b"b/c/e", 9) == "m\u00b3" and text.text(path_hash(b"b/c/"), b"e", 9) == "m\u00b3"
    assert text.text(0, b"b/c/e", 2) is None  # too long a one
    for path in (b"n", b"t", b"f", b"c", b"d", b"b/c/f", b"a/x", b"", b"bc", b"z/a"):
        assert text.place(0, path) is None
    assert text.has(b"a") and text.has(b"b/c") and text.has(b"z") and text.has(b"n") and not text.has(b"c")
    for path in (b"a", b"b", b"b/c", b"z"):
        try:
            text.place(0, path)
            raise AssertionError(path)
        except MeterError as error:
            assert error.kind == "malformed"
    assert read('{"a":"1\\n2","b":"1"}').text(0, b"a", 9) is None
    assert read('{"a":1,"a":2}').number(0, b"a", 0) == 2
    try:
        read(b'{"a":"\xff"}').text(0, b"a", 9)
        raise AssertionError("no UTF-8")
    except MeterError as error:
        assert error.kind == "malformed"


def test_no_two_paths_in_use_share_a_hash():
    paths = ["electricitymeter", "gasmeter", "elecMtr", "gasMtr", "gmtime"]
    for meter, number_of in (("electricitymeter", "mpan"), ("gasmeter", "mprn")):
        paths += [meter + "/" + name for name in ("timestamp", "energy", "power", "power/value", "power/units",
                                                  "energy/export", "energy/export/cumulative", "energy/export/units")]
        paths += [meter + "/energy/import" + name for name in (
            "", "/cumulative", "/day", "/week", "/month", "/units", "/" + number_of, "/supplier", "/price",
            "/price/unitrate", "/price/standingcharge", "/cumulativevol", "/cumulativevolunits", "/dayvol", "/weekvol",
            "/monthvol", "/dayweekmonthvolunits")]
    for meter in ("elecMtr", "gasMtr"):
        for cluster in ("0702", "0705", "0708"):
            paths += ["%s/%s" % (meter, cluster)] + ["%s/%s/%02X" % (meter, cluster, k) for k in range(16)]
            paths += ["%s/%s/%02X/%02X" % (meter, cluster, j, k) for j in range(16) for k in range(96)]
    known = set([path_hash(path.encode()) for path in paths])
    assert len(known) == len(paths) and max(known) < 1 << 25


def test_json_is_checked_as_the_standard_has_it():
    for text in ('{"a":1,}', "[1]", "7", '"a"', '{"a":[1,]}', "{a:1}", '{"a" 1}', '{"a":1 "b":2}', '{"a":[1 2]}',
                 '{"a":nul}', '{"a":"\\x"}', '{"a":"\\u12G4"}', "{}}", "{}{}", "{1:2}", "{,}", '{"a":tru }',
                 '{"a":12a}', "{'a':1}", '{"a":}', '{"a":[}]}'):
        assert refusal(text) == "malformed", text
    for text in ("", "  ", "{", '{"a"', '{"a":', '{"a":"b', '{"a":[1,', '{"a":"\\', '{"a":fal', '{"a":1', '{"a":{}'):
        assert refusal(text) == "truncated", text


def test_depth_and_size_of_json_are_bounded():
    assert refusal('{"a":' + "[" * 7 + "]" * 7 + "}") is None
    assert refusal('{"a":' + "[" * 8 + "]" * 8 + "}") == "malformed"
    assert refusal('{"a":' + "[" * 4000) == "malformed"
    assert refusal('{"a":"' + "x" * 4088 + '"}') is None
    assert refusal('{"a":"' + "x" * 4089 + '"}') == "malformed"


def test_numbers_become_exact_integers_or_are_refused():
    assert number("0.425", 3) == 425 and number("-0.4259", 3) == -425 and number("12", 0) == 12
    assert number(".5", 1) == 5 and number("5.", 1) == 50 and number("123456789.123456", 6) == 123456789123456
    for text in ("", "-", ".", "1,5", "0x10", "1e", "e5", "1e99", "1e-99", "NaN", "1" * 40, "1-2", "1e1_0", "1.2.3"):
        try:
            value = number(text, 3)
        except ValueError:
            continue
        raise AssertionError("%r is %d" % (text, value))


def test_a_message_allocates_little():
    import gc
    if not hasattr(gc, "mem_alloc"):
        return  # CPython
    small = len("%x" % sys.maxsize) < 9
    for text in (ELECTRICITY, GAS, OLD % "000643"):
        data = text.encode()
        decoder = GlowDecoder(None)
        decoder.decode(data, 0, len(data))
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        decoder.decode(data, 0, len(data))
        taken = gc.mem_alloc() - before
        gc.enable()
        assert taken <= (4096 if small else 8192), taken


class Cut:
    """A framer with nothing but JSON; what it found."""

    def __init__(self):
        self.found = []
        self.errors = []
        self.framer = Framer([Json()], self.frame, self.error)

    def frame(self, protocol, buf, start, end):
        where, start, end = protocol.open(buf, start, end)
        self.found.append(bytes(where[start:end]))

    def error(self, error, buf, start, end):
        self.errors.append(error.kind)


def test_objects_are_cut_out_of_a_file_whatever_their_pieces():
    odd = '{"a":"}{\\"}\\\\", "b":{"c":[{"d":1}]}}'
    for step in (1, 7, 10000):
        cut = Cut()
        data = (ELECTRICITY + "\n" + odd + "\r\n junk { " + GAS + "\n").encode()
        for at in range(0, len(data), step):
            piece = data[at:at + step]
            cut.framer.feed(piece, len(piece))
        cut.framer.flush(True)
        assert cut.found == [ELECTRICITY.encode(), odd.encode(), GAS.encode()]
        assert not cut.errors


def test_an_object_without_an_end_is_truncated_and_too_long_a_one_is_none():
    cut = Cut()
    cut.framer.feed(ELECTRICITY.encode(), 300)
    cut.framer.flush(True)
    assert cut.errors == ["truncated"] and ELECTRICITY.encode() not in cut.found
    cut = Cut()
    data = b'{"a":"' + b"x" * 5000 + b'"}' + GAS.encode()
    cut.framer.feed(data, len(data))
    cut.framer.flush(True)
    assert cut.found[-1] == GAS.encode()


def test_noise_that_starts_like_an_object_does_not_hide_the_next_one():
    cut = Cut()
    data = b'{"a\x00\x01' + b'{"\x02' + GAS.encode()
    cut.framer.feed(data, len(data))
    cut.framer.flush(True)
    assert cut.found == [GAS.encode()]
