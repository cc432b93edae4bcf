# SPDX-License-Identifier: MIT
"""The program as it ships: joined and renamed, and still the same program."""

import json
import subprocess
import sys

import pytest

from tools import trace
from tools.compile import RUNTIMES, simulation, slot_tree
from tools.names import EVERYWHERE, ON_THE_CHIP, ON_UNIX
from tools.paths import FIRMWARE
from tools.slot import Program, SlotError

MODULES = {
    "wattport.app": '''"""Knows everybody."""
from micropython import const
import json
from wattport import lazily
from wattport.part import LIMIT, Part, helper as help_me
from wattport.other import helper
_STEP = const(3)
class App:
    kinds = ("a", "b")
    def __init__(self, start, step=_STEP):
        self.part = Part(start)
        self._step = step
        self.unwell = self.part.missing
    def count(self, often, *, widely=1):
        numbers = [self.part.add(self._step * widely) for number in range(often)]
        return numbers + [LIMIT, helper(1), help_me(1), lazily.twice(self.part)]
def start():
    from wattport import lazily as again
    from wattport.aside import Aside
    from wattport.modules import fetch
    value = App(1).count(2, widely=2)
    named = dict(missing=value)
    named.update(widely=again.late(App(5)), aside=Aside().told(), given=fetch("wattport.aside", "given_away")(4))
    return named
''',
    "wattport.part": '''
LIMIT = 1 << 4
_BASE = -2
def helper(value):
    return value + _BASE
class Part:
    missing = None
    def __init__(self, start): self.total = start
    def add(self, more):
        def inner(by): return by + more
        self.total = inner(self.total)
        return self.total
''',
    "wattport.other": '''
def helper(value): return _twice(value) + 100
def _twice(value): return value * 2
''',
    "wattport.modules": (FIRMWARE / "wattport/modules.py").read_text(),
    "wattport.aside": '''
from wattport.part import Part as Whole, helper
class Aside(Whole):
    def __init__(self): super().__init__(5)
    def told(self): return self.add(helper(7))
def given_away(total): return Whole(total).add(1)
''',
    "wattport.lazily": '''
from wattport.part import LIMIT, helper
from wattport import other
class Told: pass
def twice(part):
    return part.total * 2 + LIMIT
def late(app):
    app.part.add(other.helper(helper(3)))
    return getattr(app, "unwell"), app.part.total, app.kinds
''',
}


def run(texts):
    """What start() gives, of modules that are texts."""
    program = "texts = %r\n" % texts + '''
import importlib.abc, importlib.machinery, sys
class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name in texts or name == "wattport" or name == "micropython":
            return importlib.machinery.ModuleSpec(name, self, is_package=name == "wattport")
    def create_module(self, spec): return None
    def exec_module(self, module):
        if module.__name__ == "micropython":
            module.const = lambda value: value
        exec(texts.get(module.__name__, ""), module.__dict__)
sys.meta_path.insert(0, Finder())
from wattport import app
print(app.start())
'''
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(modules, groups=None):
    program = Program(modules, groups)
    return {program.places[name]: text for name, text in program.build().items()}


GROUPS = ({}, {"wattport.app": ["wattport.part"]}, {"wattport.app": ["wattport.other", "wattport.part"]},
          {"wattport.app": ["wattport.part"], "wattport.lazily": ["wattport.other"]},
          {"wattport.app": ["wattport.modules", "wattport.lazily", "wattport.other", "wattport.part"]})


@pytest.mark.parametrize("groups", GROUPS)
def test_what_is_joined_and_renamed_does_what_it_did(groups):
    texts = built(MODULES, groups)
    assert run(texts) == run(MODULES) != ""
    swallowed = {name for names in groups.values() for name in names}
    assert len(texts) == len(set(MODULES) - swallowed) and "wattport.app" in texts


def test_names_of_our_own_become_names_of_the_rom_and_constants_vanish():
    whole = "\n".join(Program(MODULES, GROUPS[2]).build().values())
    for name in ("_step", "total", "often", "_twice", "_STEP", "_BASE", "LIMIT"):
        assert name not in whole
    for name in ("unwell", "start", "widely", "missing"):  # by getattr, of the ROM, and keys of a dict
        assert name in whole


