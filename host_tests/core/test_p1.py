# SPDX-License-Identifier: MIT
"""P1 text → Reading, line by line, from the companion standards; and the memory of lines, which must never show."""

import json

from refusal import kind_of

from wattport import posixzone
from wattport.decode import codes
from wattport.decode.p1 import P1Decoder
from wattport.errors import MeterError
from wattport.reading import name_of, unit_of

ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)
NOON = 1686823200  # 2023-06-15 12:00:00 summer time in Central Europe
STAMP = "0-0:1.0.0(230615120000S)"


def telegram(*lines, ident="TST5\\253-A"):
    return ("/%s\r\n\r\n%s\r\n!" % (ident, "\r\n".join(lines))).encode()


class Reader:
    """One decoder that sees one telegram after the other."""

    def __init__(self):
        self.decoder = P1Decoder(ZONE)

    def __call__(self, *lines, strict=False, ident="TST5\\253-A"):
        return self.raw(telegram(*lines, ident=ident), strict)

    def raw(self, data, strict=False):
        # what is behind the telegram in the buffer is not to be read
        return self.decoder.decode(bytearray(data + b"0000\r\n1-0:1.7.0(66.666*kW)\r\n"), 0, len(data), strict)


def read(*lines, strict=False):
    return Reader()(*lines, strict=strict)


# (line, name, value): every field of the vocabulary, no two values alike
FIELDS = (
    ("1-0:1.8.0(000101.001*kWh)", "import_wh", 101001),
    ("1-0:2.8.0(000102.002*kWh)", "export_wh", 102002),
    ("1-0:1.8.1(000111.011*kWh)", "import_t1_wh", 111011),
    ("1-0:1.8.2(000112.012*kWh)", "import_t2_wh", 112012),
    ("1-0:1.8.3(000113.013*kWh)", "import_t3_wh", 113013),
    ("1-0:1.8.4(000114.014*kWh)", "import_t4_wh", 114014),
    ("1-0:2.8.1(000121.021*kWh)", "export_t1_wh", 121021),
    ("1-0:2.8.2(000122.022*kWh)", "export_t2_wh", 122022),
    ("1-0:2.8.3(000123.023*kWh)", "export_t3_wh", 123023),
    ("1-0:2.8.4(000124.024*kWh)", "export_t4_wh", 124024),
    ("1-0:3.8.0(000131.031*kvarh)", "reactive_import_varh", 131031),
    ("1-0:4.8.0(000132.032*kvarh)", "reactive_export_varh", 132032),
    ("1-0:9.8.0(000133.033*kVAh)", "apparent_import_vah", 133033),
    ("1-0:10.8.0(000134.034*kVAh)", "apparent_export_vah", 134034),
    ("1-0:21.8.0(000141.041*kWh)", "import_l1_wh", 141041),
    ("1-0:41.8.0(000142.042*kWh)", "import_l2_wh", 142042),
    ("1-0:61.8.0(000143.043*kWh)", "import_l3_wh", 143043),
    ("1-0:22.8.0(000144.044*kWh)", "export_l1_wh", 144044),
    ("1-0:42.8.0(000145.045*kWh)", "export_l2_wh", 145045),
    ("1-0:62.8.0(000146.046*kWh)", "export_l3_wh", 146046),
    ("1-0:1.7.0(01.201*kW)", "power_import_w", 1201),
    ("1-0:2.7.0(01.202*kW)", "power_export_w", 1202),
    ("1-0:21.7.0(01.211*kW)", "power_import_l1_w", 1211),
    ("1-0:41.7.0(01.212*kW)", "power_import_l2_w", 1212),
    ("1-0:61.7.0(01.213*kW)", "power_import_l3_w", 1213),
    ("1-0:22.7.0(01.221*kW)", "power_export_l1_w", 1221),
    ("1-0:42.7.0(01.222*kW)", "power_export_l2_w", 1222),
    ("1-0:62.7.0(01.223*kW)", "power_export_l3_w", 1223),
    ("1-0:3.7.0(01.231*kvar)", "reactive_import_var", 1231),
    ("1-0:4.7.0(01.232*kvar)", "reactive_export_var", 1232),
    ("1-0:23.7.0(01.241*kvar)", "reactive_import_l1_var", 1241),
    ("1-0:43.7.0(01.242*kvar)", "reactive_import_l2_var", 1242),
    ("1-0:63.7.0(01.243*kvar)", "reactive_import_l3_var", 1243),
    ("1-0:24.7.0(01.251*kvar)", "reactive_export_l1_var", 1251),
    ("1-0:44.7.0(01.252*kvar)", "reactive_export_l2_var", 1252),
    ("1-0:64.7.0(01.253*kvar)", "reactive_export_l3_var", 1253),
    ("1-0:9.7.0(01.261*kVA)", "apparent_import_va", 1261),
    ("1-0:10.7.0(01.262*kVA)", "apparent_export_va", 1262),
    ("1-0:29.7.0(01.263*kVA)", "apparent_import_l1_va", 1263),
    ("1-0:49.7.0(01.264*kVA)", "apparent_import_l2_va", 1264),
    ("1-0:69.7.0(01.265*kVA)", "apparent_import_l3_va", 1265),
    ("1-0:30.7.0(01.266*kVA)", "apparent_export_l1_va", 1266),
    ("1-0:50.7.0(01.267*kVA)", "apparent_export_l2_va", 1267),
    ("1-0:70.7.0(01.268*kVA)", "apparent_export_l3_va", 1268),
    ("1-0:32.7.0(230.1*V)", "voltage_l1_mv", 230100),
    ("1-0:52.7.0(231.2*V)", "voltage_l2_mv", 231200),
    ("1-0:72.7.0(232.3*V)", "voltage_l3_mv", 232300),
    ("1-0:31.7.0(001.01*A)", "current_l1_ma", 1010),
    ("1-0:51.7.0(002.02*A)", "current_l2_ma", 2020),
    ("1-0:71.7.0(003*A)", "current_l3_ma", 3000),
    ("1-0:14.7.0(49.987*Hz)", "frequency_mhz", 49987),
    ("1-0:13.7.0(0.911)", "power_factor_milli", 911),
    ("1-0:33.7.0(0.921)", "power_factor_l1_milli", 921),
    ("1-0:53.7.0(0.932)", "power_factor_l2_milli", 932),
    ("1-0:73.7.0(0.943)", "power_factor_l3_milli", 943),
    ("1-0:32.32.0(00011)", "voltage_sags_l1", 11),
    ("1-0:52.32.0(00012)", "voltage_sags_l2", 12),
    ("1-0:72.32.0(00013)", "voltage_sags_l3", 13),
    ("1-0:32.36.0(00021)", "voltage_swells_l1", 21),
    ("1-0:52.36.0(00022)", "voltage_swells_l2", 22),
    ("1-0:72.36.0(00023)", "voltage_swells_l3", 23),
    ("0-0:96.7.21(00031)", "power_failures", 31),
    ("0-0:96.7.9(00032)", "long_power_failures", 32),
    ("0-0:96.14.0(0002)", "tariff", 2),
    ("0-0:96.3.10(1)", "breaker", 1),
    ("0-0:17.0.0(027.6*kW)", "limiter_w", 27600),
    ("1-0:31.4.0(040*A)", "fuse_ma", 40000),
    ("1-0:1.4.0(01.301*kW)", "demand_import_w", 1301),
    ("1-0:2.4.0(01.302*kW)", "demand_export_w", 1302),
    ("0-0:96.13.0(48616C6C6F)", "message", "Hallo"),
    ("0-0:96.1.1(4530303033)", "meter_id", "E0003"),
)


