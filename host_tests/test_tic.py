# SPDX-License-Identifier: MIT
"""France's TIC: the simulated meters against real telegrams, and whatever may be on the line against a judge of its own
for checksums."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools import cpython, meters
from tools.meters.clock import Clock
from tools.meters.faults import Faulty

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.decode.tic import TicDecoder  # noqa: E402
from wattport.errors import MeterError  # noqa: E402
from wattport.frame.tic import Tic  # noqa: E402
from wattport.meter import Meter  # noqa: E402

WINTER = Clock("Europe/Paris").parse("2026-01-15T18:00")
FAMILIES = ("tic", "tic-standard")
ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)


def groups(frame):
    """[(label, ...)] of a frame whose checksums are right; ValueError. Another way than the firmware's: by patterns."""
    if not re.fullmatch(rb"\x02(\n[^\x00-\x08\x0a-\x1f\x7f-\xff]+\r)+\x03", frame):
        raise ValueError("no frame")
    found, ways = [], set()
    for group in re.findall(rb"\n([^\r]+)\r", frame):
        match = re.fullmatch(rb"([^ \t]{1,9})([ \t])(.*)\2(.)", group)
        if not match:
            raise ValueError("no group")
        label, separator, data, check = match.groups()
        text = label + separator + data
        fits = [way for way in (text, text + separator) if sum(way) % 64 + 32 == check[0]]
        if not fits:
            raise ValueError("checksum")
        ways.add(len(fits[0]) - len(text))
        found.append((label.decode(), *data.decode().split("\t" if b"\t" in separator + data else " ")))
    if len(ways) > 1:
        raise ValueError("both ways to count")
    return found


def hear(data, step=0, flush=True, **options):
    """(readings, kinds of errors) of what is on the line."""
    readings, errors = [], []
    meter = Meter(lambda reading, family: readings.append(reading), lambda error, frame: errors.append(error.kind),
                  **options)
    for at in range(0, len(data), step or max(1, len(data))):
        part = data[at:at + (step or len(data))]
        meter.feed(part, len(part))
    if flush:
        meter.flush(True)
        assert meter.pending == 0
    return readings, errors


def take(family, count, **options):
    meter = meters.make(family, start=options.pop("start", WINTER), **options)
    return [meter.next() for _ in range(count)]


# the simulated meters

@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("phases", [1, 3])
def test_a_simulated_telegram_is_one_with_right_checksums_and_the_values_of_the_house(family, phases):
    for telegram, expected in take(family, 20, phases=phases):
        told = {group[0]: group[-1] for group in groups(telegram)}
        assert len(telegram) < 1536
        if family == "tic":
            assert int(told["HCHC"]) + int(told["HCHP"]) == expected["import_wh"]
            assert int(told["PAPP"]) == expected["apparent_import_va"]
            assert ("IINST" in told) == (phases == 1) and ("IINST3" in told) == (phases == 3)
        else:
            assert int(told["EAST"]) == expected["import_wh"] and int(told["EAIT"]) == expected["export_wh"]
            assert int(told["ERQ1"]) + int(told["ERQ2"]) == expected["reactive_import_varh"]
            assert int(told["URMS1"]) * 1000 == expected["voltage_l1_mv"]
            assert ("SINSTS2" in told) == (phases == 3)


@pytest.mark.parametrize("start, stamp", [
    ("2026-01-15T18:00:00", "H260115180000"), ("2026-07-15T18:00:00", "E260715180000"),
    ("2026-10-25T02:30:00+02:00", "E261025023000"), ("2026-10-25T02:30:00+01:00", "H261025023000")])
def test_a_linky_says_whether_it_is_summer(start, stamp):
    time = Clock("Europe/Paris").parse(start)
    (telegram, expected), = take("tic-standard", 1, start=time)
    assert ("DATE", stamp, "") in groups(telegram) and expected["time"] == time


def test_the_groups_of_historique_are_those_of_a_real_meter(telegrams):
    real = groups((telegrams / "other-tic-historique-base-simulated-string.bin").read_bytes())
    ours = groups(take("tic", 1, phases=1)[0][0])
    assert [group[0] for group in ours] == [group[0] for group in real]
    for mine, theirs in zip(ours, real):
        assert [len(part) for part in mine] == [len(part) for part in theirs], mine


@pytest.mark.parametrize("name", [
    "other-tic-historique-base-simulated-string", "other-tic-historique-tempo-teleinfo-ruby"])
def test_a_real_telegram_is_read_as_its_sidecar_says(telegrams, name):
    expected = json.loads((telegrams / (name + ".json")).read_text())["upstream"]["expected"]
    (reading,), errors = hear((telegrams / (name + ".bin")).read_bytes())
    registers = [int(value) for label, value in expected.items() if label.startswith(("HCH", "BBR"))]
    assert not errors and reading["import_wh"] == sum(registers)
    assert [reading["import_t%d_wh" % (i + 1)] for i in range(len(registers))] == registers
    assert reading.get("meter_id") == expected.get("ADCO")
    assert reading["apparent_import_va"] == int(expected["PAPP"])
    assert reading["current_l1_ma"] == int(expected["IINST"]) * 1000
    assert reading["fuse_ma"] == int(expected["ISOUSC"]) * 1000
    assert reading["tariff"] == 2
    assert not any(field.startswith("power_") for field in reading)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_spoilt_telegram_is_one_wrong_checksum(family):
    meter = meters.make(family, start=WINTER)
    broken = Faulty(meter, [("crc", 1.0)], seed=5)
    for _ in range(100):
        data = broken.next().data
        with pytest.raises(ValueError):
            groups(data)
        assert hear(data) == ([], ["checksum"])


