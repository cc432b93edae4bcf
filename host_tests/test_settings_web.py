# SPDX-License-Identifier: MIT
"""Settings through the API of the whole firmware: what is shown, what is changed, what is refused and never sent."""

import hashlib
import json

import pytest

from host_tests.brokers import eventually
from host_tests.firmware import Wire
from host_tests.house import House
from tools import image, meters, schema

MARKER = "53c2e753c2e753c2e753c2e753c2e753"
SECRETS = {"wifi": {"password": MARKER, "password2": MARKER},
           "meter": {"key": MARKER, "auth_key": MARKER, "glow_password": MARKER},
           "mqtt": {"password": MARKER}}


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """A dongle that nobody has set up, on a network that is simply there."""
    with Wire() as wire, House(tmp_path_factory.mktemp("settings"), wire, **SECRETS) as one:
        yield one


def test_all_settings_are_shown_and_no_secret(owner):
    shown = owner.json("/api/settings")
    described = schema.schema()
    assert {group: set(keys) for group, keys in shown.items()} == {
        group: set(keys) for group, keys in described.items()}
    for group, keys in described.items():
        for key, entry in keys.items():
            if entry.get("secret"):
                assert shown[group][key] == (None if key in SECRETS.get(group, {}) else ""), (group, key)
            elif "%s.%s" % (group, key) not in ("web.port", "time.server"):
                assert shown[group][key] == entry["default"], (group, key)
    assert MARKER not in json.dumps(shown)


@pytest.mark.parametrize("part, setting", [
    ({"mqtt": {"port": 0}}, "mqtt.port"), ({"mqtt": {"prt": 1}}, "mqtt.prt"), ({"mqt": {}}, "mqt"),
    ({"mqtt": {"tls": True}}, "mqtt.ca"), ({"wifi": {"password": "short"}}, "wifi.password"),
    ({"web": {"password": "short"}}, "web.password"), ({"meter": {"key": "12 34"}}, "meter.key"),
    ({"wifi": 5}, "wifi"), ({"wifi": None}, "wifi"), ({"time": {"zone": "Mars"}}, "time.zone"),
    ({"mqtt": {"host": "ok"}, "tariff": {"import_micro": 0.25}}, "tariff.import_micro"),
])
def test_what_is_wrong_is_refused_with_its_name_and_nothing_is_changed(owner, part, setting):
    before = (owner.state / "settings.json").read_bytes()
    answer = owner.json("/api/settings", part, 422)
    assert answer["error"] == "setting" and answer["setting"] == setting and len(answer["detail"]) > 8
    assert (owner.state / "settings.json").read_bytes() == before
    assert owner.firmware.starts == 1


def test_a_change_is_saved_takes_effect_by_a_restart_and_leaves_the_rest(tmp_path):
    with Wire() as wire, House(tmp_path, wire, **SECRETS, tariff={"currency": "NOK"}) as owner:
        answer = owner.json("/api/settings", {"mqtt": {"host": "broker.local", "password": None}, "meter": {
            "key": "00112233-44556677-8899AABB-CCDDEEFF", "auth_key": None}})
        assert answer == {"restart_s": 2}
        kept = owner.kept()
        assert kept["mqtt"] == {"host": "broker.local", "password": MARKER}
        assert kept["meter"]["key"] == "00112233445566778899AABBCCDDEEFF" and kept["meter"]["auth_key"] == MARKER
        assert kept["tariff"] == {"currency": "NOK"}
        owner.restarted(2)
        assert owner.json("/api/settings")["mqtt"]["host"] == "broker.local"


def test_a_password_is_kept_as_a_hash_and_asked_for_from_then_on(tmp_path):
    with Wire() as wire, House(tmp_path, wire) as owner:
        owner.json("/api/settings", {"web": {"password": "correct horse"}})
        name, iterations, salt, digest = owner.kept()["web"]["password"].split(":")
        assert name == "pbkdf2" and len(salt) == 32
        assert hashlib.pbkdf2_hmac("sha256", b"correct horse", bytes.fromhex(salt), int(iterations)).hex() == digest
        owner.restarted(2)
        assert owner.json("/api/settings", status=401)["error"] == "login_needed"
        assert owner.json("/api/settings", {"mqtt": {"host": "evil"}}, 401)["error"] == "login_needed"
        assert "mqtt" not in owner.kept()
        status, headers, _ = owner.post("/api/login", {"password": "correct horse"})
        assert status == 200
        cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        status, _, body = owner.ask("/api/settings", headers=cookie)
        assert status == 200 and json.loads(body)["web"]["password"] is None
        status, _, _ = owner.post("/api/settings", {"mqtt": {"host": "broker"}}, cookie)
        assert status == 200 and owner.kept()["mqtt"]["host"] == "broker"
        assert not [line for line in owner.firmware.log if "correct horse" in line or digest in line]