def test_every_field_has_its_own_line_and_no_other_line_changes_it():
    values = [value for _, _, value in FIELDS]
    assert len(set(values)) == len(values) and len(set([name for _, name, _ in FIELDS])) == len(FIELDS)
    expected = {"meter_model": "TST5\\253-A"}
    for line, name, value in FIELDS:
        reading = read(line)
        assert reading[name] == value, (line, reading)
        assert set(reading) - {name, "meter_model", "import_wh", "export_wh"} == set(), (line, reading)
        expected[name] = value
    reader = Reader()
    for _ in range(3):
        assert reader(*[line for line, _, _ in FIELDS]) == expected


def test_registers_are_exact_to_the_last_watt_hour():
    reader = Reader()
    for text, value in (("00000000.000", 0), ("16777.217", 16777217), ("00016777.216", 16777216),
                        ("1073741.823", 1073741823), ("1073741.824", 1073741824), ("2147483.648", 2147483648),
                        ("4294967.297", 4294967297), ("99999999.999", 99999999999), ("99999999.998", 99999999998)):
        for _ in range(3):
            reading = reader("1-0:1.8.0(%s*kWh)" % text, "1-0:3.8.0(%s*kvarh)" % text)
            assert reading["import_wh"] == value and reading["reactive_import_varh"] == value, (text, reading)


