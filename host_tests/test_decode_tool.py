# SPDX-License-Identifier: MIT
"""`tools.decode`: what it prints and how it exits, the same in three runtimes, and end to end over MQTT."""

import json
import subprocess
import sys
import threading

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.test_decoding import AUTH_KEY, COSEM, KEY, METERS, check_types, lacks
from tools import meters
from tools.compile import RUNTIMES
from tools.paths import ROOT

START = 1_667_088_000 - 100  # into the hour that comes twice
EVERYWHERE = ("cpython", *RUNTIMES)
KINDS = {"checksum", "truncated", "wrong_key", "no_key", "unsupported", "malformed"}


def decode(*arguments, feed=None):
    """(exit status, lines as objects, standard error)."""
    done = subprocess.run([sys.executable, "-m", "tools.decode", *map(str, arguments)], cwd=ROOT, input=feed,
                          capture_output=True, timeout=60)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def simulated(name, count=20, seed=4):
    """(bytes of a line, [reading, ...], options for the keys)."""
    family, key, auth_key = METERS[name]
    meter = meters.make(family, seed=seed, start=START, key=key, auth_key=auth_key)
    telegrams = [meter.next() for _ in range(count)]
    options = ["--tz", meters.FAMILIES[family].zone]
    for option, value in (("--key", key), ("--auth-key", auth_key)):
        options += [option, value.hex()] if value else []
    return b"".join(telegram for telegram, _ in telegrams), [reading for _, reading in telegrams], options


@pytest.fixture
def dsmr5(tmp_path):
    path = tmp_path / "dsmr5.bin"
    path.write_bytes(simulated("dsmr5", 3)[0])
    return path


FAMILIES = {"dsmr5": "dsmr5", "dsmr4": "dsmr4", "dsmr2": "dsmr2", "be": "dsmr-be", "se": "dsmr-se",
            "lu": "dsmr-lu-encrypted", "lu-auth": "dsmr-lu-encrypted", "kamstrup": "dlms-hdlc",
            "kamstrup-dk": "dlms-hdlc-encrypted", "sml": "sml", "sml3": "sml", "hu": "dsmr-hu", "lt": "dsmr-lt",
            "iec": "iec62056-21", "iec-c": "iec62056-21", "ch": "dsmr5", "pl": "dsmr-pl-encrypted",
            "tic": "tic", "tic-standard": "tic", "amis": "amis", **COSEM}


@pytest.mark.parametrize("name", METERS)
def test_three_runtimes_print_the_same_objects_and_what_the_meter_meant(tmp_path, name):
    line, expected, options = simulated(name)
    path = tmp_path / "line.bin"
    path.write_bytes(line)
    printed = {}
    for runtime in EVERYWHERE:
        status, printed[runtime], stderr = decode("--runtime", runtime, *options, path)
        assert status == 0 and all("the key is right" in line for line in stderr.splitlines()), stderr
    assert printed["micropython"] == printed["micropython32"] == printed["cpython"]
    assert len(printed["cpython"]) == len(expected)
    for record, reading in zip(printed["cpython"], expected):
        assert set(record) == {"family", "reading"} and record["family"] == FAMILIES[name]
        check_types(record["reading"])
        assert not lacks(record["reading"], reading)


@pytest.mark.parametrize("name", ["lu", "kamstrup-dk"])
def test_encrypted_telegrams_without_or_with_a_wrong_key_are_told_in_every_runtime(tmp_path, name):
    line, _, options = simulated(name, 2)
    path = tmp_path / "line.bin"
    path.write_bytes(line)
    for runtime in EVERYWHERE:
        for keys, kind in (([], "no_key"), (["--key", "00" * 16], "wrong_key"),
                           (["--key", KEY.hex(), "--auth-key", "11" * 16], "wrong_key")):
            status, lines, _ = decode("--runtime", runtime, *keys, path)
            assert status == 1 and [record["error"] for record in lines] == [kind] * 2, (runtime, keys, lines)


def test_exit_0_when_all_is_good(dsmr5):
    status, lines, stderr = decode(dsmr5)
    assert status == 0 and len(lines) == 3 and not stderr


