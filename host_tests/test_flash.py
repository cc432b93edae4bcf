# SPDX-License-Identifier: MIT
"""`make flash`, `backup`, `restore` and `erase`: esptool itself, talking to a bootloader that is a model of the chip's
(host_tests/chip.py). What arrives there is compared byte by byte with what `make image` made."""

import fcntl
import os
import pty
import socket

import pytest

from host_tests.brokers import free_port
from host_tests.chip import Chip
from host_tests.official import for_board, program
from host_tests.test_image import files_of
from tools import chip, esp, flash, flashed, image

STARTED = """the Wi-Fi of the set-up has the password k3tu8mpd9xwa
       0 info    Wattport %s, device 240ac4124d3a, meter line 115200 8N1 inverted, to be found out
       1 info    web: dashboard on port 80
       4 info    set-up: join the Wi-Fi Wattport-4d3a, then open http://192.168.71.1""" % image.VERSION


LINELESS = ["--", "--before", "no-reset", "--after", "no-reset"]  # a pseudo terminal has no control lines


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flashed, "program", program)
        yield


@pytest.fixture
def official(tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(for_board(image.board("esp32_generic")))
    return path


def write(official, tmp_path, device, *words):
    return flash.main(["--port", device.port, "--micropython", str(official), "--output", str(tmp_path / "out.bin"),
                       *words])


def test_what_arrives_in_the_chip_is_the_image_and_its_first_start_is_told(official, tmp_path, capsys):
    with Chip(boot=STARTED.splitlines()) as device:
        assert write(official, tmp_path, device, "--ap", "k3tu8mpd9xwa") == 0
    made = (tmp_path / "out.bin").read_bytes()
    assert device.in_stub and device.flash == made
    told = capsys.readouterr().out
    assert files_of(made)["ap.txt"].decode() in told
    assert "Wi-Fi of the set-up   Wattport-4d3a" in told  # by the chip's own address
    assert "flash: Wattport %s runs; its own Wi-Fi is Wattport-4d3a, the page http://192.168.71.1." % image.VERSION \
        in told
    assert "join its own Wi-Fi" in told
    assert told.count("Writing at") < 20  # esptool tells of each block where it sees no terminal


def test_a_first_start_that_goes_wrong_is_told_and_is_the_exit_status(official, tmp_path, capsys):
    with Chip(boot=["MicroPython v1.29.0 on 2026-08-24; Generic ESP32 module with OTA with ESP32", ">>> "]) as device:
        assert write(official, tmp_path, device, "--ap", "k3tu8mpd9xwa") == 3
    told = capsys.readouterr()
    assert "Wattport-4d3a" in told.out  # the label is there all the same
    assert "MicroPython runs, but the application does not" in told.err and "make monitor" in told.err


def test_a_board_that_has_another_password_than_its_label_is_told(official, tmp_path, capsys):
    with Chip(boot=STARTED.splitlines()) as device:
        assert write(official, tmp_path, device, "--ap", "abcdefgh2345") == 3
    assert "says that its password is k3tu8mpd9xwa, and that is not the one above" in capsys.readouterr().err


def test_the_first_start_is_not_watched_where_nobody_wants_that(official, tmp_path, capsys):
    with Chip(boot=["nonsense"]) as device:
        assert write(official, tmp_path, device, "--watch", "0") == 0
    assert device.flash == (tmp_path / "out.bin").read_bytes()
    assert "watching" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["esp32", "esp32c3", "esp32s3"])
def test_the_rom_of_each_chip_takes_it_too_without_a_stub(kind, tmp_path):
    part = tmp_path / "part.bin"
    part.write_bytes(b"\xff" * 5000 + os.urandom(60_001))
    with Chip(kind, size=256 << 10, stub=False) as device:
        status, said = esp.run(flash.command(kind, device.port, part, ["--no-stub"]))
    assert status == 0, said
    assert esp.mac(said) == "24:0a:c4:12:4d:3a"
    assert not device.in_stub and device.flash[:65_001] == part.read_bytes()
    assert device.flash[-4096:] != b"\xff" * 4096  # what lies behind is as it was


def test_another_chip_than_the_boards_is_named_and_nothing_is_written(official, tmp_path, capsys):
    with Chip("esp32c3") as device:
        before = bytes(device.flash)
        assert write(official, tmp_path, device)
        assert device.flash == before and not device.written
    told = capsys.readouterr()
    assert "the chip is an ESP32-C3 and the board is made for an ESP32" in told.err and "BOARD=" in told.err
    assert esp.AGAIN not in told.err and "Wattport-" not in told.out


