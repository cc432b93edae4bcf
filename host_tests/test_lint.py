# SPDX-License-Identifier: MIT
"""Each rule of tools/lint.py: what it refuses, and the way of writing that it leaves alone."""

import pytest

from tools import lint
from tools.lint import FILE_RULES, VIPER_RULES, check, check_tree
from tools.paths import FIRMWARE

SIGNATURE = "p: ptr8, q: ptr8, w: ptr16, d: ptr32, i: int, n: int, x: int"

# rule → (bad bodies, good bodies) of a viper function with the arguments of SIGNATURE
BODIES = {
    lint.no_try: (["try:\n    x = 1\nfinally:\n    x = 2"], ["x = 1"]),
    lint.no_yield: (["yield x", "yield from p"], ["return x"]),
    lint.no_negation: (
        ["return -x", "return ~x", "return -(x + 1)", "return 3 & ~(1 << x)", "return x ^ -_SMALL"],
        ["return 0 - x", "return x ^ -1", "return x & ~7", "if not x:\n    x = -5"]),
    lint.small_literals: (
        ["return x ^ 0x40000000", "return x ^ -0x40000000", "return x & 0x7FFFFFFF", "return x ^ 0xEDB88320",
         "return x ^ _BIG", "return x ^ (1 << 30)", "x = 0xFFFFFFFF", "return int(x ^ 0xFFFFFFFF)"],
        ["return x ^ 0x3FFFFFFF", "return x ^ -0x3FFFFFFF", "m = int(0x7FFFFFFF)", "return x ^ int(0xEDB88320)",
         "return x ^ int(_BIG)", "return x ^ _SMALL", "return int(1 << 30)"]),
    lint.right_shifts_masked: (
        ["return x >> 1", "x >>= 1", "x = (x >> 4) + 1", "x = p[i >> 1]", "x = (x >> 4) & n",
         "x = (x >> 4) & 0x3FFFFFFF", "m = int(0x7FFFFFFF)\nx = (x >> 2) & m", "x = (x >> n) & -1",
         "m = 3\nm = 7\nx = (x >> 2) & m", "n = 7\nx = (x >> 2) & n", "x = ((x >> 4) + n) & 255",
         "x = (x >> 8) ^ (x & 255)"],
        ["x = (x >> 4) & 0x0FFFFFFF", "x = 0xFF & (x >> 24)", "m = int(0x7FFFFFFF)\nx = (x >> 1) & m",
         "x = (x >> n) & 0xFF", "m = 255\nx = (x >> 24) & m", "x = (x >> 8) & _SMALL", "x = 256 >> 4",
         "x = (d[0] ^ (x >> 24)) & 255", "x = ((x >> 8) | n ^ (x >> 16)) & 255"]),
    lint.short_shifts: (
        ["x = x << 32", "x <<= 33", "x = (x >> 32) & 1", "x = x << -1", "k = 40\nx = x << k"],
        ["x = x << 31", "x <<= 8", "x = (x >> 31) & 1", "x = x << n"]),
    lint.uint_only_returned: (
        ["y = uint(x)", "return uint(x) & 3", "return int(uint(x))"], ["return uint(x)", "return uint(x ^ n)"]),
    lint.no_negative_index: (
        ["x = p[-1]", "p[-1] = 0", "k = -2\nx = p[k]", "x = p[0 - 1]"], ["x = p[0]", "x = p[i - 1]"]),
    lint.stores_masked: (
        ["p[i] = x", "p[i] = x & 0x1FF", "p[i] = 256", "p[i] = x + 1 & 0x100 | 1", "p[i] = w[i]", "p[i] = d[i]",
         "w[i] = x", "w[i] = d[i]", "w[i] = x & 0x1FFFF", "p[i] ^= x", "p[i] += 1", "p[i] = p[i] + q[i]",
         "p[0], p[1] = 1, 2", "y = ptr8(d)\ny[i] = x", "ptr8(d)[i] = x", "p[i] = (x & 255) << 1",
         "p[i] = x & n", "p[i] = n = x", "p[i] = -1"],
        ["p[i] = x & 0xFF", "p[i] = 255", "p[i] = q[i]", "w[i] = x & 0xFFFF", "w[i] = w[n]", "w[i] = p[n]",
         "d[i] = x", "p[i] ^= q[i]", "p[i] &= x", "p[i] = p[i] ^ q[i] ^ 3", "p[i] = (x ^ n) & 255",
         "m = 255\np[i] = x & m", "y = ptr8(d)\ny[i] = x & 1", "x = p[i]"]),
    lint.leaf_only: (
        ["print(x)", "x = int(len(p))", "while x:\n    x = int(n)", "while int(x):\n    x = 0",
         "for k in range(n):\n    x = int(k)", "while x:\n    y = ptr8(p)", "x = d.y(1)",
         "while x:\n    if n:\n        helper(x)", "while x:\n    for k in range(int(n)):\n        x = k",
         "y = range(3)"],
        ["x = int(0x7FFFFFFF)", "y = ptr32(p)", "for k in range(int(n)):\n    x = k", "return uint(x)",
         "while x:\n    for k in range(n):\n        x = k", "y = ptr8(int(p) + 1)"]),
    lint.range_loops: (
        ["for k in p:\n    x = k", "for k in range(0, n, i):\n    x = k"],
        ["for k in range(n):\n    x = k", "for k in range(0, n, 4):\n    x = k",
         "for k in range(n, 0, -1):\n    x = k", "for k in range(0, n, _SMALL):\n    x = k"]),
}

