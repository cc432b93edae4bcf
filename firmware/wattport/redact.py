# SPDX-License-Identifier: MIT
"""Takes out of a frame whose meter it is, so that it can be shown to others: serial numbers of the meter and of those
behind it, delivery points, system titles, public keys, messages. In place, and nothing moves: each letter or digit
becomes "0", each byte 0, so that lengths and layout are as they were. Checksums and tags are not made anew.

What is known from readings is looked for in every form that meters send it in. For the frames that nobody could read
the rules below know where identities stand. Rather too much than too little: a long enough number goes.

Loaded for a diagnostic bundle, then forgotten. `buf` is a bytearray in all of it; some 20 ms of a chip for a kilobyte.
"""

from binascii import hexlify, unhexlify

from micropython import const

_LONG = const(9)  # figures of a number that no register has, leading zeros left out
_MIXED = const(7)  # where letters stand beside them: KFM1200100037631
_HEX = const(10)  # hexadecimal digits, without leading zeros: a MAC or EUI address
_LEAST = const(4)
# OBIS codes without their medium and channel (C.D.E) that name a meter or carry a text for the household
_CODES = (b"96.1.", b"96.13.", b"0.0.", b"0.0(", b"42.0.0", b"C.1.", b"C.90.")
_LABELS = (b"ADCO", b"ADSC", b"PRM", b"ADIR", b"MSG1", b"MSG2", b"MSG")  # of TIC
_QUOTED = (b'"mpan"', b'"mprn"')  # delivery points of Britain, in JSON
_ZERO = const(48)


def _digit(byte):
    return 48 <= byte <= 57


def _letter(byte):
    return 65 <= byte <= 90 or 97 <= byte <= 122


def _plain(byte):
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122


def _blank(buf, start, end):
    """Letters and digits of a text."""
    for i in range(start, end):
        if _plain(buf[i]) or buf[i] > 127:
            buf[i] = _ZERO


def _wipe(buf, start, end):
    """Bytes, or a text in them."""
    end = min(end, len(buf))
    text = start < end
    for i in range(start, end):
        text = text and 32 <= buf[i] < 127
    if text:
        _blank(buf, start, end)
    else:
        for i in range(start, end):
            buf[i] = 0


def _replace(buf, form):
    at = buf.find(form)
    while at >= 0:
        _wipe(buf, at, at + len(form))
        at = buf.find(form, at + 1)


def _forms(text):
    """What may stand for an identity in a frame."""
    plain = text.encode()
    coded = hexlify(plain)
    found = [plain, plain.lower(), plain.upper(), coded, coded.upper()]
    try:
        raw = unhexlify(plain)
        found += [raw, bytes([raw[i] for i in range(len(raw) - 1, -1, -1)])]
    except ValueError:
        pass
    end = len(text)
    while end and text[end - 1].isdigit():
        end -= 1
    figures = text[end:][-8:]  # DIN 43863-5: the last eight are the number
    if len(figures) > 5:
        number = int(figures)
        found += [number.to_bytes(4, "big"), number.to_bytes(4, "little"), figures.encode()]
    return [form for form in found if len(form) >= _LEAST and len(form.strip(b"0\0")) > 2]


def known(buf, texts):
    """Wipe out identities that readings told of."""
    for text in texts:
        for form in _forms(text):
            _replace(buf, form)


def _line(buf, start, end):
    """A line of P1 or IEC 62056-21 text, "1-0:96.1.0*255(…)", or of TIC, "ADCO 012345678901 X"."""
    at = start
    while at < end and buf[at] in b"\x02\n\r\t ":
        at += 1
    bracket = buf.find(b"(", at, end)
    if bracket >= 0:
        code = buf.find(b":", at, bracket)
        code = at if code < 0 else code + 1
        for one in _CODES:
            if buf[code:code + len(one)] == one:
                _blank(buf, bracket, end)
    else:
        for one in _LABELS:
            stop = at + len(one)
            if buf[at:stop] == one and stop < end and buf[stop] in b" \t":
                _blank(buf, stop, max(stop, end - 2))  # but for the checksum
                break


def lines(buf):
    """What texts say about themselves."""
    for name in _QUOTED:
        at = buf.find(name)
        if at >= 0:
            start = buf.find(b'"', at + len(name)) + 1
            if start:
                end = buf.find(b'"', start)
                _blank(buf, start, end if end >= 0 else len(buf))
    at = 0
    while at < len(buf):
        end = buf.find(b"\n", at)
        end = len(buf) if end < 0 else end
        if end - at < 1100:
            _line(buf, at, end)
        at = end + 1


