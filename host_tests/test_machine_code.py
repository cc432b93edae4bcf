# SPDX-License-Identifier: MIT
"""Every viper kernel of the firmware as machine code of both chips, and the bench that runs them."""

import array
import ast
import copy
import functools
import importlib
import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tools import machine_code, mpy
from tools.machine_code import (
    ARCHITECTURES,
    Crashed,
    HelperCalled,
    MachineCodeError,
    Module,
    Overrun,
    ReadOnlyWritten,
    viper_functions,
)
from tools.paths import FIRMWARE
from wattport.crypto import crc, gcm, ghash
from wattport.crypto.aes import Aes

CRC = "wattport/crypto/crc.py"
AES = "wattport/crypto/aes.py"
GCM = "wattport/crypto/gcm.py"
GHASH = "wattport/crypto/ghash.py"


# -- random calls, a function for each kernel: (random.Random) → arguments -----------------------------------

def crc16_update(chance):
    data = chance.randbytes(chance.randrange(80))
    start = chance.randint(0, len(data))
    tables = crc._tables_of(chance.choice((0xA001, 0x8408)))
    return chance.getrandbits(16), start, data, chance.randint(start, len(data)), *tables


def aes128_encrypt(chance):
    cipher = Aes(chance.randbytes(16))
    source = bytearray(chance.randbytes(16 * chance.randrange(4)))
    into = source if chance.random() < 0.5 else bytearray(len(source))
    return cipher._te, cipher._rk, source, into, len(source)


def ctr_fill(chance):
    size = 16 * chance.randrange(5)
    counter = chance.choice((0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, chance.getrandbits(32)))
    return bytearray(size), chance.randbytes(12), counter, size


def xor_into(chance):
    lead, size = chance.randrange(20), chance.randrange(70)
    buf = bytearray(chance.randbytes(lead + size))
    return chance.randint(0, size), buf, lead, chance.randbytes(size), size


def ghash_update(chance):
    hasher = ghash.Ghash(chance.randbytes(16))
    data = chance.randbytes(chance.randrange(100))
    start = chance.randint(0, len(data))
    y = bytearray(chance.randbytes(16))
    return hasher._table, ghash._REDUCTIONS, y, data, start, chance.randint(start, len(data))


CALLS = {
    (CRC, "crc16_update"): crc16_update,
    (AES, "aes128_encrypt"): aes128_encrypt,
    (GCM, "ctr_fill"): ctr_fill,
    (GCM, "xor_into"): xor_into,
    (GHASH, "ghash_update"): ghash_update,
}


def discovered():
    """(file below firmware/, name) of every viper function there is."""
    return [(path.relative_to(FIRMWARE).as_posix(), function.name) for path in sorted(FIRMWARE.rglob("*.py"))
            for function in viper_functions(ast.parse(path.read_text()))]


@functools.cache
def module(path, arch):
    return Module(FIRMWARE / path, arch)


def random_calls(kernel, count):
    chance = random.Random(kernel[1])
    return [CALLS[kernel](chance) for _ in range(count)]


def on_cpython(kernel, calls):
    """(results, buffers afterwards) of the same source, 64 bits and no overflow."""
    path, name = kernel
    function = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    calls = copy.deepcopy(calls)
    return [function(*args) for args in calls], calls


def on_machine(bench, kernel, calls):
    calls = copy.deepcopy(calls)
    return bench.batch(kernel[1], calls), calls


@pytest.fixture(params=ARCHITECTURES)
def arch(request):
    return request.param


@pytest.fixture
def build(arch, tmp_path):
    """Compile a source for the bench."""
    def compiled(source):
        path = tmp_path / "kernels.py"
        path.write_text("import micropython\n\n\n" + source)
        return Module(path, arch)
    return compiled


# -- the firmware's kernels ----------------------------------------------------------------------------------

def test_every_viper_function_of_the_firmware_has_calls_here():
    assert sorted(discovered()) == sorted(CALLS), "write what makes random calls of it, and add it to CALLS"


