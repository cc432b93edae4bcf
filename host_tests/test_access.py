# SPDX-License-Identifier: MIT
"""The Wi-Fi of the set-up, on a simulated radio: the button and the access point that it opens, its password; scan and
trial of the household's networks."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from host_tests.air import HOME, ONE, SHED, Air, connections, dongle_in, wait_for_connections
from host_tests.brokers import eventually
from tools import dongle, label
from tools.paths import ROOT


@pytest.fixture
def air(tmp_path):
    return Air(tmp_path)


def press(firmware):
    (firmware.state / "button").write_text("")


def release(firmware):
    (firmware.state / "button").unlink()


def access_point(firmware):
    """How it is set, as soon as it is."""
    try:
        found = json.loads((firmware.state / "access_point.json").read_text())
    except OSError:
        return None
    return found if "ssid" in found else None


def test_a_short_press_does_nothing(tmp_path, air):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE) as firmware:
        wait_for_connections(firmware, 1)
        with contextlib.suppress(AssertionError):
            press(firmware)
            eventually(lambda: firmware.starts > 1, patience=2)
        release(firmware)
        with contextlib.suppress(AssertionError):
            eventually(lambda: firmware.starts > 1, patience=2)
        assert firmware.starts == 1 and not firmware.logged("button")


@pytest.mark.parametrize("networks, channel", [
    ([SHED, {**HOME, "channel": 9}], 9), ([SHED, {**HOME, "channel": 13}], 6), ([], 6)])
def test_the_access_point_is_on_the_channel_of_the_strongest_network_if_it_is_allowed_everywhere(
        tmp_path, air, networks, channel):
    air.set(*networks)
    with dongle_in(tmp_path, air, {}, {"WATTPORT_DNS_PORT": "0"}) as firmware:
        opened = eventually(lambda: access_point(firmware), "the access point")
        assert opened["channel"] == channel


def test_a_long_press_opens_the_access_point_which_shuts_when_nobody_comes(tmp_path, air):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE, {"WATTPORT_PORTAL_S": "4", "WATTPORT_DNS_PORT": "0"}) as firmware:
        wait_for_connections(firmware, 1)
        press(firmware)
        with contextlib.suppress(AssertionError):  # it waits for the finger
            eventually(lambda: firmware.starts > 1, patience=7)
        assert firmware.starts == 1
        release(firmware)
        opened = eventually(lambda: access_point(firmware), "the access point", 30)
        assert opened["ssid"] == "Wattport-" + firmware.identity[-4:] == label.network(firmware.identity)
        assert opened["password"] == (firmware.state / "ap.txt").read_text()
        assert opened["active"] and opened["security"] == 3
        assert len(connections(firmware)) == 1  # no station meanwhile
        wait_for_connections(firmware, 2)
        assert firmware.starts == 3
        assert (firmware.state / "rtc.bin").read_bytes() == b""


def test_the_password_is_on_the_console_at_each_start_of_the_access_point(tmp_path, air):
    air.set()
    for _ in range(2):  # who flashed a release from a browser may open the console late
        with dongle_in(tmp_path, air, {}, {"WATTPORT_DNS_PORT": "0"}) as firmware:
            opened = eventually(lambda: access_point(firmware), "the access point")
            eventually(lambda: firmware.logged("set-up: join"), "the line about it")
            assert "the Wi-Fi of the set-up has the password " + opened["password"] in firmware.log


@pytest.mark.parametrize("useless", ["", "short", "x" * 64])
def test_a_password_that_no_access_point_takes_is_replaced(tmp_path, air, useless):
    air.set()
    state = tmp_path / "state"
    dongle.prepare(state)
    (state / "ap.txt").write_text(useless)
    with dongle_in(tmp_path, air, {}, {"WATTPORT_DNS_PORT": "0"}) as firmware:
        opened = eventually(lambda: access_point(firmware), "the access point")
        assert opened["password"] == (state / "ap.txt").read_text() != useless
        assert not label.problem(opened["password"])
        eventually(lambda: firmware.logged("set-up: join"), "the line about it")
        # on the console, for who has the device in hand, and never in the log, which others get to see
        assert [line for line in firmware.log if opened["password"] in line] == [
            "the Wi-Fi of the set-up has the password " + opened["password"]]


def test_the_tool_shows_the_label_where_the_radio_is_simulated(tmp_path, air):
    air.set()
    words = [sys.executable, "-m", "tools.dongle", "--uart", "file:/dev/null", "--state", str(tmp_path / "state"),
             "--seconds", "1"]
    for environment, shown in (({}, False), (air.environment, True)):
        done = subprocess.run(words, cwd=ROOT, env={**os.environ, **environment, "WATTPORT_DNS_PORT": "0"},
                              capture_output=True, text=True)
        password = (tmp_path / "state" / "ap.txt").read_text()
        identity = (tmp_path / "state" / "id").read_text()
        assert done.returncode == 0, done.stderr
        assert (password in done.stdout) == shown == (label.network(identity) in done.stdout)
    assert (tmp_path / "state" / "ap.txt").stat().st_mode & 0o077 == 0


PROGRAM = """
from wattport.net import access
for _ in range(40):
    print(access.password())
    import os
    os.remove("ap.txt")