# rule → (bad first lines, good first lines)
HEADS = {
    lint.plain_arguments: (
        ["def f(x: int = 3):", "def f(x: int, *, n: int):", "def f(*x):", "def f(**x):", "def f(x: int, /):",
         "def f(x: int, *, n: int = 3):"],
        ["def f():", "def f(x: int, n: int) -> int:"]),
    lint.no_none_annotation: (["def f(x: int) -> None:"], ["def f(x: int):", "def f(x: int) -> bool:"]),
    lint.uint_only_returned: (["def f(x: uint):", "def f(n: int, x: uint) -> uint:"], ["def f(x: int) -> uint:"]),
}

# rule → (file below firmware/, bad sources, good sources)
FILES = {
    lint.core_without_platform: (
        "wattport/frame/a.py",
        ["import machine", "from machine import Pin", "import esp32, os", "def f():\n    import network",
         "import network as n", "from esp32.a import b"],
        ["import micropython", "from wattport.link import machine_free"]),
    lint.no_absent_modules: (
        "wattport/a.py",
        ["from typing import Any", "import typing", "from __future__ import annotations"], ["import struct"]),
    lint.no_bare_except: (
        "wattport/a.py", ["try:\n    a()\nexcept:\n    b()"], ["try:\n    a()\nexcept Exception:\n    b()"]),
    lint.no_match: ("wattport/a.py", ["match a:\n    case 3:\n        b()"], ["match = 3"]),
    lint.no_long_arrays: (
        "wattport/a.py",
        ["array('L', data)", "array.array('l')", "def f():\n    return array(\"L\", bytes(4))"],
        ["array('I', data)", "array.array('H')", "struct.pack('L', 3)"]),
    lint.private_names_stay_home: (
        "wattport/a.py",
        ["other._hidden()", "from wattport.meter import _hidden", "_x = 1\nprint(f'{_x}')",
         "class A:\n    def _go(self):\n        return getattr(self, '_go')"],
        ["class A:\n    def _go(self):\n        self._at = 1\n        return self._go()", "a.__class__",
         "for _ in b:\n    c()"]),
    lint.private_names_are_not_inherited: (
        "wattport/a.py",
        ["from wattport.meter import Meter\nclass A(Meter):\n    pass"],
        ["from wattport.link.source import Source\nclass A(Source):\n    pass",
         "from wattport.errors import MeterError\nclass A(MeterError):\n    pass", "class A(B):\n    pass"]),
}


def viper(body, head="def f(%s) -> uint:" % SIGNATURE):
    lines = "".join("    %s\n" % line for line in body.split("\n"))
    return ("%s\nimport micropython\nfrom micropython import const\n\n_SMALL = const(3)\n_BIG = const(0xEDB88320)\n\n\n"
            "@micropython.viper\n%s\n%s" % (lint.LICENCE, head, lines))


def found_by(rule, text, monkeypatch):
    """The messages of one rule alone, through the front door."""
    monkeypatch.setattr(lint, "VIPER_RULES", [one for one in VIPER_RULES if one is rule])
    monkeypatch.setattr(lint, "FILE_RULES", [one for one in FILE_RULES if one is rule])
    return check(text, FILES[rule][0] if rule in FILES else "wattport/a.py")


