# SPDX-License-Identifier: MIT
"""The decoding core under random trouble, on CPython: time zones against the tz database, simulated meters with faults,
mutated frames, and the memory of lines, which must never show."""

import collections
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools import cpython, meters, zones
from tools.meters.dlms import seal
from tools.meters.faults import Faulty

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.decode.cosem import CosemDecoder, Walker  # noqa: E402
from wattport.decode.p1 import P1Decoder  # noqa: E402
from wattport.errors import MeterError  # noqa: E402
from wattport.meter import Meter  # noqa: E402

CENTRAL = posixzone.parse(posixzone.CENTRAL_EUROPE)
KEY, AUTH_KEY = bytes(range(0x40, 0x50)), bytes(range(0x60, 0x70))
START = 1_686_823_200
# name → (family of the simulator, key, authentication key)
METERS = {
    "dsmr5": ("dsmr5", None, None), "dsmr4": ("dsmr4", None, None), "dsmr2": ("dsmr2", None, None),
    "be": ("be", None, None), "se": ("se", None, None), "lu": ("lu", KEY, None), "lu-auth": ("lu", KEY, AUTH_KEY),
    "kamstrup": ("kamstrup", None, None), "kamstrup-dk": ("kamstrup", KEY, AUTH_KEY),
    "sml": ("sml", None, None), "sml3": ("sml3", None, None),
    "hu": ("hu", None, None), "lt": ("lt", None, None), "ch": ("ch", None, None), "iec": ("iec", None, None),
    "iec-c": ("iec-c", None, None), "pl": ("pl", KEY, AUTH_KEY),
    "tic": ("tic", None, None), "tic-standard": ("tic-standard", None, None), "amis": ("amis", KEY, None),
}
# pushed COSEM lists → what is said of their framing; each with the keys that such a meter has
COSEM = {
    **dict.fromkeys(("kamstrup-se", "aidon", "aidon-it", "aidon-se", "kaifa", "kaifa-it", "kaifa-se", "am550-si",
                     "am550-celje", "am550-ch", "ie5-hr"), "dlms-hdlc"),
    **dict.fromkeys(("wien", "am550-at", "im350-at", "burgenland", "ded"), "dlms-hdlc-encrypted"),
    **dict.fromkeys(("sagemcom-at", "kaifa-noe", "kaifa-at"), "dlms-mbus-encrypted"),
    **dict.fromkeys(("e450", "e450-graz", "e450-ch", "e450-cy"), "dlms-gbt")}
for _name in COSEM:
    _family = meters.FAMILIES[_name]
    METERS[_name] = (_name, _family.default_key and KEY, _family.default_auth_key and AUTH_KEY)
METERS["am550-ch-key"], COSEM["am550-ch-key"] = ("am550-ch", KEY, None), "dlms-hdlc-encrypted"
# telegrams without a checksum, or with one that swapped bytes escape
UNCHECKED = ("dsmr2", "iec", "iec-c", "tic", "tic-standard")


