# SPDX-License-Identifier: MIT
"""MicroPython itself, updated over the air: into the idle partition, tried by the bootloader, confirmed or undone."""

import json
import os
import subprocess

import pytest

from host_tests import partitions
from host_tests.keys import key, modulus
from host_tests.partitions import image, made
from tools import bundle, dongle, flashed
from tools.compile import RUNTIMES, simulation
from tools.compile import micropython as micropython_command
from tools.sim import bootloader

esp32 = partitions.module()

from wattport.update import bundle as device  # noqa: E402
from wattport.update import install, micropython, partition, progress, rsa, slots  # noqa: E402

RUNNING = {"version": "0.1.0", "chip": "x86", "cpu": "esp32", "micropython": "1.25.0"}
OLD, NEW = image("1.25.0", 28000), image("1.29.0")


@pytest.fixture
def flash(tmp_path, monkeypatch):
    """A dongle's flash, started once, as the working directory."""
    monkeypatch.chdir(tmp_path)
    bootloader.cut = None
    for name, data in flashed.first_slot({"program": b"what runs" * 100}, "x86").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "key").write_bytes(modulus())
    fresh()
    yield tmp_path
    bootloader.cut = None


def fresh():
    bootloader.create("", OLD, partitions.SIZE)
    assert bootloader.start() == "ota_0"
    slots.write({"slot": "a"})


def installed(data, running=RUNNING, downgrade=False, abort=True):
    """Feed a bundle; its manifest, or the kind of what is wrong with it."""
    number = slots.trusted(slots.read())
    one = install.Install(number, rsa.verify, running, {
        "micropython": lambda manifest, written: partition.Partition(
            manifest, "a", "1.25.0", "meter", number, written)}, downgrade)
    try:
        for at in range(0, len(data), 512):
            one.feed(data[at:at + 512])
        for _ in one.finish():
            pass
    except device.BundleError as error:
        if abort:
            one.abort()
        assert str(error).endswith(".")
        return error.kind
    return one.manifest


PROGRAM = """
from wattport.update import install, micropython, partition, rsa, slots
number = slots.trusted(slots.read())
one = install.Install(number, rsa.verify, %r, {
    "micropython": lambda manifest, written: partition.Partition(manifest, "a", "1.25.0", "meter", number)})
with open("bundle", "rb") as file:
    piece = file.read(512)
    while piece:
        one.feed(piece)
        piece = file.read(512)
for _ in one.finish():
    pass
import bootloader
print(one.manifest["version"], bootloader.start())
record = slots.read()
assert micropython.pending(record) and not micropython.undone(record)
micropython.confirm(record)
slots.write(record)
print(bootloader.start(), micropython.pending(slots.read()))
"""


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_the_same_on_micropython(flash, runtime):
    (flash / "bundle").write_bytes(made())
    command, environment = micropython_command(runtime, [simulation(RUNTIMES[runtime][1])], heap=dongle.HEAP[runtime])
    done = subprocess.run([*command, "-c", PROGRAM % RUNNING], env=environment, capture_output=True, text=True)
    assert done.stdout == "1.29.0 ota_1\nota_1 False\n", done.stdout + done.stderr
    assert (flash / "ota_1.bin").read_bytes()[:len(NEW)] == NEW
    assert [number for number, state in bootloader.entries()] == [1, 2]


def label():
    return esp32.Partition(esp32.Partition.RUNNING).info()[4]


def test_the_new_one_is_started_and_stays_when_it_is_confirmed(flash):
    assert installed(made())["version"] == "1.29.0"
    assert (flash / "ota_1.bin").read_bytes() == NEW + b"\xff" * (partitions.SIZE - len(NEW))
    record = slots.read()
    assert record["micropython"] == {"from": "ota_0", "to": "ota_1", "version": "1.29.0", "before": "1.25.0",
                                     "alive": "meter"}
    assert not micropython.pending(record)  # the old one still runs
    assert bootloader.start() == "ota_1"
    record = slots.read()
    assert micropython.pending(record) and not micropython.undone(record)
    micropython.confirm(record)
    slots.write(record)
    assert slots.read() == {"slot": "a", "left": 0, "crashes": 0}
    assert [bootloader.start() for _ in range(3)] == ["ota_1"] * 3
    assert installed(made("1.30.0"), {**RUNNING, "micropython": "1.29.0"}) == "micropython"
    assert installed(made("1.29.1"), {**RUNNING, "micropython": "1.29.0"})["version"] == "1.29.1"
    assert bootloader.start() == "ota_0"


