# SPDX-License-Identifier: MIT
"""SML: files found on the line in every shape and every kind of brokenness; lists of values become Readings."""

import test_frame
from refusal import kind_of

from wattport.crypto.crc import crc16_kermit, crc16_x25
from wattport.decode import codes
from wattport.decode.sml import SmlDecoder, Walker, identity, plain, scaled
from wattport.errors import MeterError
from wattport.frame.framer import Framer
from wattport.frame.sml import Sml

ESCAPE = b"\x1b\x1b\x1b\x1b"
BEGIN = ESCAPE + b"\x01\x01\x01\x01"
NONE = b"\x01"
CHECK = b"123456789"
W, WH, V, A, HZ, VAR, VARH, DEGREES = 27, 30, 35, 33, 44, 29, 32, 8


# -- writing SML ----------------------------------------------------------------------------------------------------

def head(kind, size, extra=0):
    """TL bytes of a field of `size` bytes (fields, of a list); `extra` more of them than needed."""
    count = 1
    while True:
        total = size if kind == 0x70 else size + count
        if total >> 4 * count == 0:
            break
        count += 1
    count += extra
    total = size if kind == 0x70 else size + count
    made = [(kind if not i else 0) | (0x80 if i < count - 1 else 0) | total >> 4 * (count - 1 - i) & 15
            for i in range(count)]
    return bytes(made)


def text(data, extra=0):
    return head(0, len(data), extra) + data


def number(value, size, signed=False, extra=0):
    value %= 1 << 8 * size
    return head(0x50 if signed else 0x60, size, extra) + bytes([value >> 8 * i & 0xFF for i in range(size - 1, -1, -1)])


def several(*fields):
    return head(0x70, len(fields)) + b"".join(fields)


def message(kind, body):
    """Six fields: the list's head is followed by four of them, the checksum and the end of the message."""
    data = b"\x76" + text(b"\x01\x02\x03\x04") + number(0, 1) + number(0, 1) + several(number(kind, 2), body)
    crc = crc16_x25(data, 0, len(data))
    return data + b"\x63" + bytes([crc & 0xFF, crc >> 8]) + b"\x00"


OPEN = message(0x0101, several(NONE, NONE, text(b"\x00\x01"), text(b"\x0a\x01EMH\x00\x00\xbc\x61\x4e"), NONE, NONE))
CLOSE = message(0x0201, several(NONE))
SERVER = b"\x0a\x01EMH\x00\x00\xbc\x61\x4e"


def code(obis, f=255):
    groups = obis.replace("-", ".").replace(":", ".").split(".")
    return text(bytes([int(group) for group in groups] + [f]))


def entry(obis, value, unit=None, scaler=None, status=NONE, time=NONE, f=255):
    return several(code(obis, f), status, time, NONE if unit is None else number(unit, 1),
                   NONE if scaler is None else number(scaler, 1, True), value, NONE)


UPTIME = several(number(1, 1), number(12345, 4))


def values(*entries, server=SERVER, time=UPTIME):
    return message(0x0701, several(NONE, text(server), text(b"\x01\x00\x62\x0a\xff\xff"), time, several(*entries),
                                   NONE, NONE))


def messages(*entries):
    return OPEN + values(*entries) + CLOSE


REGISTERS = (entry("1-0:1.8.0", number(123456789, 8), WH, -1), entry("1-0:2.8.0", number(42, 5), WH, -1),
             entry("1-0:16.7.0", number(-12345, 4, True), W, -2))
READING = {"meter_id": "1EMH0012345678", "import_wh": 12345678, "export_wh": 4, "power_import_w": 0,
           "power_export_w": 123}


def escaped(data):
    made, at = b"", 0
    while True:
        found = data.find(ESCAPE, at)
        if found < 0:
            return made + data[at:]
        made += data[at:found] + ESCAPE + ESCAPE
        at = found + 4


def kermit(data):
    crc = crc16_kermit(data, 0, len(data))
    return bytes([crc >> 8, crc & 0xFF])


def x25(data):
    crc = crc16_x25(data, 0, len(data))
    return bytes([crc & 0xFF, crc >> 8])


def file(data, crc=x25, fill=None):
    fill = -len(data) % 4 if fill is None else fill
    frame = BEGIN + escaped(data) + bytes(fill) + ESCAPE + b"\x1a" + bytes([fill])
    return frame + crc(frame)


GOOD = file(messages(*REGISTERS))