@pytest.mark.parametrize("kernel", CALLS, ids=lambda kernel: kernel[1])
def test_a_kernel_does_on_the_chip_what_it_does_on_cpython(kernel, arch):
    calls = random_calls(kernel, 300)
    assert on_machine(module(kernel[0], arch), kernel, calls) == on_cpython(kernel, calls)


def test_crcs_have_their_check_values(arch):
    update = functools.partial(module(CRC, arch).call, "crc16_update")
    assert update(0, 0, b"123456789", 9, *crc._tables_of(0xA001)) == 0xBB3D
    assert update(0xFFFF, 0, b"123456789", 9, *crc._tables_of(0x8408)) ^ 0xFFFF == 0x906E
    assert update(0, 0, b"123456789", 9, *crc._tables_of(0x8408)) == 0x2189


def test_aes_is_the_aes_of_cryptography(arch):
    chance = random.Random("aes")
    keys = [chance.randbytes(16) for _ in range(100)]
    plain = [chance.randbytes(64) for _ in keys]
    out = [bytearray(64) for _ in keys]
    ciphers = [Aes(key) for key in keys]
    module(AES, arch).batch("aes128_encrypt", [
        (cipher._te, cipher._rk, source, into, 64) for cipher, source, into in zip(ciphers, plain, out)])
    for key, source, into in zip(keys, plain, out):
        oracle = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        assert into == oracle.update(source)


def test_gcm_is_the_gcm_of_cryptography(arch, monkeypatch):
    """All of AesGcm, its kernels replaced by their machine code."""
    for path, name in CALLS:
        inside = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        monkeypatch.setattr(inside, name, functools.partial(module(path, arch).call, name))
    chance = random.Random("gcm")
    for size in (0, 1, 16, 17, 512, 1023):
        key, iv, aad = chance.randbytes(16), chance.randbytes(12), chance.randbytes(chance.randrange(40))
        plain = chance.randbytes(size)
        frame = bytearray(AESGCM(key).encrypt(iv, plain, aad))
        for tag_size in (12, 16):
            buf = frame[:size + tag_size]
            assert gcm.AesGcm(key, Aes).open(buf, 0, size, iv, aad, tag_size)
            assert buf[:size] == plain


def mutants(function):
    """Change one operation after the other: every shift by one, or without shifts every `^` into `|`."""
    operations = [node for node in ast.walk(function) if isinstance(node, ast.BinOp)]
    shifts = [node for node in operations if isinstance(node.op, (ast.LShift, ast.RShift))
              and isinstance(node.right, ast.Constant)]
    for node in shifts:
        node.right.value -= 1
        yield
        node.right.value += 1
    for node in operations if not shifts else ():
        if isinstance(node.op, ast.BitXor):
            node.op = ast.BitOr()
            yield
            node.op = ast.BitXor()


@pytest.mark.parametrize("kernel", CALLS, ids=lambda kernel: kernel[1])
def test_a_kernel_with_one_wrong_operation_is_found_out(kernel, arch, tmp_path):
    path, name = kernel
    tree = ast.parse((FIRMWARE / path).read_text())
    function = next(node for node in viper_functions(tree) if node.name == name)
    calls = random_calls(kernel, 100)
    right = on_cpython(kernel, calls)
    tried = 0
    for _ in mutants(function):
        (tmp_path / "mutant.py").write_text(ast.unparse(tree))
        try:
            assert on_machine(Module(tmp_path / "mutant.py", arch), kernel, calls) != right
        except MachineCodeError:
            pass  # found out as well
        tried += 1
    assert tried


# -- the bench -----------------------------------------------------------------------------------------------

def test_results_are_what_the_annotation_says(build):
    bench = build("""
@micropython.viper
def signed(a: int) -> int:
    return a


@micropython.viper
def unsigned(a: int) -> uint:
    return uint(a)


@micropython.viper
def positive(a: int) -> bool:
    return a > 0


@micropython.viper
def nothing(a: int):
    pass
""")
    assert bench.batch("signed", [(0,), (0x7FFFFFFF,), (0x80000000,), (-5,)]) == [
        0, 0x7FFFFFFF, -0x80000000, -5]
    assert bench.batch("unsigned", [(-1,), (7,)]) == [0xFFFFFFFF, 7]
    assert bench.batch("positive", [(0,), (1,), (-1,), (0x80000000,)]) == [False, True, False, False]
    assert bench.batch("nothing", [(1,), (2,)]) == [None, None]
    assert bench.batch("nothing", []) == []