def _token(buf, start, end):
    """Letters and digits without anything between: is it a number that tells one meter from the others?"""
    if buf[start] == _ZERO and buf[start + 1] in b"xX":
        start += 2
    run = most = digits = others = 0
    is_hex = True
    for i in range(start, end):
        byte = buf[i]
        if _digit(byte):
            digits += 1
            run += 1 if run or byte != _ZERO else 0
            most = max(most, run)
        else:
            run = 0
            others += 1
            is_hex = is_hex and (65 <= byte <= 70 or 97 <= byte <= 102)
    if others == 1 and digits >= 10 and digits in (10, 12) and (buf[end - 1] in b"WSws" or buf[start] in b"EHeh "):
        return  # the time of a telegram: 260131120000W, H260131120000
    first = start
    while first < end and buf[first] == _ZERO:
        first += 1
    # a text of COSEM that is a number: there its length stands before it
    most += 9 if digits > 5 and start > 1 and buf[start - 1] == end - start and buf[start - 2] in (9, 10) else 0
    if most >= (_MIXED if others else _LONG) or is_hex and others and end - first >= _HEX and digits > 1:
        _blank(buf, start, end)


def numbers(buf, first=0, stop=None):
    """Long numbers, in texts and in the texts of binary frames: those that begin at `first` to `stop`. A kilobyte in
    one go would take a chip too long."""
    end = len(buf)
    stop = end if stop is None else min(stop, end)
    at = first
    if at:
        while at < end and _plain(buf[at - 1]) and _plain(buf[at]):
            at += 1
    while at < stop:
        start = at
        while at < end and _plain(buf[at]):
            at += 1
        if at - start >= _MIXED:
            _token(buf, start, at)
        at += 1


def _element(buf, at):
    """(type, where the data start, where they end) of an SML element; type 7: a list, whose elements follow."""
    first = buf[at]
    size, head = first & 15, 1
    if first & 0x80:
        size = size << 4 | buf[at + 1] & 15
        head = 2
    kind = first >> 4 & 7
    return kind, at + head, at + head if kind == 7 else max(at + size, at + head)


def _identity(buf, at, skip):
    """Wipe out the octet string that comes after `skip` elements."""
    for _ in range(12):
        if at >= len(buf) - 1:
            return
        kind, start, end = _element(buf, at)
        if kind == 0 and end - start >= _LEAST and skip <= 0:
            _wipe(buf, start + (5 if end - start > 8 else 0), end)
            return
        skip -= 1
        at = end


def sml(buf):
    """SML: the server's identity of each message, and what is listed as one."""
    for mark, skip in ((b"\x07\x01\x77", 1), (b"\x01\x01\x76", 3)):
        at = buf.find(mark)
        while at >= 0:
            _identity(buf, at + 3, skip)
            at = buf.find(mark, at + 1)
    at = buf.find(b"\x77\x07")
    while at >= 0:
        if _names(buf, at + 2) or buf[at + 4:at + 7] == b"\xc7\x82\x05":  # the public key
            _identity(buf, at + 8, 0)
        at = buf.find(b"\x77\x07", at + 1)


def _names(buf, at):
    """Whether six bytes are the OBIS code of something that names a meter or a text: A B C D E F."""
    if at + 6 > len(buf):
        return False
    c, d, e = buf[at + 2], buf[at + 3], buf[at + 4]
    return c == 96 and d in (1, 13) or c == d == 0 and e <= 10 and buf[at] < 2 or c == 42 and d == e == 0


def binary(buf):
    """COSEM, wired M-Bus and what encrypts them."""
    for mark in (b"\xdb\x08", b"\xdc\x08"):  # a system title: three letters of the maker, then what is the meter's own
        at = buf.find(mark)
        while at >= 0:
            if at < 24 or at + 2 < len(buf) and _letter(buf[at + 2]):
                _wipe(buf, at + 5, at + 10)
            at = buf.find(mark, at + 1)
    at = buf.find(b"\x09\x06")
    while at >= 0:
        value = at + 8
        if _names(buf, at + 2) and value + 1 < len(buf):
            if buf[value] in (9, 10) and buf[value + 1] < 128:
                _wipe(buf, value + 2, value + 2 + buf[value + 1])
            elif buf[value] in (5, 6):
                _wipe(buf, value + 1, value + 5)
        at = buf.find(b"\x09\x06", at + 1)
    head = 4 if buf[:1] == b"\x68" else 0
    if buf[head:head + 1] in (b"\x53", b"\x73", b"\x08") and buf[head + 2:head + 3] in (b"\x5b", b"\x72", b"\x73"):
        _wipe(buf, head + 3, head + 7)


STEPS = (lines, sml, binary)  # one after the other, then `numbers`; somebody else may run in between


def redact(buf, texts):
    """All of it at once."""
    known(buf, texts)
    for step in STEPS:
        step(buf)
    numbers(buf)
