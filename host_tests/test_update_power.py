# SPDX-License-Identifier: MIT
"""An update with the power cut at every write to the flash, and in the middle of each: LittleFS as on the chip, on a
RAM that writes down what is done to it. Each state that a cut could leave is started, and has to end in a whole
version."""

import json
import os
import subprocess

from host_tests.conftest import CORE
from host_tests.keys import modulus, small
from tools.compile import RUNTIMES, micropython, simulation

RUNTIME = "micropython"

PROGRAM = '''
import gc
import json
import sys

import flash as nor
from flash import mounted, unmounted


from wattport.update import bundle, folder, install, rsa, slots, trial

KEPT = {"settings.json": b'{"wifi": {"ssid": "home"}}' * 20, "history": bytes(range(256)) * 60}
RUNNING = {"version": "0.0.0", "chip": "x86", "cpu": "", "micropython": "1.25.0"}
here = sys.argv[1]
key = open(here + "/key", "rb").read()


def update(name, runs):
    with open(here + "/" + name, "rb") as file:
        made = install.Install(key, rsa.verify, RUNNING, {"application": lambda m, _: folder.Folder(m, runs, "", key)})
        while True:
            piece = file.read(512)
            if not piece:
                break
            made.feed(piece)
        for _ in made.finish():
            pass


def version():
    chosen = slots.choose()
    assert chosen and slots.is_sound(chosen), (chosen, slots.read())
    for name, data in KEPT.items():
        with open(name, "rb") as file:
            assert file.read() == data, name
    return slots.manifest(chosen)["version"]


def life():
    """What a dongle goes through; what is yielded: the versions that a start may end with from here on."""
    yield "1"
    yield "12"  # while it installs, the last of its writes included
    update("2", "a")
    yield "2"
    assert version() == "2.0.0"
    yield "2"
    trial.confirm(slots.read())
    yield "23"
    update("3", "b")
    yield "23"  # three starts that the power ends are three starts
    for _ in range(3):
        assert version() == "3.0.0"
    yield "2"
    assert version() == "2.0.0" and slots.read()["why"] == "start"
    yield "24"
    update("4", "b")
    yield "4"
    assert version() == "4.0.0"
    trial.confirm(slots.read())
    yield "24"  # a confirmed one that crashes again and again gives way
    for _ in range(3):
        assert version() == "4.0.0"
        slots.crashed("a", "a crash")
    yield "2"
    assert version() == "2.0.0" and slots.read()["failed"] == "4.0.0"
    yield "2"


flash = nor.Journaled(nor.new(96).data)
mounted(flash)
for name, data in KEPT.items():
    with open(name, "wb") as file:
        file.write(data)
update("1", "b")
assert version() == "1.0.0"
trial.confirm(slots.read())
assert slots.read()["slot"] == "a" and slots.read().get("trial") is None
before = bytearray(flash.data)
flash.journal.clear()
stages = []  # (first of its writes, versions)
for allowed in life():
    stages.append((len(flash.journal), allowed))
journal = flash.journal
unmounted()

found = {}
starts = 0


def start(data, allowed, deep):
    """Start from a state of the flash, until it stays as it is."""
    global starts
    flash = nor.Journaled(data)
    mounted(flash)
    one = version()
    unmounted()
    starts += 1
    assert one[0] in allowed, (one, allowed)
    found[one] = found.get(one, 0) + 1
    if deep:  # and the power goes again, while it starts
        again = bytearray(deep)
        for at, new in flash.journal:
            half = bytearray(again)
            half[at:at + len(new) // 2] = new[:len(new) // 2]
            start(half, allowed, None)
            again[at:at + len(new)] = new


stage = 0
for number, (at, new) in enumerate(journal):
    while stage + 1 < len(stages) and stages[stage + 1][0] <= number:
        stage += 1
    allowed = stages[stage][1]
    deep = stage > 1 and number % 3 == 0
    for size in (0, len(new) // 2, len(new) - 1):
        cut = bytearray(before)
        cut[at:at + size] = new[:size]
        # in the stages of trials a start writes too: there the power goes twice
        start(cut, allowed, bytes(cut) if deep and size else None)
    before[at:at + len(new)] = new
    if number % 16 == 0:
        gc.collect()
print(json.dumps({"writes": len(journal), "starts": starts, "found": found}))
'''


def test_a_power_cut_at_any_write_of_an_update_ends_in_a_whole_version_with_settings_and_history(tmp_path):
    for version in "1234":
        (tmp_path / version).write_bytes(small(
            {"program": os.urandom(30000) + bytes(40000), "table": b"x" * 300}, version=version + ".0.0"))
    (tmp_path / "key").write_bytes(modulus())
    program = tmp_path / "cuts.py"
    program.write_text(PROGRAM)
    command, environment = micropython(RUNTIME, [simulation(RUNTIMES[RUNTIME][1]), CORE], heap="64m")
    done = subprocess.run([*command, str(program), str(tmp_path)], env={**environment, "WATTPORT_ID": "0" * 12},
                          cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["writes"] > 1000 and found["starts"] > 3000, found
    assert all(found["found"].get(version, 0) > 100 for version in ("1.0.0", "2.0.0")), found