def test_negative_numbers_and_fractions_below_the_base_unit():
    assert read("1-0:16.7.0(-001.26*kW)")["power_export_w"] == 1260
    assert read("1-0:1.7.0(0.0019*kW)")["power_import_w"] == 1
    assert read("1-0:1.7.0(-00.0019*kW)")["power_import_w"] == -1
    assert read("1-0:32.7.0(-0.5*V)")["voltage_l1_mv"] == -500
    assert read("0-0:96.14.0(0002.7)")["tariff"] == 2


def test_units_are_read_not_assumed():
    for line, value in (("1-0:1.8.0(1234.5*Wh)", 1234), ("1-0:1.8.0(1234.567*kWh)", 1234567),
                        ("1-0:1.8.0(1234.567*KWH)", 1234567), ("1-0:1.8.0(1234.567kWh)", 1234567)):
        assert read(line)["import_wh"] == value, line
    assert read("1-0:3.8.0(1.5*kVArh)")["reactive_import_varh"] == 1500
    assert read("1-0:3.7.0(1.5*kVAr)")["reactive_import_var"] == 1500
    assert read("1-0:3.7.0(15*var)")["reactive_import_var"] == 15
    assert read("1-0:31.7.0(0.5*kA)")["current_l1_ma"] == 500000


def test_a_unit_that_does_not_fit_gives_no_value_rather_than_a_wrong_one():
    for line in ("1-0:1.8.0(1*MWh)", "1-0:1.8.0(1*kW)", "1-0:1.7.0(1*kWh)", "1-0:1.7.0(1*kvar)", "1-0:32.7.0(1*mV)",
                 "1-0:1.7.0(1)", "0-0:17.0.0(27.6*kVA)", "0-0:96.14.0(2*kWh)", "1-0:13.7.0(1*%)", "1-0:1.7.0(1*k)"):
        assert kind_of(read, line) == "malformed", line
        assert set(read(line, STAMP)) == {"meter_model", "time"}, line


def test_codes_may_end_with_a_star_and_255():
    assert read("1-0:1.8.0*255(1.5*kWh)")["import_wh"] == 1500
    assert read("1-0:1.8.0.255(1.5*kWh)")["import_wh"] == 1500
    assert read("1-1:1.8.0(1.5*kWh)")["import_wh"] == 1500


def test_unknown_codes_and_lines_that_are_none_are_passed_over():
    good = "1-0:1.7.0(00.428*kW)"
    for line in ("1-0:99.99.99(5)", "1-0:1.8(5*kWh)", "(5)", "hello", "1-0:1.8.0", "1-0:x.8.0(5)", ":(5)", "-:..(5)",
                 "2-0:1.8.0(5*kWh)", "7-0:1.7.0(5*kW)", "1-0:1.8.5(5*kWh)", "1-0:1.8.0.1.2(5*kWh)", "0-5:24.2.1(5*m3)",
                 "1-0:257.8.0(5*kWh)", "1-0:0.264.0(5*kWh)", "1-0:1.7.1(5*kW)", "1-0:1.8.0(5*kWh", "1-0:1.8.0)5*kWh("):
        for lines in ((line, good), (good, line)):
            assert read(*lines) == {"meter_model": "TST5\\253-A", "power_import_w": 428}, lines


def test_numbers_that_are_none_give_no_value():
    for text in ("", "-", ".", "5.", ".5", "1.2.3", "0x10", "1 2", "1_0", "--5", "+5", "5,5", "1e3", "12a", "1.2a"):
        reading = read("1-0:1.7.0(%s*kW)" % text, STAMP)
        assert "power_import_w" not in reading, (text, reading)


def test_a_line_that_is_none_is_an_error_where_no_checksum_was():
    assert kind_of(read, "1-0:1.7.0(1.0*kW)", "rubbish") is None
    for line in ("rubbish", "1-0:1.7.0(1.0*kW", "1-0:1.8.1(1.2.3*kWh)", "1-0:1.8.1(1(2*kWh)"):
        for lines in (("1-0:1.7.0(1.0*kW)", line), (line, "1-0:1.7.0(1.0*kW)")):
            reader = Reader()
            for _ in range(3):
                try:
                    reader(*lines, strict=True)
                    raise AssertionError(lines)
                except MeterError as error:
                    assert error.kind == "malformed"
            assert reader("1-0:1.7.0(1.0*kW)", strict=True)["power_import_w"] == 1000


