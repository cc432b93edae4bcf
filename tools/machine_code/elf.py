# SPDX-License-Identifier: MIT
"""A program for qemu's user mode around a kernel: what the chip's MicroPython would give it, and no more.

The program walks a list of records {function object, number of arguments, arguments, entry, result}, calls
each entry as MicroPython calls a viper function, `entry(function object, n_args, 0, arguments)`, then writes
its whole image to standard output. Arguments and results stay machine words: the two conversion helpers give
back what they get. Every other helper ends the program with a status that tells which it was.
"""

import struct
from typing import NamedTuple

BASE = 0x00400000
# py/nativeglue.h, mp_fun_kind_t; the first three are objects, not functions
HELPERS = """
    none false true convert_obj_to_native convert_native_to_obj swap_globals load_name load_global
    load_build_class load_attr load_method load_super_method store_name store_global store_attr subscr
    obj_is_true unary_op binary_op build_tuple build_list build_map build_set store_set list_append store_map
    make_function call_function call_method call_method_var getiter iternext nlr_push nlr_pop raise
    import_name import_from import_all new_slice unpack_sequence unpack_ex delete_name delete_global new_closure
    arg_check_num setup_code_state small_int_floor_divide small_int_modulo yield_from setjmp""".split()
_OBJECTS, _CONVERSIONS = range(3), (3, 4)
HELPER_STATUS = 64
RECORD = struct.Struct("<5I")
RESULT = 16  # of a record
FENCE = bytes(4096)  # between the buffers and the program: a long overrun must not reach what reports it


def _word(value):
    return struct.pack("<I", value & 0xFFFFFFFF)


# -- Xtensa LX, windowed registers: the caller's a10 to a15 are the callee's a2 to a7 ------------------------

def _xtensa(immediate, op, s, t, kind=2):
    return struct.pack("<I", (immediate & 0xFF) << 16 | op << 12 | s << 8 | t << 4 | kind)[:3]


def _xtensa_load(t, s, offset):
    return _xtensa(offset >> 2, 2, s, t)


def _xtensa_move(t, value):
    return _xtensa(value, 10, value >> 8 & 15, t)


_XTENSA_SYSCALL = b"\x00\x50\x00"  # a2 number, a6 a3 a4 arguments
_XTENSA_IDENTITY = b"\x36\x41\x00" + b"\x1D\xF0"  # entry a1, 32; retw.n: a2 is argument and result


def _xtensa_helper(status):
    return _xtensa_move(6, status) + _xtensa_move(2, 118) + _XTENSA_SYSCALL


def _xtensa_driver(at, records, end, size):
    literals = b"".join(map(_word, (records, end, BASE, size)))
    code = b""
    for register, literal in ((2, 0), (5, 4), (3, 8), (4, 12)):
        pc = at + len(literals) + len(code)
        code += bytes([register << 4 | 1]) + struct.pack("<h", at + literal - (pc + 3 & ~3) >> 2)
    loop = (_xtensa_load(10, 2, 0) + _xtensa_load(11, 2, 4) + _xtensa_move(12, 0) + _xtensa_load(13, 2, 8)
            + _xtensa_load(8, 2, 12) + b"\xE0\x08\x00"  # callx8 a8
            + _xtensa(RESULT >> 2, 6, 2, 10) + _xtensa(RECORD.size, 12, 2, 2))  # s32i, addi
    loop += _xtensa(-len(loop) - 4, 3, 2, 5, kind=7)  # bltu a2, a5, loop
    write = _xtensa_move(2, 13) + _xtensa_move(6, 1) + _XTENSA_SYSCALL
    return literals + code + loop + write + _xtensa_helper(0), len(literals)


# -- RV32 ----------------------------------------------------------------------------------------------------

_ZERO, _RA, _T0, _S0, _S1, _A0, _A1, _A2, _A3, _A7 = 0, 1, 5, 8, 9, 10, 11, 12, 13, 17
_RISCV_SYSCALL = _word(0x73)  # a7 number, a0 a1 a2 arguments
_RISCV_IDENTITY = _word(_RA << 15 | 0x67)  # ret


def _riscv_load(register, base, offset):
    return _word(offset << 20 | base << 15 | 2 << 12 | register << 7 | 0x03)