class Heard(test_frame.Heard):
    """A framer with this protocol alone, and what came out of it: the messages, copied."""

    def __init__(self, size=4096):
        self.frames = []
        self.errors = []
        self.framer = Framer([Sml()], self._frame, self._error, size)

    def _frame(self, protocol, buf, start, end):
        buf, start, end = protocol.open(buf, start, end)
        self.frames.append(bytes(buf[start:end]))

    def _error(self, error, buf, start, end):
        assert 0 <= start < end <= len(buf)
        self.errors.append(error.kind)


def decode(data, zone=None):
    return SmlDecoder(zone).decode(data, 0, len(data))


def value_of(obis, field, unit, scaler, name):
    return decode(messages(entry(obis, field, unit, scaler))).get(name)


# -- the transport --------------------------------------------------------------------------------------------------

def test_the_checksums_have_their_check_values():
    assert crc16_x25(CHECK, 0, 9) == 0x906E
    assert crc16_kermit(CHECK, 0, 9) == 0x2189
    assert crc16_kermit(b"x" + CHECK + b"y", 1, 10) == 0x2189


def test_a_file_is_found_in_any_chunking():
    for step in (1, 2, 3, 5, 7, 8, 64, 0):
        heard = Heard().feed(GOOD * 3, step).flush()
        assert heard.frames == [messages(*REGISTERS)] * 3, step
        assert not heard.errors and not heard.framer.garbage


def test_a_file_is_handed_on_with_its_last_byte():
    heard = Heard()
    for at in range(len(GOOD)):
        assert not heard.frames
        heard.feed(GOOD[at:at + 1])
    assert len(heard.frames) == 1


def test_every_number_of_fill_bytes_is_taken_off():
    for size in range(1, 9):
        data = bytes(range(0x70, 0x70 + size))
        assert Heard().feed(file(data)).frames == [data]
    for fill in range(4):
        assert Heard().feed(file(b"\x76abc", x25, fill)).frames == [b"\x76abc"]


def test_fill_bytes_that_cannot_be_are_malformed():
    for fill in (4, 5, 255):
        frame = BEGIN + b"\x76abc" + ESCAPE + b"\x1a" + bytes([fill])
        assert Heard().feed(frame + x25(frame)).errors == ["malformed"], fill
    frame = BEGIN + ESCAPE + b"\x1a\x01"
    assert Heard().feed(frame + x25(frame)).errors == ["malformed"]


def test_four_escape_bytes_are_data_at_every_place_and_in_every_number():
    for before in range(9):
        for count in range(1, 18):
            for after in (0, 1, 2, 3, 4, 5):
                data = bytes([0x76] * (before + 1)) + b"\x1b" * count + bytes([2] * after) + b"\x00"
                heard = Heard().feed(file(data) + file(b"\x76x"), (0, 1, 5)[count % 3])
                assert heard.frames == [data, b"\x76x"], (before, count, after, heard.errors)


def test_several_stretches_of_escape_bytes_are_data():
    data = b"\x76" + ESCAPE + b"\x1a\x00\x01\x02" + ESCAPE * 2 + b"\x01\x01\x01\x01\x1b\x1ba" + ESCAPE + b"\0"
    for step in (0, 1, 3):
        assert Heard().feed(file(data), step).frames == [data]
    data = (b"\x01" + ESCAPE) * 300 + b"\0"
    assert Heard().feed(file(data)).frames == [data]


def test_an_escaped_end_or_beginning_inside_is_data():
    for inner in (ESCAPE + b"\x1a\x00\x00\x00", BEGIN, file(b"\x76abc"), b"\x1b" + BEGIN):
        data = b"\x76" + inner + b"\x00"
        heard = Heard().feed(file(data)).flush()
        assert heard.frames == [data] and not heard.errors


def test_kermits_checksum_is_taken_with_its_high_byte_first_only():
    assert Heard().feed(file(b"\x76abc\0", kermit)).frames == [b"\x76abc\0"]
    wrong = file(b"\x76abc\0", kermit)
    heard = Heard().feed(wrong[:-2] + wrong[-1:] + wrong[-2:-1]).flush()
    assert heard.errors == ["checksum"] and not heard.frames


