# SPDX-License-Identifier: MIT
"""`make image` and `make flash`, on a MicroPython image made here: the headers are real, the code is not.

WATTPORT_MICROPYTHON=path/to/ESP32_GENERIC-OTA.bin runs the layout tests on a real one as well.
"""

import ast
import gzip
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import segno
from littlefs import LittleFS

from tools import container, flashed, image, label, mpy, pages, signing, slot
from tools.compile import slot_tree
from tools.names import EVERYWHERE, ON_THE_CHIP
from tools.paths import FIRMWARE, ROOT
from wattport.history import store

BOARD = image.board("esp32_generic")
SIM = ROOT / "tools" / "sim"
BANNER = b"MicroPython v1.29.0 on 2026-08-26; Generic ESP32 module with OTA with ESP32"
SPARE = 8  # blocks that the history leaves to others, `history/store.py`
MOST = 256 * 1024  # bytes of one slot, so that two have room; the goal, 200 KB, is printed by `make bench`
OTA = [
    ("nvs", 1, 0x02, 0x9000, 0x4000), ("otadata", 1, 0x00, 0xD000, 0x2000), ("phy_init", 1, 0x01, 0xF000, 0x1000),
    ("ota_0", 0, 0x10, 0x10000, 0x180000), ("ota_1", 0, 0x11, 0x190000, 0x180000),
]
VFS = ("vfs", 1, 0x81, 0x310000, 0xF0000)  # explicit until 1.25
FACTORY = [OTA[0], ("phy_init", 1, 0x01, 0xF000, 0x1000), ("factory", 0, 0x00, 0x10000, 0x1F0000),
           ("vfs", 1, 0x81, 0x200000, 0x200000)]


def header(chip=0, segments=0):
    return struct.pack("<BBBBIB3sH9sB", 0xE9, segments, 2, 0x20, 0x40080400, 0xEE, bytes(3), chip, bytes(9), 1)


def application(banner=BANNER):
    """An application image of one segment, with checksum byte and SHA-256."""
    data = header(segments=1) + struct.pack("<II", 0x3F400020, len(banner) + 5000) + banner + bytes(5000)
    data += bytes(15 - len(data) % 16) + b"\xef"
    return data + hashlib.sha256(data).digest()


def micropython(rows=OTA, banner=BANNER, chip=0):
    table = b"".join(struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, at, size, name.encode(), 0)
                     for name, kind, subtype, at, size in rows)
    table += b"\xeb\xeb".ljust(16, b"\xff") + hashlib.md5(table).digest()
    data = bytearray(b"\xff" * 0xF000)
    data[:24] = header(chip)
    data[0x7000:0x7000 + len(table)] = table
    return bytes(data) + application(banner)


def images():
    made = {"1.29, the file system takes what is left": micropython(),
            "1.25, with a row for the file system": micropython([*OTA, VFS], BANNER.replace(b"1.29.0", b"1.25.0"))}
    real = os.environ.get("WATTPORT_MICROPYTHON")
    if real:
        made["a real one"] = Path(real).read_bytes()
    return made


