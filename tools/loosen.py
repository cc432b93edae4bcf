# SPDX-License-Identifier: MIT
"""Short texts of a compiled module, kept with the module instead of for ever.

MicroPython interns each text of a module that has fewer than ten letters: some eight bytes and its letters, which the
heap never gets back, though the module may be forgotten a moment later. The file format knows texts that are objects
as well, longer ones; here short ones become such, where a text is nothing but a value. What is a name stays interned:
of a global, an attribute, a function, a parameter.

The format: version 6 of .mpy, py/persistentcode.c and py/bc.h of MicroPython 1.25. No instruction changes its length.
"""

from tools.mpy import BYTECODE, STR, FormatError, Reader

_LOAD_STRING, _LOAD_OBJECT = 0x10, 0x23
# format of an instruction by its upper four bits: nothing, a name, a number, an offset
_FORMAT = 0x3A4
_NAME, _NUMBER, _OFFSET = 1, 2, 3
_EXTRA_BYTE = 0x9E  # none of these bits: one more byte


class _NativeError(Exception):
    """Nobody can look into native code."""


def _number(value, size=1):
    """As the format has it, in `size` bytes at least."""
    out = [value & 127]
    while value > 127 or len(out) < size:
        value >>= 7
        out.append(128 | value & 127)
    return bytes(reversed(out))


def _names(reader, count):
    """[(bytes in the file, text or None for one of MicroPython's own), ...]"""
    found = []
    for _ in range(count):
        start = reader.at
        size = reader.number()
        text = None if size & 1 else reader.take((size >> 1) + 1)[:-1].decode()
        found.append((reader.data[start:reader.at], text))
    return found


def _prelude(reader):
    """(number of parameters, bytes of names and lines, cells): MP_BC_PRELUDE_SIG and _SIZE."""
    z, = reader.take(1)
    parameters, only, turn = z & 3, 0, 0
    while z & 0x80:
        z, = reader.take(1)
        parameters |= (z & 4) << turn
        only |= (z & 8) >> 3 << turn
        turn += 1
    info = cells = turn = 0
    while True:
        z, = reader.take(1)
        cells |= (z & 1) << turn
        info |= (z & 0x7E) >> 1 << 6 * turn
        turn += 1
        if not z & 0x80:
            return parameters + only, info, cells


class _Uses:
    """Where the code refers to the table of names: `strings` are the places of instructions that load a text, by the
    number of the name; `names` are the numbers that stand for something else as well."""

    def __init__(self, reader):
        self.strings, self.names = {}, set()
        self._code(reader)

    def _code(self, reader):
        word = reader.number()
        end = reader.at + (word >> 3)
        if word & 3 != BYTECODE:
            raise _NativeError
        body = Reader(reader.data[:end])
        body.at = reader.at
        parameters, info, cells = _prelude(body)
        behind = body.at + info
        for _ in range(1 + parameters):
            self.names.add(body.number())
        body.at = behind + cells
        while body.at < end:
            self._instruction(body)
        reader.at = end
        if word & 4:
            for _ in range(reader.number()):
                self._code(reader)

    def _instruction(self, body):
        at = body.at
        code, = body.take(1)
        form = _FORMAT >> 2 * (code >> 4) & 3
        if form == _NAME:
            number = body.number()
            if code == _LOAD_STRING:
                self.strings.setdefault(number, []).append((at, body.at - at - 1))
            else:
                self.names.add(number)
        elif form == _NUMBER:
            body.number()
        elif form == _OFFSET:
            first, = body.take(1)
            body.take(first >> 7)
        if not code & _EXTRA_BYTE:
            body.take(1)


def loosen(data, kept=()):
    """A module whose short texts are objects, but for those in `kept`. What has native code, which nobody can look
    into, stays as it is. FormatError."""
    reader = Reader(data)
    reader.head()
    head = data[:reader.at]
    names, objects = reader.number(), reader.number()
    names = _names(reader, names)
    start = reader.at
    for _ in range(objects):
        reader.object()
    code = bytearray(data[reader.at:])
    try:
        uses = _Uses(Reader(bytes(code)))
    except _NativeError:
        return data
    own = next((entry for entry, text in names if text is None), None)
    if max(uses.names.union(uses.strings)) >= len(names):
        raise FormatError("a name is missing")
    more = b""
    for number in sorted(uses.strings.keys() - uses.names - {0}):
        text = names[number][1]
        size = min(size for _, size in uses.strings[number])
        if own is None or text is None or text in kept or len(_number(objects)) > size:
            continue
        text = text.encode()
        more += bytes((STR,)) + _number(len(text)) + text + b"\0"
        names[number] = own, None  # its place in the table stays: numbers have lengths
        for at, size in uses.strings[number]:
            code[at], code[at + 1:at + 1 + size] = _LOAD_OBJECT, _number(objects, size)
        objects += 1
    return b"".join([head, _number(len(names)), _number(objects), *(entry for entry, _ in names),
                     data[start:reader.at], more, code])
