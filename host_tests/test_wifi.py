# SPDX-License-Identifier: MIT
"""Wi-Fi of the whole firmware, 32 bits as on the chip, against a simulated radio (tools/sim/air.py) whose networks
come, go and change; the button, and the access point that it opens."""

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Firmware, Wire
from tools import dongle, label, meters
from tools.paths import ROOT

HOME = {"ssid": "home", "password": "geheim99", "channel": 6, "rssi": -55, "address": "127.0.0.9"}
SHED = {"ssid": "shed", "password": "schuur-77", "channel": 1, "rssi": -80, "address": "127.0.0.8"}
BOTH = {"ssid": "home", "password": "geheim99", "ssid2": "shed", "password2": "schuur-77"}
ONE = {"ssid": "home", "password": "geheim99"}


class Air:
    """The file that a simulated radio receives."""

    def __init__(self, folder):
        self._path = folder / "air.json"
        self.environment = {"WATTPORT_AIR": str(self._path), "WATTPORT_BUTTON": "button"}

    def set(self, *networks, **more):
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"networks": networks, **more}))
        new.replace(self._path)


@pytest.fixture
def air(tmp_path):
    return Air(tmp_path)


@contextlib.contextmanager
def dongle_in(folder, air, wifi, environment=None, **groups):
    with Wire() as wire, Firmware(folder, wire.uart, {"wifi": wifi, "web": {"port": 0}, **groups},
                                  environment={**air.environment, **(environment or {})}) as firmware:
        firmware.state = folder / "state"
        yield firmware


def connections(firmware):
    """The addresses that it has had so far."""
    return [line.rpartition(" ")[2] for line in firmware.logged("Wi-Fi connected")]


def wait_for_connections(firmware, count):
    return eventually(lambda: len(connections(firmware)) >= count and connections(firmware),
                      "connection number %d" % count, 60)


# ---- the station


def test_it_comes_back_by_itself_when_the_access_point_was_away(tmp_path, air):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE) as firmware:
        wait_for_connections(firmware, 1)
        air.set()
        firmware.wait_for_log("Wi-Fi is gone")
        assert "no network of this name" in firmware.wait_for_log("no connection to Wi-Fi home")
        air.set(HOME)
        wait_for_connections(firmware, 2)
        assert firmware.starts == 1 and not firmware.logged("task"), firmware.log


def test_another_channel_and_another_address_are_found_after_the_old_ones_end(tmp_path, air):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE) as firmware:
        assert wait_for_connections(firmware, 1) == ["127.0.0.9"]
        air.set({**HOME, "channel": 11, "address": "127.0.0.10"})
        assert wait_for_connections(firmware, 2) == ["127.0.0.9", "127.0.0.10"]


@pytest.mark.parametrize("refusal", [2, 15, 202, 204, 205])
def test_a_password_that_was_changed_is_named_and_changed_back_it_connects_again(tmp_path, air, refusal):
    air.set(HOME)
    with dongle_in(tmp_path, air, ONE) as firmware:
        wait_for_connections(firmware, 1)
        air.set({**HOME, "password": "other-one", "refusal": refusal})
        assert "the password is wrong" in firmware.wait_for_log("no connection to Wi-Fi home")
        air.set(HOME)
        wait_for_connections(firmware, 2)


def test_the_second_network_is_taken_while_the_first_is_away_and_stays_for_as_long_as_it_answers(tmp_path, air):
    air.set(SHED)
    with dongle_in(tmp_path, air, BOTH) as firmware:
        assert wait_for_connections(firmware, 1) == ["127.0.0.8"]
        air.set(SHED, HOME)  # it was the last good one: nobody is thrown out for a stronger one
        air.set({**SHED, "channel": 11}, HOME)  # and after a loss it is the first to be tried
        assert wait_for_connections(firmware, 2)[1] == "127.0.0.8"
        air.set(HOME)
        assert wait_for_connections(firmware, 3)[2] == "127.0.0.9"


def test_a_fixed_address_needs_no_dhcp(tmp_path, air):
    air.set({**HOME, "dhcp": False})
    wifi = {**ONE, "address": "127.0.0.77/8", "gateway": "127.0.0.1"}
    with dongle_in(tmp_path, air, wifi) as firmware:
        assert wait_for_connections(firmware, 1) == ["127.0.0.77"]


