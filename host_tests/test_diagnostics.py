# SPDX-License-Identifier: MIT
"""The diagnostic bundle of the whole firmware: what is in it, and that nobody can tell from it whose it is."""

import json
import threading
import time

import pytest

from host_tests.firmware import Wire
from host_tests.house import House
from tools import meters

START = 1_760_000_000
OWN = {"wifi": {"hostname": "householdname"}, "mqtt": {"host": "127.0.0.1", "port": 1, "user": "householduser",
       "password": "householdpassword", "base": "household/topic", "client_id": "householdclient"},
       "web": {"name": "household.example"}, "tariff": {"currency": "NOK"}}


def bundle(owner, send):
    """The bundle, while the meter goes on sending."""
    done = threading.Event()

    def go_on():
        while not done.wait(0.2):
            send()
    threading.Thread(target=go_on, daemon=True).start()
    try:
        status, headers, body = owner.ask("/api/diagnostics")
    finally:
        done.set()
    assert status == 200 and "attachment" in headers["Content-Disposition"]
    return json.loads(body), body.decode()


@pytest.mark.parametrize("family, options", [("dsmr5", {}), ("kamstrup", {}), ("lu", {"key": bytes(range(16))})])
def test_a_bundle_holds_what_helps_and_nothing_that_tells_whose_it_is(tmp_path, family, options):
    meter = meters.make(family, seed=7, start=START, **options)
    texts, settings = set(), dict(OWN)
    if options:
        settings["meter"] = {"key": options["key"].hex()}

    def send(spoil=False):
        telegram, expected = meter.next()
        for one in (expected, *expected.get("devices", {}).values()):
            texts.update(one[name] for name in ("meter_id", "id") if one.get(name))
        if spoil:
            telegram = bytearray(telegram)
            telegram[len(telegram) // 2] ^= 1
        wire.send(bytes(telegram))
    with Wire() as wire, House(tmp_path, wire, **settings) as owner:
        for spoil in (False, False, True, False):
            send(spoil)
            time.sleep(0.3)
        owner.firmware.wait_for_log("reading ")
        told, text = bundle(owner, send)
        assert told["wattport"] == 1 and told["board"] == "host" and "micropython" in told["micropython"][1].lower()
        assert told["health"]["telegrams"] >= 1 and told["health"]["reset_cause"] == 1
        assert told["heap"]["free"] > 1000 and told["heap"]["used"] > 10000
        assert any("Wattport" in line or "reading" in line for line in told["log"])
        assert told["settings"]["tariff"] == {"currency": "NOK"} and told["settings"]["mqtt"]["user"] is None
        assert told["settings"]["mqtt"]["port"] == 1 and told["settings"]["mqtt"]["password"] is None
        assert [entry["error"] for entry in told["failing"]][:1] == [
            "checksum" if not options else told["failing"][0]["error"]]
        assert 0 <= told["failing"][0]["age_s"] < 100
        assert len(told["frames"]) == 2
        for entry in told["failing"] + told["frames"]:
            assert len(entry["frame"]) == 2 * min(entry["size"], 1024)
        assert texts
        for own in [*texts, "household", owner.firmware.identity, "000102030405060708090a0b0c0d0e0f"]:
            assert own not in text, own
            if len(own) > 5:
                assert own.encode().hex() not in text.lower(), own
                assert own.encode().hex().encode().hex() not in text.lower(), own
        assert not owner.firmware.logged("task")


def test_without_a_meter_the_bundle_comes_all_the_same(tmp_path):
    with Wire() as wire, House(tmp_path, wire) as owner:
        began = time.monotonic()
        status, _, body = owner.ask("/api/diagnostics")
        told = json.loads(body)
        assert status == 200 and told["frames"] == told["failing"] == []
        assert told["health"]["meter"] == "silent"
        assert time.monotonic() - began < 60


@pytest.mark.parametrize("text", [
    '{"mqtt": {"password": 12345678, "host": "household"}, "wifi": {"ssid": 424242424}, "new": {"x": "household"}}',
    '{"mqtt": ["household"]}', '["household"]', 'household', ''])
def test_nothing_of_somebodys_is_shown_of_a_file_that_is_wrong(tmp_path, text):
    with Wire() as wire, House(tmp_path, wire) as owner:
        (owner.state / "settings.json").write_text(text)
        meter = meters.make("dsmr5", seed=7, start=START)
        told, shown = bundle(owner, lambda: wire.send(meter.next()[0]))
        assert told["wattport"] == 1 and "settings" in told
        for own in ("household", "12345678", "424242424"):
            assert own not in shown


def test_the_bundle_is_the_owners(tmp_path):
    with Wire() as wire, House(tmp_path, wire, web={"password": "a good password"}) as owner:
        assert owner.json("/api/diagnostics", status=401)["error"] == "login_needed"
