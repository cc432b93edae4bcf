# SPDX-License-Identifier: MIT
"""Short texts that go with their module: compiled by mpy-cross, changed, and run by MicroPython."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.compile import RUNTIMES, compile_text, slot_tree
from tools.loosen import loosen
from tools.mpy import FormatError

TEXT = '''
table = {"w1x": "w2x", "w3x": ("w4x", "a longer text than ten letters")}
def pick(name="w5x", *, w6x=1):
    def inner(text):
        return text + name + "w7x"
    return inner("w8x") + str(w6x)
class W9x:
    w10x = "w11x"
    def told(self, kind):
        for _ in range(200):
            if kind == "w12x" or kind in ("w13x", "w14x"):
                continue
            try:
                return "%s/w15x" % kind
            finally:
                kind = "w16x"
        return getattr(self, "w10x")
def stream():
    yield "w17x"
    yield from ("w18x",)
result = [table, pick("w5x"), pick(w6x="w19x"), W9x().told("w20x"), W9x().told("w12x"), list(stream()),
          "w1x" in table, table["w1x"] == "w2x", [one for one in ("w21x",)]]
print(result)
'''
VALUES = ("w2x", "w7x", "w8x", "w11x", "w12x", "w17x")
NAMES = ("pick", "inner", "W9x", "told", "w6x")


def compiled(text, folder, arch="bytecode"):
    made = folder / "made.mpy"
    compile_text(text, Path("made.py"), made, arch)
    return made.read_bytes()


def output(data, folder, runtime="micropython", more=""):
    program, _ = RUNTIMES[runtime]
    (folder / "changed.mpy").write_bytes(data)
    done = subprocess.run([str(program), "-c", "import changed\n" + more], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_a_changed_module_does_what_it_did(tmp_path, runtime):
    plain = compiled(TEXT, tmp_path)
    changed = loosen(plain, {"w6x"})
    assert changed != plain and output(changed, tmp_path, runtime) == output(plain, tmp_path, runtime) != ""


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_values_are_no_longer_interned_and_names_still_are(tmp_path, runtime):
    ask = "import micropython\nmicropython.qstr_info(1)"
    plain = compiled(TEXT, tmp_path)
    before, after = output(plain, tmp_path, runtime, ask), output(loosen(plain, {"w6x"}), tmp_path, runtime, ask)
    for text in VALUES:
        assert "Q(%s)\n" % text in before and "Q(%s)\n" % text not in after
    for text in NAMES:
        assert "Q(%s)\n" % text in before and "Q(%s)\n" % text in after


def test_what_is_to_stay_a_name_stays_one(tmp_path):
    plain = compiled(TEXT, tmp_path)
    assert loosen(plain) != plain == loosen(plain, {"%s/w15x", *("w%dx" % number for number in range(30))})


def test_a_module_with_many_names_keeps_the_lengths_of_its_instructions(tmp_path):
    """Numbers of names above 127 take two bytes."""
    text = "def f():\n    return [%s]\nprint(f())\n" % ", ".join('"v%d"' % number for number in range(300))
    plain = compiled(text, tmp_path)
    assert output(loosen(plain), tmp_path) == output(plain, tmp_path)


def test_a_module_with_native_code_stays_as_it_is(tmp_path):
    text = "import micropython\n@micropython.viper\ndef f(a: int) -> int:\n    return a + 1\nx = 'w1x'\n"
    plain = compiled(text, tmp_path, "x64")
    assert loosen(plain) == plain


@pytest.mark.parametrize("data", (b"", b"M\x05\x00\x1f", b"XX\x00\x1f", b"M\x06\x00\x1f\x7f"))
def test_what_is_no_module_is_refused(data):
    with pytest.raises(FormatError):
        loosen(data)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_module_that_is_cut_short_is_refused(tmp_path_factory, data):
    plain = compiled(TEXT, tmp_path_factory.getbasetemp())
    with pytest.raises(FormatError):
        loosen(plain[:data.draw(st.integers(0, len(plain) - 1))])


def test_every_module_of_the_slot_can_be_read():
    found = sorted(slot_tree("xtensawin").rglob("*.mpy"))
    assert len(found) > 100
    for path in found:
        loosen(path.read_bytes())
