# SPDX-License-Identifier: MIT
"""France's TIC: frames found on the line, whole or broken, with parity and without; groups become Readings."""

import test_frame

from wattport import posixzone
from wattport.decode.tic import TicDecoder
from wattport.errors import MeterError
from wattport.frame.framer import Framer
from wattport.frame.tic import Tic
from wattport.meter import Meter

ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)


def historique(*groups, tab=" "):
    """A frame of (label, data)."""
    made = ""
    for label, data in groups:
        text = label + tab + data
        made += "\n%s%s%c\r" % (text, tab, (sum(text.encode()) & 63) + 32)
    return b"\x02" + made.encode() + b"\x03"


def standard(*groups):
    """A frame of (label, data) or (label, stamp, data)."""
    made = ""
    for group in groups:
        text = "\t".join(group) + "\t"
        made += "\n%s%c\r" % (text, (sum(text.encode()) & 63) + 32)
    return b"\x02" + made.encode() + b"\x03"


BASE = historique(("ADCO", "012345678901"), ("OPTARIF", "BASE"), ("ISOUSC", "30"), ("BASE", "013444363"),
                  ("PTEC", "TH.."), ("IINST", "024"), ("IMAX", "090"), ("PAPP", "05400"), ("HHPHC", "A"),
                  ("MOTDETAT", "000000"))
NIGHT = historique(("HCHC", "000000100"), ("HCHP", "000000200"), ("PTEC", "HC.."))
LINKY = standard(("ADSC", "012345678910"), ("VTIC", "02"), ("DATE", "H240210121413", ""), ("EAST", "003519703"),
                 ("NTARF", "01"), ("MSG1", "PAS DE          MESSAGE         "))


class Heard(test_frame.Heard):
    """Frames as (size, data of the payload), errors as (kind, bytes)."""

    def __init__(self, *protocols, size=4096):
        self.frames = []
        self.errors = []
        self.details = []
        self.framer = Framer(list(protocols) or [Tic(), Tic(True)], self.frame, self.error, size)

    def frame(self, protocol, buf, start, end):
        at, stop = protocol.open(buf, start, end)[1:]
        self.frames.append(bytes(buf[at:stop]))

    def error(self, error, buf, start, end):
        self.errors.append((error.kind, end - start))
        self.details.append(error.detail)


def with_parity(data):
    made = bytearray(data)
    for i in range(len(made)):
        ones = sum([made[i] >> bit & 1 for bit in range(7)])
        made[i] |= (ones & 1) << 7
    return bytes(made)


def read(frame):
    return TicDecoder(ZONE).decode(bytearray(frame), 1, len(frame) - 1)


def refused(frame):
    try:
        read(frame)
    except MeterError as error:
        return error.kind
    return None


# -- frames ---------------------------------------------------------------------------------------------------------

def test_a_frame_comes_out_whole_however_it_arrives():
    for frame in (BASE, LINKY):
        for step in (0, 1, 7, 100):
            heard = Heard().feed(frame + frame, step)
            assert heard.frames == [frame[1:-1]] * 2 and not heard.errors
            assert heard.framer.garbage == 0 and heard.framer.pending == 0


def test_a_group_is_the_one_of_a_real_meter():
    heard = Heard().feed(b"\x02\nPTEC HP..  \r\nIINST 001 X\r\nMOTDETAT 000000 B\r\x03")
    assert len(heard.frames) == 1
    heard = Heard().feed(b"\x02\nSINSTS\t00520\tM\r\nSMAXSN\tH250221001022\t02560\t+\r\x03")
    assert len(heard.frames) == 1


def test_historique_may_have_tabs_too():
    frame = historique(("ADCO", "012345678901"), ("BASE", "000000001"), tab="\t")
    assert Heard().feed(frame).frames == [frame[1:-1]]


def test_the_two_ways_to_count_the_checksum_are_not_mixed():
    mixed = historique(("BASE", "000000001"), tab="\t")[:-1] + LINKY[1:]
    heard = Heard().feed(mixed)
    assert not heard.frames and [kind for kind, _ in heard.errors] == ["checksum"]


def test_parity_in_the_top_bit_is_taken_off():
    for frame in (BASE, LINKY):
        heard = Heard().feed(with_parity(frame) * 2, 11)
        assert heard.frames == [frame[1:-1]] * 2 and not heard.errors