def test_an_access_point_without_addresses_is_told_from_one_that_does_not_answer(tmp_path, air):
    air.set({**HOME, "dhcp": False})
    with dongle_in(tmp_path, air, ONE) as firmware:
        line = eventually(lambda: firmware.logged("no connection to Wi-Fi home"), "the log line", 40)[0]
        assert "gives no address" in line


def test_an_access_point_that_turns_devices_away_is_told(tmp_path, air):
    air.set({**HOME, "turns_away": True})
    with dongle_in(tmp_path, air, ONE) as firmware:
        assert "turns this device away" in firmware.wait_for_log("no connection to Wi-Fi home")


def test_a_driver_that_finds_nothing_any_more_is_started_anew(tmp_path, air):
    air.set(HOME, SHED, stuck=True)
    with dongle_in(tmp_path, air, BOTH) as firmware:
        wait_for_connections(firmware, 1)  # after five attempts, two of them and then a pause


def test_the_broker_is_looked_for_only_when_there_is_a_connection_and_again_after_it_was_gone(tmp_path, air):
    air.set()
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        mqtt = {"host": "127.0.0.1", "port": broker.port, "discovery": False}
        with dongle_in(tmp_path, air, ONE, mqtt=mqtt) as firmware:
            firmware.wait_for_log("no connection to Wi-Fi home")
            assert not firmware.logged("mqtt")
            air.set(HOME)
            listener.wait(firmware.topic("state"), lambda text: text == b"online")
            health = json.loads(listener.wait(firmware.topic("health")))
            # the first one may have waited for the broker
            assert (health["wifi"], health["rssi"]) in (("not_found", None), ("connected", -55))


def test_the_meter_is_read_while_a_network_is_sought(tmp_path, air):
    meter = meters.make("dsmr5", seed=5, start=1_760_000_000)
    air.set(HOME)
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener, Wire() as wire:
        # the simulated radio loses its networks, and the broker on this machine is there all the same
        groups = {"wifi": BOTH, "web": {"port": 0},
                  "mqtt": {"host": "127.0.0.1", "port": broker.port, "discovery": False}}
        with Firmware(tmp_path, wire.uart, groups, environment=air.environment) as firmware:
            wait_for_connections(firmware, 1)
            listener.wait(firmware.topic("state"), lambda text: text == b"online")
            for number in range(30):
                if number == 5:
                    air.set()
                telegram, expected = meter.next()
                wire.send(telegram)
                listener.wait(firmware.topic("reading"),
                              lambda text, wanted=expected: json.loads(text)["import_wh"] == wanted["import_wh"])
                time.sleep(0.2)
            air.set(HOME)
            wait_for_connections(firmware, 2)
            assert firmware.logged("no network of this name")
            assert not firmware.logged("task") and not firmware.logged("telegram of")


# ---- the button and the access point


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
longest = 0

async def count():
    global longest
    import time
    last = time.ticks_ms()
    while True:
        await asyncio.sleep_ms(1)
        now = time.ticks_ms()
        longest = max(longest, time.ticks_diff(now, last))
        last = now

async def main():
    counting = asyncio.create_task(count())
    print(json.dumps(await wifi.scan()))
    counting.cancel()
    print(json.dumps(longest))
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
    """(what a scan lists, its longest gap for others in ms, [(trial, connected, address, rssi), ...])."""
    words, environment = dongle.command("file:/dev/null", folder, "0" * 12, "micropython32", slot=False)
    (folder / "program.py").write_text(TRIALS)
    done = subprocess.run([*words[:-1], str(folder / "program.py"), json.dumps(attempts)],
                          env={**environment, **air.environment}, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    listed, longest, *rest = [json.loads(line) for line in done.stdout.splitlines()]
    return listed, longest, rest


def test_what_a_scan_finds_is_listed_and_nobody_waits_for_it(tmp_path, air):
    air.set(SHED, HOME, {**HOME, "rssi": -90}, {"ssid": "open", "rssi": -30}, {"ssid": [255], "password": "12345678"})
    listed, longest, _ = tried(tmp_path, air)
    assert listed == [{"ssid": "open", "rssi": -30, "secure": False}, {"ssid": "home", "rssi": -55, "secure": True},
                      {"ssid": "shed", "rssi": -80, "secure": True}]
    assert longest < 300  # which is what the driver listens for


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


