# SPDX-License-Identifier: MIT
"""Text meters besides the Dutch: read-outs of optical heads (IEC 62056-21), Hungary, Lithuania, Poland, Switzerland."""

from wattport import posixzone
from wattport.crypto.crc import crc16_arc, crc16_x25
from wattport.decode import codes
from wattport.decode.p1 import P1Decoder
from wattport.errors import MeterError
from wattport.frame.framer import Framer
from wattport.frame.p1 import P1

ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)
NOON = 1686823200
STAMP = "0-0:1.0.0(230615120000S)"
IDENT = b"/LGZ4ZMF100AC.M27\r\n"
DATA = b"F.F(00)\r\nC.1.0(18438636)\r\n1.8.1(000100.000*kWh)\r\n1.8.0(000219.252*kWh)\r\n32.7(233*V)\r\n"


def bcc(data):
    check = 0
    for byte in data:
        check ^= byte
    return bytes([check & 0x7F])


def block(data=DATA, ident=IDENT, end=b"!\r\n\x03"):
    return ident + b"\x02" + data + end + bcc(data + end)


def telegram(*lines, ident="TST5\\253-A", crc=None):
    text = ("/%s\r\n\r\n%s\r\n!" % (ident, "\r\n".join(lines))).encode()
    return text + (b"%04X\r\n" % crc(text, 0, len(text)) if crc else b"\r\n")


class Line:
    """The framer with P1 alone, and a decoder behind it."""

    def __init__(self, size=4096):
        self.readings = []
        self.families = []
        self.errors = []
        self.frames = []
        self.decoder = P1Decoder(ZONE)
        self.framer = Framer([P1()], self.frame, self.error, size)

    def frame(self, protocol, buf, start, end):
        self.frames.append(bytes(buf[start:end]))
        buf, start, end = protocol.open(buf, start, end)
        if buf[start] != 47:
            raise MeterError("no_key", "opened elsewhere")
        self.readings.append(self.decoder.decode(buf, start, end, not protocol.whole))
        self.families.append(self.decoder.family)

    def error(self, error, buf, start, end):
        self.errors.append(error.kind)

    def feed(self, data, step=0):
        for at in range(0, len(data), step or len(data)):
            part = data[at:at + (step or len(data))]
            self.framer.feed(part, len(part))
        return self

    def flush(self, last=False):
        self.framer.flush(last)
        return self


def one(data, last=False):
    line = Line().feed(data).flush(last)
    assert len(line.readings) == 1, line.errors
    return line.readings[0], line.families[0]


def only(reading):
    return {name: value for name, value in reading.items() if name != "meter_model"}


# -- the block of IEC 62056-21 ----------------------------------------------------------------------------------------

def test_a_read_out_between_stx_and_etx_is_read_when_its_block_check_is_right():
    for step in (0, 1, 7):
        line = Line().feed(block() + b"\r\n" + block(), step)
        assert not line.errors and line.families == ["iec62056-21"] * 2
        assert line.readings[0] == {
            "meter_model": "LGZ4ZMF100AC.M27", "meter_id": "18438636", "import_t1_wh": 100000, "import_wh": 219252,
            "voltage_l1_mv": 233000}
        assert line.framer.garbage == 0


def test_any_flipped_bit_in_a_block_is_a_wrong_checksum_and_the_next_block_is_read():
    good = block()
    for place in range(len(IDENT) + 1, len(good)):
        for bit in (0, 3, 6):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            line = Line().feed(bytes(bad)).feed(good).flush()
            assert len(line.readings) == 1 and line.errors, (place, bit)
            assert line.readings[0]["import_wh"] == 219252


def test_the_block_check_counts_long_blocks_of_any_length():
    for size in (1, 2, 61, 62, 63, 64, 65, 127, 128, 129, 700, 3000):
        data = b"1.8.0(000219.252*kWh)\r\n0.0.9(" + b"5" * size + b")\r\n"
        assert one(block(data))[0]["import_wh"] == 219252