def test_each_wrong_checksum_is_one_error_and_names_the_group():
    groups = BASE.split(b"\r")
    for i in range(len(groups) - 1):
        wrong = list(groups)
        wrong[i] = wrong[i][:-1] + bytes([33 + wrong[i][-1] % 60])
        data = b"\r".join(wrong)
        heard = Heard().feed(data + NIGHT, 13)
        assert [kind for kind, _ in heard.errors] == ["checksum"], i
        assert heard.frames == [NIGHT[1:-1]]
        label = wrong[i].strip(b"\x02\n").split(b" ")[0].decode()
        assert label in heard.details[0]
        if i:
            assert heard.errors[0][1] == len(data) and heard.framer.garbage == 0


def test_a_flipped_bit_costs_the_frame_and_never_the_next_one():
    for frame in (BASE, LINKY):
        for i in range(1, len(frame) - 1):
            for bit in (0, 1, 3, 7):
                broken = bytearray(frame)
                broken[i] ^= 1 << bit
                heard = Heard(Tic()).feed(bytes(broken) + NIGHT)
                assert heard.frames == [NIGHT[1:-1]], (i, bit)
                assert len(heard.errors) <= 1


def test_a_flipped_bit_that_the_checksum_cannot_see_changes_no_value():
    readings = []
    meter = Meter(lambda reading, family: readings.append(reading), lambda error, frame: None)
    for frame in (BASE, LINKY):
        expected = read(frame)
        for i in range(1, len(frame) - 1):
            readings.clear()
            broken = bytearray(frame)
            broken[i] ^= 0x40
            meter.feed(broken, len(broken))
            meter.feed(NIGHT, len(NIGHT))
            assert readings[-1] == read(NIGHT), i
            for reading in readings[:-1]:
                for name in reading:
                    # a space that became a "`" makes another text, no other value
                    assert name == "message" or reading[name] == expected[name], (i, name)


def test_a_frame_that_starts_anew_is_truncated_and_the_new_one_is_read():
    for size in (20, 31, 60, 100):
        heard = Heard().feed(BASE[:size] + NIGHT)
        assert heard.frames == [NIGHT[1:-1]]
        assert [kind for kind, _ in heard.errors] in ([], ["truncated"], ["checksum"]), size
        assert size < 60 or heard.errors
    cut = BASE[:BASE.index(b"\nPAPP")]  # between two groups
    heard = Heard().feed(cut + NIGHT)
    assert heard.errors == [("truncated", len(cut))] and heard.frames == [NIGHT[1:-1]]


def test_eot_breaks_a_frame_off():
    cut = BASE[:BASE.index(b"\nPAPP")]
    heard = Heard().feed(cut + b"\x04" + NIGHT)
    assert heard.errors == [("truncated", len(cut))] and heard.frames == [NIGHT[1:-1]]


def test_silence_inside_a_frame_is_an_error():
    heard = Heard().feed(BASE[:80])
    heard.framer.flush()
    assert [kind for kind, _ in heard.errors] == ["truncated"] and heard.framer.pending == 0


def test_what_comes_before_the_first_frame_is_garbage():
    for at in (1, 5, 40, len(BASE) - 3):
        heard = Heard().feed(BASE[at:] + NIGHT, 9)
        assert heard.frames == [NIGHT[1:-1]] and not heard.errors
        assert heard.framer.garbage == len(BASE) - at


def test_a_frame_without_an_end_is_given_up():
    endless = BASE[:-1] + BASE[1:-1] * 20
    heard = Heard().feed(endless + NIGHT, 50)
    assert heard.frames == [NIGHT[1:-1]]
    assert [kind for kind, _ in heard.errors] == ["malformed"]
    heard = Heard().feed(BASE[:-1] + b"x" * 10000 + NIGHT, 50)
    assert heard.frames == [NIGHT[1:-1]] and len(heard.errors) == 1


def test_noise_is_not_taken_for_a_frame():
    for start in (b"\x02", b"\x02\n", b"\x02\nA", b"\x02\nAB", b"\x82\nAB"):
        for rest in (b"\x00\x01", b"ab \r\n", b"\xff" * 40, b"1-0:1.8.0(000001*kWh)\r\n", b"A\r\n"):
            heard = Heard().feed(start + rest + BASE)
            assert heard.frames == [BASE[1:-1]]
            assert not heard.errors or b"\r" in rest


