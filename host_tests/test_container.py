# SPDX-License-Identifier: MIT
"""The program of a slot as one file, as the device reads it."""

import ast
import hashlib
import os
import re
import subprocess
import zlib

import pytest

from tools import container, deflate, flashed, primer
from tools.compile import RUNTIMES, SIM, compile_text
from tools.paths import FIRMWARE


def mounted(folder, program, script):
    """What a script prints that runs under MicroPython with the slot in `folder` mounted as the device does it."""
    files = {"program": (folder / "program").read_bytes()}
    for name, data in {**flashed.start(b""), **flashed.first_slot(files, "x86")}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    with open(folder / "boot.py", "a") as start:
        start.write(script)
    done = subprocess.run([str(program), "boot.py"], capture_output=True, text=True, cwd=folder,
                          env={"MICROPYPATH": "%s:.frozen" % SIM})
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_every_module_that_ships_can_be_imported_with_nothing_but_what_ships(tmp_path, runtime):
    program, architecture = RUNTIMES[runtime]
    modules = {name: data for name, data in flashed.parts(architecture).items() if name.endswith(".mpy")}
    (tmp_path / "program").write_bytes(container.pack(modules))
    names = [name.removesuffix(".mpy").replace("/", ".") for name in modules]
    assert mounted(tmp_path, program, "sys.path.append(%r)\nfor name in %r:\n    __import__(name)\nprint('all', "
                   "sys.modules['whistory'].__file__)" % (str(SIM), names)) == "all /a/whistory.mpy\n"


def test_what_is_not_in_the_program_is_looked_for_beside_it_and_what_is_nowhere_is_missed(tmp_path):
    program, architecture = RUNTIMES["micropython32"]
    (tmp_path / "program").write_bytes(container.pack({"one.gz": b"1234567", "room/two.gz": b"89"}))
    (tmp_path / "page.gz").write_bytes(b"page")
    assert mounted(tmp_path, program, """
import os
from slot import Slot
slot = Slot(%r)
for path in ("/one.gz", "/room/two.gz", "/room", "/one.py", "/one", "/three.mpy", "/page.gz", "/no.gz"):
    try:
        print(path, slot.stat(path)[0] & 0xC000)
    except OSError as error:
        print(path, error)
print(slot.stat("/one.gz")[6], slot.stat("/room/two.gz")[6], slot.stat("/page.gz")[6])
with slot.open("/one.gz", "rb") as page, open("/a/room/two.gz", "rb") as other:
    print(page.read(3), other.read(1), page.seek(2, 1) > 0, page.read(2), other.read(1))
print(slot.open("/page.gz", "r").read())
try:
    import three
except ImportError as error:
    print(error)
""" % str(tmp_path)) == """\
/one.gz 32768
/room/two.gz 32768
/room 16384
/one.py [Errno 2] ENOENT
/one [Errno 2] ENOENT
/three.mpy [Errno 2] ENOENT
/page.gz 32768
/no.gz [Errno 2] ENOENT
7 2 4
b'123' b'8' True b'67' b'9'
page
no module named 'three'
"""


def test_paths_that_differ_only_in_what_the_heap_does_not_keep_are_told_apart(tmp_path):
    seen, path, twin, number = {}, "", "", 0
    while path == twin:
        number += 7919
        path = "%x.gz" % number ** 3
        twin = seen.setdefault(zlib.crc32(b"/" + path.encode()) & 0xFFFF, path)
    (tmp_path / "program").write_bytes(container.pack({twin: b"one", path: b"other", "more.gz": b"more"}))
    assert mounted(tmp_path, RUNTIMES["micropython32"][0], """
for path, size in (("%s", 3), ("%s", 5), ("more.gz", 4)):
    print(open("/a/" + path, "rb").read(size).decode())
""" % (twin, path)) == "one\nother\nmore\n"


# not as alike as our own modules are, but code
CODE = "\n".join("def f%d(a, b):\n    return a.get(b)[%d].append(a)" % (number, number) for number in range(60)) + "\n"
TABLE = b"".join(b'{"line": %d, "of": "a table"}\n' % number for number in range(300))
PAGE = os.urandom(5000)


def compiled(folder, name, text):
    target = folder / "compiled" / (name + ".mpy")
    compile_text(text, folder / name, target, "x86")
    return target.read_bytes()


def places(data):
    """{CRC-32 of a path: (where it begins, how it is read, how long it is)}"""
    return {data[at:at + 4]: (int.from_bytes(data[at + 4:at + 7], "little"), data[at + 9] >> 4,
                              int.from_bytes(data[at + 7:at + 10], "little") & 0xFFFFF)
            for at in range(2, 2 + 10 * int.from_bytes(data[:2], "little"), 10)}


def place(data, path):
    return places(data)[zlib.crc32(path.encode()).to_bytes(4, "little")]


def test_a_module_that_is_loaded_by_a_text_leaves_neither_its_name_nor_its_path(tmp_path):
    modules = {"outer1x.mpy": compiled(tmp_path, "outer", "import slot\ninner = slot.load('inner' + '1x')\nvalue = 1"),
               "inner1x.mpy": compiled(tmp_path, "inner", "value = 2"),
               "broken1x.mpy": compiled(tmp_path, "broken", "value = 3\nraise ValueError(value)")}
    (tmp_path / "program").write_bytes(container.pack(modules))
    out = mounted(tmp_path, RUNTIMES["micropython32"][0], """
import micropython, slot
outer = slot.load("outer" + "1x")
print(outer.value, outer.inner.value, outer is slot.load("outer" + "1x"), outer.inner is slot.load("inner" + "1x"))
for _ in range(2):
    try:
        slot.load("broken" + "1x")
    except ValueError as error:
        print(error, "broken" + "1x" in sys.modules)
try:
    slot.load("none" + "1x")
except ImportError as error:
    print(error)
print("e" in sys.modules)
micropython.qstr_info(1)
""")
    assert out.startswith("1 2 True True\n3 False\n3 False\nno module named 'e'\nFalse\n")
    assert "Q(outer)" in out and "outer1x)" not in out and "inner1x" not in out and "broken1x" not in out


