# SPDX-License-Identifier: MIT
"""Bodies behind a "/" identification that are no P1 text: imported when a meter sends one.

    STX  data lines  ! CR LF  ETX BCC                             IEC 62056-21, 6.3: read-out of an optical head
    [DB]  title  length  security  counter  ciphertext  tag  ! CRC CR LF      Poland (Stoen): P1 with encrypted lines

BCC is the XOR of everything behind STX up to ETX itself. Poland's envelope leaves the tag out and gives its system
title no byte; what its checksum counts is published nowhere, the tag has to do.
"""

from micropython import const

from wattport.errors import MeterError
from wattport.frame.envelope import length_at

_LONGEST_ENVELOPE = const(1024)
_LINE_ENDS = b"\r\n"
_NEXT = const(0x2F)  # "/" of another telegram
_GENERAL_GLO = const(0xDB)


def _bcc(buf, at, end):
    """The XOR of buf[at:end]."""
    folded = 0
    for i in range(at, end):
        folded ^= buf[i]
    return folded


def block(buf, at, end, last):
    """The block whose STX is at buf[at]: (place behind it, can nothing be wrong inside of it, what is wrong with its
    check); (0, True, "") when more bytes are needed. Seven bits of XOR prove little: swapped bytes escape them, so the
    lines are read as strictly as those without a checksum. Who dumps a block to a file may leave ETX and BCC out."""
    etx = buf.find(b"\x03", at, end)
    stop = end if etx < 0 else etx
    mark = at
    while True:
        mark = buf.find(b"!", mark + 1, stop)
        if mark < 0:
            break
        behind = mark + 1
        while behind < end and behind < mark + 5 and buf[behind] in _LINE_ENDS:
            behind += 1
        if behind == end:
            return (mark + 1, False, "") if last else (0, True, "")
        if behind > mark + 1 and buf[behind] == _NEXT:
            return mark + 1, False, ""
    if etx < 0 or etx + 2 > end:
        return 0, True, ""
    sent, counted = buf[etx + 1] & 0x7F, _bcc(buf, at + 1, etx + 1) & 0x7F
    return etx + 2, False, "" if sent == counted else "block check is %02X, should be %02X" % (sent, counted)


def envelope(buf, at, end, last):
    """The same for a body of ciphertext; MeterError for one that is none."""
    if buf[at] >= _GENERAL_GLO:
        at += 1
    if at >= end:
        return 0, True, ""
    if buf[at] not in (0, 8):
        raise MeterError("malformed", "the system title has neither 8 bytes nor none")
    size, place = length_at(buf, at + 1 + buf[at], end)
    if size < 0:
        return 0, True, ""
    if not 5 <= size <= _LONGEST_ENVELOPE:
        raise MeterError("malformed", "an encrypted body of %d bytes" % size)
    mark = place + size
    if mark + 5 > end and not (last and mark + 1 <= end):
        return 0, True, ""
    if buf[mark] != 33:
        return mark, True, "bytes of the encrypted body are missing"
    return min(mark + 5, end), True, ""


def unwrap(buf, start, at, end):
    """(buf, start, end) of the envelope at buf[at] as general-glo-ciphering has it: tag, 8 bytes of title, length.
    What is missing takes the place of the identification; a title that is not sent counts as zeros."""
    if buf[at] >= _GENERAL_GLO:
        if buf[at + 1]:
            return buf, at, end
        at += 1
    if buf[at]:
        at -= 1
    else:
        at -= 9
        if at < start:
            raise MeterError("unsupported", "an encrypted body without a system title")
        for place in range(at + 2, at + 10):
            buf[place] = 0
        buf[at + 1] = 8
    buf[at] = _GENERAL_GLO
    return buf, at, end