open("ap.txt", "w").write(" kept-one \\n")
print(access.password())
"""


def test_passwords_that_the_device_makes_are_new_each_time_and_easy_to_read(tmp_path, air):
    words, environment = dongle.command("file:/dev/null", tmp_path, "0" * 12, "micropython32", slot=False)
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run([*words[:-1], str(tmp_path / "program.py")], env=environment, cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.stderr == ""
    *made, kept = [line for line in done.stdout.splitlines() if not line.startswith("the Wi-Fi")]
    assert kept == "kept-one"
    assert len(set(made)) == 40
    assert all(len(word) == 12 and set(word) <= set(label.LETTERS) for word in made)
    assert not label.problem(made[0])


# ---- scan and trial, as the set-up uses them

TRIALS = """
import asyncio, json, sys
from wattport.net.wifi import Wifi
wifi = Wifi({"hostname": "wattport", "ssid": ""}, print)
turns = 0

async def count():
    global turns
    while True:
        await asyncio.sleep_ms(1)
        turns += 1

async def main():
    counting = asyncio.create_task(count())
    print(json.dumps(await wifi.scan()))
    counting.cancel()
    print(json.dumps(turns))
    for ssid, password in json.loads(sys.argv[1]):
        assert wifi.start_trial(ssid, password)
        assert wifi.trial["state"] == "trying"
        assert not wifi.start_trial(ssid, password)
        while wifi.trial["state"] == "trying":
            await asyncio.sleep_ms(50)
        print(json.dumps([wifi.trial, wifi.connected, wifi.address(), wifi.rssi()]))

