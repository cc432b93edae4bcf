# SPDX-License-Identifier: MIT
"""JSON (RFC 8259) with its numbers left as text: a chip's float has 24 bits, a meter's register needs more.

Objects become dicts, arrays lists, strings and numbers texts, null, true and false None. Depth and size are bounded.
"""

from micropython import const

from wattport.errors import MeterError

_DEEPEST = const(8)
_LARGEST = const(4096)
_MOST_DIGITS = const(18)  # of a number; more are no meter's
_BLANKS = b" \t\r\n"
_WORDS = (b"null", b"true", b"false")
_ESCAPES = {110: "\n", 116: "\t", 114: "\r", 98: "\b", 102: "\f"}


def parse(buf, start, end):
    """What the text buf[start:end] says (bytes or bytearray). MeterError "malformed" or "truncated"."""
    if end - start > _LARGEST:
        raise MeterError("malformed", "more than %d bytes of JSON" % _LARGEST)
    value, at = _value(buf, _skip(buf, start, end), end, 0)
    while at < end:
        if buf[at] not in _BLANKS:
            raise _wrong(at)
        at += 1
    return value


def fixed(text, decimals):
    """The number in `text` times 10^decimals, cut to an integer: fixed("0.425", 3) is 425. ValueError for anything
    that is no number, or is longer than any meter's."""
    if not isinstance(text, str) or len(text) > 2 * _MOST_DIGITS:
        raise ValueError("no number")
    mantissa, mark, exponent = text.lower().partition("e")
    if exponent.strip("+-0123456789"):
        raise ValueError("no number")
    if mark:
        decimals += int(exponent)
    negative = mantissa.startswith("-")
    whole, _, fraction = mantissa[1 if negative else 0:].partition(".")
    digits = whole + fraction
    if not digits or digits.strip("0123456789") or abs(decimals) > _MOST_DIGITS:
        raise ValueError("no number")
    places = decimals - len(fraction)
    value = int(digits)
    value = value * 10 ** places if places >= 0 else value // 10 ** -places
    return -value if negative else value


def _wrong(at):
    return MeterError("malformed", "no JSON at byte %d" % at)


def _skip(buf, at, end):
    """The place of the next byte that is not blank; there has to be one."""
    while at < end:
        if buf[at] not in _BLANKS:
            return at
        at += 1
    raise MeterError("truncated", "the JSON text ends too soon")


def _value(buf, at, end, depth):
    """(value, place behind it) of what starts at `at`, which is not blank."""
    byte = buf[at]
    if byte == 0x22:
        return _string(buf, at + 1, end)
    if byte == 0x7B or byte == 0x5B:
        if depth >= _DEEPEST:
            raise MeterError("malformed", "JSON deeper than %d" % _DEEPEST)
        return _group(buf, at, end, depth + 1)
    stop = at
    while stop < end and buf[stop] not in b",]} \t\r\n":
        stop += 1
    word = bytes(memoryview(buf)[at:stop])
    if word in _WORDS:
        return None, stop
    if word.strip(b"0123456789+-.eE") or not word:
        if stop == end and any([known.startswith(word) for known in _WORDS]):
            raise MeterError("truncated", "the JSON text ends too soon")
        raise _wrong(at)
    return word.decode(), stop


def _group(buf, at, end, depth):
    """An object or an array."""
    keyed = buf[at] == 0x7B
    closing = 0x7D if keyed else 0x5D
    found = {} if keyed else []
    at = _skip(buf, at + 1, end)
    if buf[at] == closing:
        return found, at + 1
    while True:
        if keyed:
            if buf[at] != 0x22:
                raise _wrong(at)
            name, at = _string(buf, at + 1, end)
            at = _skip(buf, at, end)
            if buf[at] != 0x3A:
                raise _wrong(at)
            at = _skip(buf, at + 1, end)
        value, at = _value(buf, at, end, depth)
        if keyed:
            found[name] = value
        else:
            found.append(value)
        at = _skip(buf, at, end)
        if buf[at] == closing:
            return found, at + 1
        if buf[at] != 0x2C:
            raise _wrong(at)
        at = _skip(buf, at + 1, end)


def _string(buf, at, end):
    """(text, place behind the closing mark); `at` is behind the opening one."""
    parts = []
    while True:
        mark = buf.find(b'"', at, end)
        if mark < 0:
            raise MeterError("truncated", "the JSON text ends too soon")
        escape = buf.find(b"\\", at, mark)
        stop = mark if escape < 0 else escape
        try:
            parts.append(bytes(memoryview(buf)[at:stop]).decode())
        except UnicodeError:
            raise _wrong(at)
        if escape < 0:
            return "".join(parts), mark + 1
        if escape + 1 >= end:
            raise MeterError("truncated", "the JSON text ends too soon")
        byte = buf[escape + 1]
        at = escape + 2
        if byte in b'"\\/':
            parts.append(chr(byte))
        elif byte in _ESCAPES:
            parts.append(_ESCAPES[byte])
        else:
            digits = bytes(memoryview(buf)[at:min(at + 4, end)])
            if byte != 0x75 or len(digits) < 4 or digits.strip(b"0123456789abcdefABCDEF"):
                raise _wrong(escape)
            code = int(digits, 16)
            parts.append(chr(code) if code < 0xD800 or code > 0xDFFF else "?")  # no half of a pair goes on
            at += 4