def test_a_password_in_the_clear_in_the_file_is_hashed_when_something_is_saved(tmp_path):
    with Wire() as wire, House(tmp_path, wire) as owner:
        (owner.state / "settings.json").write_text(json.dumps(owner.needed({"web": {"password": "written by hand"}})))
        owner.json("/api/restart", {})
        owner.restarted(2)
        _, headers, _ = owner.post("/api/login", {"password": "written by hand"})
        cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        assert owner.post("/api/settings", {"tariff": {"currency": "SEK"}}, cookie)[0] == 200
        assert owner.kept()["web"]["password"].startswith("pbkdf2:")


def test_a_password_in_a_settings_file_is_hashed_before_it_gets_to_the_dongle(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps({"web": {"password": "written by hand"}}))
    stored = image.load_settings(tmp_path / "own.json")["web"]["password"]
    name, iterations, salt, digest = stored.split(":")
    assert name == "pbkdf2" and digest == hashlib.pbkdf2_hmac(
        "sha256", b"written by hand", bytes.fromhex(salt), int(iterations)).hex()
    with Wire() as wire, House(tmp_path, wire, web={"password": "written by hand"}) as owner:
        assert owner.kept()["web"]["password"].startswith("pbkdf2:")
        assert owner.post("/api/login", {"password": "written by hand"})[0] == 200


def test_a_key_that_was_tried_and_is_right_is_meant_by_null(tmp_path):
    """The phone's page may have forgotten it, as it does when the Wi-Fi changes its channel."""
    key = bytes(range(16))
    meter = meters.make("lu", seed=5, start=1_760_000_000, key=key)
    with Wire() as wire, House(tmp_path, wire) as owner:
        owner.json("/api/try/key", {"key": key.hex(), "auth_key": ""})

        def is_right():
            wire.send(meter.next()[0])
            return owner.json("/api/try")["key"]["state"] == "ok"
        eventually(is_right, "a good key")
        owner.json("/api/settings", {"meter": {"key": None, "limit_w": 9000}})
        assert owner.kept()["meter"] == {"key": key.hex(), "limit_w": 9000}


def test_a_file_with_a_mistake_runs_on_what_is_right_and_is_kept_when_saved_over(tmp_path):
    with Wire() as wire, House(tmp_path, wire) as owner:
        text = json.dumps(owner.needed({"mqtt": {"host": "broker.local", "prt": 1}, "newer": {"x": 1}}))
        (owner.state / "settings.json").write_text(text)
        owner.json("/api/restart", {})
        owner.restarted(2)
        assert owner.firmware.logged("setting refused: mqtt.prt:") and owner.firmware.logged("setting refused: newer:")
        assert owner.json("/api/settings")["mqtt"]["host"] == "broker.local"
        owner.json("/api/settings", {"mqtt": {"port": 1884}})
        assert owner.kept()["mqtt"] == {"host": "broker.local", "port": 1884}
        assert (owner.state / "settings.json.wrong").read_text() == text


def test_letters_of_every_kind_come_through_files_requests_and_restarts(tmp_path):
    """Python, like many programs, writes a face as two escapes; the chip's JSON would make two halves of it."""
    names = {"ssid": "K\u00fcche \U0001f600", "password": "gr\u00fc\u00df dich \U0001f600"}
    (tmp_path / "own.json").write_text(json.dumps({"mqtt": {"user": names["ssid"]}}))
    document = image.load_settings(tmp_path / "own.json")
    stored = image.contents(image.board("esp32_generic"), document)["settings.json"]
    assert b"\\u" not in stored and json.loads(stored)["mqtt"]["user"] == names["ssid"]
    with Wire() as wire, House(tmp_path, wire, mqtt={"user": names["ssid"]}) as owner:
        assert not owner.firmware.logged("refused")
        assert owner.json("/api/settings")["mqtt"]["user"] == names["ssid"]
        owner.json("/api/settings", {"mqtt": {"client_id": names["ssid"], "password": names["password"]}})
        assert owner.kept()["mqtt"] == {"user": names["ssid"], "client_id": names["ssid"],
                                        "password": names["password"]}
        owner.restarted(2)
        assert owner.json("/api/settings")["mqtt"]["client_id"] == names["ssid"]