asyncio.run(main())
"""


def tried(folder, air, *attempts):
    """(what a scan lists, turns that others had meanwhile, [(trial, connected, address, rssi), ...])."""
    words, environment = dongle.command("file:/dev/null", folder, "0" * 12, "micropython32", slot=False)
    (folder / "program.py").write_text(TRIALS)
    done = subprocess.run([*words[:-1], str(folder / "program.py"), json.dumps(attempts)],
                          env={**environment, **air.environment}, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    listed, turns, *rest = [json.loads(line) for line in done.stdout.splitlines()]
    return listed, turns, rest


def test_what_a_scan_finds_is_listed_and_nobody_waits_for_it(tmp_path, air):
    air.set(SHED, HOME, {**HOME, "rssi": -90}, {"ssid": "open", "rssi": -30}, {"ssid": [255], "password": "12345678"})
    listed, turns, _ = tried(tmp_path, air)
    assert listed == [{"ssid": "open", "rssi": -30, "secure": False}, {"ssid": "home", "rssi": -55, "secure": True},
                      {"ssid": "shed", "rssi": -80, "secure": True}]
    assert turns > 10  # while the driver listened for 300 ms


def test_a_good_trial_stays_connected(tmp_path, air):
    air.set(HOME)
    _, _, [(trial, connected, address, rssi)] = tried(tmp_path, air, ("home", "geheim99"))
    assert trial == {"state": "ok", "reason": "", "detail": "", "ssid": "home", "address": "127.0.0.9"}
    assert connected and address == "127.0.0.9" and rssi == -55


@pytest.mark.parametrize("network, password, reason", [
    (HOME, "geheim98", "wrong_password"),
    ({**HOME, "refusal": 202}, "geheim98", "wrong_password"),
    (HOME, "", "wrong_password"),
    ({**HOME, "ssid": "nome"}, "geheim99", "not_found"),
    ({**HOME, "turns_away": True}, "geheim99", "refused"),
    ({**HOME, "dhcp": False}, "geheim99", "no_address"),
])
def test_a_trial_that_fails_says_why_and_lets_go(tmp_path, air, network, password, reason):
    air.set(network)
    _, _, [(trial, connected, address, _)] = tried(tmp_path, air, ("home", password))
    assert (trial["state"], trial["reason"], trial["ssid"]) == ("failed", reason, "home")
    assert trial["detail"] and trial["address"] == "" and not connected and address == ""


def test_after_a_wrong_password_the_right_one_is_tried_at_once(tmp_path, air):
    air.set(HOME, {"ssid": "open", "address": "127.0.0.5"})
    _, _, results = tried(tmp_path, air, ("home", "geheim98"), ("home", "geheim99"), ("open", ""), ("home", "x" * 8))
    assert [trial["state"] for trial, *_ in results] == ["failed", "ok", "ok", "failed"]
    assert [address for _, _, address, _ in results] == ["", "127.0.0.9", "127.0.0.5", ""]


AWAY = """
import asyncio
from wattport.log import Log
from wattport.net.wifi import Wifi
wifi = Wifi({"hostname": "wattport", "ssid": "home", "password": "geheim99", "ssid2": "", "password2": "",
             "address": "", "gateway": "", "dns": ""}, Log())

async def until(state):
    while wifi.state != state or not wifi.connected:
        await asyncio.sleep_ms(50)

async def main():
    running = asyncio.create_task(wifi.run())
    await until("connected")
    print(wifi.address())
    for password in ("schuur-77", "wrong-one"):
        assert wifi.start_trial("shed", password)
        while wifi.trial["state"] == "trying":
            await asyncio.sleep_ms(50)
        print(wifi.trial["state"], wifi.trial["address"])
        await asyncio.sleep_ms(1000)
        await until("connected")
        print(wifi.address())

asyncio.run(main())
"""


def test_a_trial_from_the_settings_page_goes_back_to_the_network_that_is_set(tmp_path, air):
    air.set(HOME, SHED)
    words, environment = dongle.command("file:/dev/null", tmp_path, "0" * 12, "micropython32", slot=False)
    (tmp_path / "program.py").write_text(AWAY)
    done = subprocess.run([*words[:-1], str(tmp_path / "program.py")], env={**environment, **air.environment},
                          cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if not line.startswith("  ")]
    assert said == ["127.0.0.9", "ok 127.0.0.8", "127.0.0.9", "failed ", "127.0.0.9"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(names=[b"\xc0\x80\xc0\x80", b"\xed\xa0\x80", b"fine"])
@given(names=st.lists(st.binary(max_size=32), max_size=40))
def test_no_name_on_the_air_upsets_a_scan(tmp_path, air, names):
    air.set(*[{"ssid": list(name), "password": "12345678", "rssi": -40 - place} for place, name in enumerate(names)])
    listed, _, _ = tried(tmp_path, air)
    texts = []
    for name in names:
        with contextlib.suppress(UnicodeDecodeError):
            if name and name.decode() not in texts:
                texts.append(name.decode())
    assert [row["ssid"] for row in listed] == texts[:20]