@pytest.mark.parametrize("runtime", EVERYWHERE)
def test_exit_1_when_one_frame_is_bad_and_the_good_ones_are_printed(tmp_path, dsmr5, runtime):
    good = dsmr5.read_bytes()
    bad = good.replace(b"1-0:1.8.1(0", b"1-0:1.8.1(1", 1)
    path = tmp_path / "bad.bin"
    path.write_bytes(bad + good[:500])
    status, lines, stderr = decode("--runtime", runtime, path)
    assert status == 1
    assert [record.get("error", "reading") for record in lines] == ["checksum", "reading", "reading", "truncated"]
    assert all(set(record) == {"error", "detail"} and record["error"] in KINDS and record["detail"]
               for record in lines if "error" in record)


@pytest.mark.parametrize("runtime", EVERYWHERE)
def test_a_file_without_a_telegram_is_an_error(tmp_path, runtime):
    for content in (b"", b"nothing in here", bytes(5000)):
        path = tmp_path / "empty.bin"
        path.write_bytes(content)
        status, lines, stderr = decode("--runtime", runtime, path)
        assert status == 1 and [record["error"] for record in lines] == ["malformed"]
        assert not content or "%d bytes" % len(content) in stderr


def test_exit_2_for_wrong_usage(dsmr5):
    for arguments in ((), ("--nothing", dsmr5), ("/no/such/file",), (dsmr5.parent,), (dsmr5, "/no/such/file"),
                      ("--key", "12", dsmr5), ("--key", "zz" * 16, dsmr5), ("--key", "0" * 31, dsmr5),
                      ("--auth-key", "0" * 33, dsmr5), ("--key",), ("--tz", "Mars/Olympus", dsmr5),
                      ("--tz", "CET", dsmr5), ("--runtime", "pypy", dsmr5), ("--mqtt", "localhost:1", dsmr5)):
        status, lines, stderr = decode(*arguments)
        assert status == 2 and not lines and "usage" in stderr, (arguments, stderr)


def test_keys_may_be_written_with_spaces_colons_or_dashes(tmp_path):
    line, expected, _ = simulated("lu", 1)
    path = tmp_path / "lu.bin"
    path.write_bytes(line)
    for between in (" ", ":", "-"):
        status, lines, _ = decode("--key", KEY.hex(between).upper(), path)
        assert status == 0 and not lacks(lines[0]["reading"], expected[0])


def test_several_files_and_options_between_them(tmp_path, dsmr5):
    other = tmp_path / "other.bin"
    other.write_bytes(simulated("kamstrup", 2)[0])
    for arguments in ((dsmr5, other), (dsmr5, "--runtime", "micropython32", other),
                      (dsmr5, other, "--tz", "Europe/Oslo")):
        status, lines, _ = decode(*arguments)
        assert status == 0 and [record["family"] for record in lines] == ["dsmr5"] * 3 + ["dlms-hdlc"] * 2


@pytest.mark.parametrize("runtime", EVERYWHERE)
def test_standard_input_is_a_file_called_dash(dsmr5, runtime):
    status, lines, stderr = decode("--runtime", runtime, "-", feed=b"garbage!" + dsmr5.read_bytes())
    assert status == 0 and len(lines) == 3 and "-: 8 bytes" in stderr
    assert decode("--runtime", runtime, "-", feed=b"")[0] == 1


@pytest.mark.parametrize("runtime", EVERYWHERE)
def test_garbage_between_telegrams_is_counted_on_standard_error(tmp_path, dsmr5, runtime):
    path = tmp_path / "noisy.bin"
    path.write_bytes(b"\x00" * 17 + dsmr5.read_bytes() + b"." * 25)
    status, lines, stderr = decode("--runtime", runtime, path)
    assert status == 0 and len(lines) == 3
    assert stderr.strip() == "%s: 42 bytes between telegrams skipped" % path


def test_a_key_that_was_not_needed_is_remarked(dsmr5):
    status, lines, stderr = decode("--key", KEY.hex(), dsmr5)
    assert status == 0 and len(lines) == 3 and "3 telegrams were not encrypted" in stderr