def test_what_only_load_and_fetch_name_is_imported_by_names_of_the_rom():
    texts = built(MODULES, GROUPS[-1])
    whole = "\n".join(texts.values())
    for text in ("wattport.aside", "given_away", "import Aside"):
        assert text not in whole, text
    assert len(texts) == 2 and texts.keys() - {"wattport.app"} < EVERYWHERE


def test_the_same_sources_give_the_same_text():
    assert Program(MODULES, GROUPS[3]).build() == Program(dict(reversed(MODULES.items())), GROUPS[3]).build()


def test_a_module_that_a_text_names_stays_for_itself():
    modules = {**MODULES, "wattport.port": 'PLACE = "wattport.other"\n'}
    assert "wattport.other" in Program(modules, GROUPS[2]).build()


def test_a_name_that_stands_for_two_imports_is_refused():
    modules = {"wattport.app": "from wattport.part import time\n", "wattport.part": "from os import path as time\n",
               "wattport.other": "import time\nstart = time.time()\n"}
    with pytest.raises(SlotError, match="time"):
        Program(modules, {"wattport.app": ["wattport.part", "wattport.other"]}).build()


def test_two_modules_that_would_have_one_file_are_refused():
    with pytest.raises(SlotError, match="wattport.net.page"):
        Program({"wattport.net.page": "", "wattport.need.page": "",
                 "wattport.app": 'PAGES = "wattport.net.page wattport.need.page".split()'})


def test_an_import_of_what_no_text_names_is_refused():
    with pytest.raises(SlotError, match="wattport.app imports"):
        Program({"wattport.app": "def start(name): return __import__(name)\n"}).build()


def test_keywords_of_what_is_not_ours_stay():
    texts = Program({"wattport.app": """
def derive(iterations, channel=1): return iterations * channel
def start(point): return point.config(channel=derive(2, channel=3)), dict(iterations=1)
"""}).build()
    assert "config(channel=" in texts["wattport.app"] and "dict(iterations=" in texts["wattport.app"]


def test_a_local_name_hides_no_global():
    """A parameter, an inner function and what stands around them all have names of their own."""
    modules = {"wattport.app": '''
def outer(first, second):
    def inner(third): return helper(first) + second + third + len([first])
    return inner
def helper(value): return value * 2
def start(): return outer(1, 10)(100), [helper(one) for one in (1, 2)]
'''}
    assert run(built(modules)) == run(modules) == "(113, [2, 4])\n"


def test_a_traceback_tells_the_names_of_the_sources():
    program = Program(MODULES, GROUPS[2])
    program.build()
    new = next(new for new, old in program.trace["app"].items() if old == ["wattport.other._twice"])
    text = 'Traceback:\n  File "app", line 1, in %s\nValueError\n' % new
    assert 'in %s = wattport.other._twice\n' % new in trace.told(text, program.trace)
    assert trace.told("nothing", program.trace) == "nothing"


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_every_module_of_the_slot_can_be_imported_and_none_of_the_joined_is_there(runtime, tmp_path):
    program, arch = RUNTIMES[runtime]
    top = slot_tree(arch)
    names = sorted(".".join(path.relative_to(top).with_suffix("").parts) for path in top.rglob("*.mpy"))
    (tmp_path / "imports.py").write_text(
        "import wattport.app\nfor name in %r:\n    __import__(name)\nprint('all')" % names)
    done = subprocess.run([str(program), "-X", "heapsize=4m", "imports.py"], cwd=tmp_path, capture_output=True,
                          text=True, env={"MICROPYPATH": "%s:%s:.frozen" % (top, simulation(arch))})
    assert done.stdout == "all\n", done.stdout + done.stderr
    assert "log" not in names and "wattport.app" in names


def test_names_of_the_slot_that_are_not_in_the_rom_are_few():
    """Those that a text reaches, and no more: this is what the heap is saved by."""
    found = json.loads((slot_tree("x86") / "names.json").read_text())
    new = {name for names in found.values() for name in names}
    assert len(new) > 80 and new <= EVERYWHERE
    assert not EVERYWHERE & (ON_THE_CHIP | ON_UNIX)
