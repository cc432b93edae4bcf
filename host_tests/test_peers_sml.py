# SPDX-License-Identifier: MIT
"""smllib beside ours: every real SML file that it can read, the simulated meters, and lists made at random."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smllib import SmlStreamReader
from smllib.errors import CrcError
from smllib.sml import SmlGetListResponse
from smllib.sml_frame import SmlFrame

from tools import cpython, meters
from tools.meters import sml as writer
from tools.paths import TELEGRAMS

cpython.install()

from wattport.decode.sml import SmlDecoder, Walker  # noqa: E402
from wattport.errors import MeterError  # noqa: E402
from wattport.frame.framer import Framer  # noqa: E402
from wattport.frame.sml import Sml  # noqa: E402

# smllib wants a value in every entry; this meter sends a 96.50.2*6 that has none
REFUSED = ("sml-emh-ehz-iw8e2a5l0ek2p-with-error",)
# OBIS code → (field, base units in a unit of smllib's)
FIELDS = {
    "0100010800ff": ("import_wh", 1), "0100010801ff": ("import_t1_wh", 1), "0100010802ff": ("import_t2_wh", 1),
    "0100020800ff": ("export_wh", 1), "0100020801ff": ("export_t1_wh", 1), "0100020802ff": ("export_t2_wh", 1),
    "0100200700ff": ("voltage_l1_mv", 1000), "0100340700ff": ("voltage_l2_mv", 1000),
    "0100480700ff": ("voltage_l3_mv", 1000), "01001f0700ff": ("current_l1_ma", 1000),
    "0100330700ff": ("current_l2_ma", 1000), "0100470700ff": ("current_l3_ma", 1000),
    "01000e0700ff": ("frequency_mhz", 1000)}
POWERS = {"0100100700ff": "", "0100240700ff": "l1_", "0100380700ff": "l2_", "01004c0700ff": "l3_"}


def theirs(data, crc="x25"):
    """The bodies that smllib finds in a stream."""
    reader = SmlStreamReader(crc=crc)
    reader.add(data)
    found = []
    while True:
        try:
            frame = reader.get_frame()
        except CrcError:
            continue
        if frame is None:
            return found
        found.append(frame)


def ours(data):
    found = []

    def on_frame(protocol, buf, start, end):
        buf, start, end = protocol.open(buf, start, end)
        found.append(bytes(buf[start:end]))

    framer = Framer([Sml()], on_frame, lambda *error: None)
    framer.feed(data, len(data))
    return found


def entries_of(frame):
    """[(OBIS code in hex, value, unit, scaler, status)] of smllib's frame."""
    return [(entry.obis, entry.value, entry.unit, entry.scaler, entry.status)
            for message in frame.parse_frame() if isinstance(message.message_body, SmlGetListResponse)
            for entry in message.message_body.val_list]


def compare(body, told):
    """Our entries of a body against smllib's."""
    walker = Walker(body, 0, len(body))
    for obis, value, unit, scaler, status in told:
        assert walker.next()
        assert body[walker.at:walker.at + 6].hex() == obis
        if walker.value is None and walker.text == walker.text_end:
            # a value may be a time, a list of two (SML 1.05): smllib hands out the seconds, no quantity is one
            assert obis not in FIELDS and obis not in POWERS
        elif isinstance(value, str):
            raw = body[walker.text:walker.text_end]
            assert walker.value is None and value in (raw.hex(), raw.decode(errors="ignore")), obis
        else:
            assert walker.value == value, obis
        assert (walker.unit, walker.scaler) == (unit, scaler)
        assert walker.status == (status if isinstance(status, int) else None)
    assert not walker.next()


def compare_reading(reading, frame):
    """The quantities of a reading against smllib's, which are floats; how many there were."""
    compared = 0
    for message in frame.parse_frame():
        for entry in message.message_body.val_list if isinstance(message.message_body, SmlGetListResponse) else ():
            if entry.obis in FIELDS:
                field, factor = FIELDS[entry.obis]
                assert abs(reading[field] - entry.get_value() * factor) < 1.001, field
            elif entry.obis in POWERS:
                line = POWERS[entry.obis]
                net = reading["power_import_%sw" % line] - reading["power_export_%sw" % line]
                assert abs(net - entry.get_value()) < 1, line
            else:
                continue
            compared += 1
    return compared


def files():
    for path in sorted(TELEGRAMS.glob("*.json")) if TELEGRAMS.is_dir() else ():
        if json.loads(path.read_text())["family"] == "sml":
            yield pytest.param(path.with_suffix(".bin").read_bytes(), id=path.stem)


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
@pytest.mark.parametrize("data", list(files()))
def test_a_real_file_is_read_as_smllib_reads_it(data, request):
    stem = request.node.callspec.id
    frames, bodies = theirs(data), ours(data)
    assert bodies == [bytes(frame.bytes) for frame in frames]
    for body, frame in zip(bodies, frames):
        if stem in REFUSED:
            with pytest.raises(ValueError, match="value is required"):
                frame.parse_frame()
            assert SmlDecoder(None).decode(body, 0, len(body))["import_wh"]
            continue
        compare(body, entries_of(frame))
        compare_reading(SmlDecoder(None).decode(body, 0, len(body)), frame)


