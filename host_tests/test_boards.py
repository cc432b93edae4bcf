# SPDX-License-Identifier: MIT
"""Every folder of boards/: what it says fits its chip, and `make image` makes one of an official image for it, which
tools of others read."""

import functools
import gzip
import hashlib
import json
import os
import re
import subprocess
import urllib.request
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from esp_idf_defs import ImageMetadata, PartitionTable
from esptool.bin_image import LoadFirmwareImage

from host_tests import official
from host_tests.brokers import free_port, wait_for_port
from host_tests.test_image import files_of
from tools import appimage, boards, container, dongle, frozen, image, mpy, partitions, primer, stock
from tools.compile import micropython, simulation
from tools.paths import BOARDS, FIRMWARE, ROOT

NAMES = boards.names()
VERSIONS = ("1.25.0", "1.29.0")


program = official.program  # the same in every image for chips of one kind


@functools.cache
def made(name, version):
    """(the official image, the flash) of a board, and what was told."""
    board, told = boards.board(name), []
    source = official.for_board(board, version)
    path = ROOT / ".build" / ("official-%s-%s.bin" % (name, version))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(source)
    try:
        return source, image.make(board, path, tell=told.append, program=program(board.ARCHITECTURE)), told
    finally:
        path.unlink()


# ---- what they say


def test_there_are_boards_of_each_kind():
    chips = {boards.board(name).CHIP for name in NAMES}
    assert {"esp32_generic", "smarty", "mbus"} <= set(NAMES) and {"esp32", "esp32c3", "esp32s3"} <= chips


@pytest.mark.parametrize("name", NAMES)
def test_a_board_fits_its_chip(name):
    assert [text for wrong, text in boards.faults(boards.board(name)) if wrong] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_board_says_where_its_pins_come_from_and_is_in_the_table(name):
    text = (BOARDS / name / "board.py").read_text()
    assert name == "esp32_generic" or re.search("github.com|to be built", text)
    assert re.search(r"^\| \[`%s`\]" % name, (BOARDS / "README.md").read_text(), re.MULTILINE)


def test_every_name_that_a_board_may_have_is_in_the_documents():
    text = (BOARDS / "README.md").read_text()
    for name in (*boards.NEEDED, *boards.MORE):
        assert re.search(r"`%s\b" % name, text), name


ODD = [
    ({"RX": 6}, "RX: pin 6 belongs to the flash"),
    ({"RX": 20}, "RX: esp32 has no pin 20"),
    ({"TX": 34}, "TX: pin 34 is for input only"),
    ({"REQUEST": 36}, "REQUEST: pin 36 is for input only"),
    ({"LED": 39}, "LED: pin 39 is for input only"),
    ({"BUTTON": 35}, "BUTTON: pin 35 has no pull-up"),
    ({"RX": 17}, "RX and TX are both pin 17"),
    ({"UART": 0}, "UART: 1 to 2; 0 is the console"),
    ({"UART": 3}, "UART: 1 to 2"),
    ({"NAME": "other"}, "NAME is not that of the folder"),
    ({"ARCHITECTURE": "rv32imc"}, "ARCHITECTURE: esp32 is xtensawin"),
    ({"CHIP": "esp33"}, "know no esp33"),
    ({"IMAGE_OFFSET": 0}, "IMAGE_OFFSET: esp32 starts at 0x1000"),
    ({"FILES_OFFSET": 0x310800}, "FILES_OFFSET: not a whole number of blocks"),
    ({"FILES_SIZE": 0xE0000}, "does not end where the flash does"),
    ({"FILES_OFFSET": 0x320000, "FILES_SIZE": 0xE0000}, "two programs and the history need 974848 bytes"),
    ({"INVERTED": True}, "there is no name INVERTED"),
    ({"IMAGE": None}, "IMAGE is missing"),
    ({"SUPPLY": 34}, "SUPPLY_DIVIDER is missing"),
    ({"SUPPLY": 25, "SUPPLY_DIVIDER": 2000, "SUPPLY_LOW_MV": 1, "SUPPLY_OK_MV": 2, "SUPPLY_START_MV": 3,
      "SUPPLY_AP_MV": 4}, "SUPPLY: pin 25 is not one of ADC 1"),
    ({"SUPPLY": 34, "SUPPLY_DIVIDER": 2000, "SUPPLY_LOW_MV": 3, "SUPPLY_OK_MV": 2, "SUPPLY_START_MV": 3,
      "SUPPLY_AP_MV": 4}, "do not rise"),
    ({"SUPPLY": 34, "SUPPLY_DIVIDER": 1000, "SUPPLY_LOW_MV": 3000, "SUPPLY_OK_MV": 3100, "SUPPLY_START_MV": 3200,
      "SUPPLY_AP_MV": 3300}, "the pin would get more than 3.1 V"),
    ({"PARTITIONS": (("nvs", 1, 2, 0x8000, 0x4000),)}, "nvs overlaps the one before it"),
    ({"PARTITIONS": (("nvs", 1, 2, 0x9000, 0x400000),)}, "they reach into the file system"),
]


