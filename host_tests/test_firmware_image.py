# SPDX-License-Identifier: MIT
"""Bundles with MicroPython itself, made of images whose headers and tables are those of the official ones."""

import subprocess
import sys

import pytest

from host_tests import official
from host_tests.keys import key, modulus
from tools import appimage, boards, bundle, firmware_image, signing
from tools.paths import ROOT

BOARD = boards.board("esp32_generic")


def write(folder, data):
    path = folder / "image.bin"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("version", ["1.25.0", "1.29.0"])
def test_of_an_official_image_the_application_goes_into_the_bundle(tmp_path, version):
    path = write(tmp_path, official.for_board(BOARD, version) + b"\xff" * 4096)  # something behind it, as in a backup
    made, data = firmware_image.make(path, BOARD, key())
    found = bundle.verify(data, modulus())
    assert {name: found[name] for name in made} == made
    assert (found["kind"], found["version"], found["chip"]) == ("micropython", version, "esp32")
    plain = bundle.unpacked(bundle.parts(data)[3])
    assert plain == official.application("esp32", version) and appimage.check_whole(plain, 0) == len(plain)


def broken(change):
    data = bytearray(official.for_board(BOARD))
    change(data)
    return bytes(data)


@pytest.mark.parametrize("name, data, words", [
    ("no image", lambda: b"\x7fELF" * 100, "no image for an ESP chip"),
    ("empty", lambda: b"", "no image for an ESP chip"),
    ("for another chip", lambda: official.image("esp32s3", official.OTA), "it is for esp32s3"),
    ("without a second partition", lambda: official.image("esp32", official.FACTORY), "two application partitions"),
    ("cut short", lambda: official.for_board(BOARD)[:-5], "cut short"),
    ("damaged", lambda: broken(lambda data: data.__setitem__(-900, data[-900] ^ 1)), "damaged"),
    ("too old", lambda: official.for_board(BOARD, "1.24.1"), "1.25 or newer"),
    ("no release", lambda: official.for_board(BOARD, "1.30.0-preview.5.gabcdef"), "no release"),
    ("an application alone", lambda: official.application("esp32"), "partition table"),
])
def test_what_is_none_is_refused_in_words(tmp_path, name, data, words):
    with pytest.raises(appimage.ImageError, match=words):
        firmware_image.make(write(tmp_path, data()), BOARD, key())


def test_for_a_board_with_room_for_one_there_is_no_bundle(tmp_path):
    for name in boards.names():
        board = boards.board(name)
        path = write(tmp_path, official.for_board(board))
        if board.OTA:
            assert firmware_image.make(path, board, key())[0]["chip"] == board.CHIP
        else:
            with pytest.raises(appimage.ImageError, match="room for one"):
                firmware_image.make(path, board, key())


def test_the_tool_writes_it_or_says_why_not(tmp_path):
    private, public = signing.make(tmp_path / "keys")
    words = [sys.executable, "-m", "tools.firmware_image", "--key", str(private), "--output", str(tmp_path / "a.wpb")]
    done = subprocess.run([*words, str(write(tmp_path, official.for_board(BOARD)))], cwd=ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 0 and "SHA-256" in done.stdout, done.stderr
    assert bundle.verify((tmp_path / "a.wpb").read_bytes(), signing.public(public))["kind"] == "micropython"
    for wrong in (str(tmp_path / "none.bin"), str(write(tmp_path, b"none"))):
        done = subprocess.run([*words, wrong], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.startswith("firmware_image: MicroPython image "), done.stderr