def test_one_that_is_not_confirmed_is_undone_by_the_bootloader_and_the_record_says_so(flash):
    assert installed(made())["version"] == "1.29.0"
    assert [bootloader.start() for _ in range(3)] == ["ota_1", "ota_0", "ota_0"]
    record = slots.read()
    record["why"] = "wifi"  # as the trial leaves it
    assert not micropython.pending(record) and micropython.undone(record)
    assert (record["why"], record["failed"]) == ("micropython", "1.29.0") and "micropython" not in record
    assert record["detail"] == "MicroPython 1.29.0 was tried (wifi); 1.25.0 runs on"
    assert not micropython.undone(record)
    slots.write(record)
    assert installed(made())["version"] == "1.29.0" and "why" not in slots.read()
    assert bootloader.start() == "ota_1"


def broken(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


@pytest.mark.parametrize("data", [b"no image" * 900, NEW[:-1], broken(NEW, 9000), broken(NEW, 24), broken(NEW, 12),
                                  b"\xe9"], ids=range(6))
def test_an_image_that_the_chip_cannot_start_is_not_switched_to_though_it_is_signed(flash, data):
    assert installed(made(data=data)) == "damaged"
    assert "micropython" not in slots.read() and bootloader.start() == label() == "ota_0"


def test_what_does_not_fit_is_refused_before_anything_is_written(flash):
    before = (flash / "ota_1.bin").read_bytes()
    two = {"name": "wattport", "kind": "micropython", "version": "1.29.0", "chip": "esp32",
           "files": [["a", 1, "0" * 64], ["b", 1, "0" * 64]]}
    for data, running, kind in (
            (made(chip="esp32s3"), RUNNING, "chip"), (made(), {**RUNNING, "cpu": "esp32c3"}, "chip"),
            (made("1.24.0"), RUNNING, "downgrade"), (made("1.30.0"), RUNNING, "micropython"),
            (made(data=b"\xe9" * (partitions.SIZE + 1)), RUNNING, "too_large"),
            (made(name="other"), RUNNING, "unknown_key"),
            (bundle.make(two, {"a": b"a", "b": b"b"}, key()), RUNNING, "not_a_bundle")):
        assert installed(data, running) == kind
    for tried in ({"trial": "b", "left": 2}, {"micropython": {"from": "ota_0", "to": "ota_1"}}):
        slots.write({"slot": "a", **tried})
        assert installed(made()) == "busy"
    assert (flash / "ota_1.bin").read_bytes() == before


def test_a_program_that_says_nothing_of_micropython_takes_any(flash):
    path = flash / "slot_a" / "manifest"
    manifest = json.loads(path.read_text())
    del manifest["micropython"]
    path.write_text(json.dumps(manifest))
    assert installed(made("2.0.0"))["version"] == "2.0.0"


def test_a_board_with_room_for_one_says_so(flash):
    for name in ("ota_0.bin", "ota_1.bin", "running.txt", "otadata.bin"):
        os.remove(name)
    assert installed(made()) == "chip"


def test_an_older_one_has_to_be_asked_for(flash):
    assert installed(made("1.25.0"), {**RUNNING, "micropython": "1.26.0"}) == "downgrade"
    assert installed(made("1.25.0"), {**RUNNING, "micropython": "1.26.0"}, downgrade=True)["version"] == "1.25.0"


def test_a_new_key_is_trusted_once_the_update_that_brings_it_is_confirmed(flash):
    chain = [bundle.successor(key(), modulus("next"))]
    assert installed(made(name="next", chain=chain))["version"] == "1.29.0"
    assert slots.trusted(slots.read()) == modulus()
    bootloader.start()
    record = slots.read()
    micropython.confirm(record)
    assert slots.trusted(record) == modulus("next")


class Cut(BaseException):
    """The power is gone: nothing of the program sees it."""


def test_a_power_cut_at_any_write_to_the_flash_ends_in_a_micropython_that_runs(flash):
    """While it is written, while the switch is written, in the first start, while it is confirmed."""
    writes = []

    def count():
        writes.append(None)
        if len(writes) > left:
            raise Cut

    def act():
        assert installed(made(), abort=False)["version"] == "1.29.0"
        assert bootloader.start() == "ota_1"
        record = slots.read()
        micropython.confirm(record)
        slots.write(record)

    left, ends = 0, {}
    while True:
        bootloader.cut = None
        fresh()
        del writes[:]
        bootloader.cut = count
        try:
            act()
            done = True
        except Cut:
            done = False
        bootloader.cut = None
        runs = bootloader.start()
        record = slots.read()
        end = (runs, "undone" if micropython.undone(record) else "tried" if micropython.pending(record) else "as it was"
               if runs == "ota_0" else "new")
        ends[end] = ends.get(end, 0) + 1
        if end[1] == "tried":  # it goes on as any trial
            assert bootloader.start() == "ota_0"
        else:
            assert [bootloader.start() for _ in range(2)] == [runs] * 2
            slots.write(record)
            assert installed(made("1.29.1"))["version"] == "1.29.1"  # and another one finds its way
            assert bootloader.start() != runs
        if done:
            break
        left += 1
    blocks = -(-len(NEW) // 4096)
    assert ends[("ota_0", "as it was")] == 2 * blocks
    # erased, then written: for the switch; for the first start; for the confirmation
    assert left == 2 * blocks + 6 and ends[("ota_1", "new")] == 1, (left, ends)
    assert ends[("ota_0", "undone")] >= 4, ends


def test_a_download_goes_on_where_the_power_was_cut(flash):
    """As wattport/update/pull.py does it."""
    number, data = slots.trusted(slots.read()), made()

    def begun():
        return install.Install(number, rsa.verify, RUNNING, {
            "micropython": lambda manifest, written: partition.Partition(
                manifest, "a", "1.25.0", "meter", number, written)}, False, progress.Progress("a"))

    one = begun()
    while not progress.Progress("a").there():
        one.feed(data[one.offset:one.offset + 512])
    kept = progress.read()
    one, fetched = begun(), []
    while one.offset < len(data):
        fetched.append(one.offset)
        one.feed(data[one.offset:one.offset + 512])
    for _ in one.finish():
        pass
    jump = max(second - first for first, second in zip(fetched, fetched[1:], strict=False))
    assert kept[2] == 16384 and jump > kept[1] - 512 and not progress.Progress("a").there()
    assert bootloader.start() == "ota_1"


def test_a_flash_that_does_not_keep_what_is_written_is_noticed(flash, monkeypatch):
    write = bootloader.write
    monkeypatch.setattr(bootloader, "write", lambda file, at, data: write(
        file, at, data if "ota_1" not in file or at < 8192 else data[:-1] + b"\0"))
    assert installed(made()) == "damaged"
    assert bootloader.start() == "ota_0"


def test_a_bootloader_without_rollback_has_nothing_to_confirm(flash, monkeypatch):
    installed(made())
    bootloader.start()

    def refuse(errno):
        def mark(cls):
            raise OSError(errno, "")
        monkeypatch.setattr(esp32.Partition, "mark_app_valid_cancel_rollback", classmethod(mark))

    record = slots.read()
    refuse(-262)
    with pytest.raises(OSError):
        micropython.confirm(record)
    assert micropython.pending(record)
    refuse(-261)
    micropython.confirm(record)
    assert "micropython" not in record


@pytest.mark.parametrize("nonsense", [5, None, "ota_1", {}, {"from": 1, "to": 2}, {"from": "ota_5", "to": "ota_6"}])
def test_a_record_of_a_trial_that_can_t_be_is_forgotten(flash, nonsense):
    record = {"slot": "a", "micropython": nonsense}
    assert not micropython.pending(record) and micropython.undone(record)
    assert record == {"slot": "a"}