@pytest.mark.parametrize("name", ["dsmr5", "lu", "kamstrup-dk"])
def test_obis_adds_every_code_the_same_in_every_runtime(tmp_path, name):
    line, _, options = simulated(name, 2)
    path = tmp_path / "line.bin"
    path.write_bytes(line)
    printed = [decode("--obis", "--runtime", runtime, *options, path) for runtime in EVERYWHERE]
    assert printed[0] == printed[1] == printed[2]
    status, lines, _ = printed[0]
    assert status == 0
    for record in lines:
        codes, reading = record["obis"], record["reading"]
        if name == "kamstrup-dk":
            assert codes["1-1:1.8.0"] == [reading["import_wh"] // 10, 0, ""]
            assert codes["1-1:32.7.0"] == [reading["voltage_l1_mv"] // 1000, 0, ""]
        else:
            code = "1-0:1.8.1" if name == "dsmr5" else "1-0:1.8.0"
            field = "import_t1_wh" if name == "dsmr5" else "import_wh"
            assert codes[code] == [reading[field], -3, "kWh"]
            assert codes["0-0:1.0.0"][:6] == "221030" and len(codes) > 25
        assert all(isinstance(value, (str, list)) for value in codes.values())


def test_the_zone_of_stamps_without_one_can_be_chosen(tmp_path):
    path = tmp_path / "old.bin"
    path.write_bytes(b"/TST5\r\n\r\n0-0:1.0.0(230615120000)\r\n1-0:1.7.0(0001.10*kW)\r\n!\r\n")
    for zone, hours in ((None, 2), ("Europe/Helsinki", 3), ("Europe/Lisbon", 1), ("UTC0", 0),
                        ("EET-2EEST,M3.5.0/3,M10.5.0/4", 3)):
        for runtime in EVERYWHERE:
            status, lines, _ = decode("--runtime", runtime, *(["--tz", zone] if zone else []), path)
            assert status == 0 and lines[0]["reading"]["time"] == 1_686_830_400 - hours * 3600, zone


# -- MQTT -------------------------------------------------------------------------------------------------------------

class Watching:
    """tools.decode --mqtt as a process, and what it prints."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([sys.executable, "-m", "tools.decode", *map(str, arguments)], cwd=ROOT,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._thread.join(10)
        self.process.stdout.close()
        self.process.stderr.close()


def publish_until(watching, client, topic, frame, count):
    """Publish until one more line is printed: nobody tells when the subscription stands."""
    def printed():
        if len(watching.lines) < count:
            client.publish(topic, frame)
        return len(watching.lines) >= count
    eventually(printed, "a line for a frame on %s" % topic)
    return watching.lines[count - 1]


def test_raw_frames_of_dongles_are_decoded_from_a_broker(tmp_path):
    sealed, expected, options = simulated("lu", 1)
    sealed_hdlc, expected_hdlc, _ = simulated("kamstrup-dk", 1)
    old, expected_old, _ = simulated("dsmr2", 1)
    users, login = {"reader": "p@ss:w/rd"}, ("reader", "p%40ss%3Aw%2Frd")
    with Mosquitto(tmp_path, users) as broker, Listener(broker.port, ("none",), *login) as client, Watching(
            "--mqtt", "127.0.0.1:%d" % broker.port, "--user", "reader", "--password", users["reader"],
            "--key", KEY.hex(), "--auth-key", AUTH_KEY.hex()) as watching:
        record = publish_until(watching, client, "wattport/a1/raw", sealed_hdlc[:-1], 1)
        assert record["family"] == "dlms-hdlc-encrypted" and not lacks(record["reading"], expected_hdlc[0])
    # without a password, all kinds of frames
    with Mosquitto(tmp_path) as broker, Listener(broker.port, ("none",)) as client, Watching(
            "--mqtt", "127.0.0.1:%d" % broker.port, *options) as watching:
        record = publish_until(watching, client, "wattport/a1/raw", sealed, 1)
        eventually(lambda: all(line == record for line in watching.lines))
        assert record["family"] == "dsmr-lu-encrypted" and not lacks(record["reading"], expected[0])
        count = len(watching.lines)
        client.publish("wattport/b2/raw", old[:-2])
        client.publish("wattport/b2/reading", b"{}")
        client.publish("wattport/a1/raw", sealed[:300])
        client.publish("wattport/a1/raw", sealed)
        # frames of the first publishing may still be on their way, all alike
        eventually(lambda: watching.lines[-1] == record and len(
            [line for line in watching.lines[count:] if line != record]) >= 2)
        old_one, broken = [line for line in watching.lines[count:] if line != record]
        assert old_one["family"] == "dsmr2" and not lacks(old_one["reading"], expected_old[0])
        assert broken["error"] == "truncated"


def test_a_broker_that_is_not_there_is_told():
    status, lines, stderr = decode("--mqtt", "127.0.0.1:1")
    assert status == 1 and not lines and "no connection to the broker" in stderr