# whatever is on the line

SAMPLES = [telegram for family in FAMILIES for phases in (1, 3) for telegram, _ in take(family, 1, phases=phases)]
PIECES = st.one_of(
    st.binary(max_size=20), st.sampled_from(SAMPLES),
    st.sampled_from([b"\x02", b"\x02\n", b"\x02\nAB ", b"\n", b"\r", b"\r\n", b"\x03", b"\x04", b"\r\x03", b"\t", b" ",
                     b"\nBASE 000000001 !\r", b"\nEAST\t000000001\t$\r", b"\x82\nA\xc3", b"/ABC\r\n", b"\x7e\xa0"]))


def thorough(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


@st.composite
def broken_frames(draw):
    frame = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(frame) - 1))
        kind = draw(st.sampled_from(("flip", "set", "cut", "repeat", "insert")))
        if kind == "flip":
            frame[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            frame[at] = draw(st.sampled_from(b"\x02\x03\x04\t\n\r 09AZ~\x00\xff"))
        elif kind == "cut":
            del frame[at:at + draw(st.integers(1, 60))]
        elif kind == "repeat":
            frame[at:at] = frame[at:at + draw(st.integers(1, 60))]
        else:
            frame[at:at] = draw(st.binary(min_size=1, max_size=6))
        frame = frame or bytearray(b"\x02")
    return bytes(frame)


def measured(data, step):
    """What `Tic` makes of data[0:] that grows by steps: (size, kind of error)."""
    tic = Tic()
    size = 0
    for end in [*range(step, len(data), step), len(data)]:
        try:
            size = tic.measure(data, 0, end, False)
        except MeterError as error:
            assert 0 < tic.reach <= end
            return 0, error.kind
        assert -1 <= size <= end and (size <= 0 or tic.sure)
        if size:
            break
    return size, ""


@thorough(1500)
@given(broken_frames(), st.integers(1, 300))
@example(b"\x02\nBASE 000000001 !\r\nBASE\t000000002\t+\r\x03", 7)
def test_no_frame_with_a_wrong_checksum_is_taken(frame, step):
    frame = b"\x02" + frame[1:]  # whoever asks has found the mark
    size, kind = measured(frame, step)
    if size > 0:
        groups(frame[:size])
    else:
        for end in range(2, len(frame) + 1):
            if frame[end - 1] == 3:
                with pytest.raises(ValueError):
                    groups(frame[:end])
    assert measured(frame, len(frame)) == (size, kind)


@thorough(600)
@given(broken_frames(), st.sampled_from(SAMPLES), st.booleans())
def test_a_broken_frame_gives_nothing_but_what_right_checksums_prove_and_never_costs_the_next(frame, good, flush):
    readings, errors = hear(frame)
    for reading in readings:
        assert all(type(value) in (int, str) for value in reading.values())
    assert set(errors) <= {"checksum", "truncated", "malformed", "unsupported"}
    expected = hear(good)[0]
    readings = []
    meter = Meter(lambda reading, family: readings.append(reading), lambda error, frame: None, protocol="TIC")
    meter.feed(frame, len(frame))
    if flush:
        meter.flush()
    meter.feed(good, len(good))
    assert readings[-1:] == expected


@thorough(400)
@given(st.lists(PIECES, max_size=12), st.integers(1, 90), st.sampled_from((64, 400, 4096)),
       st.sampled_from(("auto", "TIC")))
def test_random_bytes_raise_nothing_and_do_not_stop_what_comes_after(pieces, step, size, protocol):
    readings, errors = [], []
    meter = Meter(lambda reading, family: readings.append(reading), lambda error, frame: errors.append(error.kind),
                  size=size, protocol=protocol)
    data = b"".join(pieces)
    for at in range(0, len(data), step):
        part = data[at:at + step]
        meter.feed(part, len(part))
    meter.flush()
    assert meter.pending == 0
    if size == 4096:
        before = len(readings)
        meter.feed(SAMPLES[0], len(SAMPLES[0]))
        assert len(readings) == before + 1


LABELS = st.sampled_from((
    "ADCO", "ADSC", "ISOUSC", "BASE", "HCHC", "EJPHPM", "BBRHPJR", "PTEC", "IINST1", "PAPP", "EAST", "EASF01", "EASF10",
    "ERQ2", "SINSTS3", "SINSTI", "CCASN", "DATE", "STGE", "MSG1", "PREF", "URMS2", "NTARF", "EASFxx", "BBR", "HCH", ""))


@thorough(800)
@given(st.lists(st.one_of(
    st.binary(max_size=40),
    st.builds(lambda label, parts, separator: ("\n%s\r" % separator.join([label, *parts, "x"])).encode(),
              LABELS, st.lists(st.sampled_from(("", "000000001", "12", "H260115180000", "HPJR", "HP..", "x", "-1",
                                                "1 2", "0013A002", "999999999", "9999999999", "²", "١")), max_size=3),
              st.sampled_from((" ", "\t")))), max_size=8))
def test_any_groups_give_a_reading_or_a_named_error(parts):
    data = b"".join(parts)
    try:
        reading = TicDecoder(ZONE).decode(data, 0, len(data))
    except MeterError as error:
        assert error.kind in ("malformed", "unsupported")
        return
    assert json.loads(json.dumps(reading)) == reading
    assert all(type(value) is int and value >= 0 or type(value) is str for value in reading.values())
