# SPDX-License-Identifier: MIT
"""The whole firmware, started as a chip starts it, from two slots: a new version that is well stays, and one that is
not is gone again without anybody's help. What an update writes is prepared."""

import http.client
import json
import os

import pytest

from host_tests.brokers import eventually, free_port
from host_tests.firmware import Firmware
from host_tests.keys import key, modulus, program, small, whole
from host_tests.test_bundle import installed
from tools import bundle, cpython, dongle, flashed
from tools.paths import FIRMWARE

cpython.install()

from wattport.update import slots  # noqa: E402

PROGRAM = {name: (FIRMWARE / "wattport" / (name + ".py")).read_text() for name in ("app", "build")}
QUICK = {"WATTPORT_SETTLE_S": "2", "WATTPORT_TRIAL_S": "5"}
HERE = {"version": "0.1.0", "chip": "x86", "cpu": "", "micropython": "1.25.0"}
WATCH = "    async def watch(self):\n"


def changed(*pairs):
    """A bundle of a program whose app and what builds it differ."""
    texts = dict(PROGRAM)
    for old, new in pairs:
        where = [name for name, text in texts.items() if old in text]
        assert len(where) == 1, old
        texts[where[0]] = texts[where[0]].replace(old, new)
    return whole(*[("wattport." + name, text) for name, text in texts.items() if text != PROGRAM[name]])


def staged(folder, monkeypatch, data, alive="meter"):
    """A dongle's flash with the program of this checkout in slot a, and a bundle in slot b, to be tried."""
    state = folder / "state"
    dongle.prepare(state)
    dongle.flash(state, "micropython32", modulus(), program())
    monkeypatch.chdir(state)
    assert isinstance(installed(data, HERE), dict)
    record = slots.read()
    record["alive"] = alive
    slots.write(record)
    return state


def record_of(state):
    return json.loads((state / "slots.json").read_text())


def firmware(folder, meter, **environment):
    return Firmware(folder, meter, {"web": {"port": 0}, "time": {"server": ""}}, flash={"key": modulus()},
                    environment={**QUICK, **environment})


def test_a_version_that_is_well_stays(tmp_path, monkeypatch, meter):
    state = staged(tmp_path, monkeypatch, whole())
    with firmware(tmp_path, meter) as dongle_:
        dongle_.wait_for_log("this version is well")
        assert record_of(state) == {"slot": "b", "crashes": 0}
        assert dongle_.starts == 1 and not dongle_.logged("error")


COUNTED = "_WATCHDOG_MS = const(30000)\n"


def third_start_fails(runs_ms):
    """A program whose first two starts run for so long and end by a reset, and each later one at once."""
    return changed((COUNTED, COUNTED + """try:
    with open("starts") as _file:
        _starts = int(_file.read())
except OSError:
    _starts = 0
with open("starts", "w") as _file:
    _file.write(str(_starts + 1))
if _starts >= 2:
    raise ValueError("start %d" % (_starts + 1))
"""), (WATCH, WATCH + """        await asyncio.sleep_ms(%d)
        machine.reset()
""" % runs_ms))


