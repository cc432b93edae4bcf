# SPDX-License-Identifier: MIT
"""The simulated text meters besides the Dutch: other people's readers, real telegrams beside them, broken bodies."""

import random
import re

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.parsers import TelegramParser
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.test_peers_dsmr import FIELDS, number
from tools import cpython, meters
from tools.paths import TELEGRAMS

cpython.install()

from wattport.errors import MeterError  # noqa: E402
from wattport.frame.framer import Framer  # noqa: E402
from wattport.frame.p1 import P1  # noqa: E402

START = 1_768_496_400
KEYS = {"key": bytes(range(16)), "auth_key": bytes(range(16, 32))}


def take(name, count=10, **options):
    meter = meters.make(name, seed=4, start=START, **options)
    return [meter.next() for _ in range(count)]


@pytest.mark.parametrize("name, specification, least", [("hu", "EON_HUNGARY", 20), ("iec", "Q3D", 4), ("ch", "V5", 10)])
def test_dsmr_parser_reads_the_same_values(name, specification, least):
    # the words that are no numbers to it are taken out, and with them what the checksum counts
    parser = TelegramParser(getattr(specifications, specification), apply_checksum_validation=name == "ch")
    for telegram, expected in take(name):
        told = parser.parse(telegram.decode().replace("TARIFF ", "000"))
        compared = 0
        for theirs, field in FIELDS.items():
            item = getattr(told, theirs, None)
            if item is None or item.value is None or field not in expected:
                continue
            value = number(item.value, item.unit, field)
            if name == "iec" and field.startswith("power_import"):  # which it takes with its sign
                value = max(value, 0)
            assert value == expected[field], field
            compared += 1
        assert compared >= least


def sample(name):
    return (TELEGRAMS / (name + ".bin")).read_bytes().decode("latin-1")


def codes(text):
    """The codes of a telegram in their order, and the shapes of their values."""
    lines = re.findall(r"^([0-9A-Z.:*-]+)(\(.*\))\r?$", text, re.M)
    return [(code, re.sub(r"\d", "9", value)) for code, value in lines]


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
@pytest.mark.parametrize("name, real, common", [
    ("hu", "dsmr-hu-wasion-truncated-dsmr-parser-53", 19), ("lt", "dsmr-lt-eso-sagemcom-esphome-fork", 75),
    ("iec", "iec62056-21-easymeter-q3d-aeroid-power", 6), ("iec-c", "iec62056-21-landis-e350-zmf100-vzlogger", 16)])
def test_its_lines_look_like_a_real_meters(name, real, common):
    made = dict(codes(take(name, 1)[0][0].decode("latin-1").replace("\x02", "")))
    there = dict(codes(sample(real).replace("\x02", "")))
    both = [code for code in made if code in there]
    assert len(both) >= common, sorted(set(made) ^ set(there))
    for code in both:
        if not code.startswith(("0-0:96.1", "0-0:42", "C.1", "0.0", "1-0:0.", "16.7", "1-0:96.7")):
            assert len(made[code]) == len(there[code]) or "-" in made[code] + there[code], code


def unseal(body, key, auth_key):
    """What a body of security control, counter, ciphertext and tag holds; the system title is nought."""
    cipher = Cipher(algorithms.AES(key), modes.GCM(bytes(8) + body[1:5], body[-12:], min_tag_length=12)).decryptor()
    cipher.authenticate_additional_data(body[:1] + auth_key)
    return cipher.update(body[5:-12]) + cipher.finalize()


def test_a_polish_telegram_opens_with_its_keys_and_no_other():
    telegram, expected = take("pl", 1, **KEYS)[0]
    head, size, body, tail = telegram[:20], telegram[20:24], telegram[24:-7], telegram[-7:]
    assert head == b"/KFM5KAIFA-METER\r\n\r\n" and size[:2] == b"\0\x82" and tail[:1] == b"!" and tail[-2:] == b"\r\n"
    assert int.from_bytes(size[2:], "big") == len(body) and body[0] == 0x30
    with pytest.raises(InvalidTag):
        unseal(body, KEYS["key"], bytes(16))
    opened = unseal(body, **KEYS)
    assert opened.startswith(b"0-0:1.0.0(") and opened.endswith(b"0-0:96.13.0()\r\n")
    assert b"(%06d.%03d*kWh)" % divmod(expected["import_wh"], 1000) in opened


@pytest.mark.parametrize("name", ["hu", "lt", "ch", "iec-c", "pl"])
def test_a_spoilt_telegram_differs_in_its_proof_alone(name):
    meter = meters.make(name, seed=4, start=START)
    telegram, _ = meter.next()
    for seed in range(10):
        spoilt = meter.family.spoil(telegram, random.Random(seed))
        assert len(spoilt) == len(telegram) and spoilt[:-24] == telegram[:-24] and spoilt != telegram


def test_a_meter_without_a_checksum_cannot_have_a_wrong_one():
    with pytest.raises(ValueError):
        meters.make("iec").family.spoil(b"", random.Random(1))


PIECES = st.one_of(st.binary(max_size=30), st.sampled_from((
    b"/KFM5KAIFA-METER\r\n", b"\r\n", b"\x02", b"\x03", b"!\r\n", b"!", b"1.8.0(1*kWh)\r\n", b"\x00\x82\x00\x20",
    b"\xdb\x08", b"\x00\x81\x11", b"\x08ABCDEFGH\x10", b"/", b"!ABCD\r\n")))


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.lists(PIECES, max_size=14), st.integers(1, 40), st.booleans())
def test_bodies_of_any_kind_give_frames_inside_of_what_came_or_named_errors(pieces, step, last):
    data = b"".join(pieces)
    seen = []

    def frame(protocol, buf, start, end):
        opened, at, stop = protocol.open(buf, start, end)
        assert opened is buf and start <= at < stop <= end
        seen.append(end - start)

    def error(error, buf, start, end):
        assert isinstance(error, MeterError) and 0 <= start <= end <= len(buf)

    framer = Framer([P1()], frame, error, 300)
    for at in range(0, len(data), step):
        framer.feed(data[at:at + step], len(data[at:at + step]))
    framer.flush(last)
    assert framer.pending == 0 and sum(seen) <= len(data)
    good = meters.make("iec-c", seed=4, start=START).next()[0]
    before = len(seen)
    framer = Framer([P1()], frame, error)
    framer.feed(data, len(data))
    framer.flush()
    framer.feed(good, len(good))
    assert len(seen) > before