@pytest.fixture(params=images().items(), ids=lambda item: item[0])
def official(request, tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(request.param[1])
    return path


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "own.json"
    path.write_text('{"wifi": {"ssid": "Küche", "password": "geheim-geheim"}, "mqtt": {"host": "broker.local"}}')
    return path


def files_of(flash_bytes, board=BOARD):
    """{path: bytes} of the file system inside of a flash image, read as the device reads it."""
    volume = LittleFS(block_count=board.FILES_SIZE // image.BLOCK, mount=False, **image.LITTLEFS)
    volume.context.buffer[:] = flash_bytes[board.FILES_OFFSET:board.FILES_OFFSET + board.FILES_SIZE]
    volume.mount()
    found = {}
    for folder, _, names in volume.walk("/"):
        for name in names:
            path = folder.rstrip("/") + "/" + name
            with volume.open(path, "rb") as file:
                found[path[1:]] = file.read()
    return found


def run(*words, **environment):
    return subprocess.run([sys.executable, "-m", *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, **environment})


# ---- what is in the image


def test_the_image_is_four_mebibytes_with_micropython_and_the_file_system_in_their_places(official):
    data = image.make(BOARD, official)
    source = official.read_bytes()
    assert len(data) == 4 << 20
    assert data[:0x1000] == b"\xff" * 0x1000
    assert data[0x1000:0x1000 + len(source)] == source
    assert set(data[0x1000 + len(source):0x310000]) == {0xFF}
    assert data[0x310008:0x310010] == b"littlefs"
    assert data[0x310000 + BOARD.FILES_SIZE:] == b""


def test_the_file_system_holds_the_start_the_board_the_settings_and_the_compiled_application(official, settings):
    files = files_of(image.make(BOARD, official, image.load_settings(settings)))
    assert files["board.py"] == (ROOT / "boards/esp32_generic/board.py").read_bytes()
    assert json.loads(files["settings.json"]) == json.loads(settings.read_text())
    modules = {".".join(path.relative_to(FIRMWARE).with_suffix("").parts)
               for path in (FIRMWARE / "wattport").rglob("*.py")}
    shipped = flashed.parts(BOARD.ARCHITECTURE)
    packed = compiled(BOARD.ARCHITECTURE)
    for name, data in pages.build().items():
        name = "wattport/web/static/" + name
        if name.endswith(".csp"):
            assert pages.comment(shipped[name.removesuffix("csp") + "gz"]) == data
        else:
            packed[name + ".gz"] = shipped[name + ".gz"]
            assert gzip.decompress(packed[name + ".gz"]) == data
    for data in (FIRMWARE / "wattport").rglob("*.jsonl"):
        packed[data.relative_to(FIRMWARE).as_posix()] = data.read_bytes()
    assert set(files) == {"boot.py", "main.py", "slot.py", "slots.py", "board.py", "safe/program", "settings.json",
                          "slot_a/program", "slot_a/manifest"}
    assert files["slot_a/program"] == container.pack(packed)
    name, size, digest = json.loads(files["slot_a/manifest"])["files"][0]
    assert (name, size, digest) == ("program", len(files["slot_a/program"]),
                                    hashlib.sha256(files["slot_a/program"]).hexdigest())
    joined = {name for names in slot.GROUPS.values() for name in names}
    paths = json.loads((slot_tree(BOARD.ARCHITECTURE) / "places.json").read_text())
    most = {paths[name] for name in (modules & set(paths)) - set(flashed.DEVELOPMENT)}
    least = {paths[name] for name in modules - set(flashed.DEVELOPMENT) - joined}
    assert least <= set(compiled(BOARD.ARCHITECTURE)) <= most and "log.mpy" not in compiled(BOARD.ARCHITECTURE)


def test_what_no_update_touches_is_the_source_without_its_words_and_stands_alone(official):
    files = files_of(image.make(BOARD, official))
    for name in ("boot.py", "main.py", "slot.py", "slots.py"):
        text = files[name].decode()
        assert "wattport.update" not in text and '"""' not in text and "#" not in text
        source = FIRMWARE / name if name != "slots.py" else FIRMWARE / "wattport/update/slots.py"
        assert shape(text) == shape(source.read_text())
        # what the chip compiles leaves each of its names in the heap for ever: they are few
        named = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert len(named - EVERYWHERE - ON_THE_CHIP) < 12, named - EVERYWHERE - ON_THE_CHIP


def shape(text):
    """[public functions and how many parameters they have, …]"""
    return sorted((node.name, len(node.args.args)) for node in ast.walk(ast.parse(text))
                  if isinstance(node, ast.FunctionDef) and (node.name.startswith("__") or node.name[0] != "_"))


def test_the_public_key_for_updates_is_in_the_image_and_only_where_there_is_one(official, tmp_path):
    signing.make(tmp_path)
    key = signing.public(tmp_path / "update.pub.pem")
    assert key == signing.public(tmp_path / "update.pem") and len(key) == 384
    told = []
    assert files_of(image.make(BOARD, official, tell=told.append, key=key))["key"] == key
    assert any(signing.key_id(key) in line for line in told)
    assert "key" not in files_of(image.make(BOARD, official, tell=told.append))
    assert any("make keys" in line for line in told)


def compiled(architecture):
    return {name: data for name, data in flashed.parts(architecture).items() if name.endswith(".mpy")}


def test_without_settings_there_is_no_settings_file(official):
    assert "settings.json" not in files_of(image.make(BOARD, official))


def test_what_only_a_pc_uses_is_a_module_that_exists():
    for name in flashed.DEVELOPMENT:
        assert FIRMWARE.joinpath(*name.split(".")).with_suffix(".py").exists()


def test_every_module_that_ships_is_of_the_chips_machine_code_and_well_formed():
    for name, data in flashed.parts(BOARD.ARCHITECTURE).items():
        if not name.endswith(".mpy"):
            continue
        assert data[:2] == b"M\x06", name
        if data[2] >> 2:  # it has machine code
            mpy.read(data, BOARD.ARCHITECTURE)


def test_the_application_grows_no_larger_than_this():
    assert len(flashed.program(BOARD.ARCHITECTURE)[container.NAME]) <= MOST


def test_a_second_slot_has_room_beside_a_full_history(official):
    files = files_of(image.make(BOARD, official))
    files.update({name.replace("slot_a", "slot_b"): data for name, data in files.items() if name.startswith("slot_a")})
    for kind, blocks in store.ROOM.items():
        files.update({"history/%s%07d.%d" % (kind, number, number): bytes(store.FULL) for number in range(blocks // 2)})
    # what else a dongle keeps: settings twice while they are written, certificates, contracts and their like
    files.update({"kept%d" % number: bytes(image.BLOCK - 100) for number in range(6)})
    _, free = image.file_system(files, BOARD.FILES_SIZE)
    assert free >= SPARE * image.BLOCK


def test_the_folders_of_the_file_system_are_in_their_shortest_form():
    files = {"a/wattport/module%02d.mpy" % number: bytes(3000) for number in range(20)}
    data, _ = image.file_system(files, BOARD.FILES_SIZE)
    logs = [data[at:at + image.BLOCK].rstrip(b"\xff") for at in range(0, len(data), image.BLOCK)
            if b"module07.mpy" in data[at:at + image.BLOCK]]
    newest = max(logs, key=lambda log: int.from_bytes(log[:4], "little"))
    assert len(newest) < 20 * (len("module00.mpy") + 16) + 64  # a name and a place for each, once


def test_the_free_space_is_told_in_whole_blocks():
    empty = image.file_system({}, BOARD.FILES_SIZE)[1]
    assert empty - image.file_system({"a/x.mpy": bytes(5000)}, BOARD.FILES_SIZE)[1] == (2 + 2) * image.BLOCK


def test_files_that_do_not_fit_are_refused():
    with pytest.raises(image.ImageError, match="does not fit"):
        image.file_system({"a/x.mpy": bytes(BOARD.FILES_SIZE)}, BOARD.FILES_SIZE)


def test_the_same_inputs_give_the_same_bytes_in_any_process_and_folder(official, settings, tmp_path):
    made = []
    for seed in ("1", "2"):
        output, folder = tmp_path / seed / "out.bin", tmp_path / ("tmp" + seed)
        folder.mkdir()
        done = run("tools.image", "--micropython", official, "--settings", settings, "--output", output,
                   "--ap", "k3tu8mpd9xwa", PYTHONHASHSEED=seed, TMPDIR=str(folder), SOURCE_DATE_EPOCH=seed)
        assert done.returncode == 0, done.stderr
        assert output.stat().st_mode & 0o077 == 0  # it holds passwords
        made.append(output.read_bytes())
        assert hashlib.sha256(made[-1]).hexdigest() in done.stdout
    assert made[0] == made[1]


def test_the_image_is_named_after_board_and_version_and_sizes_are_told(official, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image, "DIST", tmp_path / "dist")
    assert image.main(["--board", "esp32_generic", "--micropython", str(official)]) == 0
    written = tmp_path / "dist" / ("wattport-esp32_generic-%s.bin" % image.VERSION)
    assert [path.name for path in (tmp_path / "dist").iterdir()] == [written.name]
    told = capsys.readouterr().out
    for word in ("MicroPython", "application", "file system", "free", hashlib.sha256(written.read_bytes()).hexdigest()):
        assert word in told


# ---- what is refused

BAD = {
    "an empty file": (b"", "no image for an ESP chip"),
    "something else": (b"PK\3\4" + bytes(70000), "no image for an ESP chip: it starts with 50"),
    "an image for another chip": (micropython(chip=9), "it is for esp32s3"),
    "an image for an unknown chip": (micropython(chip=77), "it is for chip 77"),
    "an application without its bootloader": (application(), "no partition table at 0x8000"),
    "an image without the two application partitions": (micropython(FACTORY), "variant ESP32_GENERIC-OTA"),
    "a damaged partition table": (micropython().replace(b"ota_1\0", b"ota_2\0"), "its MD5 is wrong"),
    "a partition in the file system": (micropython([*OTA, ("more", 1, 0x81, 0x3F0000, 0x10000)]),
                                       "partition more .0x3F0000 to 0x400000. lies in the board's file system"),
    "a file system of another size": (micropython([*OTA, ("vfs", 1, 0x81, 0x310000, 0xE0000)]),
                                      "its file system is at 0x310000, 917504 bytes"),
    "a file system of another place": (micropython([*OTA[:4], ("ota_1", 0, 0x11, 0x190000, 0x100000)]),
                                       "would put its file system at 0x290000"),
    "a file cut short": (micropython()[:-100], "cut short"),
    "a file cut inside of its first part": (micropython()[:0xF010], "cut short"),
    "one wrong bit": (micropython()[:-2000] + b"\1" + micropython()[-1999:], "cut short or damaged"),
    "a file that is too big": (micropython() + bytes(0x310000), "there are 3207168 in front of the file system"),
    "an old MicroPython": (micropython(banner=BANNER.replace(b"1.29.0", b"1.24.1")),
                           "it is MicroPython 1.24.1; 1.25 or newer is needed"),
    "a preview of an old one": (micropython(banner=BANNER.replace(b"1.29.0", b"1.9.0-preview.7.gabcdef")),
                                "it is MicroPython 1.9.0-preview.7.gabcdef"),
    "another program": (micropython(banner=b"Tasmota 15.0.1"), "says no version of MicroPython"),
}


@pytest.mark.parametrize("data, message", BAD.values(), ids=BAD)
def test_a_wrong_micropython_image_is_refused_with_what_is_wrong(data, message, tmp_path, capsys):
    path = tmp_path / "wrong.bin"
    path.write_bytes(data)
    output = tmp_path / "out.bin"
    assert image.main(["--micropython", str(path), "--output", str(output)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("image: MicroPython image %s: " % path)
    assert re.search(message, told), told
    assert not output.exists()


def test_a_missing_image_is_named(tmp_path, capsys):
    assert image.main(["--micropython", str(tmp_path / "none.bin")]) == 2
    assert "none.bin: No such file" in capsys.readouterr().err


def test_an_unknown_board_is_named_with_those_that_exist(capsys):
    assert image.main(["--board", "esp9000"]) == 2
    assert "no board esp9000; there is esp32_generic" in capsys.readouterr().err


@pytest.mark.parametrize("text, message", [
    ('{"mqtt": {"prot": 1883}}', "mqtt.prot: there is no such setting"),
    ('{"mqtt": {"port": 70000}}', "mqtt.port: a whole number"),
    ('{"meter": {"key": "0011"}}', "meter.key: 32 hexadecimal digits"),
    ('{"wlan": {}}', "wlan: there is no such group"),
    ("[]", "no JSON object"),
    ('{"mqtt": ', "no JSON: "),
])
def test_wrong_settings_are_refused_by_the_name_of_the_key(text, message, official, tmp_path, capsys):
    path, output = tmp_path / "settings.json", tmp_path / "out.bin"
    path.write_text(text)
    assert image.main(["--micropython", str(official), "--settings", str(path), "--output", str(output)]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_settings_that_are_not_there_are_refused(official, tmp_path, capsys):
    assert image.main(["--micropython", str(official), "--settings", str(tmp_path / "none.json")]) == 2
    assert "none.json: No such file" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_named(official, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert image.main(["--micropython", str(official), "--output", str(tmp_path / "file" / "out.bin")]) == 2
    assert "out.bin: " in capsys.readouterr().err


# ---- the label


def test_each_image_has_a_new_password_of_letters_that_look_like_no_others(official, tmp_path, capsys):
    found = set()
    for number in range(3):
        output = tmp_path / ("%d.bin" % number)
        assert image.main(["--micropython", str(official), "--output", str(output)]) == 0
        password = files_of(output.read_bytes())["ap.txt"].decode()
        assert output.stat().st_mode & 0o077 == 0
        assert len(password) == 12 and not set(password) & set("0O1lI")
        assert password in capsys.readouterr().out
        found.add(password)
    assert len(found) == 3


@pytest.mark.parametrize("password", ["short", "x" * 64, "geheim\u00e9\u00e9\u00e9", " leading1", "two\nlines"])
def test_a_password_that_no_access_point_takes_is_refused(official, tmp_path, password, capsys):
    assert image.main(["--micropython", str(official), "--output", str(tmp_path / "out.bin"), "--ap", password]) == 2
    assert "8 to 63 plain letters" in capsys.readouterr().err
    assert not (tmp_path / "out.bin").exists()


def test_the_label_names_the_network_and_draws_what_a_phone_reads(capsys):
    assert label.main(["--mac", "24-0A-C4-12-4D-3A", "--password", "k3tu8mpd9xwa"]) == 0
    told = capsys.readouterr().out
    assert "Wattport-4d3a" in told and "k3tu8mpd9xwa" in told
    rows = [line for line in told.splitlines() if line and not line.strip(" ▀▄█")]
    pixels = [[char in "▀█" if upper else char in "▄█" for char in row] for row in rows for upper in (True, False)]
    wanted = segno.make("WIFI:T:WPA;S:Wattport-4d3a;P:k3tu8mpd9xwa;;", error="m", micro=False)
    assert [row for row in pixels][:len(list(wanted.matrix_iter(border=4)))] == [
        [bool(cell) for cell in row] for row in wanted.matrix_iter(border=4)]


def test_signs_of_the_qr_codes_own_language_are_escaped():
    assert label.code('a;b:c', 'x\\y,"z') == 'WIFI:T:WPA;S:a\\;b\\:c;P:x\\\\y\\,\\"z;;'


@pytest.mark.parametrize("words", [("--mac", "24:0a:c4:12:4d", "--password", "k3tu8mpd9xwa"),
                                   ("--mac", "24:0a:c4:12:4d:3a", "--password", "short")])
def test_a_label_of_nothing_usable_is_refused(words):
    with pytest.raises(SystemExit):
        label.main(list(words))