def cases(table, which, pick=lambda snippets: snippets):
    return [pytest.param(rule, text, id="%s-%s" % (rule.__name__, " ".join(text.split())))
            for rule, snippets in table.items() for text in pick(snippets)[which]]


def test_every_rule_is_tested_here():
    assert set(VIPER_RULES) == set(BODIES) | set(HEADS)
    assert set(FILE_RULES) == set(FILES)


@pytest.mark.parametrize("rule, body", cases(BODIES, 0))
def test_a_bad_idiom_of_viper_is_refused(rule, body, monkeypatch):
    assert found_by(rule, viper(body), monkeypatch)


@pytest.mark.parametrize("rule, body", cases(BODIES, 1))
def test_a_good_idiom_of_viper_passes(rule, body, monkeypatch):
    assert found_by(rule, viper(body), monkeypatch) == []


@pytest.mark.parametrize("rule, head", cases(HEADS, 0))
def test_a_bad_signature_of_viper_is_refused(rule, head, monkeypatch):
    assert found_by(rule, viper("pass", head), monkeypatch)


@pytest.mark.parametrize("rule, head", cases(HEADS, 1))
def test_a_good_signature_of_viper_passes(rule, head, monkeypatch):
    assert found_by(rule, viper("pass", head), monkeypatch) == []


@pytest.mark.parametrize("rule, text", cases(FILES, 0, lambda entry: entry[1:]))
def test_a_bad_file_is_refused(rule, text, monkeypatch):
    assert found_by(rule, lint.LICENCE + "\n" + text, monkeypatch)


@pytest.mark.parametrize("rule, text", cases(FILES, 1, lambda entry: entry[1:]))
def test_a_good_file_passes(rule, text, monkeypatch):
    assert found_by(rule, lint.LICENCE + "\n" + text, monkeypatch) == []


@pytest.mark.parametrize("name, core", [
    ("wattport/crypto/aes.py", True), ("wattport/decode/p1/a.py", True), ("wattport/history/log.py", True),
    ("wattport/tariff/cost.py", True), ("wattport/reading.py", True), ("wattport/errors.py", True),
    ("wattport/link/uart.py", False), ("wattport/net/wifi.py", False), ("boot.py", False), ("frame/a.py", False)])
def test_only_the_core_is_kept_from_the_platform(name, core):
    assert bool(check(lint.LICENCE + "\nimport machine\n", name)) == core


def test_what_viper_must_not_do_plain_functions_may():
    text = viper("return -x >> 3").replace("@micropython.viper\n", "")
    assert check(text, "wattport/a.py") == []


def test_methods_and_inner_functions_are_viper_too():
    text = "%s\nclass C:\n    @micropython.viper\n    def f(self, x: int) -> int:\n        return -x\n" % lint.LICENCE
    assert [line for line, _ in check(text, "wattport/a.py")] == [5]


def test_a_message_has_the_line_of_the_idiom():
    assert check(viper("x = 1\nreturn x >> 1"), "wattport/a.py") == [
        (12, "a right shift must be masked at once: `(x >> n) & mask`")]


def test_every_file_needs_the_licence_and_an_empty_one_does_not():
    assert check("x = 1\n", "wattport/a.py") == [(1, "the first line must be `%s`" % lint.LICENCE)]
    assert check("\n" + lint.LICENCE + "\nx = 1\n", "wattport/a.py")
    assert check(lint.LICENCE + "\nx = 1\n", "wattport/a.py") == []
    assert check("", "wattport/a.py") == []


def test_a_syntax_error_is_a_message():
    [(line, _)] = check(lint.LICENCE + "\nx = = 1\n", "wattport/a.py")
    assert line == 2


def test_what_the_compiler_refuses_is_a_message_with_its_line_once_for_both_chips(tmp_path):
    room = tmp_path / "firmware" / "wattport"
    room.mkdir(parents=True)
    (room / "good.py").write_text(viper("return uint(x)"))
    (room / "typed.py").write_text(viper("x = 1\nx = n > 1\nreturn uint(x)"))
    (tmp_path / "firmware" / "boot.py").write_text(lint.LICENCE + "\ndef f(a, /, b):\n    pass\n")
    messages = check_tree(tmp_path / "firmware")
    assert len(messages) == 2
    assert messages[0].startswith("firmware/boot.py:2: ")
    assert messages[1].startswith("firmware/wattport/typed.py:12: ViperTypeError")


def test_the_firmware_is_clean():
    assert check_tree(FIRMWARE) == []