def test_a_block_without_etx_ends_where_the_next_telegram_starts_or_the_input_ends():
    dumped = IDENT + b"\x02" + DATA + b"!\r\n"
    line = Line().feed(dumped + dumped)
    assert len(line.readings) == 1 and not line.errors
    line.flush(True)
    assert len(line.readings) == 2 and not line.errors
    unfinished = Line().feed(dumped).flush()
    assert not unfinished.readings and unfinished.errors == ["truncated"]


def test_a_block_that_breaks_off_and_starts_anew_is_truncated_once():
    line = Line().feed(IDENT + b"\x02" + DATA[:40]).feed(block())
    assert line.errors == ["truncated"] and len(line.readings) == 1


def test_line_ends_of_a_receiver_that_turns_cr_into_lf():
    text = (IDENT + b"\r\n\x02" + DATA + b"!\r\n").replace(b"\r", b"\n")
    assert one(text, True)[0]["import_wh"] == 219252


def test_an_exclamation_mark_inside_of_a_value_ends_nothing():
    data = b"0.2.2(:::::G11)!(:::::G11)(!)\r\n1.8.0(000219.252*kWh)\r\n"
    assert one(block(data))[0]["import_wh"] == 219252


def test_the_echo_of_a_request_is_no_telegram():
    line = Line().feed(b"/?!\r\n\x06050\r\n" + block())
    assert len(line.readings) == 1 and not line.errors


# -- its lines --------------------------------------------------------------------------------------------------------

def test_several_values_on_a_line():
    line = Line()
    for kwh in ("000219.252", "000219.253", "000219.254"):
        line.feed(block(b"F(0)1.8.1(000100.000*kWh)1.8.0(%s*kWh)2.8.0(000001.000*kWh)16.7(-000.25*kW)\r\n31.7(1*A)32.7"
                        b"(230*V)!\r\n" % kwh.encode(), end=b"\x03"))
    assert not line.errors and [reading["import_wh"] for reading in line.readings] == [219252, 219253, 219254]
    assert only(line.readings[-1]) == {
        "import_t1_wh": 100000, "import_wh": 219254, "export_wh": 1000, "power_import_w": 0, "power_export_w": 250,
        "current_l1_ma": 1000, "voltage_l1_mv": 230000}


def test_stored_values_are_never_taken_for_todays():
    stored = b"1.8.0*01(000001.000*kWh)\r\n1.8.0*00(000001.000*kWh)\r\n1.8.0&12(000001.000*kWh)\r\n"
    for data in (stored + DATA, DATA + stored):
        assert one(block(data))[0]["import_wh"] == 219252
    assert one(block(DATA + b"1-1:1.8.0*62(0018750.0)\r\n1-1:2.8.0*255(000007.000*kWh)\r\n"))[0] == dict(
        one(block())[0], export_wh=7000)


def test_a_register_without_a_unit_is_one_of_kilowatt_hours_when_it_looks_like_a_display():
    for text, value in (("032942.0231", 32942023), ("00285.4", 285400), ("013925.5*", 13925500)):
        assert one(block(b"1.8.0(%s)\r\n" % text.encode()))[0]["import_wh"] == value
    for text in ("285400", "285.4", "285400.", "285400.5*MWh", "28540", "2854,05", ".5", ""):
        line = Line().feed(block(b"1.8.0(%s)\r\n2.8.0(000001.000*kWh)\r\n" % text.encode()))
        assert len(line.readings) == 1 and "import_wh" not in line.readings[0], text
    assert "power_import_w" not in one(block(b"1.7.0(000001.5)\r\n" + DATA))[0]


def test_one_power_with_a_sign_becomes_import_and_export():
    lines = ["1-0:0.0.0*255(0272031312565)", "1-0:1.8.0*255(00062716.1857226*kWh)", "1-0:21.7.0*255(-001569.81*W)",
             "1-0:41.7.0*255(000698.00*W)", "1-0:1.7.0*255(-000235.44*W)", "0-0:96.1.255*255(1ESY1313002565)"]
    reading, family = one(telegram(*lines, ident="ESY5Q3DB1024 V3.04"))
    assert family == "iec62056-21"
    assert reading == {
        "meter_model": "ESY5Q3DB1024 V3.04", "meter_id": "1ESY1313002565", "import_wh": 62716185, "power_import_w": 0,
        "power_export_w": 235, "power_import_l1_w": 0, "power_export_l1_w": 1569, "power_import_l2_w": 698,
        "power_export_l2_w": 0}
    both = one(telegram("1-0:1.7.0*255(-5*W)", "1-0:2.7.0*255(7*W)"))[0]
    assert both["power_import_w"] == -5 and both["power_export_w"] == 7


