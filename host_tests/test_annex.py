# SPDX-License-Identifier: MIT
"""Code beside the heap (firmware/wattport/annex.py), under the 32-bit port, which has functions as a chip has them and
memory at the same addresses."""

import json
import subprocess

import pytest

from host_tests.test_slot_heap import used
from tools import compile as build
from tools import mpy, slot_graph

CHIPS = ("xtensawin", "rv32imc")
PROGRAM = '''
LIMIT = 7

def short(a):
    return a

def add(a, b=2, *more, c=3, **rest):
    total = a + b + c + sum(more) + LIMIT
    for name in sorted(rest):
        total += rest[name] * len(name)
    return total

def same_one(a, b, c):
    x = a * b + c
    return [x, "one", x - 1, 1234567]

def same_two(a, b, c):
    x = a * b + c
    return [x, "one", x - 1, 1234568]

def steps(n):
    for i in range(n):
        got = yield i * i
        if got:
            yield "got %s" % got

def outer(n):
    def inner(m):
        return n * m + LIMIT
    return inner, [inner(i) for i in range(3)], (lambda q: q + n)(5)

def fails(n):
    try:
        return [1, 2, 3][n]
    except IndexError:
        raise ValueError("no %d" % n)
    finally:
        steps(1)

class One:
    kind = "one"
    def __init__(self, a):
        self.a = a
    def take(self, b):
        self.a += b
        return self.a, self.kind
    @property
    def double(self):
        return self.a * 2
    @staticmethod
    def still(x):
        return x + 1

class Two(One):
    kind = "two"
    def __init__(self, a):
        super().__init__(a + 1)
    def take(self, b):
        return super().take(b * 2)
'''
RUN = '''
import sys, uctypes, gc
def told(m):
    found = [m.short(4), m.add(1), m.add(1, 5, 6, c=9, dd=4), m.same_one(2, 3, 4), m.same_two(2, 3, 4)]
    g = m.steps(4)
    found += [next(g), g.send("x"), next(g), list(g)]
    inner, some, other = m.outer(3)
    found += [inner(5), some, other]
    for n in (1, 9):
        try:
            found.append(m.fails(n))
        except ValueError as error:
            found.append(str(error))
    for kind in (m.One, m.Two):
        one = kind(10)
        found += [one.take(5), one.take(5), one.double, one.still(1)]
    return found
import shapes
from wattport import annex
before = told(shapes)
one = annex.make()
free = one.free()
read = one.start("shapes")
with open("shapes.mpy", "rb") as file:
    read.extend(file.read())
def code(function):
    return int.from_bytes(annex.word(function), "little")
olds = [(function, code(function)) for function in annex.functions(shapes)]
one.run("shapes", shapes, read, AGAIN)
moved = [(function, old, code(function)) for function, old in olds if code(function) != old]
for _, old, new in moved:
    assert 0x3FFAE6E0 <= new < 0x3FFB9A20
    uctypes.bytearray_at(old, 14)[:] = bytes(14)  # who still ran from there would fall
again = [told(shapes) == before for _ in range(3)]
used = free - one.free()
for _ in range(2 if AGAIN else 0):
    del sys.modules["shapes"]
    import shapes
    assert one.start("shapes") is None
    one.run("shapes", shapes, None, True)
    there = [each for each in annex.functions(shapes) if 0x3FFAE6E0 <= code(each) < 0x3FFB9A20]
    again.append(told(shapes) == before and len(there) == len(moved))
print([again, len(olds), len(moved), used, free - one.free()])
'''