def thorough(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def make(name, seed=1, start=START):
    family, key, auth_key = METERS[name]
    return meters.make(family, seed=seed, start=start, key=key, auth_key=auth_key)


def hear(name):
    family, key, auth_key = METERS[name]
    return Heard(key, auth_key, zone=zones.posix(meters.FAMILIES[family].zone))


class Heard:
    def __init__(self, key=None, auth_key=None, **options):
        self.readings = []
        self.errors = []
        self.meter = Meter(self._reading, self._error, key, auth_key, **options)

    def _reading(self, reading, family):
        check_types(reading)
        self.readings.append(reading)

    def _error(self, error, frame):
        assert isinstance(error, MeterError) and len(frame)
        self.errors.append(error.kind)

    def feed(self, data, size=0):
        for at in range(0, len(data), size or max(1, len(data))):
            part = data[at:at + (size or len(data))]
            self.meter.feed(part, len(part))
        return self


def check_types(value, deep=0):
    """JSON of integers, texts, lists and dicts with text keys, and nothing else: no float, no None, no bool."""
    if deep == 0:
        assert type(value) is dict and json.loads(json.dumps(value)) == value
    if type(value) is dict:
        assert all(type(key) is str for key in value)
        value = list(value.values())
    if type(value) is list:
        for item in value:
            check_types(item, deep + 1)
    else:
        assert type(value) in (int, str)


def lacks(reading, expected):
    """What of `expected` a reading does not hold, exactly."""
    wrong = {}
    for name, value in expected.items():
        if name == "devices":
            for channel, fields in value.items():
                device = reading.get("devices", {}).get(channel, {})
                wrong.update({(channel, key): device.get(key) for key in fields if device.get(key) != fields[key]})
        elif reading.get(name) != value:
            wrong[name] = reading.get(name)
    return wrong


# -- clock ----------------------------------------------------------------------------------------------------------

PLACES = ("Europe/Amsterdam", "Europe/Brussels", "Europe/Luxembourg", "Europe/Stockholm", "Europe/Oslo",
          "Europe/Copenhagen", "Europe/Helsinki", "Europe/Vilnius", "Europe/Lisbon", "Europe/London", "Europe/Athens",
          "Atlantic/Reykjavik", "Atlantic/Azores", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "Etc/UTC")


def moments():
    """Local times: every quarter-hour around the days of change, now and then besides; leap days; ends of years."""
    for year in (2008, 2019, 2020, 2023, 2024, 2027, 2028, 2036, 2038, 2050):
        for month in range(1, 13):
            yield from (datetime(year, month, day, hour) for day in (1, 15, 28) for hour in (0, 2, 13, 23))
        for month, day in ((3, 24), (10, 24), (2, 28), (12, 31), (4, 1), (11, 1)):
            begin = datetime(year, month, day)
            yield from (begin + timedelta(hours=hours) for hours in range(24 * 8))


@pytest.mark.parametrize("place", PLACES)
def test_local_times_become_utc_as_the_tz_database_has_it(place):
    zone, oracle = posixzone.parse(zones.posix(place)), ZoneInfo(place)
    for local in moments():
        fields = local.timetuple()[:6]
        first, second = (local.replace(tzinfo=oracle, fold=fold) for fold in (0, 1))
        if first.astimezone(UTC).astimezone(oracle).replace(tzinfo=None) != local:
            continue  # the hour that there is not
        assert zone.utc(*fields) == first.timestamp(), local
        assert zone.utc(*fields, None, True) == second.timestamp(), local
        for moment in (first, second):
            assert zone.utc(*fields, bool(moment.dst())) == moment.timestamp(), local


# -- simulated meters -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", METERS)
def test_a_simulated_meter_is_read_to_the_last_digit(name):
    for start in (START, 1_667_088_000 - 300, 1_679_792_400 - 300):  # summer, the two changes of a year
        meter = make(name, start=start)
        heard = hear(name)
        for i in range(60):
            telegram, expected = meter.next()
            heard.feed(telegram, (0, 1, 7, 100)[i % 4])
            assert len(heard.readings) == i + 1, heard.errors
            assert not lacks(heard.readings[-1], expected), i
        assert not heard.errors and heard.meter.counters.telegrams == 60


def test_a_house_with_one_phase_and_registers_at_their_end():
    for name in METERS:
        family, key, auth_key = METERS[name]
        if 1 not in meters.FAMILIES[family].counts:
            continue
        meter = meters.make(family, seed=5, start=START, key=key, auth_key=auth_key, phases=1)
        meter.household["import_wh"] = 99_999_999_990 if name == "se" else 42_949_672_940
        meter.household["import_t1_wh"] = 99_999_990
        heard = hear(name)
        for _ in range(5):
            telegram, expected = meter.next()
            heard.feed(telegram)
            assert not lacks(heard.readings[-1], expected), name
        assert not heard.errors and len(heard.readings) == 5
        if name != "se":
            assert "voltage_l2_mv" not in heard.readings[-1] and "power_import_l3_w" not in heard.readings[-1]


FAULTS = [("noise", 0.15), ("truncation", 0.1), ("crc", 0.1), ("silence", 0.05), ("powercut", 0.05), ("bitflip", 0.1),
          ("overlong", 0.03), ("lost", 0.06), ("twice", 0.06)]
BUFFER = 4096


@pytest.mark.parametrize("name", METERS)
@pytest.mark.parametrize("silent", [True, False])
def test_faults_on_the_line_cost_only_the_telegrams_that_they_hit(name, silent):
    """`silent`: the line falls silent after each telegram, as it does on the wire; otherwise they follow at once.

    Without a pause half a COSEM telegram may keep a reader waiting: for an envelope within a broken frame, with a wrong
    length, until its buffer is full. What it finds then comes late, and is still what the meter said."""
    faults = [fault for fault in FAULTS if not (name in UNCHECKED and fault[0] == "crc")]
    faulty = Faulty(make(name, seed=7), faults, seed=3)
    heard = hear(name)
    good = BUFFER  # bytes since the last broken telegram
    patience = BUFFER if name in COSEM else 1
    said = collections.deque(maxlen=100 if name in COSEM else 1)
    for i in range(250):
        delivery = faulty.next()
        said.append(delivery.expected)
        before = len(heard.readings)
        heard.feed(delivery.data, (0, 1, 33)[i % 3] if len(delivery.data) < 3000 else 0)
        if silent:
            heard.meter.flush()
        fresh = heard.readings[before:]
        if delivery.intact and (silent or good >= patience):
            assert len(fresh) == 1, (i, delivery.kinds, heard.errors[-3:])
        if name not in UNCHECKED or delivery.intact and silent:
            for reading in fresh[-1:] if delivery.intact else fresh:
                wrong = lacks(reading, delivery.expected)
                assert not wrong or any(not lacks(reading, expected) for expected in said), (i, delivery.kinds, wrong)
        good = good + len(delivery.data) if delivery.intact else 0
    assert len(heard.readings) > 120


# -- broken input ---------------------------------------------------------------------------------------------------

SAMPLES = {name: [make(name, seed=11).next()[0]] for name in METERS}


@thorough(60)
@given(st.lists(st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"/TST5\r\n\r\n", b"!\r\n", b"!0000\r\n", b"\x7e\xa0\x20", b"\x7e", b"\xdb\x08SAG", b"\x0f\x00",
                     b"\xe6\xe7\x00", b"1-0:1.8.0(", b"*kWh)\r\n", b"1-3:0.2.8(50)\r\n", b"/", b"\r\n", b")(",
                     b"\x1b\x1b\x1b\x1b", b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01", b"\x1b\x1b\x1b\x1b\x1a"]),
    st.sampled_from([sample[0] for sample in SAMPLES.values()]),
), max_size=12), st.integers(1, 80), st.sampled_from((64, 300, 4096)), st.booleans())
def test_random_bytes_raise_nothing_and_do_not_stop_what_comes_after(parts, step, size, last):
    heard = Heard(KEY, AUTH_KEY, size=size, obis=True)
    heard.feed(b"".join(parts), step)
    heard.meter.flush(last)
    assert heard.meter.pending == 0
    if size == 4096:
        good = SAMPLES["dsmr5"][0]
        before = len(heard.readings)
        heard.feed(good)
        assert len(heard.readings) == before + 1


