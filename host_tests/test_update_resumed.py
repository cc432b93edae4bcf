# SPDX-License-Identifier: MIT
"""A download that the power was cut in: it goes on where it was, with what is in the flash, and with nothing else."""

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

from wattport.update import bundle, folder, install, progress, rsa, slots, trial

RUNNING = {"version": "0.0.0", "chip": "x86", "cpu": "", "micropython": "1.25.0"}
here = sys.argv[1]
key = open(here + "/key", "rb").read()
files = {name: open(here + "/" + name, "rb").read() for name in ("1", "2", "3")}


def download(data, runs="a", most=None):
    """What was fetched, [(first, last), ...]; as wattport/update/pull.py does it."""
    made = install.Install(key, rsa.verify, RUNNING, {"application": lambda manifest, written: folder.Folder(
        manifest, runs, "", key, None, written)}, False, progress.Progress(runs))
    fetched = [[0, 0]]
    while made.offset < len(data):
        at = made.offset
        if fetched[-1][1] != at:
            fetched.append([at, at])
        piece = data[at:at + 512]
        fetched[-1][1] += len(piece)
        made.feed(piece)
    for _ in made.finish():
        pass
    return fetched


def version():
    chosen = slots.choose()
    assert chosen and slots.is_sound(chosen), (chosen, slots.read())
    return slots.manifest(chosen)["version"]


flash = nor.Journaled(nor.new(96).data)
mounted(flash)
download(files["1"], "b")
assert version() == "1.0.0"
trial.confirm(slots.read())
before = bytearray(flash.data)
flash.journal.clear()
marks = []  # bytes of the payload that may not come again, behind so many writes
real = progress.Progress.keep


def keep(self, payload, written):
    real(self, payload, written)
    marks.append((len(flash.journal), payload))


progress.Progress.keep = keep
assert len(download(files["2"])) == 1
written = len(flash.journal)
progress.Progress.keep = real
unmounted()
head = len(files["2"]) - json.loads(files["2"].split(b"\\n")[1])["payload"][0]

told = {"cuts": 0, "went_on": 0, "marks": len(marks), "spared": 0, "other": 0}
for number, (at, new) in enumerate(flash.journal):
    for size in (0, len(new) // 2) if number % 3 == 0 else ():
        data = bytearray(before)
        data[at:at + size] = new[:size]
        known = max([0] + [payload for place, payload in marks if place <= number])
        for name in ("2", "3") if number % 9 == 0 else ("2",):
            mounted(nor.Journaled(bytearray(data)))
            if version() == "2.0.0":  # it was through
                unmounted()
                continue
            fetched = download(files[name])
            told["cuts"] += 1
            if name == "2" and known:
                assert len(fetched) == 2 and fetched[1][0] >= head + known, (number, fetched, known)
                told["went_on"] += 1
                told["spared"] += fetched[1][0] - fetched[0][1]
            elif name == "3":
                assert len(fetched) == 1, fetched
                told["other"] += 1
            assert version() == name + ".0.0" and not progress.Progress("a").there()
            unmounted()
    before[at:at + len(new)] = new
    if number % 16 == 0:
        gc.collect()
print(json.dumps(told))
'''


def test_a_download_goes_on_behind_a_power_cut_in_many_places_and_never_mixes_two_bundles(tmp_path):
    shared = os.urandom(40000)
    for version in "123":
        (tmp_path / version).write_bytes(small(
            {"table": b"x" * 300, "program": shared + os.urandom(9000) + bytes(30000) + os.urandom(16000)},
            version=version + ".0.0"))
    (tmp_path / "key").write_bytes(modulus())
    program = tmp_path / "cuts.py"
    program.write_text(PROGRAM)
    command, environment = micropython(RUNTIME, [simulation(RUNTIMES[RUNTIME][1]), CORE], heap="64m")
    done = subprocess.run([*command, str(program), str(tmp_path)], env={**environment, "WATTPORT_ID": "0" * 12},
                          cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["cuts"] > 200 and told["went_on"] > 80 and told["other"] > 30 and told["marks"] == 5, told
    assert told["spared"] / told["went_on"] > 20000, told