def test_the_checksum_covers_every_byte():
    for at in range(len(GOOD)):
        for mask in (0x01, 0x80):
            wrong = bytearray(GOOD)
            wrong[at] ^= mask
            heard = Heard().feed(bytes(wrong) + GOOD).flush()
            assert heard.frames == [messages(*REGISTERS)], at
            assert len(heard.errors) == (0 if at < 8 else 1), (at, heard.errors)


def test_a_wrong_checksum_is_one_error_and_the_next_file_is_read_at_once():
    wrong = GOOD[:40] + b"\x55" + GOOD[41:]
    for step in (1, 9, 0):
        heard = Heard().feed(GOOD + wrong + GOOD, step)
        assert heard.errors == ["checksum"] and len(heard.frames) == 2
        heard.flush()
        assert heard.framer.garbage == 0 and heard.framer.pending == 0


def test_half_a_file_then_a_good_one_is_truncated_once_and_the_good_one_is_read():
    for cut in range(1, len(GOOD)):
        for step in (1, 0):
            heard = Heard().feed(GOOD[:cut] + GOOD, step).flush()
            assert heard.frames == [messages(*REGISTERS)], (cut, heard.errors)
            assert heard.errors in ((["truncated"], ["checksum"]) if cut >= 8 else ([],)), (cut, heard.errors)


def test_a_file_cut_inside_of_an_escape_does_not_hide_the_next():
    data = b"\x76" + ESCAPE * 3 + b"\x00"
    frame = file(data)
    for cut in range(8, len(frame)):
        heard = Heard().feed(frame[:cut] + frame).flush()
        assert heard.frames == [data], cut
        assert len(heard.errors) == 1, (cut, heard.errors)


