# SPDX-License-Identifier: MIT
"""Frames without their identities: every real telegram that there is, as it came and as it is once decrypted, and
whatever hypothesis makes up."""

import json
from binascii import hexlify, unhexlify

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import cpython

cpython.install()

from tools import decoder  # noqa: E402
from tools.paths import TELEGRAMS  # noqa: E402
from wattport.decode import cosem, p1  # noqa: E402
from wattport.redact import numbers, redact  # noqa: E402


def identities(reading):
    """Everything in a reading that names a meter."""
    found = [reading.get("meter_id")] + [device.get("id") for device in reading.get("devices", {}).values()]
    return [text for text in found if text and text.strip("0")]


def readings(path):
    """What our decoder reads in a stored telegram; none where it cannot."""
    about = json.loads(path.with_suffix(".json").read_text())
    lines = []
    with open(path, "rb") as stream:
        decoder.decode_file(stream, {"key": about.get("key"), "auth_key": about.get("auth_key")}, lines.append,
                            lambda text: None)
    return [line["reading"] for line in map(json.loads, lines) if "reading" in line]


def forms(identity):
    """How an identity can be told from bytes, written down apart from the firmware's own list."""
    plain = identity.encode()
    yield plain
    yield hexlify(plain)
    yield hexlify(plain).upper()
    try:
        yield unhexlify(plain)
        yield unhexlify(plain)[::-1]
    except ValueError:
        pass
    if identity[-8:].isdigit():
        yield int(identity[-8:]).to_bytes(4, "big")
        yield plain[-8:]


def survivors(data, texts):
    return [(identity, form) for identity in texts for form in forms(identity)
            if len(form) >= 4 and len(form.strip(b"0\0")) > 2 and form in data]


PATHS = sorted(TELEGRAMS.glob("*.bin")) if TELEGRAMS.is_dir() else []
needed = pytest.mark.skipif(not PATHS, reason="the stored telegrams are not here")


@needed
def test_no_identity_survives_in_any_real_telegram():
    seen = 0
    for path in PATHS:
        texts = sorted({text for reading in readings(path) for text in identities(reading)})
        data = path.read_bytes()
        buf = bytearray(data)
        redact(buf, texts)
        assert len(buf) == len(data)
        assert not survivors(buf, texts), path.name
        seen += len(texts)
    assert seen > 100


@needed
def test_nor_where_no_reading_told_of_it_before():
    left = {}
    seen = 0
    for path in PATHS:
        texts = sorted({text for reading in readings(path) for text in identities(reading)})
        buf = bytearray(path.read_bytes())
        redact(buf, [])
        seen += len(texts)
        if survivors(buf, texts):
            left[path.name] = survivors(buf, texts)
    assert seen > 100
    assert not left


@needed
def test_nor_in_what_was_decrypted_in_place_before_the_error(monkeypatch):
    opened = []
    for kind in (cosem.CosemDecoder, p1.P1Decoder):
        def decode(self, buf, start, end, *rest, _decode=kind.decode):
            opened.append(bytes(buf[start:end]))
            return _decode(self, buf, start, end, *rest)
        monkeypatch.setattr(kind, "decode", decode)
    seen = 0
    for path in PATHS:
        if "encrypted" not in path.name:
            continue
        opened.clear()
        texts = sorted({text for reading in readings(path) for text in identities(reading)})
        for data in opened:
            buf = bytearray(data)
            redact(buf, [])
            assert not survivors(buf, texts), path.name
            seen += any(text.encode() in data or hexlify(text.encode()).upper() in data for text in texts)
    assert seen > 10


@given(st.binary(max_size=300), st.lists(st.text("0123456789ABCDEFXYZ", min_size=6, max_size=20), max_size=3),
       st.binary(max_size=100))
def test_whatever_comes_is_taken_and_keeps_its_length(before, texts, after):
    buf = bytearray(before + b"".join(text.encode() for text in texts) + after)
    size = len(buf)
    redact(buf, texts)
    assert len(buf) == size
    assert not survivors(buf, texts)
    once = bytes(buf)
    redact(buf, texts)
    assert not survivors(buf, texts) and len(buf) == len(once)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_half_frames_are_taken(before, after):
    for middle in (b"\xdb\x08", b"\x77\x07\x01\x00\x60\x01\x00\xff", b"\x07\x01\x77\x8b", b"\x01\x01\x76", b"(",
                   b"\x68", b"\x09\x06\x00\x00\x60\x01\x00\xff\x0a", b"ADCO ", b"\x68\x01\x01\x68\x73\x00\x72"):
        redact(bytearray(before + middle + after), [])
        redact(bytearray(middle + after), [])


@given(st.text("0123456789ABxyz .,(", max_size=200), st.integers(1, 50))
def test_in_pieces_it_comes_to_the_same(text, piece):
    whole, pieces = bytearray(text.encode()), bytearray(text.encode())
    numbers(whole)
    for at in range(0, len(pieces), piece):
        numbers(pieces, at, at + piece)
    assert pieces == whole


def test_what_is_no_identity_stays():
    text = (b"/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(101209113020W)\r\n1-0:1.8.1(123456.789*kWh)\r\n"
            b"1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)\r\n"
            b"1-0:21.7.0(01.193*kW)\r\n0-1:24.2.1(101209112500W)(12785.123*m3)\r\n!E47C\r\n")
    buf = bytearray(text)
    redact(buf, [])
    assert bytes(buf) == text
    tic = b"\nIINST 008 _\r\nHCHC 012345678 -\r\nSMAXSN\tE260131120000\t08000\tX\r\n"
    buf = bytearray(tic)
    redact(buf, [])
    assert bytes(buf) == tic


def test_what_names_a_household_goes():
    for text, gone in (
            (b"0-0:96.1.1(4B384547303034303436333935353037)", b"4B38"), (b"0-1:96.1.0(3232323241424344)", b"3232"),
            (b"0-0:96.13.0(303132333435)", b"3031"), (b"0-0:42.0.0(KFM1)", b"KFM1"),
            (b"1-0:0.0.0*255(12345678)", b"1234"),
            (b"C.1.0(1234)", b"1234"), (b"0.0.9(ABC)", b"ABC"), (b"/Lux5\\253663629_D", b"253663629"),
            (b"\nADCO 123456789012 B\r\n", b"123456789012"), (b"\nPRM\t12345678901234\tA\r\n", b"5678"),
            (b"\nMSG1\tPAS DE          MESSAGE\t<\r\n", b"MESSAGE"), (b'{"mpan":"1234567890123"}', b"1234"),
            (b'"id":"0xBCDDC2C4ABD0"', b"BCDD"), (b"\xdb\x08KAM\x01\x02\x03\x04\x05rest", b"\x01\x02\x03\x04\x05"),
            (b"\x0a\x0e1EMH0012345678", b"12345678"),
            (b"\x68\x5f\x5f\x68\x73\xf0\x5b\x78\x56\x34\x12\x2d\x4c", b"\x78\x56\x34\x12"),
            (b"\x09\x06\x00\x00\x60\x01\x00\xff\x09\x05\x01\x02\x03\x04\x05", b"\x01\x02\x03\x04\x05"),
            (b"\x77\x07\x81\x81\xc7\x82\x05\xff\x01\x01\x01\x01\x83\x02" + bytes(range(1, 49)), bytes(range(20, 40)))):
        buf = bytearray(text)
        assert gone in buf
        redact(buf, [])
        assert gone not in buf, text