@pytest.mark.parametrize("name", ["sml", "sml3"])
@pytest.mark.parametrize("phases", [1, 3])
def test_a_simulated_meter_is_read_by_smllib(name, phases):
    for seed in range(20):
        meter = meters.make(name, seed=seed, start=1_686_823_200, phases=phases)
        for _ in range(3):
            telegram, expected = meter.next()
            frame, = theirs(telegram)
            body, = ours(telegram)
            assert body == bytes(frame.bytes)
            compare(body, entries_of(frame))
            assert compare_reading(expected, frame) >= (5 if name == "sml" else 7)
            assert compare_reading(SmlDecoder(None).decode(body, 0, len(body)), frame) >= 5


def test_kermits_checksum_is_taken_where_smllib_is_told_to():
    frame = meters.make("sml", start=1_686_823_200).next()[0][:-2]
    crc = 0
    for byte in frame:
        for bit in range(8):
            crc = crc >> 1 ^ (0x8408 if (crc ^ byte >> bit) & 1 else 0)
    frame += crc.to_bytes(2, "big")
    assert len(theirs(frame, "kermit")) == len(ours(frame)) == 1
    assert not theirs(frame) and len(ours(frame[:-2] + frame[-1:] + frame[-2:-1])) == 0


# -- made at random ---------------------------------------------------------------------------------------------------

def thorough(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


NUMBERS = st.one_of(
    st.tuples(st.integers(1, 8), st.integers(0, 2**64 - 1)).map(lambda n: writer.unsigned(n[1] % 256**n[0], n[0])),
    st.tuples(st.integers(1, 8), st.integers(0, 2**63 - 1), st.booleans()).map(
        lambda n: writer.signed((-1 if n[2] else 1) * (n[1] % 256**n[0] // 2), n[0])))
TEXTS = st.binary(min_size=1, max_size=300).map(writer.octets)
TIMES = st.one_of(
    st.just(writer.NONE),
    st.tuples(st.sampled_from((1, 2)), st.integers(0, 2**32 - 1)).map(
        lambda t: writer.fields(writer.unsigned(t[0], 1), writer.unsigned(t[1], 4))),
    st.integers(0, 2**32 - 1).map(lambda t: writer.unsigned(t, 4)))
ENTRIES = st.lists(st.tuples(
    st.one_of(st.sampled_from([bytes.fromhex(code) for code in (*FIELDS, *POWERS)]), st.binary(min_size=6, max_size=6)),
    st.one_of(st.just(writer.NONE), st.integers(0, 2**32 - 1).map(lambda n: writer.shortest(n, writer.unsigned))),
    TIMES,
    st.one_of(st.none(), st.sampled_from((27, 30, 33, 35, 44))), st.one_of(st.none(), st.integers(-128, 127)),
    st.one_of(NUMBERS, TEXTS)), max_size=40)


class State:
    counter = 7


class Clock:
    time = 1_700_000_000


def written(entries, server=b"\x0a\x01EMH\0\0\0\0\1"):
    made = writer.Files(Clock, State, server)
    for code, status, time, unit, scaler, value in entries:
        made.entry(code, value, unit, scaler, status, time)
    return made.file()


@thorough(400)
@given(ENTRIES)
def test_lists_made_at_random_are_read_as_smllib_reads_them(entries):
    data = written(entries)
    if len(data) > 4096:
        return
    frame, = theirs(data)
    body, = ours(data)
    assert body == bytes(frame.bytes)
    compare(body, entries_of(frame))


@thorough(1500)
@given(ENTRIES, st.lists(st.tuples(st.sampled_from(("flip", "delete", "insert")), st.floats(0, 1), st.integers(0, 255)),
                         min_size=1, max_size=4))
def test_messages_that_both_can_read_say_the_same_whatever_is_wrong_with_them(entries, changes):
    """Behind a right checksum, so that nothing but the messages themselves tells."""
    body = bytearray(ours(written(entries[:8]))[0])
    for kind, place, value in changes:
        at = int(place * (len(body) - 1))
        if kind == "flip":
            body[at] ^= value
        elif kind == "delete":
            del body[at:at + 1 + value % 9]
        else:
            body[at:at] = bytes([value])
        body = body or bytearray(1)
    body = bytes(body)
    try:
        reading = SmlDecoder(None).decode(body, 0, len(body))
    except MeterError:
        return
    assert all(type(value) in (int, str) for value in reading.values()) and json.dumps(reading)
    try:
        told = entries_of(SmlFrame(body))
    except Exception:  # it says what is wrong in many ways
        return
    compare(body, told)