def run(folder, script, runtime="micropython32"):
    command, environment = build.micropython(runtime, extra_path=[build.simulation(build.RUNTIMES[runtime][1])],
                                             heap="4m")
    environment["MICROPYPATH"] = ".:" + environment["MICROPYPATH"]
    (folder / "script.py").write_text(script)
    done = subprocess.run([*command, "script.py"], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("again", [False, True])
def test_functions_run_from_their_copies_and_do_what_they_did(tmp_path, again):
    build.compile_text(PROGRAM, tmp_path / "shapes.py", tmp_path / "shapes.mpy", "x86")
    same, functions, moved, used, used_in_the_end = eval(run(tmp_path, RUN.replace("AGAIN", str(again))))
    assert all(same) and len(same) == (5 if again else 3)
    assert moved >= functions - 2 > 6  # the shortest stay
    assert 200 < used < 1200 and used_in_the_end == used  # what comes again finds its copy


def test_two_that_begin_alike_are_not_taken_for_each_other(tmp_path):
    alike = "\n".join("def f%d(a, b):\n    a += b\n    b += a\n    a += b\n    a *= b\n    return a + %d\n" % (n, n)
                      for n in range(10, 40))
    build.compile_text(alike, tmp_path / "alike.py", tmp_path / "alike.mpy", "x86")
    told = run(tmp_path, """
from wattport import annex
import alike
one = annex.make()
read = one.start("alike")
with open("alike.mpy", "rb") as file:
    read.extend(file.read())
one.run("alike", alike, read)
print([getattr(alike, "f%d" % n)(1, 2) - n for n in range(10, 40)])
""")
    assert len(set(eval(told))) == 1


def test_a_module_that_was_not_read_whole_or_is_another_one_stays_where_it_is(tmp_path):
    build.compile_text(PROGRAM, tmp_path / "shapes.py", tmp_path / "shapes.mpy", "x86")
    told = run(tmp_path, """
from wattport import annex
import shapes
one = annex.make()
free = one.free()
for read in (bytearray(), bytearray(5000), bytearray(bytes(range(256)) * 20)):
    one.run("shapes", shapes, read)
print(one.free() == free, shapes.add(1))
""")
    assert told == "True 13\n"


def test_when_the_memory_is_full_the_rest_stays_in_the_heap(tmp_path):
    build.compile_text(PROGRAM, tmp_path / "shapes.py", tmp_path / "shapes.mpy", "x86")
    told = run(tmp_path, """
from wattport import annex
import shapes
one = annex.make()
for piece in one.pieces:
    piece[0] = piece[1] - 60
read = one.start("shapes")
with open("shapes.mpy", "rb") as file:
    read.extend(file.read())
one.run("shapes", shapes, read)
print(one.free() < 120, shapes.add(1), list(shapes.steps(3)), shapes.Two(1).take(2))
""")
    assert told == "True 13 [0, 1, 4] (6, 'two')\n"


def test_an_image_with_other_regions_of_memory_has_no_annex(tmp_path):
    told = run(tmp_path, """
from wattport import annex
annex.idf_heap_info = lambda kind: [(240, 4, 0, 4), (7292, 4, 0, 4), (16648, 4468, 4352, 4304)]
print(annex.make())
""")
    assert told == "None\n" and not (tmp_path / "annex").exists()
    assert run(tmp_path, "from wattport import annex\nprint(annex.make())", "micropython") == "None\n"


def test_it_is_left_alone_when_three_starts_with_it_did_not_last(tmp_path):
    script = "from wattport import annex\nprint(annex.make() is not None)"
    assert [run(tmp_path, script) for _ in range(5)] == ["True\n"] * 3 + ["False\n"] * 2
    run(tmp_path, "from wattport import annex\nannex.lasts()\nannex.lasts()")
    assert run(tmp_path, script) == "True\n"


def test_a_dongle_has_sixteen_kilobytes_more_of_heap_by_it(tmp_path):
    assert used(tmp_path / "without", True) - used(tmp_path / "with", True, "0") > 16384


@pytest.mark.parametrize("arch", CHIPS)
def test_what_stays_has_no_function_whose_length_takes_three_bytes(arch):
    def lengths(code):
        yield len(code.code) if code.kind == mpy.BYTECODE else 0
        for child in code.children:
            yield from lengths(child)

    top = build.slot_tree(arch)
    places = json.loads((top / "places.json").read_text())
    kept = [name for name in places if slot_graph.stays(name)]
    assert len(kept) > 20
    for name in kept:
        _, code = mpy.read((top / places[name]).read_bytes(), arch)
        assert max(max(lengths(child)) for child in code.children or (mpy.Code(0, b"", ()),)) < 2048, name