@st.composite
def mutations(draw, times):
    """[(kind, place, size, bytes)] for `mutated`; places are fractions of the frame."""
    return [(draw(st.sampled_from(("flip", "delete", "insert", "duplicate", "swap"))), draw(st.floats(0, 1)),
             draw(st.integers(1, 40)), draw(st.binary(min_size=1, max_size=8))) for _ in range(times)]


def mutated(frame, changes):
    for kind, place, size, data in changes:
        at = int(place * (len(frame) - 1))
        if kind == "flip":
            frame = frame[:at] + bytes([frame[at] ^ 1 << size % 8]) + frame[at + 1:]
        elif kind == "delete":
            frame = frame[:at] + frame[at + size:]
        elif kind == "insert":
            frame = frame[:at] + data + frame[at:]
        elif kind == "duplicate":
            frame = frame[:at + size] + frame[at:]
        else:
            frame = frame[:at] + frame[at + size:at + 2 * size] + frame[at:at + size] + frame[at + 2 * size:]
        frame = frame or b"\0"
    return frame


@thorough(600)
@given(st.sampled_from([name for name in METERS if name not in UNCHECKED]), mutations(1) | mutations(2), st.booleans())
def test_a_mutated_frame_never_gives_another_reading(name, changes, flush):
    frame = SAMPLES[name][0]
    expected = hear(name).feed(frame).readings
    heard = hear(name).feed(mutated(frame, changes))
    if flush:
        heard.meter.flush()
    heard.feed(frame)
    heard.meter.flush()
    assert all(reading == expected[0] for reading in heard.readings)
    assert len(heard.readings) <= 2
    if flush:
        assert heard.readings


