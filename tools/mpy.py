# SPDX-License-Identifier: MIT
"""Read a .mpy file, format 6.3 (MicroPython 1.23 and later), as far as running its machine code (tools/machine_code)
and changing its texts (tools/loosen.py) need.

    'M' 6 features small-int-bits, number of qstrs, number of objects, qstrs, objects, the module's code

Numbers are 7 bits a byte, most significant first. A code has its functions and classes as children.
"""

from typing import NamedTuple

VERSION, SUB_VERSION = 6, 3
ARCHITECTURES = {"xtensawin": 10, "rv32imc": 11}
# an object that is not the table of helpers is an int, or something no leaf kernel can use (None here)
FUN_TABLE = "mp_fun_table"
BYTECODE, _NATIVE, VIPER, _ASSEMBLER = range(4)
STR, _BYTES, _INT, _TUPLE = 5, 6, 7, 10


class FormatError(Exception):
    """Not the .mpy that this reader knows."""


class Code(NamedTuple):
    kind: int
    code: bytes
    children: tuple

    def viper(self):
        """The viper functions below, in the order of the source."""
        own = [self.code] if self.kind == VIPER else []
        return own + [code for child in self.children for code in child.viper()]


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise FormatError("the file ends in the middle")
        self.at += size
        return self.data[self.at - size:self.at]

    def head(self):
        """The features; what follows is the number of qstrs."""
        magic, version, features, _ = self.take(4)
        if magic != ord("M") or version != VERSION or (features & 3 != SUB_VERSION and features >> 2):
            raise FormatError("not a .mpy of format %d.%d" % (VERSION, SUB_VERSION))
        if features & 0x40:
            self.number()  # the RISC-V extensions in use
        return features

    def number(self):
        value = 0
        while True:
            byte = self.take(1)[0]
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                return value

    def skip_qstr(self):
        size = self.number()
        if not size & 1:  # odd: one of the names that every MicroPython knows
            self.take((size >> 1) + 1)

    def object(self):
        kind = self.take(1)[0]
        if kind < STR:  # the table, None, False, True, Ellipsis
            return None if kind else FUN_TABLE
        size = self.number()
        if kind == _TUPLE:
            for _ in range(size):
                self.object()
            return None
        data = self.take(size)
        if kind in (STR, _BYTES):
            self.take(1)
        return int(data) if kind == _INT else None

    def code(self):
        head = self.number()
        kind, code = head & 3, self.take(head >> 3)
        if kind == _NATIVE:
            self.number()
        elif kind != BYTECODE:
            if self.number():  # the compiler writes 0; flags mean relocations or data of their own
                raise FormatError("code linked from C")
            if kind == _ASSEMBLER:
                self.number()
                self.number()
        count = self.number() if head & 4 else 0
        return Code(kind, code, tuple(self.code() for _ in range(count)))


def read(data, arch):
    """(objects, code of the module) of a .mpy file that was compiled for `arch`."""
    reader = Reader(data)
    features = reader.head()
    if features >> 2 & 0x0F not in (0, ARCHITECTURES[arch]):  # 0: no machine code
        raise FormatError("not compiled for %s" % arch)
    qstrs, objects = reader.number(), reader.number()
    for _ in range(qstrs):
        reader.skip_qstr()
    table = [reader.object() for _ in range(objects)]
    code = reader.code()
    if reader.at != len(data):
        raise FormatError("something follows the module's code")
    return table, code