def test_a_broken_digit_in_a_value_that_was_good_before():
    for strict in (False, True):
        reader = Reader()
        for i in range(4):
            assert reader("1-0:1.7.0(0.%03d*kW)" % i, "1-0:2.7.0(2*kW)", strict=strict)["power_import_w"] == i
        try:
            reading = reader("1-0:1.7.0(0.0,3*kW)", "1-0:2.7.0(2*kW)", strict=strict)
            assert not strict and "power_import_w" not in reading and reading["power_export_w"] == 2000
        except MeterError as error:
            assert strict and error.kind == "malformed"
        for i in range(4):
            assert reader("1-0:1.7.0(0.%03d*kW)" % i, strict=strict)["power_import_w"] == i


def test_a_telegram_with_nothing_known_or_no_name_is_malformed():
    assert kind_of(read, "1-0:99.99.99(5)") == "malformed"
    assert kind_of(Reader().raw, b"/TST5\r\n\r\n!") == "malformed"
    assert kind_of(Reader().raw, b"/TST5") == "malformed"
    assert kind_of(Reader().raw, b"/\r\n1-0:1.7.0(1*kW)\r\n!") == "malformed"
    assert kind_of(Reader().raw, b"/TST5\xc0\x80\r\n1-0:1.7.0(1*kW)\r\n!") == "malformed"


def test_the_identification_is_the_model():
    reader = Reader()
    for ident in ("ISk5\\2MT382-1003", "FLU5\\253769484_A", "EST5\\253710000_A", "KAM5"):
        assert reader("1-0:1.7.0(1*kW)", ident=ident)["meter_model"] == ident


# -- times ----------------------------------------------------------------------------------------------------

def test_stamps_say_summer_or_winter_in_the_hour_that_comes_twice():
    reader = Reader()
    for text, utc in (("221030015959S", 1667087999), ("221030020000S", 1667088000), ("221030023000S", 1667089800),
                      ("221030025959S", 1667091599), ("221030020000W", 1667091600), ("221030023000W", 1667093400),
                      ("221030030000W", 1667095200), ("230326015959W", 1679792399), ("230326030000S", 1679792400)):
        assert reader("0-0:1.0.0(%s)" % text)["time"] == utc, text
    # without a letter the first of the two hours is meant
    assert reader("0-0:1.0.0(221030023000)")["time"] == 1667089800
    assert reader("0-0:1.0.0(230615120000)")["time"] == NOON
    assert reader("0-0:1.0.0(20230615 12:00:00)")["time"] == NOON


def test_stamps_that_are_no_time_give_none():
    for text in ("632525252525W", "700101010000W", "000000000000W", "231301000000W", "230230000000S", "23061512000S",
                 "230615120060S", "230615240000S", "2306151200000S", "ABCDEFGHIJKLS", "", "-10615120000S"):
        assert set(read("0-0:1.0.0(%s)" % text, "1-0:1.7.0(1*kW)")) == {"meter_model", "power_import_w"}, text


# -- child meters -----------------------------------------------------------------------------------------------

GAS = ("0-%d:24.1.0(003)", "0-%d:96.1.0(4730303339)", "0-%d:24.2.1(230615115500S)(00012.345*m3)")


def gas(channel):
    return [line % channel for line in GAS]


def gas_device(channel, litres=12345):
    return {"channel": channel, "type": "gas", "id": "G0039", "time": NOON - 300, "volume_l": litres}


def test_a_gas_meter_on_any_channel():
    for channel in (1, 2, 3, 4):
        assert read(*gas(channel))["devices"] == {str(channel): gas_device(channel)}


def test_channels_without_a_meter_are_left_out_and_do_not_move_the_others():
    for dead in (("0-1:24.1.0(007)", "0-1:96.1.0()", "0-1:24.2.1(632525252525W)(00000.000)"),
                 ("0-1:24.1.0(003)", "0-1:24.2.1(700101010000W)(00000000)"), ("0-1:24.1.0(000)",),
                 ("0-1:24.1.0(003)", "0-1:24.2.1(700101010000W)(00000.000*m3)"), ("0-1:24.2.1()", "0-1:24.1.0()"),
                 ("0-1:24.3.0(632525252525)(00)(60)(1)(0-1:24.2.1)(m3)", "(00000.000)")):
        reader = Reader()
        for lines in (list(dead) + gas(2), gas(2) + list(dead), list(dead) + gas(2)):
            assert reader(*lines)["devices"] == {"2": gas_device(2)}, dead
    assert "devices" not in read("0-1:24.1.0(003)", "0-1:96.1.0(4730303339)", STAMP)


def test_channels_swapped_at_run_time_follow_the_lines():
    reader = Reader()
    for channel in (1, 2, 2, 1, 3, 1):
        assert reader(*gas(channel))["devices"] == {str(channel): gas_device(channel)}


