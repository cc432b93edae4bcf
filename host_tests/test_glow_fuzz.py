# SPDX-License-Identifier: MIT
"""JSON from a network: whatever comes is read as Python's own reader reads it, or refused by kind."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.core.test_glow import ELECTRICITY, GAS, OLD, STATE
from wattport.decode.glow import GlowDecoder
from wattport.decode.jsontext import Json as Text
from wattport.decode.jsontext import fixed
from wattport.errors import KINDS, MeterError
from wattport.frame.framer import Framer
from wattport.frame.json import Json

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
LEAVES = (st.none() | st.booleans() | st.integers(-10**15, 10**15)
          | st.floats(allow_nan=False, allow_infinity=False) | TEXTS)
DOCUMENTS = st.recursive(
    LEAVES, lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXTS, inside, max_size=4), max_leaves=20)
MESSAGES = [text.encode() for text in (ELECTRICITY, GAS, OLD % "000643", STATE)]


def depth(value):
    if isinstance(value, (list, dict)):
        return 1 + max([depth(inner) for inner in (value.values() if isinstance(value, dict) else value)], default=0)
    return 0


def leaves(value, path=""):
    """(path, leaf or container) of all that can be asked for: what stands in objects alone."""
    for name, inner in value.items():
        if "/" in name or "[" in name:
            continue
        yield path + name, inner
        if isinstance(inner, dict):
            yield from leaves(inner, path + name + "/")


@given(st.dictionaries(TEXTS, DOCUMENTS, max_size=5), st.sampled_from([None, 1]))
def test_whatever_json_says_is_read_as_python_reads_it(document, indent):
    data = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    try:
        found = Text(data, 0, len(data))
    except MeterError:
        assert depth(document) > 8 or len(data) > 4096
        return
    for path, value in leaves(json.loads(data, parse_float=str, parse_int=str)):
        if "\\" in json.dumps(path, ensure_ascii=False):
            continue
        assert found.has(path.encode())
        if isinstance(value, str):
            place = found.place(0, path.encode())
            text = data[place[0]:place[1]].decode()
            assert text == value or json.loads('"%s"' % text) == value


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\u0123456789eE+-.tfn al', max_size=60).map(str.encode)
       | st.text(alphabet='{}":,a1', max_size=16).map(str.encode))
def test_bytes_are_json_to_us_when_they_are_to_python(data):
    try:
        Text(data, 0, len(data))
    except MeterError as error:
        assert error.kind in ("malformed", "truncated")
        try:
            value = json.loads(data.decode("utf-8"), parse_constant=lambda name: int("no"))
        except (ValueError, RecursionError):
            return
        assert not isinstance(value, dict) or depth(value) > 8, "refused what is right"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-10**12, max_value=10**12, places=4),
       st.integers(0, 6))
def test_a_number_is_cut_and_never_rounded(number, decimals):
    exact = abs(number).scaleb(decimals)
    text = format(number, "f").encode()
    assert fixed(text, 0, len(text), decimals) == int(exact) * (-1 if number < 0 else 1)


@settings(max_examples=2000, deadline=None)
@given(st.sampled_from(MESSAGES), st.data())
def test_a_spoilt_message_is_refused_by_kind_or_gives_whole_numbers(message, data):
    spoilt = bytearray(message)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        how = data.draw(st.integers(0, 2))
        if how == 0:
            spoilt[at] = data.draw(st.integers(0, 255))
        elif how == 1:
            del spoilt[at:at + data.draw(st.integers(1, 40))]
        else:
            spoilt[at:at] = data.draw(st.sampled_from([b'"', b"{", b"}", b"[", b"null", b"-", b"9" * 30, b"e9", b"{}"]))
        if not spoilt:
            return
    try:
        reading = GlowDecoder(None).decode(spoilt, 0, len(spoilt))
    except MeterError as error:
        assert error.kind in KINDS
        return
    for name, value in reading.items():
        if name == "devices":
            assert all(isinstance(inner, (int, str)) for inner in value["1"].values())
        else:
            assert isinstance(value, str if name == "meter_id" else int)
    json.dumps(reading)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MESSAGES) | st.binary(max_size=60), max_size=6), st.integers(1, 700))
def test_the_framer_takes_any_bytes_in_any_pieces(parts, step):
    found = []
    framer = Framer([Json()], lambda protocol, buf, start, end: found.append(bytes(buf[start:end])),
                    lambda error, buf, start, end: None)
    data = b"".join(parts)
    for at in range(0, len(data), step):
        framer.feed(data[at:at + step], len(data[at:at + step]))
    framer.flush(True)
    assert sum(map(len, found)) <= len(data)
    assert not framer.pending
    if all(part in MESSAGES for part in parts):
        assert found == parts
