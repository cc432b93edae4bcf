# SPDX-License-Identifier: MIT
"""A dongle on a weak supply: the firmware started cold on simulated capacitors, and run while the test turns the
voltage."""

import contextlib
import json
import random
import subprocess
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from host_tests.air import HOME, ONE, Air, connections, dongle_in
from host_tests.brokers import Authority, Listener, Mosquitto, eventually, free_port
from host_tests.firmware import Firmware
from host_tests.test_ways_in import Owner
from tools import boards, meters
from tools.compile import micropython, simulation
from tools.dongle import flash
from tools.paths import ROOT

VIRTUAL = ROOT / "host_tests" / "virtual"
OFF = {"SUPPLY_LOW_MV": 1, "SUPPLY_OK_MV": 2, "SUPPLY_START_MV": 3, "SUPPLY_AP_MV": 4}  # as if nobody looked
NOTHING = {"ssid": ""}
DISCOVERY = 39  # messages for what this meter and the health have
COMPILING = threading.Lock()  # what reads sources (ast, CPython 3.11) is for one thread at a time
COLD = "uf=%d feeds=%d full=5000 reset=3500 mv=3600 idle=35 station=50 join=60 access=110"


def started(folder, supplies, seconds=900, levels=None, wifi=ONE, runtime="micropython32", failed=0, discovery=1,
            mqtt=None):
    """What happened in each of the starts."""
    air = Air(folder)
    air.set(HOME)
    meter = meters.make("dsmr5", seed=3, start=1_760_000_000)
    (folder / "telegrams").write_bytes(meter.next()[0])
    with COMPILING:
        extra = [VIRTUAL, simulation("x86" if runtime.endswith("32") else "x64")]
        words, environment = micropython(runtime, extra, "2m")
    port = free_port()
    document = {"wifi": wifi, "mqtt": {"host": "127.0.0.1", "port": port, **(mqtt or {})}, "web": {"port": 0},
                "time": {"server": ""}, "meter": {"baud": 115200}}
    environment.update(air.environment, WATTPORT_UART="file:%s" % (folder / "telegrams"), WATTPORT_ID="a1b2c3d4e5f6",
                       WATTPORT_SUPPLY=supplies[0], WATTPORT_BROKER=str(port), WATTPORT_DOCUMENT=json.dumps(document))
    if wifi is NOTHING:
        del document["mqtt"]
        environment["WATTPORT_DOCUMENT"] = json.dumps(document)
    wanted = "".join(json.dumps({"supply": text, "levels": levels or {}, "seconds": seconds, "failed": failed,
                                  "discovery": discovery}) + "\n"
                     for text in supplies)
    done = subprocess.run([*words, str(VIRTUAL / "cold.py")], input=wanted, env=environment, cwd=folder,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def weak(count):
    """Supplies that feed the idle chip, but not Wi-Fi for long, on capacitors of 0.06 F and up."""
    rng = random.Random(5)
    return [COLD % (rng.randrange(60000, 150000), rng.randrange(60, 100)) for _ in range(count)]


def test_the_levels_here_are_those_of_the_m_bus_board():
    board = boards.board("mbus")
    text = (ROOT / "tools" / "sim" / "levels.py").read_text()
    assert "%d, %d, %d, %d" % tuple(getattr(board, name) for name in boards.LEVELS) in text


def test_a_hundred_cold_starts_on_weak_supplies_end_in_a_dongle_that_runs_and_none_in_a_reset(tmp_path):
    supplies = weak(100)
    with ThreadPoolExecutor() as pool:
        folders = [tmp_path / str(part) for part in range(4)]
        for folder in folders:
            folder.mkdir()
        found = sum(pool.map(lambda part: started(folders[part], supplies[part::4], discovery=DISCOVERY), range(4)), [])
    assert len(found) == 100
    for start in found:
        assert not start["reset"] and start["connects"] and start["readings"], start
        assert start["read_before"], start  # the meter did not wait for Wi-Fi
        assert start["discovery"] >= DISCOVERY and start["sensor"] == 1, start
        assert not start["pushed"], start  # discovery while the supply was weak
    assert sum(any("Wi-Fi is off" in line for line in start["lines"]) for start in found) > 30  # it was needed


def test_on_the_same_supplies_a_firmware_that_looks_at_no_voltage_resets(tmp_path):
    found = started(tmp_path, weak(12), levels=OFF, discovery=DISCOVERY)
    assert sum(start["reset"] for start in found) >= 6
    assert all(start["status"] == 66 for start in found if start["reset"])


def test_after_starts_that_ended_soon_after_wifi_was_on_the_next_waits_longer_and_a_minute_proves_it(tmp_path):
    strong = COLD % (100000, 500)
    for failed, wait_s in ((0, 2), (1, 30), (2, 120), (3, 480)):
        start, = started(tmp_path, [strong], seconds=wait_s + 100, failed=failed, discovery=1000)
        assert wait_s <= start["held_s"] <= wait_s + 5, start
        assert start["readings"] and start["failed"] == 0
    start, = started(tmp_path, [strong], seconds=30 + 40, failed=1, discovery=1000)
    assert start["failed"] == 2  # not proven yet


def test_a_supply_that_is_full_below_the_level_is_used_all_the_same_and_one_that_is_not_wired_too(tmp_path):
    for full, wait_s in ((4500, 30), (4100, 600)):
        start, = started(tmp_path, [(COLD % (100000, 500)).replace("full=5000", "full=%d" % full)], wait_s + 60,
                         discovery=1000)
        assert start["connects"] and wait_s <= start["held_s"] <= wait_s + 10, start
        assert any("no more than %d mV" % full in line for line in start["lines"])
    start, = started(tmp_path, ["uf=1000000000 feeds=0 full=0 reset=-1000 mv=0 idle=0 station=0 join=0 access=0"], 100,
                     discovery=1000)
    assert start["connects"] and start["held_s"] <= 40 and "not believed" in "".join(start["lines"])


def test_a_connection_with_tls_waits_for_a_strong_supply_but_not_for_ever(tmp_path):
    tls = {"tls": True, "ca": Authority().pem}
    full = (COLD % (100000, 500)).replace("full=5000", "full=4900")
    for level, least, most in ((4200, 2, 10), (4950, 121, 130)):
        start, = started(tmp_path, [full], 140, levels={"SUPPLY_OK_MV": level}, mqtt=tls)
        assert least <= start["first_s"] <= most, start


def test_an_access_point_that_the_supply_cannot_feed_is_refused_and_said_so(tmp_path):
    below = (COLD % (100000, 500)).replace("full=5000", "full=4700")
    start, = started(tmp_path, [below], 300, wifi=NOTHING)
    assert not start["opened"] and not start["reset"] and start["state"] == "ok"
    assert any("4700 mV can't feed its Wi-Fi" in line and "USB" in line for line in start["lines"])
    assert start["read_before"]


def test_an_access_point_that_pulls_the_supply_down_is_closed_before_it_resets_and_opened_again_much_later(tmp_path):
    start, = started(tmp_path, [COLD % (300000, 60)], 900, wifi=NOTHING)
    assert start["opened"] and not start["reset"]
    closed = [line for line in start["lines"] if "its Wi-Fi is closed" in line]
    assert 2 <= len(closed) <= 3, start["lines"]


def test_on_usb_the_access_point_stays(tmp_path):
    start, = started(tmp_path, [COLD % (300000, 500)], 300, wifi=NOTHING)
    assert start["access"] and not start["reset"] and len(start["lines"]) == 1


# ---- a process as it runs on a PC; the test turns the voltage


@pytest.fixture
def house(tmp_path):
    """(firmware, listener, turn(millivolts)), on a broker, with a meter on the wire."""
    air = Air(tmp_path)
    air.set(HOME)

    def turn(mv):
        new = tmp_path / "mv.new"
        new.write_text(str(mv))
        new.rename(tmp_path / "mv")

    turn(3700)
    mqtt = {"host": "127.0.0.1", "interval_s": 0}
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as listener:
        mqtt["port"] = broker.port
        with dongle_in(tmp_path, air, ONE, {"WATTPORT_SUPPLY": str(tmp_path / "mv")}, mqtt=mqtt,
                       meter={"baud": 115200}, web={"port": (port := free_port())}) as firmware:
            firmware.port = port
            yield firmware, listener, turn


def asked(firmware, path):
    with contextlib.suppress(OSError), urllib.request.urlopen("http://127.0.0.1:%d%s" % (firmware.port, path)) as got:
        return got.read().decode()
    return ""


def health(firmware):
    return json.loads(asked(firmware, "/api/health") or "{}")


def test_wifi_goes_with_the_supply_and_health_metrics_and_home_assistant_tell_of_it(house):
    firmware, listener, turn = house
    firmware.wait_for_log("the supply has 3700 mV, Wi-Fi waits for 4600")
    eventually(lambda: health(firmware).get("supply") == "charging", "the web beside a supply that charges", 60)
    eventually(lambda: health(firmware).get("wifi") == "power", "Wi-Fi that waits", 60)
    assert not connections(firmware)
    turn(4700)
    eventually(lambda: connections(firmware), "Wi-Fi", 60)
    listener.wait(firmware.topic("state"), lambda payload: payload == b"online")
    config = "homeassistant/sensor/%s/health_supply_mv/config" % firmware.identity
    config = json.loads(listener.wait(config))
    assert (config["device_class"], config["unit_of_measurement"], config["name"], config["entity_category"]) == (
        "voltage", "V", "Supply voltage", "diagnostic")
    told = json.loads(listener.wait(firmware.topic("health")))
    assert told["supply_mv"] == 4700 and told["supply"] == "ok"
    metrics = asked(firmware, "/metrics")
    assert "# TYPE wattport_supply_mv gauge\nwattport_supply_mv 4700\n" in metrics
    assert 'wattport_supply{state="ok"} 1\n' in metrics
    turn(3850)
    firmware.wait_for_log("the supply fell to 3850 mV: Wi-Fi is off until it has 4600")
    eventually(lambda: [health(firmware).get(name) for name in ("supply", "wifi")] == ["low", "power"], "no Wi-Fi", 60)
    turn(4300)
    turn(4650)
    eventually(lambda: len(connections(firmware)) > 1, "Wi-Fi again", 60)
    assert firmware.starts == 1


def test_the_safe_mode_too_waits_for_the_supply_and_gives_up_before_it_resets(tmp_path):
    supply, state = tmp_path / "mv", tmp_path / "state"
    supply.write_text("4000")
    air = Air(tmp_path)
    air.set(HOME)
    flash(state, "micropython32", program={"program": b"it will be shorter than that"})
    (state / "slot_a" / "program").write_bytes(b"")

    def opened():
        return json.loads((state / "access_point.json").read_text())["active"]

    environment = {**air.environment, "WATTPORT_SUPPLY": str(supply), "WATTPORT_SAFE_PORT": str(free_port())}
    with Firmware(tmp_path, "file:/dev/null", {}, environment=environment, flash={}) as firmware:
        firmware.wait_for_log("safe mode: the supply has 4000 mV, 4750 are wanted")
        assert not firmware.logged("a page that takes a bundle")
        supply.write_text("4800")
        firmware.wait_for_log("a page that takes a bundle")
        assert opened()
        supply.write_text("3800")
        firmware.wait_for_log("the supply can't feed the Wi-Fi")
        eventually(lambda: not opened(), "its end")


def test_a_restart_that_is_meant_is_no_start_that_ended_soon(tmp_path, meter):
    supply = tmp_path / "mv"
    supply.write_text("4900")
    with Owner(tmp_path, meter, environment={"WATTPORT_SUPPLY": str(supply)}) as owner:
        kept = owner.state / "supply.txt"
        eventually(lambda: kept.exists() and kept.read_text() == "1", "Wi-Fi that is let on", 60)
        ticket = owner.ready()
        eventually(lambda: kept.read_text() == "1", "Wi-Fi of the receiver", 60)
        assert owner.ask("POST", "/api/update/cancel", b"", ticket)[0] == 200
        owner.until(state="idle")
        owner.post("/api/settings", {"meter": {"limit_w": 20000}})
        eventually(lambda: len(owner.firmware.logged("dashboard on port")) == 3, "a start with new settings", 60)
        assert len(owner.firmware.logged("the supply has 4900 mV")) == owner.firmware.starts == 4
        assert not owner.firmware.logged("ended soon after Wi-Fi was on")
        # one that the power ends does count
        eventually(lambda: kept.read_text() == "1", "Wi-Fi once more", 60)
        owner.firmware.cut_power()
        owner.firmware.wait_for_log("1 starts ended soon after Wi-Fi was on")