@thorough(150)
@given(st.sampled_from(UNCHECKED), mutations(1) | mutations(3))
def test_a_mutated_telegram_without_checksum_gives_a_reading_or_a_named_error(name, changes):
    heard = Heard().feed(mutated(SAMPLES[name][0], changes))
    heard.meter.flush(True)
    heard.feed(SAMPLES[name][0])
    assert heard.readings


CONTENTS = {"text": make("dsmr5").next()[0], "list": b"\x0f" + bytes(5) + b"\x02\x00"}


@thorough(100)
@given(st.binary(max_size=80) | st.just(CONTENTS["text"]), mutations(2), st.sampled_from((AUTH_KEY, None)))
def test_whatever_was_sealed_gives_a_reading_or_a_named_error(content, changes, auth_key):
    """The tag is right, what it guards is not."""
    sealed = seal(mutated(content or b"\0", changes), KEY, AUTH_KEY, b"TST\0\0\0\0\1", 1)
    heard = Heard(KEY, auth_key, obis=True).feed(sealed)
    heard.meter.flush()
    assert len(heard.readings) + len(heard.errors) >= 1


@thorough(150)
@given(st.binary(max_size=120), st.sampled_from((
    b"", b"\x02\x05\x0a\x0eKamstrup_V0001\x09\x06\x01\x01\x00\x00\x05\xff\x0a\x00\x09\x06\x01\x01\x01\x07\x00\xff")))
def test_random_notifications_give_a_reading_or_a_named_error(data, head):
    data = b"\x0f\x00\x00\x00\x00\x00" + head + data
    try:
        check_types(CosemDecoder(CENTRAL).decode(data, 0, len(data)))
    except MeterError:
        pass


@thorough(100)
@given(st.lists(st.sampled_from([bytes([kind]) for kind in range(24)] + [
    b"\x01\x03", b"\x02\x02", b"\x09\x02ab", b"\x0a\x81\x01x", b"\x82\x01\x00"]), max_size=40))
def test_a_walker_never_reads_beyond_the_end(parts):
    data = b"".join(parts)
    walker = Walker(data, 0, len(data))
    try:
        walker.walk()
    except MeterError:
        return
    assert walker.at <= len(data)


# -- the memory of lines ----------------------------------------------------------------------------------------------