def test_without_a_checksum_a_broken_line_or_an_impossible_register_costs_the_telegram():
    good = "1-0:2.8.0*255(000001.000*kWh)"
    for line in ("1-0:1.8.0*255(00062716.1857226*kWh", "rubbish",
                 "1-0:1.8.0*255(162716123.1857226*kWh)", "1-0:1.8.0*255(-00000016.1*kWh)",
                 "1-0:1.8.0*255(00062716.18)57226*kWh)"):
        heard = Line().feed(telegram(good, line)).flush()
        assert heard.errors == ["malformed"] and not heard.readings, line
    assert one(telegram(good, "1-0:1.8.0*255(99999999.999*kWh)"))[0]["import_wh"] == 99999999999


def test_the_code_of_every_line_is_kept_on_request():
    data = block(b"F.F(00)1.8.0(000219.252*kWh)\r\n31.7(1*A)32.7(230*V)\r\n")
    assert codes.of_text(data, 0, len(data) - 5) == {
        "F.F": [0, 0, ""], "1.8.0": [219252, -3, "kWh"], "31.7": [1, 0, "A"], "32.7": [230, 0, "V"]}


# -- Hungary, Lithuania, Switzerland ----------------------------------------------------------------------------------

HUNGARY = (STAMP, "0-0:42.0.0(WSE1012403352978)", "0-0:96.1.0(9903352978)", "0-0:96.14.0(TARIFF 2)", "0-0:96.3.10(ON)",
           "0-0:17.0.0(24000*W)", "1-0:1.8.0(000138.583*kWh)", "1-0:15.8.0(000379.272*kWh)",
           "0-0:98.1.0(230801000000S)(000663.924*kWh)(000383.623*kWh)(000280.301*kWh)(001304.175*kWh)(12.212*kW)")
HUNGARIAN = {"time": NOON, "meter_id": "9903352978", "tariff": 2, "breaker": 1, "limiter_w": 24000, "import_wh": 138583}


def test_hungary_writes_tariff_and_breaker_in_words():
    reading, family = one(telegram(*HUNGARY, crc=crc16_arc))
    assert only(reading) == HUNGARIAN and family == "dsmr-hu"
    line = Line()
    for words, values in (("TARIFF 1", 1), ("TARIFF 2", 2), ("0003", 3), ("TARIFF", None), ("TARIFF x", None)):
        for state, breaker in (("ON", 1), ("OFF", 0), ("1", 1), ("MAYBE", None)):
            line.feed(telegram(STAMP, "0-0:96.14.0(%s)" % words, "0-0:96.50.68(%s)" % state, crc=crc16_arc))
            reading = line.readings[-1]
            assert reading.get("tariff") == values and reading.get("breaker") == breaker, (words, state, reading)
    assert not line.errors and len(line.readings) == 20


def test_hungarys_other_checksum_is_taken_from_hungarian_meters_only():
    assert one(telegram(*HUNGARY, crc=crc16_x25))[1] == "dsmr-hu"
    for data, error in ((telegram(STAMP, "1-0:1.8.0(000138.583*kWh)", crc=crc16_x25), ["checksum"]),
                        (telegram(*HUNGARY, crc=crc16_x25).replace(b"138.583", b"138.683"), ["checksum"])):
        line = Line().feed(data).flush()
        assert line.errors == error and not line.readings


def test_a_message_of_bytes_that_are_no_text_is_left_out():
    line = Line().feed(telegram(*HUNGARY, crc=crc16_arc))
    text = telegram(*HUNGARY)[:-3] + b"0-0:96.13.0(" + b"\xff" * 1024 + b")\r\n!"
    for _ in range(3):
        line.feed(text + b"%04X\r\n" % crc16_arc(text, 0, len(text)))
    assert not line.errors and len(line.readings) == 4 and line.readings[3] == line.readings[0]


