# SPDX-License-Identifier: MIT
"""The JSON object in a request's body (RFC 8259), more strictly than json alone has it. Pure; loaded for a POST.

MicroPython's json does not look at names, does not miss what is missing at the end, and makes two halves of a character
that is written as two escapes ("\\ud83d\\ude00"), which no browser could read again.
"""

import gc
import json

# first byte of a character → the least and the most that its second one may be (RFC 3629, clause 4)
_SECOND = ((0xE0, 0xA0, 0xBF), (0xED, 0x80, 0x9F), (0xF0, 0x90, 0xBF), (0xF4, 0x80, 0x8F))
_SPACE = b" \t\n\r\x0b\x0c"
_PIECE = 256
_NEVER = (0xC0, 0xC1, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF)


def _check(body):
    """ValueError for bytes that are no UTF-8; MicroPython's decode() looks only at how many belong together."""
    for byte in _NEVER:
        if body.find(bytes((byte,))) >= 0:
            raise ValueError
    for first, least, most in _SECOND:
        at = body.find(bytes((first,)))
        while at >= 0:
            if at + 1 == len(body) or not least <= body[at + 1] <= most:
                raise ValueError
            at = body.find(bytes((first,)), at + 1)
    at = 0
    while at < len(body):  # in pieces: the heap may have no room for all of it twice
        end = at + _PIECE
        while end < len(body) and body[end] & 0xC0 == 0x80:  # within a character
            end += 1
        body[at:end].decode()
        at = end


def _code(text, at):
    """What the escape at a place stands for."""
    code = 0
    for digit in text[at + 2:at + 6]:
        code = code * 16 + int(digit, 16)
    return code


def _joined(text):
    """The text with one character for two escapes."""
    parts = []
    done = 0
    at = text.find("\\")
    while at >= 0:
        end = at + 2
        if text[at + 1:end] == "u":
            end = at + 6
            high = _code(text, at)
            if 0xD800 <= high < 0xE000:
                low = _code(text, end) if text[end:end + 2] == "\\u" else 0
                if high >= 0xDC00 or not 0xDC00 <= low < 0xE000:
                    raise ValueError
                parts.append(text[done:at])
                parts.append(chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00))
                done = end = end + 6
        at = text.find("\\", end)
    parts.append(text[done:])
    return "".join(parts)


def parse(body):
    """The dict in bytes, or ValueError."""
    _check(body)
    first, last = 0, len(body) - 1
    while first < last and body[first] in _SPACE:
        first += 1
    while first < last and body[last] in _SPACE:
        last -= 1
    if first >= last or body[first] != 0x7B or body[last] != 0x7D:  # no object
        raise ValueError
    if body.find(b"\\u") >= 0:
        body = _joined(body.decode())
    gc.collect()
    return json.loads(body)