def test_a_start_waits_for_no_more_than_it_needs():
    """STX stands in other protocols' frames too: nobody may wait for the rest of one."""
    for data, size in ((b"\x02", 0), (b"\x02\n", 0), (b"\x02\nA", 0), (b"\x02a", -1), (b"\x02\na", -1),
                       (b"\x02\nAb", -1), (b"\x02\nAB\x00\r", -1), (b"\x02\n\x81", -1)):
        tic = Tic()
        assert tic.measure(data, 0, len(data), False) == size, data
        assert not tic.sure


def test_bytes_behind_the_end_are_not_looked_at():
    """The buffer still holds what came before."""
    tic = Tic()
    buf = bytearray(BASE)
    for end in range(1, len(BASE)):
        assert tic.measure(buf, 0, end, False) == 0
    assert tic.measure(buf, 0, len(BASE), False) == len(BASE)


def test_a_block_of_iec_62056_21_is_left_alone():
    block = b"/LGZ5\\2ZMF100AC\r\n\x02F.F(00)\r\n1.8.0(000001.234*kWh)\r\n!\r\n\x03"
    check = 0
    for byte in block[block.index(b"\x02") + 1:]:
        check ^= byte
    readings, errors = [], []
    meter = Meter(lambda reading, family: readings.append(family), lambda error, frame: errors.append(error.kind))
    for data in (block + bytes([check]), BASE, block + bytes([check]), LINKY):
        meter.feed(data, len(data))
    assert readings == ["iec62056-21", "tic", "iec62056-21", "tic"] and not errors


def test_a_calendar_with_a_slash_is_no_p1_telegram():
    """Heard from inside of a telegram on, with every protocol possible."""
    frame = standard(("ADSC", "012345678910"), ("NGTF", "H PLEINE/CREUSE "), ("LTARF", " HEURE  CREUSE  "),
                     ("EAST", "003519703"))
    readings = []
    meter = Meter(lambda reading, family: readings.append(family), lambda error, frame: None)
    data = frame[10:] + frame
    meter.feed(data, len(data))
    assert readings == ["tic"] and meter.pending == 0


# -- readings -------------------------------------------------------------------------------------------------------

def test_one_register_is_the_total():
    assert read(BASE) == {"meter_id": "012345678901", "fuse_ma": 30000, "import_wh": 13444363, "tariff": 1,
                          "current_l1_ma": 24000, "apparent_import_va": 5400}


def test_registers_of_tariffs_are_added_up():
    assert read(NIGHT) == {"import_t1_wh": 100, "import_t2_wh": 200, "tariff": 1, "import_wh": 300}
    reading = read(historique(("EJPHN", "000000010"), ("EJPHPM", "000000005"), ("PTEC", "PM..")))
    assert reading == {"import_t1_wh": 10, "import_t2_wh": 5, "tariff": 2, "import_wh": 15}


def test_tempo_has_six_tariffs_in_the_order_of_the_colours():
    labels = ("BBRHCJB", "BBRHPJB", "BBRHCJW", "BBRHPJW", "BBRHCJR", "BBRHPJR")
    for number in range(1, 7):
        groups = [(labels[i], "%09d" % 10 ** i) for i in range(6)]
        reading = read(historique(("OPTARIF", "BBR("), ("PTEC", labels[number - 1][3:]), ("DEMAIN", "----"), *groups))
        assert reading["tariff"] == number and reading["import_wh"] == 111111
        assert [reading["import_t%d_wh" % (i + 1)] for i in range(6)] == [10 ** i for i in range(6)]


def test_three_phases_have_a_current_each_and_no_power_in_watts():
    reading = read(historique(("IINST1", "001"), ("IINST2", "002"), ("IINST3", "003"), ("IMAX1", "060"),
                              ("PMAX", "06000"), ("PAPP", "01300"), ("PPOT", "00"), ("ADIR1", "090")))
    assert reading == {"current_l1_ma": 1000, "current_l2_ma": 2000, "current_l3_ma": 3000, "apparent_import_va": 1300}


def test_standard_numbers_its_tariffs_and_leaves_out_what_is_not_in_use():
    registers = [("EASF%02d" % number, "%09d" % (number * 7 if number in (2, 10) else 0)) for number in range(1, 11)]
    reading = read(standard(("EAST", "000000099"), *registers, ("EASD01", "000000099"), ("NTARF", "10")))
    assert reading == {"import_wh": 99, "import_t1_wh": 0, "import_t2_wh": 14, "import_t10_wh": 70, "tariff": 10}