VARIANTS = (
    "1-0:1.8.1(%s*kWh)", "1-0:1.8.2(%s*kWh)", "1-0:1.7.0(%s*kW)", "1-0:2.7.0(%s*kW)", "1-0:1.7.0(%s*W)",
    "1-0:16.7.0(-%s*kW)", "1-0:32.7.0(%s*V)", "1-0:31.7.0(%s*A)", "0-0:96.14.0(%s)", "0-0:96.13.0(%s)",
    "1-0:1.7.0*255(%s*kW)", "0-1:24.2.1(230615120000S)(%s*m3)", "0-1:24.2.1(632525252525W)(%s*m3)",
    "0-2:24.2.1(230615120000S)(%s*m3)", "0-2:24.2.3(230615120000S)(%s*m3)",
    "0-1:24.3.0(230615120000)(00)(60)(1)(x)(m3)",
    "0-1:24.3.0(230615120000)(00)(60)(1)(x)(m3)\r\n(%s)", "1-0:1.6.0(230615120000S)(%s*kW)", "1-3:0.2.8(%s)",
    "1-0:99.97.0(1)(0-0:96.7.19)(230615120000S)(%s*s)", "0-1:24.1.0(%s)", "1-0:9.9.9(%s)", "1-0:1.7.0(%s*kW)(1*kW)",
    "1-0:1.7.0(%s)", "1.8.0(%s)", "1.8.0(%s*kWh)2.8.0(1*kWh)", "1.8.0*01(%s)", "C.1.0(%s)", "\x0216.7(-%s*kW)F.F(0)",
    "1-0:15.8.0(%s*kWh)", "1-0:1.24.0(%s*kW)", "0-0:96.14.0(TARIFF %s)", "0-0:96.13.1(%s)", "0-0:98.1.0(%s)(1)(2)(3)",
    "0-2:24.2.1(230616130000S)(%s*m3)", "0-0:1.0.0(2306151200%sS)", "0-0:96.1.1(%s)", "1-0:1.7.0(%s*kW", "%s",
)
VALUES = ("0", "1", "00", "12", "0.5", "00.428", "00.429", "1.23456", "7.", "x", "", "3", "42", "4142",
          "12345.678", "-1")
LINES = st.builds(lambda line, value: line % value if "%s" in line else line,
                  st.sampled_from(VARIANTS), st.sampled_from(VALUES))


@st.composite
def telegram_sequences(draw):
    """A telegram as lists of lines, then what becomes of it: from none to four changes from one to the next."""
    lines = draw(st.lists(LINES, max_size=10))
    sequence = [list(lines)]
    for _ in range(draw(st.integers(1, 8))):
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, len(lines)))
            kind = draw(st.sampled_from(("replace", "value", "insert", "delete", "swap", "rotate")))
            if kind == "insert" or not lines:
                lines.insert(at, draw(LINES))
            elif kind == "delete":
                del lines[at:at + draw(st.integers(1, 3))]
            elif kind == "replace":
                lines[at % len(lines)] = draw(LINES)
            elif kind == "value":
                at %= len(lines)
                head, bracket, _ = lines[at].partition("(")
                same = [line for line in VARIANTS if line.startswith(head + bracket) and "%s" in line]
                if bracket and same:
                    lines[at] = draw(st.sampled_from(same)) % draw(st.sampled_from(VALUES))
            elif kind == "swap":
                other = draw(st.integers(0, len(lines) - 1))
                at %= len(lines)
                lines[at], lines[other] = lines[other], lines[at]
            else:
                lines = lines[at:] + lines[:at]
        sequence.append(list(lines))
    return sequence


def outcome(decoder, lines, strict):
    data = ("/TST5\r\n\r\n0-0:96.3.10(1)\r\n%s\r\n!" % "\r\n".join(lines)).encode()
    try:
        return decoder.decode(bytearray(data), 0, len(data), strict), decoder.family
    except MeterError as error:
        return error.kind, error.detail


@thorough(1500)
@given(telegram_sequences(), st.booleans())
@example([["1-0:1.7.0(1*kW)"], ["1-0:1.7.0(2*kW)"], ["1-0:1.7.0(x*kW)"], ["1-0:1.7.0()"], ["1-0:1.7.0(3*kW)"]], True)
def test_a_decoder_with_memory_reads_what_a_fresh_one_reads(sequence, strict):
    decoder = P1Decoder(CENTRAL)
    for lines in sequence:
        seen, fresh = outcome(decoder, lines, strict), outcome(P1Decoder(CENTRAL), lines, strict)
        assert seen == fresh, lines
        if isinstance(seen[0], dict):
            check_types(seen[0])