def test_belgian_gas_and_water_are_told_by_their_device_types():
    reading = read("0-0:96.1.4(50217)", "0-1:24.1.0(007)", "0-1:96.1.1(3857)",
                   "0-1:24.2.1(230615120000S)(00872.234*m3)", "0-2:24.1.0(003)", "0-2:96.1.1(3747)",
                   "0-2:24.2.3(230615115500S)(00112.384*m3)")
    assert reading["devices"] == {
        "1": {"channel": 1, "type": "water", "id": "8W", "time": NOON, "volume_l": 872234},
        "2": {"channel": 2, "type": "gas", "id": "7G", "time": NOON - 300, "volume_l": 112384}}


def test_heat_cooling_and_slave_electricity_meters():
    for code, name, text, field, value in (
            ("012", "heat", "00001.500*GJ", "energy_kj", 1500000), ("4", "heat", "150.5*MJ", "energy_kj", 150500),
            ("010", "cooling", "0002.250*GJ", "energy_kj", 2250000),
            ("2", "electricity", "00003.251*kWh", "energy_wh", 3251),
            ("99", "unknown", "1.001*m3", "volume_l", 1001), ("006", "water", "1.001*m3", "volume_l", 1001)):
        reading = read("0-3:24.1.0(%s)" % code, "0-3:24.2.1(230615120000S)(%s)" % text)
        assert reading["devices"] == {"3": {"channel": 3, "type": name, "time": NOON, field: value}}, code


OLD_GAS = "0-1:24.3.0(230615120000)(00)(60)(1)(0-1:24.2.1)(m3)"