def test_what_gets_smaller_is_packed_and_read_as_it_was_also_while_a_module_is_imported(tmp_path):
    modules = {"first.mpy": compiled(tmp_path, "first", "import second\nvalue = second.value + %d" % 10 ** 70),
               "second.mpy": compiled(tmp_path, "second", CODE + "value = 7"),
               "room/table.jsonl": TABLE, "page.gz": PAGE, "plain.py": b"value = 1\n" * 99 + b"value = 5\n"}
    data = container.pack(modules)
    (tmp_path / "program").write_bytes(data)
    assert [place(data, path)[1] for path in ("/first.mpy", "/second.mpy", "/room/table.jsonl", "/page.gz", "/plain.py")
            ] == [11, 11, 11, 0, 11]
    assert place(data, "/room") == (0, 0, 0)
    assert mounted(tmp_path, RUNTIMES["micropython32"][0], """
import os
from hashlib import sha256
with open("/a/room/table.jsonl") as table, open("/a/page.gz", "rb") as page:
    begin = table.readline(), table.read(100), page.read(100)
    import first, plain
    with open("/a/room/table.jsonl", "rb") as other:
        again = sha256(other.read()).digest()
    whole = b"".join(begin[:2]) + table.read(), begin[2] + page.read(os.stat("/a/page.gz")[6] - 100)
    print(first.value, plain.value, table.read(), table.readline())
for data in whole:
    print(sha256(data).digest().hex())
print(again.hex(), first.__file__)
""") == "%d 5 b'' b''\n%s\n%s\n%s /a/first.mpy\n" % (
        10 ** 70 + 7, *(hashlib.sha256(data).hexdigest() for data in (TABLE, PAGE, TABLE)))


def test_the_window_of_an_import_is_free_again_behind_it(tmp_path, monkeypatch):
    module = compiled(tmp_path, "one", CODE)
    script = "import gc, one\ngc.collect()\nprint(gc.mem_free())"
    free = []
    for saved in (container._SAVED, 1):  # with 1 all is stored
        monkeypatch.setattr(container, "_SAVED", saved)
        data = container.pack({"one.mpy": module})
        free.append((place(data, "/one.mpy")[1], tmp_path / str(saved)))
        free[-1][1].mkdir()
        (free[-1][1] / "program").write_bytes(data)
    assert [window for window, _ in free] == [11, 0]
    packed, stored = (int(mounted(folder, RUNTIMES["micropython32"][0], script)) for _, folder in free)
    assert packed > stored - 200


def damaged(data, kind):
    """A container with one module, which is broken in some way."""
    begin, _, size = place(data, "/one.mpy")
    packed = bytearray(data[begin:])
    if kind == "cut short":
        return data[:begin + size // 2]
    if kind == "no deflate":  # there is no fourth kind of block: the primer begins with one
        return data[:12] + bytes([data[12] | 6]) + data[13:]
    elif kind == "ends too early":
        packed = deflate.behind(primer.HISTORY, primer.CODE, zlib.decompress(primer.BLOCK + packed, -11)[2000:2445])
    elif kind == "nothing":
        packed = b""
    return data[:begin] + packed


@pytest.mark.parametrize("kind", ["cut short", "no deflate", "ends too early", "nothing"])
def test_a_damaged_module_is_an_error_and_no_endless_import(tmp_path, kind):
    data = container.pack({"one.mpy": compiled(tmp_path, "one", CODE)})
    (tmp_path / "program").write_bytes(damaged(data, kind))
    assert mounted(tmp_path, RUNTIMES["micropython32"][0], """
try:
    import one
except (OSError, ValueError) as error:
    print("one" in sys.modules)
""") == "False\n"


def test_modules_whose_names_can_t_be_told_apart_are_refused(monkeypatch):
    monkeypatch.setattr(container, "crc32", lambda name: len(name))
    with pytest.raises(container.ContainerError, match="b.mpy"):
        container.pack({"a.mpy": b"", "b.mpy": b""})
    with pytest.raises(container.ContainerError, match="too many"):
        container.pack({"a.mpy": bytes(1 << 24)})
    with pytest.raises(container.ContainerError, match="a.gz"):
        container.pack({"a.gz": os.urandom(1 << 20)})


def test_boot_mounts_the_slot_and_knows_every_built_in_module_that_could_be_extended(tmp_path):
    (tmp_path / "program").write_bytes(container.pack({}))
    assert "'/a'" in mounted(tmp_path, RUNTIMES["micropython32"][0], "print(sys.path)")
    imported = set()
    for path in (FIRMWARE / "wattport").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    # built in for good, frozen, or files
    imported -= {"asyncio", "board", "deflate", "esp32", "gc", "microdot", "micropython", "network", "sys", "tls",
                 "wattport"}
    known = re.search(r"for name in \((.*?)\):", (FIRMWARE / "boot.py").read_text(), re.DOTALL)[1]
    assert imported <= set(ast.literal_eval("(%s,)" % known))