STORE = """
@micropython.viper
def store(p: ptr8, i: int, value: int):
    p[i] = value & 0xFF


@micropython.viper
def store_words(p: ptr32, i: int, value: int):
    p[i] = value


@micropython.viper
def fill(p: ptr8, n: int):
    while n:
        n -= 1
        p[n] = 0


@micropython.viper
def fill_up(p: ptr8, n: int):
    for i in range(n):
        p[i] = 0


@micropython.viper
def copy(p: ptr8, q: ptr8, n: int):
    for i in range(n):
        p[i] = q[i]
"""


def test_buffers_are_written_back(build):
    bench = build(STORE)
    text, words = bytearray(b"abc"), array.array("I", (1, 2, 3))
    bench.call("store", text, 2, 0x178)
    bench.call("store_words", words, 1, -1)
    assert text == b"abx"
    assert list(words) == [1, 0xFFFFFFFF, 3]


def test_one_object_given_twice_is_one_buffer_and_calls_run_in_order(build):
    bench = build(STORE)
    text = bytearray(b"abcd")
    bench.batch("copy", [(text, b"12", 2), (text, text, 4), (text, b"3", 1)])
    assert text == b"32cd"
    bench.batch("store", [(text, i, 48 + i) for i in range(4)])
    assert text == b"0123"


@pytest.mark.parametrize("index, place", [
    (8, "1 bytes after"), (8 + 40, "41 bytes after"), (-1, "1 bytes before")])
def test_a_store_outside_the_buffer_is_an_overrun(build, index, place):
    with pytest.raises(Overrun, match=place + " .* argument 0 of store"):
        build(STORE).call("store", bytearray(8), index, 0)


def test_an_overrun_is_found_whatever_is_written(build):
    bench = build(STORE)
    for value in range(0, 256, 5):
        with pytest.raises(Overrun):
            bench.call("copy", bytearray(8), bytes([value]) * 10, 10)


@pytest.mark.parametrize("name", ["fill", "fill_up"])
def test_a_long_overrun_is_an_overrun_too(build, name):
    with pytest.raises(Overrun, match="argument 0 of %s, call 1" % name):
        build(STORE).batch(name, [(bytearray(3000), 3000), (bytearray(16), 3000)])


def test_nothing_is_written_back_after_an_overrun(build):
    text = bytearray(b"abcdefgh")
    with pytest.raises(Overrun):
        build(STORE).call("fill", text, 9)
    assert text == b"abcdefgh"


def test_a_store_into_bytes_is_refused(build):
    constant = bytes(range(8))
    with pytest.raises(ReadOnlyWritten, match="argument 0 of store"):
        build(STORE).call("store", constant, 3, 0)
    assert constant == bytes(range(8))


@pytest.mark.parametrize("helper, body", [
    ("small_int_floor_divide", "return a // 3"),
    ("small_int_modulo", "return a % 3"),
    ("swap_globals", "return int(LIMIT)"),
    ("swap_globals", "return int(min(a, 3))"),
    ("swap_globals", "try:\n        a += 1\n    except ValueError:\n        pass\n    return a"),
])
def test_a_kernel_that_calls_micropython_is_refused_with_the_helpers_name(build, helper, body):
    bench = build("LIMIT = 5\n\n\n@micropython.viper\ndef kernel(a: int) -> int:\n    %s\n" % body)
    with pytest.raises(HelperCalled, match=helper):
        bench.call("kernel", 7)