def changed(**words):
    board = boards.board("esp32_generic")
    values = {**vars(board), **words}
    return SimpleNamespace(**{name: value for name, value in values.items() if name != "IMAGE" or value})


@pytest.mark.parametrize("words, fault", ODD, ids=[fault for _, fault in ODD])
def test_a_board_that_cannot_work_is_refused_with_what_is_wrong(words, fault):
    with pytest.raises(image.ImageError, match=r"boards/esp32_generic/board.py: .*" + re.escape(fault)):
        boards.check(changed(**words))


@pytest.mark.parametrize("words, text", [
    ({"LED": 4, "REQUEST": 12}, "REQUEST: the level of pin 12 decides how the chip starts"),
    ({"LED": 4, "RX": 3}, "RX: pin 3 is the console's, which falls silent"),
])
def test_a_pin_that_is_odd_but_may_be_meant_is_a_warning(words, text):
    assert boards.check(changed(**words)) == [text]


# ---- what becomes of them


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", VERSIONS)
def test_each_board_has_an_image_with_everything_in_its_place(name, version):
    board = boards.board(name)
    source, flash, told = made(name, version)
    assert len(flash) == board.FLASH_SIZE
    assert set(flash[:board.IMAGE_OFFSET]) <= {0xFF}
    begin, end = board.IMAGE_OFFSET, board.IMAGE_OFFSET + len(source)
    assert flash[begin:0x8000] == source[:0x8000 - begin] and flash[0x10000:end] == source[0x10000 - begin:]
    files = files_of(flash, board)
    assert files["board.py"] == board.FILE.read_bytes()
    assert {"boot.py", "main.py", "slot_a/program", "slot_a/manifest"} <= set(files)
    assert any("no update over the air" in line for line in told) is not board.OTA
    assert [line for line in told if line.startswith("board ")] == [
        "board         " + text for text in boards.check(board)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_partition_table_is_read_by_espressifs_own_rules_and_covers_the_flash(name, version):
    board = boards.board(name)
    source, flash, _ = made(name, version)
    table = PartitionTable.from_binary(flash[0x8000:0x8C00])  # checks the MD5
    table.verify()
    # what the bootloader accepts: nothing beyond the flash that its header was made for
    table.verify_size_fits(appimage.flash_size(source))
    there = {row.name for row in table}
    assert {"ota_0", "ota_1", "otadata"} <= there if board.OTA else "factory" in there
    files = [(row.offset, row.size) for row in table if row.name == "vfs"]
    # newer ones add what is left themselves, up to the end of the flash (ports/esp32/main.c)
    assert files == ([(board.FILES_OFFSET, board.FILES_SIZE)] if version == "1.25.0" else [])
    assert max(row.offset + row.size for row in table if row.name != "vfs") == board.FILES_OFFSET
    if board.OTA:  # nothing chosen yet: the bootloader starts the first
        assert set(flash[table["otadata"].offset:][:table["otadata"].size]) == {0xFF}


@pytest.mark.parametrize("name", NAMES)
def test_the_application_that_starts_first_is_whole_by_tools_of_others(name, tmp_path):
    board = boards.board(name)
    _, flash, _ = made(name, "1.29.0")
    table = PartitionTable.from_binary(flash[0x8000:0x8C00])
    first = table["ota_0" if board.OTA else "factory"]
    data = flash[first.offset:first.offset + first.size]
    path = tmp_path / "app.bin"
    path.write_bytes(data)
    loaded = LoadFirmwareImage(board.CHIP, str(path))
    assert loaded.checksum == loaded.calculate_checksum() and loaded.stored_digest == loaded.calc_digest
    assert ImageMetadata.from_bytes(data, app_required=True).app_description.project_name == "micropython"


@pytest.mark.parametrize("name", NAMES)
def test_the_program_is_machine_code_of_the_boards_chip(name):
    board = boards.board(name)
    files = files_of(made(name, "1.29.0")[1], board)
    packed = files["slot_a/program"]
    assert packed == program(board.ARCHITECTURE)[container.NAME]
    native = 0
    for at in range(2, 2 + int.from_bytes(packed[:2], "little") * 10, 10):
        begin, size = (int.from_bytes(packed[at + skip:at + skip + 3], "little") for skip in (4, 7))
        module = packed[begin:begin + (size & 0xFFFFF)]
        if size >> 20:
            try:
                module = zlib.decompress(primer.BLOCK + module, -(size >> 20))[primer.SIZE:]
            except zlib.error:  # no module, which all go on behind the primer
                continue
        if module[:2] == b"M\x06" and module[2] >> 2:
            mpy.read(module, board.ARCHITECTURE)
            native += 1
    assert native >= 3


def test_the_same_board_gives_the_same_bytes():
    first = hashlib.sha256(made("p1_s3", "1.29.0")[1]).hexdigest()
    made.cache_clear()
    assert hashlib.sha256(made("p1_s3", "1.29.0")[1]).hexdigest() == first


# ---- what is refused


@pytest.mark.parametrize("name, rows, flash, message", [
    ("p1_c3", official.OTA, 4, "it has two application partitions; the board p1_c3 is for ESP32_GENERIC_C3"),
    ("p1_c3", official.FACTORY[:2], 4, "it has no application partition"),
    ("p1_s3", [("factory", 0, 0, 0x20000, 0x1F0000)], 4, "its application is at 0x20000; the board p1_s3 has it at"),
    ("p1_s3", official.FACTORY, 2, "its bootloader was made for a flash of 2 MiB"),
    ("esp32_generic", official.FACTORY, 4, "the variant ESP32_GENERIC-OTA is needed"),
])
def test_an_image_of_another_layout_is_refused(name, rows, flash, message):
    board = boards.board(name)
    with pytest.raises(image.ImageError, match=re.escape(message)):
        image.check_micropython(official.image(board.CHIP, rows, flash=flash), board)


def test_an_application_that_does_not_fit_its_partition_is_refused():
    board = boards.board("p1_s3")
    with pytest.raises(image.ImageError, match="larger than the partition"):
        image.check_micropython(official.image(board.CHIP, official.FACTORY, size=0x1F0000), board)


def test_the_image_that_a_board_needs_is_named_with_its_page_where_it_cannot_be_fetched(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(stock.VARIABLE, "http://127.0.0.1:%d" % free_port())
    monkeypatch.setattr(stock, "CACHE", tmp_path)
    assert image.main(["--board", "p1_c3"]) == 2
    told = capsys.readouterr().err
    assert "ESP32_GENERIC_C3" in told and "download/ESP32_GENERIC_C3, " in told and "BOARD=p1_c3" in told


def test_a_table_that_was_written_is_read_again():
    rows = list(boards.board("p1_s3").PARTITIONS)
    assert partitions.read(partitions.binary(rows), 0) == rows
    assert partitions.updatable(rows) and not partitions.updatable(official.FACTORY)


# ---- the application frozen into an image of one's own


class Manifest:
    """As much of MicroPython's tools/manifestfile.py as ours use: `frozen` is {path of the module: source}."""

    def __init__(self, path):
        self.frozen, self.included = {}, []
        self._run(path)

    def _run(self, path):
        before = os.getcwd()
        os.chdir(path.parent)
        try:
            exec(path.read_text(), {"include": self._include, "package": self._package, "module": self._module})
        finally:
            os.chdir(before)

    def _include(self, path):
        if path.startswith("$("):
            self.included.append(path)
        else:
            self._run(Path(path).resolve())

    def _package(self, name, base_path=".", opt=None):
        for path in sorted(Path(base_path, name).rglob("*.py")):
            self.frozen[path.relative_to(base_path).as_posix()] = path.read_text()

    def _module(self, name, base_path=".", opt=None):
        self.frozen[name] = Path(base_path, name).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_of_each_board_freezes_the_application_and_the_board(name):
    manifest = Manifest(BOARDS / name / "manifest.py")
    assert manifest.included == ["$(PORT_DIR)/boards/manifest.py"]
    assert manifest.frozen["board.py"] == (BOARDS / name / "board.py").read_text()
    modules = {path.relative_to(FIRMWARE).as_posix() for path in (FIRMWARE / "wattport").rglob("*.py")}
    assert set(manifest.frozen) == modules | {"boot.py", "board.py", "microdot.py"}


def test_what_is_frozen_and_what_lies_beside_it_run_together(tmp_path):
    manifest = Manifest(BOARDS / "esp32_generic" / "manifest.py")
    files = {**{name: data for name, data in manifest.frozen.items() if name != "board.py"}, **frozen.files()}
    assert not set(manifest.frozen) & set(frozen.files())
    state = tmp_path / "state"
    for name, data in files.items():
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    port = free_port()
    settings = {"web": {"port": port}, "time": {"server": ""}}
    (state / "settings.json").write_text(json.dumps(settings))
    words, environment = dongle.command("file:/dev/null", state, "a1b2c3d4e5f6", "micropython", heap="4m")
    (state / "a").unlink()  # no slot
    environment["MICROPYPATH"] = "s:.frozen:"
    start = ("import sys; exec(open('boot.py').read()); sys.path[:0] = ['s']; sys.modules.pop('machine'); "
             "exec(open('main.py').read())")  # what stands in for the chip comes before what is built in
    process = subprocess.Popen([*words[:-1], "-c", start], cwd=state, env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        wait_for_port(port)
        with urllib.request.urlopen("http://127.0.0.1:%d/" % port) as page:
            assert b"<html" in gzip.decompress(page.read())
    finally:
        process.kill()
        told = process.communicate()[0]
    assert "Wattport" in told and "error" not in told


def test_an_image_for_a_frozen_application_holds_no_other_one(tmp_path, capsys):
    board = boards.board("p1_c3")
    (tmp_path / "own.bin").write_bytes(official.for_board(board))
    words = ["--board", "p1_c3", "--frozen", "--output", str(tmp_path / "out.bin")]
    assert image.main([*words, "--micropython", str(tmp_path / "own.bin"), "--ap", "k3tu8mpd9xwa"]) == 0
    assert "frozen into MicroPython" in capsys.readouterr().out
    assert set(files_of((tmp_path / "out.bin").read_bytes(), board)) == {*frozen.files(), "ap.txt"}
    assert image.main(words) == 2
    assert "--frozen: name the MicroPython" in capsys.readouterr().err


# ---- what the firmware does with the pins

_PINS = """
import json, sys
import board, machine

did = {}

class Pin:
    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 2, 2
    def __init__(self, number, mode=0, pull=None, value=0):
        self.number = number
        did[str(number)] = [mode, value]
    def __call__(self, value=None):
        did[str(self.number)][1] = value
        return 1

class Signal:
    def __init__(self, pin, invert=False):
        self.pin, self.invert = pin, invert
    def __call__(self, value):
        self.pin(value ^ 1 if self.invert else value)

class UART:
    INV_RX = 1
    def __init__(self, number, **words):
        did["uart"] = [number, words["rx"], words["tx"], words["invert"]]
    def readinto(self, buf):
        return 0
    def init(self, **words):
        pass

class ADC:
    ATTN_11DB = 3
    def __init__(self, pin, atten):
        did["adc"] = pin.number
    def read_uv(self):
        return 2000000

machine.Pin, machine.Signal, machine.UART, machine.ADC = Pin, Signal, UART, ADC
from wattport import settings
from wattport.app import App
from wattport.log import Log
for line in sys.stdin:
    values = json.loads(line)
    for name in dir(board):
        if name[0] != "_":
            delattr(board, name)
    for name, value in values.items():
        setattr(board, name, value)
    did.clear()
    app = App(settings.check({"mqtt": {"host": "b"}}), Log(lambda text: None))
    if app.pin:
        app.pin(1)
    did["mv"] = app.supply.mv if app.supply else None
    did["supply"] = "wattport.supply" in sys.modules
    sys.modules.pop("wattport.supply", None)
    print(json.dumps(did))
"""


def test_the_firmware_uses_the_pins_of_each_board_as_it_says(tmp_path):
    words, environment = micropython("micropython", [simulation("x64")], "8m")
    environment["WATTPORT_ID"], environment["WATTPORT_UART"] = "a1b2c3d4e5f6", "file:/dev/null"
    (tmp_path / "pins.py").write_text(_PINS)
    everybody = [{name: value for name, value in vars(boards.board(name)).items() if name in (
        *boards.NEEDED, *boards.MORE)} for name in NAMES]
    done = subprocess.run([*words, "pins.py"], input="".join(json.dumps(values) + "\n" for values in everybody),
                          cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for values, line in zip(everybody, done.stdout.splitlines(), strict=True):
        did = json.loads(line)
        # the data of a P1 port come inverted, and are looked for like that first
        assert did["uart"] == [values["UART"], values["RX"], values["TX"], 1], values["NAME"]
        if "REQUEST" in values:
            assert did[str(values["REQUEST"])] == [1, values.get("REQUEST_ACTIVE", 1)], values["NAME"]
        assert did[str(values["LED"])] == [1, values.get("LED_ON", 1)], values["NAME"]
        assert did["supply"] is ("SUPPLY" in values), values["NAME"]
        if "SUPPLY" in values:
            assert did["adc"] == values["SUPPLY"] and did["mv"] == 2 * values["SUPPLY_DIVIDER"]