def test_a_port_that_goes_away_in_the_middle_is_told_and_the_board_not_called_done(official, tmp_path, capsys):
    with Chip(vanish_after=3) as device:
        assert write(official, tmp_path, device)
        assert device.written and device.flash != (tmp_path / "out.bin").read_bytes()
    told = capsys.readouterr()
    assert "the port went away in the middle" in told.err and esp.AGAIN in told.err
    assert "Wattport-" not in told.out and "Traceback" not in told.err


def test_a_port_that_another_program_has_is_told(official, tmp_path, capsys):
    other, device = pty.openpty()
    try:
        fcntl.flock(device, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert flash.main(["--port", os.ttyname(device), "--micropython", str(official),
                           "--output", str(tmp_path / "out.bin")])
    finally:
        os.close(other)
        os.close(device)
    told = capsys.readouterr().err
    assert "another program has the port" in told and esp.AGAIN not in told


def test_a_port_that_is_not_there_is_told_with_those_that_are(official, tmp_path, capsys):
    assert flash.main(["--port", str(tmp_path / "ttyUSB7"), "--micropython", str(official),
                       "--output", str(tmp_path / "out.bin")])
    told = capsys.readouterr().err
    assert "there is no such port; " in told and ("these are here" in told or "data cable" in told)


def test_a_chip_that_never_answers_is_told(official, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = "socket://127.0.0.1:%d" % silent.getsockname()[1]
        assert flash.main(["--port", port, "--micropython", str(official), "--output", str(tmp_path / "out.bin"), "--",
                           "--connect-attempts", "1"])
    told = capsys.readouterr().err
    assert "no chip answers" in told and "download mode already" in told


def test_a_port_that_nobody_listens_at_is_told(official, tmp_path, capsys):
    assert flash.main(["--port", "socket://127.0.0.1:%d" % free_port(), "--micropython", str(official),
                       "--output", str(tmp_path / "out.bin")]) == 2
    assert "the port cannot be opened" in capsys.readouterr().err


# ---- the whole flash


def test_a_backup_is_the_flash_readable_by_nobody_else_and_can_be_written_back(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(chip, "DIST", tmp_path / "dist")
    with Chip(size=256 << 10, terminal=True) as device:
        kept = bytes(device.flash)
        for _ in range(2):  # the second does not overwrite the first
            assert chip.main(["backup", "--port", device.port, *LINELESS]) == 0
        assert device.baud == int(esp.BAUD)
        first, second = sorted((tmp_path / "dist").iterdir(), key=lambda path: len(path.name))
        assert first.name.startswith("backup-240ac4124d3a-20") and second.stem == first.stem + "-2"
        assert first.read_bytes() == second.read_bytes() == kept
        assert first.stat().st_mode & 0o777 == 0o600
        told = capsys.readouterr().out
        assert "make restore PORT=%s FILE=" % device.port in told and "passwords" in told
        assert chip.main(["erase", "--port", device.port, *LINELESS]) == 0
        assert device.flash == b"\xff" * (256 << 10)
        assert "settings, history" in capsys.readouterr().out
        assert chip.main(["restore", "--port", device.port, str(first), *LINELESS]) == 0
        assert device.flash == kept


def test_a_backup_that_fails_leaves_no_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(chip, "DIST", tmp_path / "dist")
    assert chip.main(["backup", "--port", "socket://127.0.0.1:%d" % free_port()])
    assert list((tmp_path / "dist").iterdir()) == []
    assert "backup: the port cannot be opened" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["backup", "restore", "erase"])
def test_without_a_port_nothing_is_done(verb, capsys):
    assert chip.main([verb]) == 2
    assert "%s: which port? make %s PORT=" % (verb, verb) in capsys.readouterr().err


def test_without_a_file_nothing_is_written_back(capsys):
    assert chip.main(["restore", "--port", "/dev/ttyUSB9"]) == 2
    assert "FILE=" in capsys.readouterr().err


# ---- how esptool is called


def words(port, *flags):
    return flash.command("esp32", port, "out.bin", flags)[3:]


def test_a_device_is_flashed_with_esptools_own_resets_at_a_high_speed():
    assert words("/dev/ttyUSB0") == ["--chip", "esp32", "--port", "/dev/ttyUSB0", "--baud", "460800",
                                     "write-flash", "0x0", "out.bin"]


def test_a_port_with_control_lines_over_the_network_is_flashed_like_a_device():
    assert "--before" not in words("rfc2217://host:4000")


def test_a_port_without_control_lines_is_neither_reset_nor_sped_up():
    assert words("socket://host:5000") == ["--chip", "esp32", "--port", "socket://host:5000", "--before", "no-reset",
                                           "--after", "no-reset", "write-flash", "0x0", "out.bin"]


@pytest.mark.parametrize("flags, left", [
    (["--before", "usb-reset"], ["--after", "no-reset"]),
    (["--before=usb-reset", "-a", "soft-reset"], []),
    (["--after", "hard-reset"], ["--before", "no-reset"]),
    (["--baud", "9600"], ["--before", "no-reset", "--after", "no-reset"]),
])
def test_flags_of_the_person_come_before_what_would_be_chosen(flags, left):
    assert words("socket://host:5000", *flags)[4:] == [*left, *flags, "write-flash", "0x0", "out.bin"]


@pytest.mark.parametrize("flags", [["--baud", "9600"], ["-b", "9600"], ["-b9600"], ["--baud=9600"]])
def test_a_given_speed_is_kept(flags):
    assert words("/dev/ttyUSB0", *flags)[4:] == [*flags, "write-flash", "0x0", "out.bin"]


@pytest.mark.parametrize("said, found", [
    ("Connecting...\nMAC:                24:0a:c4:12:4d:3a\nUploading stub", "24:0a:c4:12:4d:3a"),
    ("MAC:        40:4c:ca:ff:fe:55:51:c4\nBASE MAC:           40:4c:ca:55:51:c4\nMAC_EXT: ff:fe",
     "40:4c:ca:55:51:c4"),
    ("A fatal error occurred", None),
])
def test_the_mac_address_is_found_in_what_esptool_says(said, found):
    assert esp.mac(said) == found


def test_without_a_mac_address_the_label_is_told_how_to_make(official, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(esp, "run", lambda words: (0, ""))
    assert flash.main(["--port", "/dev/ttyUSB7", "--micropython", str(official), "--output", str(tmp_path / "out.bin"),
                       "--ap", "k3tu8mpd9xwa", "--watch", "0"]) == 0
    assert "tools.label --mac MAC --password k3tu8mpd9xwa" in capsys.readouterr().out


def test_with_a_wifi_in_the_settings_flash_says_that_it_is_joined(official, tmp_path, monkeypatch, capsys):
    settings = tmp_path / "own.json"
    settings.write_text('{"wifi": {"ssid": "home", "password": "geheim-geheim"}}')
    monkeypatch.setattr(esp, "run", lambda words: (0, "MAC: 24:0A:C4:12:4D:3A"))
    assert flash.main(["--port", "/dev/ttyUSB7", "--micropython", str(official), "--output", str(tmp_path / "out.bin"),
                       "--settings", str(settings), "--watch", "0"]) == 0
    assert "the Wi-Fi of the settings" in capsys.readouterr().out


def test_without_a_port_those_that_are_here_are_listed_and_nothing_is_made(monkeypatch, capsys):
    class Port:
        device, description = "/dev/ttyUSB3", "CP2102N"

        def __lt__(self, other):
            return True
    monkeypatch.setattr(esp.list_ports, "comports", lambda: [Port()])
    assert flash.main([]) == 2
    told = capsys.readouterr().err
    assert "PORT=" in told and "/dev/ttyUSB3  CP2102N" in told
    monkeypatch.setattr(esp.list_ports, "comports", list)
    assert flash.main([]) == 2
    assert "no serial port is to be seen" in capsys.readouterr().err


def test_flash_refuses_what_image_refuses(tmp_path, capsys):
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(b"PK")
    assert flash.main(["--port", "/dev/ttyUSB7", "--micropython", str(wrong)]) == 2
    assert "no image for an ESP chip" in capsys.readouterr().err


@pytest.mark.parametrize("said, sentence", [
    ("Could not open /dev/ttyUSB0 ([Errno 13] Permission denied: '/dev/ttyUSB0')", "dialout"),
    ("A fatal error occurred: Wrong boot mode detected (0x13)!", "hold BOOT"),
    ("A fatal error occurred: MD5 of file does not match data in flash!", "--baud 115200"),
    ("the serial TX path seems to be down", "RX pin"),
    ("something that nobody has seen yet", ""),
])
def test_what_esptool_says_is_put_in_plain_words(said, sentence):
    assert sentence in esp.meaning(said) and bool(sentence) == bool(esp.meaning(said))