def test_arguments_that_would_be_addresses_are_refused(build):
    bench = build(STORE + "\n\n@micropython.viper\ndef untyped(a) -> int:\n    return 1\n")
    for args in ((5, 0, 0), (bytearray(1), b"", 0), (bytearray(1), 0), (memoryview(b"a"), 0, 0)):
        with pytest.raises(TypeError):
            bench.call("store", *args)
    with pytest.raises(MachineCodeError, match="no viper type"):
        bench.call("untyped", 1)


def test_a_bad_address_is_a_crash(build):
    with pytest.raises(Crashed, match="SIGSEGV"):
        build(STORE).call("store", bytearray(1), 0x40000000, 1)


def test_a_kernel_without_end_is_a_crash(build, monkeypatch):
    monkeypatch.setattr(machine_code, "TIMEOUT_S", 1)
    with pytest.raises(Crashed, match="does not return"):
        build("@micropython.viper\ndef kernel(a: int):\n    while a:\n        a |= 1\n").call("kernel", 1)


def test_one_flipped_bit_of_the_machine_code_changes_the_answer(build):
    bench = build("@micropython.viper\ndef right(a: int) -> int:\n    return a ^ 0x155\n\n\n"
                  "@micropython.viper\ndef wrong(a: int) -> int:\n    return a ^ 0x154\n")
    right, wrong = bench.kernels["right"], bench.kernels["wrong"]
    flipped = int.from_bytes(right.code, "big") ^ int.from_bytes(wrong.code, "big")
    assert flipped.bit_count() == 1
    assert bench.call("right", 0) == 0x155
    right.code = wrong.code
    assert bench.call("right", 0) == 0x154


def test_the_machine_has_32_bits_where_cpython_has_no_end(build):
    bench = build("@micropython.viper\ndef sum(a: int, b: int) -> int:\n    return (a + b) >> 4\n")
    assert bench.call("sum", 0x7FFFFFFF, 1) == -0x8000000 != 0x7FFFFFFF + 1 >> 4


def test_constants_of_32_bits_reach_the_kernel(build):
    bench = build("@micropython.viper\ndef constant(a: int) -> uint:\n"
                  "    return uint(a ^ int(0xEDB88320))\n")
    assert bench.batch("constant", [(0,), (-1,)]) == [0xEDB88320, 0x12477CDF]


def test_kernels_are_found_among_everything_else_in_a_module(build):
    bench = build("""
TABLE = tuple(i * 2 for i in range(4))
SQUARES = [i * i for i in range(4)]


class Wrapper:
    @micropython.native
    def slow(self, f=lambda: 3):
        return f() + sum(i for i in range(3))


def plain(a, b=lambda x: x + 1):
    return {i: b(i) for i in range(a)}


@micropython.viper
def first(a: int) -> int:
    return a + 1


NAMES = sorted(SQUARES, key=lambda i: -i)


@micropython.viper
def second(a: int) -> int:
    return a + 2
""")
    assert (bench.call("first", 0), bench.call("second", 0)) == (1, 2)


def test_the_count_is_exact_repeatable_and_of_the_kernel_alone(build):
    bench = build(STORE)
    empty, one, two, many = [bench.count("fill", bytearray(1000), n) for n in (0, 1, 2, 1000)]
    assert two - one == one - empty > 0
    assert many == empty + 1000 * (one - empty)
    assert bench.count("fill", bytearray(1000), 1000) == many
    assert bench.count("fill", bytearray(1), 1) == one


def test_a_counted_call_does_what_a_call_does(build):
    text = bytearray(b"abc")
    build(STORE).count("fill", text, 2)
    assert text == b"\0\0c"


def test_a_file_that_is_no_mpy_of_this_format_is_refused():
    for data in (b"M\x05\x2f\x1f", b"M\x06\x2a\x1f", b"X\x06\x2b\x1f"):
        with pytest.raises(mpy.FormatError, match="not a .mpy"):
            mpy.read(data, "xtensawin")
    with pytest.raises(mpy.FormatError, match="not compiled for"):
        mpy.read(b"M\x06\x2b\x1f", "rv32imc")
    with pytest.raises(mpy.FormatError, match="ends in the middle"):
        mpy.read(b"M\x06\x2b\x1f\x01", "xtensawin")