def test_lithuania_is_known_by_its_averages():
    reading, family = one(telegram(
        STAMP, "1-0:1.8.0(000360.152*kWh)", "1-0:3.8.1(000010.607*kvarh)", "1-0:32.24.0(234.6*V)",
        "1-0:15.7.0(00.024*kW)", "1-0:10.7.0(00.025*kVA)", "1-0:1.24.0(00.000*kW)", "1-0:16.24.0(-00.024*kW)",
        "1-0:13.7.0(-1.000)", "1-0:33.7.0(-0.913)", "1-0:13.3.0(0.000)", "1-0:0.8.2(00900*s)",
        "1-0:1.4.0(000000.012*kW)", "1-0:32.33.0(03042*s)", "1-0:0.2.8(1EA43311)", "1-1:0.2.8(047C71F1)",
        crc=crc16_arc))
    assert family == "dsmr-lt"
    assert only(reading) == {
        "time": NOON, "import_wh": 360152, "reactive_import_t1_varh": 10607, "apparent_export_va": 25,
        "power_factor_milli": -1000, "power_factor_l1_milli": -913, "demand_import_w": 12}


def test_switzerland_puts_its_own_channel_in_the_code():
    for channel in (0, 1, 3, 5):
        reading = one(telegram(
            STAMP, "1-%d:1.8.0(000360.152*kWh)" % channel, "1-%d:16.7.0(-00.250*kW)" % channel,
            "1-%d:1.6.0(230601120000S)(01.500*kW)" % channel, "1-%d:21.7.0(00.024*kW)" % channel, crc=crc16_arc))[0]
        assert only(reading) == {
            "time": NOON, "import_wh": 360152, "power_import_w": 0, "power_export_w": 250, "peak_month_w": 1500,
            "peak_month_time": NOON - 14 * 86400, "power_import_l1_w": 24}


# -- Poland: ciphertext behind the identification ---------------------------------------------------------------------

HEADER = b"/KFM5KAIFA-METER\r\n\r\n"
SEALED = b"\x30\x00\x00\x00\x07" + bytes(range(200)) + b"!\r\n/ABC" * 30 + b"t" * 12


def encrypted(head=b"\x00", sealed=SEALED, tail=b"!D770\r\n", header=HEADER):
    return header + head + b"\x82" + bytes([len(sealed) >> 8, len(sealed) & 255]) + sealed + tail


def opened(data):
    """What `open` makes of the first frame in `data`."""
    found = []

    def frame(protocol, buf, start, end):
        buf, at, stop = protocol.open(buf, start, end)
        found.append(bytes(buf[at:stop]))

    framer = Framer([P1()], frame, lambda error, *rest: found.append(error.kind))
    for at in range(0, len(data), 50):
        framer.feed(data[at:at + 50], len(data[at:at + 50]))
    framer.flush()
    return found


def test_an_encrypted_body_is_measured_by_its_length_and_handed_on_as_an_envelope():
    title = b"KFM\x01\x02\x03\x04\x05"
    size = b"\x82" + bytes([len(SEALED) >> 8, len(SEALED) & 255])
    for head, wanted in ((b"\x00", b"\x00" * 8), (b"\xdb\x00", b"\x00" * 8), (b"\x08" + title, title),
                         (b"\xdb\x08" + title, title)):
        found = opened(encrypted(head) + telegram(STAMP, crc=crc16_arc))
        assert len(found) == 2 and found[0][:len(SEALED) + 13] == b"\xdb\x08" + wanted + size + SEALED, head
        assert found[1][:5] == b"/TST5"


def test_encrypted_bodies_that_cannot_be_are_named_and_the_next_telegram_is_read():
    good = telegram(STAMP, "1-0:1.8.0(1*kWh)", crc=crc16_arc)
    long = b"\x30" + bytes(1100)
    for data, kinds in ((encrypted()[:100], ["truncated"]), (encrypted(sealed=long), ["malformed"]),
                        (encrypted(sealed=b"\x30"), ["malformed"]), (encrypted(header=b"/ABC\r\n"), ["unsupported"]),
                        (encrypted(b"\xdb\x07"), ["malformed"]), (HEADER + b"\x00\x84\x00\x00\x01", ["malformed"]),
                        (encrypted().replace(SEALED[20:60], b""), ["truncated"])):
        line = Line().feed(data).flush().feed(good).flush()
        assert [kind for kind in line.errors if kind in kinds] and len(line.readings) == 1, (line.errors, kinds)