def _riscv_add(register, base, value):
    return _word(value << 20 | base << 15 | register << 7 | 0x13)


def _riscv_set(register, value):
    upper = value + 0x800 >> 12  # the lower half is added as a signed number
    return _word(upper << 12 | register << 7 | 0x37) + _riscv_add(register, register, value & 0xFFF)


def _riscv_helper(status):
    return _riscv_add(_A0, _ZERO, status) + _riscv_add(_A7, _ZERO, 93) + _RISCV_SYSCALL


def _riscv_driver(at, records, end, size):
    code = _riscv_set(_S0, records) + _riscv_set(_S1, end)
    loop = (_riscv_load(_A0, _S0, 0) + _riscv_load(_A1, _S0, 4) + _riscv_add(_A2, _ZERO, 0)
            + _riscv_load(_A3, _S0, 8) + _riscv_load(_T0, _S0, 12)
            + _word(_T0 << 15 | _RA << 7 | 0x67)  # jalr t0
            + _word(_A0 << 20 | _S0 << 15 | 2 << 12 | RESULT << 7 | 0x23)  # sw
            + _riscv_add(_S0, _S0, RECORD.size))
    back = -len(loop)
    loop += _word((back >> 12 & 1) << 31 | (back >> 5 & 63) << 25 | _S1 << 20 | _S0 << 15 | 6 << 12
                  | (back >> 1 & 15) << 8 | (back >> 11 & 1) << 7 | 0x63)  # bltu s0, s1, loop
    write = (_riscv_add(_A7, _ZERO, 64) + _riscv_add(_A0, _ZERO, 1) + _riscv_set(_A1, BASE)
             + _riscv_set(_A2, size) + _RISCV_SYSCALL)
    return code + loop + write + _riscv_helper(0), 0


# ---------------------------------------------------------------------------------------------------

class Architecture(NamedTuple):
    emulator: tuple
    machine: int  # e_machine
    flags: int  # e_flags
    identity: bytes
    helper: callable
    driver: callable  # (address, records, their end, size of the image) → (bytes, offset of the entry)


ARCHITECTURES = {
    "xtensawin": Architecture(("qemu-xtensa", "-cpu", "dc233c"), 94, 0x300,
                              _XTENSA_IDENTITY, _xtensa_helper, _xtensa_driver),
    "rv32imc": Architecture(("qemu-riscv32",), 243, 0, _RISCV_IDENTITY, _riscv_helper, _riscv_driver),
}


class Image:
    """Memory from BASE on, grown piece by piece, that is also the ELF file."""

    HEADERS = 52 + 32

    def __init__(self, arch):
        self.arch = ARCHITECTURES[arch]
        self.memory = bytearray(self.HEADERS)
        identity = self.put(self.arch.identity)
        table = [identity if number in _CONVERSIONS else
                 0 if number in _OBJECTS else self.put(self.arch.helper(HELPER_STATUS + number))
                 for number in range(len(HELPERS))]
        self.helpers = self.put_words(table)

    def put(self, data, align=16):
        """Add data; returns its address."""
        self.memory.extend(bytes(-len(self.memory) % align))
        self.memory.extend(data)
        return BASE + len(self.memory) - len(data)

    def put_words(self, values):
        return self.put(b"".join(map(_word, values)))

    def finish(self, records):
        """Add the list of calls and what walks it, fill in the headers; returns the address of the list."""
        self.put(FENCE)
        first = self.put(b"".join(RECORD.pack(*record, 0) for record in records))
        end = first + RECORD.size * len(records)
        at = self.put(b"")
        size = at - BASE + len(self.arch.driver(at, first, end, 0)[0])
        driver, start = self.arch.driver(at, first, end, size)
        self.put(driver)
        identification = b"\x7fELF\x01\x01\x01" + bytes(9)
        self.memory[:self.HEADERS] = identification + struct.pack(
            "<HHIIIIIHHHHHH", 2, self.arch.machine, 1, at + start, 52, 0, self.arch.flags, 52, 32, 1, 40, 0, 0
        ) + struct.pack("<8I", 1, 0, BASE, BASE, size, size, 7, 0x1000)
        return first