def test_dsmr_2_has_the_gas_value_on_the_next_line():
    reader = Reader()
    for litres in (1, 1001, 1001, 99999999):
        reading = reader("0-1:24.1.0(3)", OLD_GAS, "(%05d.%03d)" % (litres // 1000, litres % 1000), "0-1:24.4.0(1)")
        assert reading["devices"] == {"1": {"channel": 1, "type": "gas", "time": NOON, "volume_l": litres}}
    assert "devices" not in read("0-1:24.1.0(3)", OLD_GAS, "0-1:24.4.0(1)", STAMP)


def test_a_gas_value_that_was_missing_once_is_read_when_it_comes():
    reader = Reader()
    for _ in range(2):
        assert "devices" not in reader(OLD_GAS, STAMP)
        assert reader(OLD_GAS, "(00001.001)", STAMP)["devices"]["1"]["volume_l"] == 1001
        assert reader(OLD_GAS, "(00001.002)", STAMP)["devices"]["1"]["volume_l"] == 1002


# -- texts, lists, totals ---------------------------------------------------------------------------------------

def test_a_message_of_2048_characters_in_hex():
    text = "".join([chr(32 + i % 95) for i in range(1024)])
    assert read("0-0:96.13.0(%s)" % "".join(["%02X" % ord(c) for c in text]))["message"] == text


def test_hex_that_is_no_text_stays_hex_and_no_hex_stays_as_it_is():
    for raw, text in (("00FF", "00FF"), ("414", "414"), ("4142", "AB"), ("414g", "414g"), ("hello!", "hello!"),
                      ("4142e9", "4142e9"), ("410A", "410A"), ("4a4B", "JK")):
        assert read("0-0:96.13.0(%s)" % raw)["message"] == text, raw


def test_any_byte_in_a_text_gives_json_or_a_named_error():
    places = ((b"/TST5", b"\r\n\r\n1-0:1.7.0(1*kW)\r\n!"), (b"/TST5\r\n\r\n0-0:96.13.0(", b")\r\n1-0:1.7.0(1*kW)\r\n!"),
              (b"/TST5\r\n\r\n0-0:96.1.1(", b")\r\n1-0:1.7.0(1*kW)\r\n!"),
              (b"/TST5\r\n\r\n1-3:0.2.8(", b")\r\n1-0:1.7.0(1*kW)\r\n!"),
              (b"/TST5\r\n\r\n0-0:96.1.4(", b")\r\n1-0:1.7.0(1*kW)\r\n!"),
              (b"/TST5\r\n\r\n0-1:96.1.0(", b")\r\n0-1:24.2.1(230615120000S)(1*m3)\r\n1-0:1.7.0(1*kW)\r\n!"),
              (b"/TST5\r\n\r\n1-0:2.7.0(1*", b")\r\n1-0:1.7.0(1*kW)\r\n!"),
              (b"/TST5\r\n\r\n1-0:2.7", b".0(1*kW)\r\n1-0:1.7.0(1*kW)\r\n!"))
    for before, behind in places:
        for strict in (False, True):
            reader = Reader()
            for byte in range(256):
                for inside in (bytes([byte]), bytes([byte, 0x80]), b"A" + bytes([byte]) + b"B"):
                    try:
                        reading = reader.raw(before + inside + behind, strict)
                    except MeterError:
                        continue
                    assert json.loads(json.dumps(reading)) == reading
                    for value in reading.values():
                        assert not isinstance(value, str) or all([ord(c) < 127 for c in value]), reading


def test_the_power_failure_log_lists_ends_and_seconds():
    reader = Reader()
    assert reader("1-0:99.97.0(2)(0-0:96.7.19)(230615120000S)(0000000240*s)(221030023000W)(0000000301*s)")[
        "power_failure_log"] == [[NOON, 240], [1667093400, 301]]
    assert reader("1-0:99.97.0(1)(0-0:96.7.19)(230615120000S)(0000000240*s)")["power_failure_log"] == [[NOON, 240]]
    assert reader("1-0:99.97.0(0)(0-0:96.7.19)")["power_failure_log"] == []
    assert "power_failure_log" not in reader("1-0:99.97.0()", STAMP)
    # an entry that is none is left out, the others stay
    assert reader("1-0:99.97.0(3)(0-0:96.7.19)(x)(240*s)(230615120000S)(240*s)(230615120000S)")[
        "power_failure_log"] == [[NOON, 240]]
    assert reader("1-0:99.97.0(2)(0-0:96.7.19)(230615120000S)(x*s)(230615120000S)(0000000240*s)")[
        "power_failure_log"] == [[NOON, 240]]


def test_month_peak_and_peak_history():
    reading = read("1-0:1.6.0(230615120000S)(04.329*kW)",
                   "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230501000000S)(230615120000S)(06.134*kW)"
                   "(230601000000S)(221030023000W)(05.001*kW)")
    assert reading["peak_month_w"] == 4329 and reading["peak_month_time"] == NOON
    assert reading["peak_history"] == [[NOON, 6134], [1667093400, 5001]]
    assert read("0-0:98.1.0(0)(1-0:1.6.0)(1-0:1.6.0)")["peak_history"] == []
    assert read("0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230501000000S)(632525252525W)(00.000*kW)"
                "(230601000000S)(230615120000S)(05.001*kW)(230601000000S)")["peak_history"] == [[NOON, 5001]]


def test_a_peak_that_is_not_whole_is_left_out():
    for line in ("1-0:1.6.0(230615120000S)", "1-0:1.6.0(04.329*kW)", "1-0:1.6.0(230615120000S)(04.329*kWh)",
                 "1-0:1.6.0(230615120000S)()", "1-0:1.6.0(632525252525W)(04.329*kW)", "1-0:1.6.0()"):
        for strict in (False, True):
            assert set(read(line, "1-0:1.7.0(1*kW)", strict=strict)) == {"meter_model", "power_import_w"}, line


def test_tariffs_are_summed_only_where_there_is_no_total():
    reading = read("1-0:1.8.1(1*kWh)", "1-0:1.8.2(2*kWh)", "1-0:2.8.1(4*kWh)", "1-0:2.8.2(8*kWh)")
    assert reading["import_wh"] == 3000 and reading["export_wh"] == 12000
    assert read("1-0:1.8.1(1*kWh)", "1-0:1.8.2(2*kWh)", "1-0:1.8.3(4*kWh)", "1-0:1.8.4(8*kWh)")["import_wh"] == 15000
    reading = read("1-0:1.8.0(5*kWh)", "1-0:1.8.1(1*kWh)", "1-0:1.8.2(2*kWh)")
    assert reading["import_wh"] == 5000 and "export_wh" not in reading


def test_a_signed_power_is_split_into_import_and_export():
    reading = read("1-0:16.7.0(-01.001*kW)", "1-0:36.7.0(00.002*kW)", "1-0:56.7.0(-00.003*kW)", "1-0:76.7.0(00.000*kW)")
    del reading["meter_model"]
    assert reading == {
        "power_import_w": 0, "power_export_w": 1001, "power_import_l1_w": 2, "power_export_l1_w": 0,
        "power_import_l2_w": 0, "power_export_l2_w": 3, "power_import_l3_w": 0, "power_export_l3_w": 0}
    reading = read("1-0:16.7.0(01*kW)", "1-0:1.7.0(02*kW)", "1-0:2.7.0(03*kW)")
    assert reading["power_import_w"] == 2000 and reading["power_export_w"] == 3000


def test_the_family_is_told_from_what_only_it_sends():
    for line, strict, family in (("1-3:0.2.8(50)", False, "dsmr5"), ("1-3:0.2.8(42)", False, "dsmr4"),
                                 ("1-3:0.2.8(40)", False, "dsmr4"), ("0-0:96.1.4(50217)", False, "dsmr-be"),
                                 (STAMP, True, "dsmr2"), (STAMP, False, "dsmr-se")):
        reader = Reader()
        reading = reader(line, "1-0:1.7.0(1*kW)", strict=strict)
        assert reader.decoder.family == family
        assert "version" not in reading and "belgian" not in reading


# -- the memory of lines ------------------------------------------------------------------------------------------

def same_as_a_fresh_decoder(telegrams):
    reader = Reader()
    for lines in telegrams:
        assert reader(STAMP, *lines) == read(STAMP, *lines), lines


def test_the_order_of_lines_may_change_at_run_time():
    lines = [line for line, _, _ in FIELDS[:12]] + gas(1)
    orders = [lines, lines[::-1], lines[5:] + lines[:5], lines[::2] + lines[1::2], lines, lines, lines[::-1]]
    same_as_a_fresh_decoder(orders * 3)


def test_lines_may_appear_and_vanish():
    lines = [line for line, _, _ in FIELDS]
    gaps = [lines[:i] + lines[i + 1 + i % 5:] for i in range(0, len(lines), 3)]
    same_as_a_fresh_decoder(gaps + [lines, lines[20:30]])


def test_a_unit_that_changes_at_run_time_never_gives_a_wrong_value():
    same_as_a_fresh_decoder([[line, "1-0:2.7.0(0.7*kW)", "1-0:21.7.0(1*kW)"] for line in (
        "1-0:1.7.0(0.500*kW)", "1-0:1.7.0(0.501*kW)", "1-0:1.7.0(0.502*kW)", "1-0:1.7.0(500*W)", "1-0:1.7.0(501*W)",
        "1-0:1.7.0(501.5*W)", "1-0:1.7.0(0.5*kW)", "1-0:1.7.0(0.500*W)", "1-0:1.7.0(0.500*kW)", "1-0:1.7.0(500)",
        "1-0:1.7.0(0.5)", "1-0:1.7.0()", "1-0:1.7.0(1*kW)", "1-0:1.7.0(2*kW)", "1-0:1.7.0(2*kvar)", "1-0:1.7.0(2*kW)",
        "1-0:1.7.0(3*kW)", "1-0:1.7.0(0.1*X)", "1-0:1.7.0(4*kW)(5*kW)", "1-0:1.7.0(6*kW)(5*kW)", "1-0:1.7.0(7*kW)")])


def test_a_value_that_goes_missing_does_not_come_back_from_memory():
    lines = ["1-0:1.7.0(%s*kW)", "1-0:2.7.0(%s*kW)", "1-0:21.7.0(%s*kW)"]
    rounds = []
    for i in range(20):
        rounds.append([line % i for line in lines])
        rounds.append([lines[1] % i, lines[2] % (i + 1)])
        rounds.append(["1-0:1.7.0()", lines[1] % i, lines[2] % 5])
        rounds.append(["1-0:1.7.0()", lines[1] % (i + 1)])
        rounds.append([lines[2] % i, "1-0:1.7.0(x*kW)", lines[1] % 0])
        rounds.append([lines[2] % i, "1-0:1.7.0()", lines[1] % 7])
        rounds.append([lines[2] % i, "1-0:1.7.0()", lines[1] % 7])
    same_as_a_fresh_decoder(rounds)


def test_thousands_of_different_lines_do_not_wear_a_decoder_out():
    reader = Reader()
    for i in range(300):
        reading = reader("1-0:%d.%d.9(1)" % (90 + i % 100, i // 3), "1-0:1.7.0(%d*kW)" % i, "0-%d:99.%d.0(7)" % (i, i))
        assert reading["power_import_w"] == 1000 * i
    many = ["1-0:%d.%d.9(1)" % (90 + i % 100, i // 3) for i in range(400)]
    assert reader(*(many + [STAMP]))["time"] == NOON


# -- names and codes ----------------------------------------------------------------------------------------------

def test_no_two_codes_have_one_name():
    names = {}
    for c in range(256):
        for d in range(256) if c < 100 else ():
            for e in (0, 1, 2, 3, 4, 5, 9, 10, 21, 255):
                name = name_of(c << 16 | d << 8 | e)
                if name:
                    assert name not in names, (name, c, d, e, names[name])
                    names[name] = c, d, e
    assert names["import_l3_wh"] == (61, 8, 0) and names["current_l2_ma"] == (51, 7, 0)
    assert names["net_l2_w"] == (56, 7, 0) and names["voltage_swells_l3"] == (72, 36, 0)


def test_the_unit_of_a_name_follows_from_its_end():
    for name, unit in (("import_wh", ("WH", 0)), ("reactive_import_varh", ("VARH", 0)), ("power_import_l1_w", ("W", 0)),
                       ("reactive_export_l3_var", ("VAR", 0)), ("apparent_import_va", ("VA", 0)),
                       ("apparent_import_vah", ("VAH", 0)), ("voltage_l1_mv", ("V", 3)), ("current_l3_ma", ("A", 3)),
                       ("fuse_ma", ("A", 3)), ("frequency_mhz", ("HZ", 3)), ("power_factor_milli", ("", 3)),
                       ("voltage_sags_l1", ("", 0)), ("power_failures", ("", 0)), ("tariff", ("", 0)),
                       ("breaker", ("", 0)), ("net_l1_w", ("W", 0))):
        assert unit_of(name) == unit, name


def test_every_code_of_a_telegram_can_be_listed():
    data = telegram("1-0:1.8.1(001234.567*kWh)", "0-0:96.14.0(0002)", STAMP, "0-0:96.1.1(4B41)", "1-0:99.9.9(-1.5*X)",
                    "0-1:24.2.1(230615115500S)(00012.345*m3)", "0-0:96.13.0()", "nothing", "0-0:1.1.1(\\x)")
    found = codes.of_text(data, 0, len(data))
    assert found == {
        "1-0:1.8.1": [1234567, -3, "kWh"], "0-0:96.14.0": [2, 0, ""], "0-0:1.0.0": "230615120000S",
        "0-0:96.1.1": "4B41", "1-0:99.9.9": [-15, -1, "X"], "0-1:24.2.1": ["230615115500S", [12345, -3, "m3"]],
        "0-0:96.13.0": "", "0-0:1.1.1": "\\x"}, found


def test_a_line_that_goes_on_where_it_once_ended_is_read_as_a_whole():
    reader = Reader()
    peaks = "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230201000000W)(230117224500W)(04.329*kW)"
    whole = STAMP, peaks + "(230301000000W)(230202001500W)(04.529*kW)", "1-0:1.7.0(00.001*kW)"
    expected = reader(*whole)
    assert len(expected["peak_history"]) == 2
    broken = telegram(STAMP, peaks + "\xff", "1-0:1.7.0(00.001*kW)").replace(b"\xc3\xbf", b"\xa8")
    assert len(Reader().raw(broken)["peak_history"]) == 1
    for _ in range(2):
        reader.raw(broken)
    for _ in range(2):
        assert reader(*whole) == expected
    folded = STAMP, peaks + "\r\n(230301000000W)(230202001500W)(04.529*kW)", "1-0:1.7.0(00.001*kW)"
    for lines in ((STAMP, peaks, "1-0:1.7.0(00.001*kW)"), folded, whole):
        for _ in range(2):
            assert reader(*lines) == read(*lines)


def test_a_line_that_was_cut_off_is_not_taken_for_its_start_later():
    reader = Reader()
    for i in range(len(GAS)):
        lines = [STAMP] + list(gas(1))
        half = telegram(*lines)[:-len("*m3)\r\n!") - i]
        assert reader.raw(half)["time"] == NOON
        assert reader(*lines) == read(*lines)


def test_lines_that_are_never_the_same_do_not_fill_the_memory():
    reader = Reader()
    for i in range(60):
        lines = ["0-0:%d.%d.0(%s)" % (i, j, "7" * 700) for j in range(5)]
        assert reader(STAMP, "1-0:1.7.0(00.%03d*kW)" % i, *lines)["power_import_w"] == i
    for i in range(60):  # lines of many bytes that were lines of few
        assert reader(STAMP, *["1-0:1.7.0(00.%03d*kW)" % i] + ["0-0:7.%d.0(%d)" % (j, i) for j in range(60)])
        assert reader(STAMP, "0-0:7.%d.0(%s)" % (i, "7" * 700), "1-0:1.7.0(00.%03d*kW)" % i)["power_import_w"] == i
    kept = [thing for thing in reader.__dict__["decoder"].__dict__.values() if isinstance(thing, list)]
    assert kept and sum([len(text) for texts in kept for text in texts if isinstance(text, bytes)]) < 6000