def test_text_that_was_encrypted_behind_its_identification_comes_without_one():
    data = b"0-0:1.0.0(251125105643W)\r\n1-0:1.8.0(000336.420*kWh)\r\n0-0:17.0.0(00000)\r\n0-0:96.13.0()\r\n"
    assert P1Decoder(ZONE).decode(bytearray(data), 0, len(data), False) == {"time": 1764064603, "import_wh": 336420}
    assert codes.of_text(data, 0, len(data)) == {
        "0-0:1.0.0": "251125105643W", "1-0:1.8.0": [336420, -3, "kWh"], "0-0:17.0.0": [0, 0, ""], "0-0:96.13.0": ""}


# -- messages and child meters ----------------------------------------------------------------------------------------

def test_a_message_of_2048_digits_comes_out_whole_from_a_telegram_of_4_kilobytes():
    words = "Voltage off on Sunday. " * 45
    message = words[:1024]
    fill = ["1-0:99.99.%d(%s)" % (i, "0" * 150) for i in range(10)]
    for code in ("0-0:96.13.0", "0-0:96.13.1"):
        line = Line()
        data = telegram(STAMP, *fill, "%s(%s)" % (code, "".join(["%02X" % ord(char) for char in message])),
                        crc=crc16_arc)
        assert 3700 < len(data) < 4096
        for step in (0, 512, 512):
            line.feed(data, step)
        assert not line.errors and [reading["message"] for reading in line.readings] == [message] * 3


def test_a_messages_code_stands_in_for_its_text_where_there_is_none():
    for lines, message in ((("0-0:96.13.1(3132)", "0-0:96.13.0(48616C6C6F)"), "Hallo"),
                           (("0-0:96.13.0(48616C6C6F)", "0-0:96.13.1(3132)"), "Hallo"),
                           (("0-0:96.13.1(3132)", "0-0:96.13.0()"), "12"), (("0-0:96.13.1()", "0-0:96.13.0()"), None)):
        assert one(telegram(STAMP, *lines, crc=crc16_arc))[0].get("message") == message


def child(channel, kind, stamp="230615115500S", number="4730"):
    return ["0-%d:24.1.0(%s)" % (channel, kind), "0-%d:96.1.1(%s)" % (channel, number),
            "0-%d:24.2.%d(%s)(00012.345*m3)" % (channel, 3 if kind == "003" else 1, stamp)]


def test_a_child_that_was_read_more_than_a_day_after_now_is_no_child():
    for stamp, there in (("230615115500S", True), ("230616120000S", True), ("230616120001S", False),
                         ("991231235959W", False), ("690101000000W", False), ("230101000000W", True)):
        reading = one(telegram(STAMP, *child(2, "003", stamp), crc=crc16_arc))[0]
        assert ("devices" in reading) == there, stamp
    # no clock, nothing to compare with
    assert "devices" in one(telegram("1-0:1.8.0(1*kWh)", *child(2, "003", "690101000000W"), crc=crc16_arc))[0]


def test_children_that_swap_their_channels_take_type_and_number_along():
    line = Line()
    for gas, water in ((1, 2), (2, 1), (1, 2), (3, 1), (1, 3)):
        line.feed(telegram(STAMP, *sorted(child(gas, "003") + child(water, "007", number="3857")), crc=crc16_arc))
        devices = line.readings[-1]["devices"]
        assert {channel: (device["type"], device["id"], device["channel"]) for channel, device in devices.items()} == {
            str(gas): ("gas", "G0", gas), str(water): ("water", "8W", water)}
    # and a channel that falls silent keeps nothing of what hung on it
    line.feed(telegram(STAMP, *child(2, "003"), crc=crc16_arc))
    assert list(line.readings[-1]["devices"]) == ["2"] and not line.errors