def test_standard_tells_everything_of_three_phases_and_a_roof():
    reading = read(standard(
        ("ADSC", "041876543210"), ("VTIC", "02"), ("DATE", "E240710121413", ""), ("EAIT", "000001234"),
        ("ERQ1", "000000001"), ("ERQ2", "000000020"), ("ERQ3", "000000300"), ("ERQ4", "000004000"),
        ("IRMS1", "001"), ("IRMS2", "002"), ("IRMS3", "003"), ("URMS1", "231"), ("URMS2", "232"), ("URMS3", "233"),
        ("PREF", "12"), ("PCOUP", "10"), ("SINSTS", "00700"), ("SINSTS1", "00100"), ("SINSTS2", "00200"),
        ("SINSTS3", "00400"), ("SMAXSN", "E240710110331", "00986"), ("SMAXSN1-1", "E240709110331", "00986"),
        ("SINSTI", "00050"), ("CCASN", "E240710120000", "00108"), ("CCASN-1", "E240710113000", "00300"),
        ("CCAIN", "E240710120000", "00017"), ("UMOY1", "E240710121000", "241"), ("STGE", "013A0001"),
        ("MSG1", "  BONJOUR  MONDE                "), ("PRM", "00000000000000"), ("RELAIS", "001")))
    assert reading == {
        "meter_id": "041876543210", "time": 1720606453, "export_wh": 1234,
        "reactive_import_varh": 21, "reactive_export_varh": 4300,
        "current_l1_ma": 1000, "current_l2_ma": 2000, "current_l3_ma": 3000,
        "voltage_l1_mv": 231000, "voltage_l2_mv": 232000, "voltage_l3_mv": 233000, "limiter_va": 10000,
        "apparent_import_va": 700, "apparent_import_l1_va": 100, "apparent_import_l2_va": 200,
        "apparent_import_l3_va": 400, "apparent_export_va": 50, "average_import_w": 108, "average_export_w": 17,
        "breaker": 1, "message": "BONJOUR MONDE"}


def test_winter_and_summer_are_told_by_the_stamp_and_no_clock_gives_no_time():
    for stamp, time in (("H241027023000", 1729992600), ("E241027023000", 1729989000), ("h241027023000", None),
                        ("e241027023000", None), (" 241027023000", None), ("H241327023000", None),
                        ("H24102702300", None), ("H2410270230x0", None), ("", None)):
        assert read(standard(("DATE", stamp, ""), ("EAST", "000000001"))).get("time") == time, stamp


def test_no_message_is_no_message():
    assert "message" not in read(LINKY)
    assert "message" not in read(standard(("EAST", "000000001"), ("MSG1", " " * 32)))


def test_the_breaker_is_open_for_whatever_reason():
    for status, breaker in (("003A0001", 1), ("003A0002", 0), ("003A0004", 0), ("003A000C", 0), ("FFFFFFF1", 1)):
        assert read(standard(("STGE", status))) == {"breaker": breaker}


def test_some_quadrants_are_no_sum():
    reading = read(standard(("EAST", "000000001"), ("ERQ1", "000000001"), ("ERQ4", "000000001")))
    assert reading == {"import_wh": 1}


def test_a_right_checksum_over_nonsense_is_malformed():
    for group in (("BASE", "0134x4363"), ("BASE", ""), ("BASE", "-13444363"), ("BASE", "0134443630"), ("IINST", "1.5"),
                  ("HCHC", "0 1")):
        assert refused(historique(("ADCO", "012345678901"), group)) == "malformed", group
    for group in (("STGE", "xyz"), ("EASF01", "x"), ("ERQ1", "a"), ("EAST", "")):
        assert refused(standard(group)) == "malformed", group


def test_a_telegram_without_a_value_is_unsupported():
    assert refused(historique(("ADCO", "012345678901"), ("MOTDETAT", "000000"))) == "unsupported"
    assert refused(b"\x02\x03") == "unsupported"
    readings, errors = [], []
    meter = Meter(lambda *told: readings.append(told), lambda error, frame: errors.append(error.kind), protocol="TIC")
    for data in (historique(("ADCO", "012345678901")), BASE):
        meter.feed(data, len(data))
    assert errors == ["unsupported"] and [family for _, family in readings] == ["tic"]


def test_broken_groups_never_raise_anything_else():
    data = bytearray(LINKY)
    seed = 1
    decoder = TicDecoder(ZONE)
    for _ in range(3000):
        seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
        at = (seed >> 8) % len(data)
        kept = data[at]
        data[at] = seed >> 20 & 0xFF
        try:
            decoder.decode(data, 1, len(data) - (seed & 1))
        except MeterError:
            pass
        if seed & 0x300:
            data[at] = kept