EATS = """%s        eaten = []
        gc.collect()
        while gc.mem_free() > %d:
            eaten.append(bytearray(256))
"""
BROKEN = {
    "crashes at its import": (lambda: whole(("wattport.app", "raise ValueError('no good')\n")), "crash"),
    "hangs at its import": (lambda: whole(("wattport.app", "import time\nwhile True:\n    time.sleep(1)\n")), "hang"),
    "hangs when it runs": (lambda: changed((WATCH, WATCH + "        time.sleep(900)\n")), "hang"),
    "eats the heap": (lambda: changed((WATCH, WATCH + EATS % ("        await asyncio.sleep(2)\n", 9000))), "heap"),
    "leaves no heap to see that": (lambda: changed((WATCH, WATCH + EATS % ("", 8600))), "start"),
    "never sees the meter": (lambda: changed(('    add("meter", app.line.run)\n', '')), "meter"),
    "has a part that fails again and again": (lambda: changed(
        ('    add("led", app.led.run)\n', '    add("led", app.broken)\n'),
        (WATCH, "    async def broken(self):\n        raise ValueError\n\n" + WATCH)), "task"),
    "is cut off twice before it is proved and crashes at its third start": (lambda: third_start_fails(500), "crash"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_version_is_undone_without_help_when_it(tmp_path, monkeypatch, meter, name):
    make, why = BROKEN[name]
    state = staged(tmp_path, monkeypatch, make())
    before = (state / "settings.json").read_bytes()
    with firmware(tmp_path, meter, WATTPORT_SETTLE_S="5",
                  WATTPORT_WATCHDOG_S="8" if "hangs" in name else "60") as dongle_:
        eventually(lambda: record_of(state).get("failed"), "the way back", 120)
        dongle_.wait_for_log("reading dsmr5 telegrams")
        record = record_of(state)
        assert (record["slot"], record["why"], record["failed"]) == ("a", why, "9.9.9")
        assert "trial" not in record and "alive" not in record
        assert dongle_.starts == slots.STARTS + 1
        if why == "crash":
            assert record["detail"] in ("ValueError: no good", "ValueError: start 3")
    assert json.loads((state / "settings.json").read_bytes()) == {
        **json.loads(before), "web": {"port": 0}, "time": {"server": ""}}


def test_a_confirmed_version_that_fails_from_its_third_start_on_gives_way_to_the_one_before(
        tmp_path, monkeypatch, meter):
    """It is well at first, twice; then each of its starts ends at once."""
    state = staged(tmp_path, monkeypatch, third_start_fails(6000))
    with firmware(tmp_path, meter, WATTPORT_TRIAL_S="60") as dongle_:
        eventually(lambda: record_of(state).get("failed"), "the way back", 120)
        dongle_.wait_for_log("this version is well")
        dongle_.wait_for_log("reading dsmr5 telegrams")
        record = record_of(state)
        assert (record["slot"], record["why"], record["failed"]) == ("a", "start", "9.9.9")
        assert record["detail"] == "ValueError: start 5"
        eventually(lambda: record_of(state)["crashes"] == 0, "that the old one is well")


@pytest.mark.parametrize("name, spoil", [
    ("a byte of the program flipped", lambda slot: flip(slot / "program", 100000)),
    ("the program cut short", lambda slot: os.truncate(slot / "program", 5000)),
    ("an empty program", lambda slot: os.truncate(slot / "program", 0)),
    ("no program", lambda slot: (slot / "program").unlink()),
    ("no manifest", lambda slot: (slot / "manifest").unlink()),
    ("a manifest that is none", lambda slot: (slot / "manifest").write_bytes(b"\xff{[")),
])
def test_a_damaged_slot_gives_way_to_the_sound_one(tmp_path, monkeypatch, name, spoil):
    state = staged(tmp_path, monkeypatch, small())
    slots.write({"slot": "b", "crashes": 0})
    assert slots.choose() == "b"
    spoil(state / "slot_b")
    assert slots.choose() == "a"
    assert slots.read()["why"] == "damaged"
    spoil(state / "slot_a")
    assert slots.choose() is None


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("text", [
    b"", b"{", b"[]", b"null", b'{"slot": 7}', b'{"slot": "c", "trial": "a"}', b"\xff" * 9,
    b'{"slot": "a", "trial": "a", "left": 3}', b'{"slot": "a", "left": "x", "trial": "b"}',
    b'{"slot": "b", "crashes": "many"}'])
def test_a_record_that_can_t_be_starts_what_is_sound(tmp_path, monkeypatch, text):
    staged(tmp_path, monkeypatch, small())
    (tmp_path / "state" / "slots.json").write_bytes(text)
    assert slots.choose() in ("a", "b")
    assert slots.choose() in ("a", "b")


def ask(port, path, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/octet-stream"} if body else {})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_with_both_slots_broken_a_safe_mode_takes_a_bundle_and_the_dongle_is_well_again(tmp_path, monkeypatch, meter):
    state = staged(tmp_path, monkeypatch, small())
    flip(state / "slot_a" / "program", 5000)
    flip(state / "slot_b" / "program", 50)
    port = free_port()
    with firmware(tmp_path, meter, WATTPORT_SAFE_PORT=str(port)) as dongle_:
        dongle_.wait_for_log("a page that takes a bundle")
        status, page = ask(port, "/")
        assert status == 200 and "<h1>Safe mode</h1>" in page and "wattport-x86" in page
        assert json.loads(ask(port, "/api/update")[1])["state"] == "safe"
        for data, kind in ((small(name="other"), "unknown_key"), (b"no bundle at all" * 400, "not_a_bundle"),
                           (small(chip="rv32imc"), "chip"), (whole()[:-1], "truncated")):
            status, text = ask(port, "/api/update", "POST", data)
            assert status == 422 and json.loads(text)["error"] == kind, text
        assert ask(port, "/x", "DELETE")[0] == 405
        half = http.client.HTTPConnection("127.0.0.1", port, timeout=60)  # somebody who goes in the middle
        half.putrequest("POST", "/api/update")
        half.putheader("Content-Length", "200000")
        half.endheaders(whole()[:30000])
        half.close()
        status, text = ask(port, "/api/update", "POST", whole())
        assert status == 200 and json.loads(text)["version"] == "9.9.9", text
        dongle_.wait_for_log("this version is well")
    assert slots.is_sound(record_of(state)["slot"])


def test_a_dongle_without_a_key_takes_no_bundle_in_safe_mode_either(tmp_path, monkeypatch):
    state = staged(tmp_path, monkeypatch, small())
    for slot in "ab":
        flip(state / ("slot_" + slot) / "program", 50)
    (state / "key").unlink()
    port = free_port()
    with firmware(tmp_path, "file:/dev/null", WATTPORT_SAFE_PORT=str(port)) as dongle_:
        dongle_.wait_for_log("a page that takes a bundle")
        status, text = ask(port, "/api/update", "POST", small())
        assert status == 422 and json.loads(text)["error"] == "no_key"


def test_a_new_key_is_trusted_once_the_update_that_brings_it_is_well(tmp_path, monkeypatch, meter):
    files = dict(flashed.program("x86"))
    chain = [bundle.successor(key(), modulus("next"))]
    data = bundle.make(flashed.manifest(files, "x86", version="9.9.9"), files, key("next"), chain)
    state = staged(tmp_path, monkeypatch, data)
    with firmware(tmp_path, meter) as dongle_:
        dongle_.wait_for_log("this version is well")
    monkeypatch.chdir(state)
    assert slots.trusted(slots.read()) == modulus("next")