def test_half_a_file_then_silence_is_truncated_once():
    for cut in (9, len(GOOD) // 2, len(GOOD) - 1):
        heard = Heard().feed(GOOD[:cut]).flush().flush()
        assert heard.errors == ["truncated"] and not heard.framer.pending
        assert len(heard.feed(GOOD).frames) == 1 and len(heard.errors) == 1


def test_hearing_starts_in_mid_file():
    for cut in range(1, len(GOOD)):
        heard = Heard().feed(GOOD[cut:] + GOOD).flush()
        assert heard.frames == [messages(*REGISTERS)] and not heard.errors, cut


def test_escape_bytes_in_noise_do_not_hide_a_file():
    for noise in (b"\x1b", ESCAPE, ESCAPE + b"\x01", ESCAPE + b"\x1b", BEGIN[:-1], ESCAPE + b"\x1a\0\0\0", b"\x1b" * 9,
                  ESCAPE + b"\x02\x02\x02\x02"):
        for step in (1, 0):
            heard = Heard().feed(noise + GOOD + GOOD, step).flush()
            assert len(heard.frames) == 2 and not heard.errors, noise


def test_a_file_without_end_is_malformed_once_and_forgotten():
    for size in (1024, 4096, 8192):
        for step in (1, 512, 0):
            heard = Heard(size).feed(GOOD[:20] + b"." * 10240 + GOOD, step).flush()
            assert len(heard.frames) == 1 and heard.errors == ["malformed"], (size, step, heard.errors)


def test_a_file_of_four_kilobytes_is_read_and_a_longer_one_is_not():
    assert len(Heard(8192).feed(file(b"\x76" + bytes(4079))).frames) == 1
    heard = Heard(8192).feed(file(b"\x76" + bytes(4083)) + GOOD)
    assert heard.errors == ["malformed"] and len(heard.frames) == 1


# -- fields ---------------------------------------------------------------------------------------------------------

def test_numbers_of_every_length_are_exact():
    for size in range(1, 9):
        top = (1 << 8 * size) - 1
        for value in (0, 1, top >> 1, (top >> 1) + 1, top - 1, top):
            assert value_of("1-0:1.8.0", number(value, size), WH, 0, "import_wh") == value
            signed = value - (top + 1) if value > top >> 1 else value
            assert value_of("1-0:1.8.0", number(value, size, True), WH, 0, "import_wh") == signed
    assert value_of("1-0:1.8.0", number((1 << 64) - 1, 8), WH, -1, "import_wh") == 1844674407370955161
    assert value_of("1-0:1.8.0", number((1 << 56) - 1, 7), WH, 3, "import_wh") == 72057594037927935000


def test_lengths_may_take_more_bytes_than_they_need():
    for extra in range(3):
        wanted = 1234567
        assert value_of("1-0:1.8.0", number(wanted, 4, False, extra), WH, 0, "import_wh") == wanted, extra
    long = text(b"k" * 48)
    assert long[:2] == b"\x83\x02"
    assert decode(messages(entry("129-129:199.130.5", long), *REGISTERS)) == READING
    assert text(b"k" * 300)[:3] == b"\x81\x82\x0f"
    assert decode(messages(entry("129-129:199.130.5", text(b"k" * 300)), *REGISTERS)) == READING
    assert decode(messages(*([entry("1-0:81.7.1", number(1, 1), DEGREES, 0)] * 20), *REGISTERS)) == READING


def test_a_length_of_four_bytes_is_malformed():
    assert number(1, 4, False, 3)[:3] == b"\xe0\x80\x80"
    assert kind_of(decode, messages(entry("1-0:1.8.0", number(1, 4, False, 3), WH, 0))) == "malformed"


def test_numbers_of_no_byte_or_nine_are_malformed():
    for field in (b"\x61", b"\x51", b"\x6a" + bytes(9), b"\x5a" + bytes(9)):
        assert kind_of(decode, messages(entry("1-0:1.8.0", field, WH, 0))) == "malformed", field


def test_a_field_shorter_than_its_own_head_is_malformed():
    for field in (b"\x00", b"\x60", b"\x80\x01", b"\x80\x80\x02"):
        assert kind_of(decode, messages(entry("1-0:1.8.0", field, WH, 0))) == "malformed", field


def test_lists_nested_deep_are_passed_over_without_recursion():
    deep = b"\x71" * 2000 + b"\x01"
    data = messages(entry("1-0:96.5.5", deep), *REGISTERS)
    assert decode(data) == READING
    assert kind_of(decode, b"\x76" + b"\x71" * 4000) == "truncated"
    assert kind_of(decode, b"\x76" + b"\xf1\x8f\x0f" * 1000) == "truncated"


def test_an_unknown_message_is_passed_over():
    strange = message(0xFF01, several(text(b"server"), several(NONE, several(number(1, 2), NONE))))
    assert decode(strange + messages(*REGISTERS)) == READING
    assert kind_of(decode, strange) == "unsupported"
    assert kind_of(decode, OPEN + CLOSE) == "unsupported"


def test_two_lists_in_a_file_are_one_reading():
    assert decode(OPEN + values(*REGISTERS[:1]) + values(*REGISTERS[1:]) + CLOSE) == READING


def test_fill_bytes_that_were_left_on_do_no_harm():
    assert decode(messages(*REGISTERS) + bytes(3)) == READING


def test_the_end_anywhere_inside_of_a_message_is_an_error():
    data = OPEN + values(*REGISTERS)
    for end in range(len(OPEN) + 1, len(data)):
        assert kind_of(decode, data[:end]) == "truncated", end
    for end in range(1, len(OPEN)):
        assert kind_of(decode, data[:end]) == "truncated", end


def test_bytes_behind_the_end_are_not_read():
    data = messages(*REGISTERS)
    for end in range(len(OPEN) + 1, len(data) - len(CLOSE)):
        try:
            SmlDecoder(None).decode(data, 0, end)
            raise AssertionError("%d bytes gave a reading" % end)
        except MeterError as error:
            assert error.kind == "truncated"
    assert SmlDecoder(None).decode(b"\xff" * 7 + data + b"\x76\x05", 7, 7 + len(data)) == READING


def test_lists_of_other_lengths_than_they_should_have_are_malformed():
    good = messages(*REGISTERS)
    assert kind_of(decode, b"\x75" + good[1:]) == "malformed"
    assert kind_of(decode, b"\x77" + good[1:]) == "malformed"
    assert kind_of(decode, OPEN[:-1] + b"\x01" + good[len(OPEN):]) == "malformed"
    assert kind_of(decode, messages(several(code("1-0:1.8.0"), NONE, NONE, NONE, NONE, number(1, 1)))) == "malformed"
    assert kind_of(decode, messages(several(text(b"12345"), NONE, NONE, NONE, NONE, number(1, 1), NONE))) == "malformed"
    assert kind_of(decode, messages(several(number(1, 6), NONE, NONE, NONE, NONE, number(1, 1), NONE))) == "malformed"
    assert kind_of(decode, message(0x0701, NONE)) == "malformed"
    assert kind_of(decode, message(0x0701, several(NONE, text(b"s"), NONE, NONE, NONE, NONE, NONE))) == "malformed"


def test_left_out_fields_are_left_out():
    assert kind_of(decode, values(entry("1-0:1.8.0", NONE, WH, 0), server=b"")) == "unsupported"
    assert decode(values(entry("1-0:1.8.0", NONE, WH, 0))) == {"meter_id": "1EMH0012345678"}
    assert kind_of(decode, message(0x0701, several(NONE, NONE, NONE, NONE, several(), NONE, NONE))) == "unsupported"


# -- values ---------------------------------------------------------------------------------------------------------

def test_a_list_of_values_becomes_a_reading():
    assert decode(messages(*REGISTERS)) == READING


def test_values_come_in_base_units_and_fractions_are_cut_off():
    for obis, unit, scaler, sent, name, wanted in (
            ("1-0:1.8.0", WH, -1, 99, "import_wh", 9), ("1-0:1.8.0", WH, 3, 4469, "import_wh", 4469000),
            ("1-0:1.8.2", WH, -4, 123456789, "import_t2_wh", 12345), ("1-0:2.8.0", WH, 0, 7, "export_wh", 7),
            ("1-0:3.8.0", VARH, 0, 8, "reactive_import_varh", 8), ("1-0:32.7.0", V, -1, 2309, "voltage_l1_mv", 230900),
            ("1-0:71.7.0", A, -2, 73, "current_l3_ma", 730), ("1-0:51.7.0", A, -4, 7, "current_l2_ma", 0),
            ("1-0:14.7.0", HZ, -1, 500, "frequency_mhz", 50000), ("1-0:3.7.0", VAR, 0, 12, "reactive_import_var", 12),
            ("1-0:13.7.0", None, -3, 987, "power_factor_milli", 987)):
        assert value_of(obis, number(sent, 4), unit, scaler, name) == wanted, (obis, scaler)


def test_signed_powers_are_split_and_cut_off_towards_zero():
    for sent, imported, exported in ((21599, 215, 0), (-10550, 0, 105), (-99, 0, 0), (99, 0, 0), (0, 0, 0)):
        reading = decode(messages(*[entry("1-0:%d.7.0" % c, number(sent, 4, True), W, -2) for c in (16, 36, 56, 76)]))
        for line in ("", "l1_", "l2_", "l3_"):
            assert reading["power_import_%sw" % line] == imported and reading["power_export_%sw" % line] == exported


def test_scaling_is_exact():
    assert [scaled(value, -2) for value in (199, -199, 100, -100, 0)] == [1, -1, 1, -1, 0]
    assert scaled(7205759403792793, 3) == 7205759403792793000
    assert scaled(72057594037927935, -1) == 7205759403792793


def test_a_value_of_the_wrong_unit_or_of_no_sane_scale_is_not_taken():
    for obis, unit, scaler in (("1-0:1.8.0", W, 0), ("1-0:1.8.0", None, 0), ("1-0:16.7.0", WH, 0),
                               ("1-0:32.7.0", A, 0), ("1-0:1.8.0", 200, 0), ("1-0:13.7.0", W, 0),
                               ("1-0:1.8.0", WH, 100), ("1-0:1.8.0", WH, -100)):
        assert decode(messages(entry(obis, number(5, 1), unit, scaler))) == {"meter_id": "1EMH0012345678"}, obis


def test_only_electricity_and_only_current_values_have_names():
    for data in (entry("7-0:1.8.0", number(5, 1), WH, 0), entry("129-129:1.8.0", number(5, 1), WH, 0),
                 entry("1-0:1.8.0", number(5, 1), WH, 0, f=96), entry("1-0:16.7.0", number(5, 1), W, 0, f=97),
                 entry("1-0:1.8.0", text(b"5"), WH, 0), entry("1-0:1.8.0", b"\x42\x01", 200, 0)):
        assert decode(messages(data)) == {"meter_id": "1EMH0012345678"}


def test_tariffs_are_summed_where_there_is_no_total():
    reading = decode(messages(entry("1-0:1.8.1", number(10, 1), WH, 0), entry("1-0:1.8.2", number(5, 1), WH, 0)))
    assert reading["import_wh"] == 15


# -- who and when ---------------------------------------------------------------------------------------------------

def test_an_identification_is_what_the_plate_shows():
    for sent, wanted in ((SERVER, "1EMH0012345678"), (b"\x09\x01ISK\x00\x04\x03\xdf\x63", "1ISK0067362659"),
                         (b"\x0a\x01EFR\x21\x01\xe8\xb2\xf0", "1EFR2132027376"),
                         (b"\x06EMH\x01\x00\x1d\x46\x15\xca", "06454D4801001D4615CA"),
                         (b"\x0a\x01EMH\x00\xff\xff\xff\xff", "0A01454D4800FFFFFFFF"),
                         (b"\x0a\x01E\x01H\x00\x00\xbc\x61\x4e", "0A014501480000BC614E"),
                         (b"\x01\xa8\x15\x98\x64\x80\x02\x01\x02", "01A815986480020102"), (b"0000116917", "0000116917"),
                         (b"", "")):
        assert identity(b"x" + sent + b"y", 1, 1 + len(sent)) == wanted, sent


def test_a_text_that_cannot_be_printed_is_shown_in_hex():
    for sent, wanted in ((b"P1.03.06", "P1.03.06"), (b"\x04\x23", "0423"), (b"a\x7f", "617F"), (b"\xc3\xa4", "C3A4")):
        assert plain(sent, 0, len(sent)) == wanted


def test_the_meter_is_named_by_its_codes_before_its_server():
    other = b"\x0a\x01DZG\x00\x00\x00\x00\x07"
    for obis, sent, wanted in (("1-0:96.1.0", other, "1DZG0000000007"), ("1-0:0.0.9", other, "1DZG0000000007"),
                               ("0-0:96.1.255", b"0000116917", "0000116917"), ("1-0:0.0.0", b"1", "1EMH0012345678")):
        assert decode(messages(entry(obis, text(sent))))["meter_id"] == wanted
    assert decode(messages(entry("129-129:199.130.3", text(b"HAGER"))))["meter_model"] == "HAGER"
    assert decode(messages(entry("1-0:96.50.1", text(b"DZG"), f=1)))["meter_model"] == "DZG"
    assert "meter_model" not in decode(messages(entry("1-0:96.50.1", text(b"DZG"), f=2)))


def test_seconds_since_some_start_are_no_time():
    register = REGISTERS[0]
    for time in (NONE, several(number(1, 1), number(1700000000, 4)), number(1700000000, 4), several(number(1, 1)),
                 several(number(2, 1), number(12345, 4)), several(number(2, 1), text(b"abc")),
                 several(number(2, 1), NONE), several(NONE, NONE), several(number(3, 1), NONE),
                 several(number(3, 1), several()), several(number(9, 1), several(NONE, NONE)), text(b"12:00")):
        reading = decode(OPEN + values(register, time=time))
        assert "time" not in reading and reading["import_wh"] == 12345678, time
        reading = decode(messages(entry("1-0:1.8.0", number(123456789, 4), WH, -1, NONE, time)))
        assert "time" not in reading and reading["import_wh"] == 12345678, time


def test_a_timestamp_is_a_time():
    for time in (several(number(2, 1), number(1700000000, 4)),
                 several(number(3, 1), several(number(1700000000, 4), number(60, 2, True), number(60, 2, True)))):
        assert decode(OPEN + values(*REGISTERS, time=time))["time"] == 1700000000
        assert decode(messages(entry("1-0:1.8.0", number(1, 4), WH, -1, NONE, time)))["time"] == 1700000000


# -- what is irregular ----------------------------------------------------------------------------------------------

def dzg(serial, field, scaler=-2):
    server = b"\x0a\x01DZG\x00" + bytes([serial >> 24 & 0xFF, serial >> 16 & 0xFF, serial >> 8 & 0xFF, serial & 0xFF])
    reading = decode(values(entry("1-0:16.7.0", field, W, scaler), server=server))
    return reading["power_import_w"] - reading["power_export_w"]


def test_certain_dzg_meters_set_the_sign_of_positive_powers():
    for serial in (42000000, 42082910, 48999999, 55000000, 58999999):
        assert dzg(serial, number(0x8B28, 2, True)) == 356
        assert dzg(serial, number(0xFF, 1, True)) == 2
        assert dzg(serial, number(0x800000, 3, True)) == 83886
        assert dzg(serial, number(-126061, 4, True)) == -1260
        assert dzg(serial, number(0x0B28, 2, True)) == 28
        assert dzg(serial, number(-500, 2, True), 0) == -500
    for serial in (40051478, 41999999, 49000000, 54999999, 59000000, 60694612):
        assert dzg(serial, number(0x8B28, 2, True)) == -299


def emh(status, *more, maker=b"EMH"):
    return decode(messages(
        entry("129-129:199.130.3", text(maker)), entry("1-0:1.8.0", number(1724336, 4), WH, -1, status),
        entry("1-0:15.7.0", number(1266, 2), W, -1), *more))


def test_the_direction_of_an_emh_meters_power_is_in_its_status():
    for status, imported, exported in ((0x0182, 126, 0), (0x01A2, 0, 126), (0x01B0, 0, 126), (0x0180, 126, 0)):
        reading = emh(number(status, 2))
        assert (reading["power_import_w"], reading["power_export_w"]) == (imported, exported), status


def test_a_power_without_direction_is_not_taken():
    for reading in (emh(NONE), emh(number(0x182, 3)), emh(number(0x182, 2), maker=b"DNT"), emh(text(b"ab"))):
        assert "power_import_w" not in reading and "power_export_w" not in reading and "absolute_w" not in reading


def test_a_power_with_sign_is_preferred_to_one_without():
    reading = emh(number(0x0182, 2), entry("1-0:16.7.0", number(-77, 2, True), W, 0))
    assert reading["power_import_w"] == 0 and reading["power_export_w"] == 77


def test_old_meters_powers_have_a_sign():
    for obis in ("1-0:1.7.0", "1-0:1.7.1"):
        for sent, imported, exported in ((-7697170, 0, 769), (7697170, 769, 0)):
            reading = decode(messages(entry(obis, number(sent, 4, True), W, -4)))
            assert reading["power_import_w"] == imported and reading.get("power_export_w", 0) == exported


def test_powers_of_a_phase_may_have_a_sign_too():
    reading = decode(messages(*[entry("1-0:%d.7.0" % code, number(sent, 4, True), W, -2)
                                for code, sent in ((1, -84198), (21, -12345), (41, 0), (61, 6789))]))
    assert reading == {
        "meter_id": "1EMH0012345678", "power_import_w": 0, "power_export_w": 841, "power_import_l1_w": 0,
        "power_export_l1_w": 123, "power_import_l2_w": 0, "power_import_l3_w": 67}


def test_a_register_of_another_channel_is_taken_where_there_is_none_of_the_meter_itself():
    own, other = entry("1-0:1.8.0", number(7, 4), WH, 0), entry("1-1:1.8.0", number(5, 4), WH, 0)
    assert decode(messages(other))["import_wh"] == 5
    for order in ((own, other), (other, own)):
        assert decode(messages(*order))["import_wh"] == 7


# -- codes on request -----------------------------------------------------------------------------------------------

def test_every_code_is_listed_on_request():
    data = messages(*REGISTERS, entry("1-0:96.50.1", text(b"EMH"), f=1),
                    entry("1-0:81.7.1", number(120, 1), DEGREES, 0), entry("1-0:96.90.2", text(b"\xa9\x0a"), f=1),
                    entry("1-0:0.2.0", text(b"01.07"), f=0),
                    entry("1-0:96.5.0", NONE), entry("1-0:1.8.0", number(9, 1), WH, 0, f=96))
    data = b"\0\0\0" + data
    assert codes.of(0x76, data, 3, len(data)) == {
        "1-0:1.8.0": [123456789, -1, "Wh"], "1-0:2.8.0": [42, -1, "Wh"], "1-0:16.7.0": [-12345, -2, "W"],
        "1-0:96.50.1*1": "EMH", "1-0:81.7.1": [120, 0, ""], "1-0:96.90.2*1": "A90A", "1-0:0.2.0*0": "01.07",
        "1-0:1.8.0*96": [9, 0, "Wh"]}


def test_a_walker_tells_every_entry():
    data = messages(entry("1-0:1.8.0", number(7, 2), WH, -1, number(0x182, 2)), entry("1-0:96.1.0", text(b"ab")),
                    entry("1-0:96.3.10", b"\x42\x01"))
    walker = Walker(data, 0, len(data))
    assert walker.next()
    assert (walker.status, walker.status_size, walker.unit, walker.scaler, walker.value) == (0x182, 2, WH, -1, 7)
    assert data[walker.at:walker.at + 6] == b"\x01\x00\x01\x08\x00\xff"
    assert walker.next() and walker.value is None and data[walker.text:walker.text_end] == b"ab"
    assert walker.next() and walker.value == 1
    assert not walker.next() and not walker.next() and walker.lists == 1
