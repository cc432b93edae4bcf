# SPDX-License-Identifier: MIT
"""Backup and restore of the settings by the whole firmware; the secrets are opened and made by another library here."""

import copy
import hashlib
import json
import os
import subprocess
import sys

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from host_tests.firmware import Wire
from host_tests.house import House
from tools import meters
from tools.paths import ROOT

PASSPHRASE = "lönn och björk 1"
KEY = "53c2e753c2e753c2e753c2e753c2e753"
SECRETS = {"wifi": {"password": "geheim \U0001f511 geheim"}, "meter": {"key": KEY}, "mqtt": {"password": "s3cret"}}
PLAIN = {"mqtt": {"host": "broker.local", "user": "me"}, "tariff": {"currency": "SEK", "import_micro": 1250000}}


def key_of(sealed, passphrase):
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), bytes.fromhex(sealed["salt"]), sealed["iterations"], 16)


def opened(sealed, passphrase):
    assert sealed["kdf"] == "pbkdf2-sha256"
    text = AESGCM(key_of(sealed, passphrase)).decrypt(
        bytes.fromhex(sealed["nonce"]), bytes.fromhex(sealed["data"] + sealed["tag"]), None)
    return json.loads(text)


def sealed(secrets, passphrase, iterations=100):
    """As another program would make it."""
    made = {"kdf": "pbkdf2-sha256", "iterations": iterations, "salt": os.urandom(16).hex(),
            "nonce": os.urandom(12).hex()}
    text = AESGCM(key_of(made, passphrase)).encrypt(bytes.fromhex(made["nonce"]), json.dumps(secrets).encode(), None)
    return {**made, "data": text[:-16].hex(), "tag": text[-16:].hex()}


def shown(folder, backup, passphrase):
    """What tools.backup says of it."""
    path = folder / "backup.json"
    path.write_text(json.dumps(backup))
    return subprocess.run([sys.executable, "-m", "tools.backup", str(path), "--passphrase", passphrase], cwd=ROOT,
                          capture_output=True, text=True)


def together(one, other):
    made = copy.deepcopy(one)
    for group, values in other.items():
        made.setdefault(group, {}).update(values)
    return made


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    with Wire() as wire, House(tmp_path_factory.mktemp("backup"), wire, **together(PLAIN, SECRETS)) as one:
        yield one


def test_without_a_passphrase_there_is_no_secret_in_a_backup(owner):
    backup = owner.json("/api/backup", {"passphrase": ""})
    assert backup["wattport"] == 1 and backup["version"] and backup["secrets"] is None
    assert backup["settings"] == owner.needed(PLAIN)
    assert "s3cret" not in json.dumps(backup) and KEY not in json.dumps(backup)
    assert owner.json("/api/backup", {})["secrets"] is None


def test_with_a_passphrase_the_secrets_are_sealed_and_only_it_opens_them(owner):
    backup = owner.json("/api/backup", {"passphrase": PASSPHRASE})
    assert opened(backup["secrets"], PASSPHRASE) == SECRETS
    with pytest.raises(InvalidTag):
        opened(backup["secrets"], PASSPHRASE + " ")
    again = owner.json("/api/backup", {"passphrase": PASSPHRASE})["secrets"]
    assert again["salt"] != backup["secrets"]["salt"] and again["nonce"] != backup["secrets"]["nonce"]


def test_the_tool_shows_a_backup_or_says_why_not(owner, tmp_path):
    backup = owner.json("/api/backup", {"passphrase": PASSPHRASE})
    done = shown(tmp_path, backup, PASSPHRASE)
    assert done.returncode == 0 and json.loads(done.stdout) == owner.needed(together(PLAIN, SECRETS))
    for wrong, words in ((backup, "passphrase is wrong"), ({"wattport": 2}, "no backup"), (5, "no backup"),
                         ({**backup, "secrets": {"kdf": "x"}}, "not known"), ({**backup, "secrets": {}}, "damaged")):
        done = shown(tmp_path, wrong, "not this one")
        assert done.returncode == 1 and words in done.stderr, done.stderr


@pytest.mark.parametrize("passphrase", ["short", 12345678, ["x" * 8]])
def test_a_passphrase_that_is_none_is_refused(owner, passphrase):
    assert owner.json("/api/backup", {"passphrase": passphrase}, 422)["setting"] == "passphrase"


def test_a_backup_of_one_dongle_makes_another_one_the_same(owner, tmp_path):
    backup = owner.json("/api/backup", {"passphrase": PASSPHRASE})
    with Wire() as wire, House(tmp_path, wire, time={"source": "ntp"}) as other:
        backup["settings"]["web"]["port"] = other.port
        assert other.json("/api/restore", {"backup": backup, "passphrase": PASSPHRASE}) == {"restart_s": 2}
        assert other.kept() == together(PLAIN, SECRETS)
        other.restarted(2)
        assert other.json("/api/settings")["mqtt"]["host"] == "broker.local"


def test_secrets_that_are_not_in_the_backup_stay_as_the_dongle_has_them(tmp_path):
    with Wire() as wire, House(tmp_path, wire, **together(SECRETS, {"tariff": {"currency": "NOK"}})) as other:
        backup = {"wattport": 1, "settings": other.needed(PLAIN), "secrets": None}
        other.json("/api/restore", {"backup": backup})
        assert other.kept() == together(PLAIN, SECRETS)


def test_what_another_program_sealed_is_opened(tmp_path):
    with Wire() as wire, House(tmp_path, wire) as other:
        backup = {"wattport": 1, "settings": other.needed({}), "secrets": sealed(SECRETS, PASSPHRASE)}
        other.json("/api/restore", {"backup": backup, "passphrase": PASSPHRASE})
        assert other.kept() == SECRETS


def damaged(change):
    secrets = sealed(SECRETS, PASSPHRASE)
    change(secrets)
    return {"wattport": 1, "settings": {}, "secrets": secrets}


@pytest.mark.parametrize("backup, passphrase, setting, words", [
    (None, "", "backup", "no backup"), ([], "", "backup", "no backup"), ({}, "", "backup", "no backup"),
    ({"wattport": 1}, "", "backup", "no backup"), ({"wattport": 1, "settings": []}, "", "backup", "no backup"),
    ({"wattport": 2, "settings": {}}, "", "backup", "newer"),
    ({"wattport": 1, "settings": {"mqtt": {"port": 0}}}, "", "mqtt.port", "whole number"),
    ({"wattport": 1, "settings": {"later": {"x": 1}}}, "", "later", "no such group"),
    ({"wattport": 1, "settings": {"mqtt": {"later": 1}}}, "", "mqtt.later", "no such setting"),
    ({"wattport": 1, "settings": {"mqtt": 5}}, "", "mqtt", "JSON object"),
    (damaged(lambda secrets: None), "", "passphrase", "needed"),
    (damaged(lambda secrets: None), PASSPHRASE + "x", "passphrase", "wrong"),
    (damaged(lambda secrets: None), 5, "passphrase", "text"),
    (damaged(lambda secrets: secrets.update(data=secrets["data"][2:] + "00")), PASSPHRASE, "passphrase", "damaged"),
    (damaged(lambda secrets: secrets.update(tag=secrets["tag"][:-2])), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.update(tag="")), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.update(nonce="00")), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.pop("salt")), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.update(data="xyz")), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.update(data=5)), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.update(iterations=10**9)), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.update(iterations=-1)), PASSPHRASE, "backup", "damaged"),
    (damaged(lambda secrets: secrets.update(kdf="md5")), PASSPHRASE, "backup", "damaged"),
    ({"wattport": 1, "settings": {}, "secrets": "x"}, PASSPHRASE, "backup", "damaged"),
    ({"wattport": 1, "settings": {}, "secrets": sealed([], PASSPHRASE)}, PASSPHRASE, "backup", "damaged"),
    ({"wattport": 1, "settings": {}, "secrets": sealed({"wifi": 5}, PASSPHRASE)}, PASSPHRASE, "wifi", "JSON object"),
])
def test_a_backup_that_is_wrong_is_refused_by_name_and_changes_nothing(owner, backup, passphrase, setting, words):
    before = (owner.state / "settings.json").read_bytes()
    answer = owner.json("/api/restore", {"backup": backup, "passphrase": passphrase}, 422)
    assert answer["error"] == "setting" and answer["setting"] == setting and words in answer["detail"], answer
    assert (owner.state / "settings.json").read_bytes() == before
    assert owner.firmware.starts == 1


def test_everything_that_is_wrong_in_a_backup_is_listed(owner):
    backup = {"wattport": 1, "settings": {"mqtt": {"port": 0, "later": 1}, "newer": {}}}
    wrong = owner.json("/api/restore", {"backup": backup}, 422)["wrong"]
    assert sorted(text.split(":")[0] for text in wrong) == ["mqtt.later", "mqtt.port", "newer"]


def test_a_long_certificate_is_saved_and_restored_in_the_heap_of_a_chip(tmp_path):
    """Beside an encrypted meter that goes on sending, MQTT and the web server."""
    key = bytes(range(16))
    meter = meters.make("lu", seed=7, start=1_760_000_000, key=key)
    certificate = "-----BEGIN CERTIFICATE-----\n" + ("A" * 64 + "\n") * 44 + "-----END CERTIFICATE-----\n"
    settings = {"meter": {"key": key.hex()}, "mqtt": {"host": "127.0.0.1", "port": 1, "password": "x" * 100}}
    with Wire() as wire, House(tmp_path, wire, **settings) as owner:
        for _ in range(3):
            wire.send(meter.next()[0])
        owner.firmware.wait_for_log("reading ")
        wrong = {"mqtt": {"ca": certificate, "tls": True, "port": 0}}
        for _ in range(3):
            assert owner.json("/api/settings", wrong, 422)["setting"] == "mqtt.port"
            wire.send(meter.next()[0])
        backup = owner.json("/api/backup", {"passphrase": PASSPHRASE})
        backup["settings"]["mqtt"].update(ca=certificate, tls=True)
        for _ in range(3):
            assert owner.json("/api/restore", {"backup": backup, "passphrase": "wrong one"}, 422)
            wire.send(meter.next()[0])
        owner.json("/api/restore", {"backup": backup, "passphrase": PASSPHRASE})
        assert owner.kept() == together(settings, {"mqtt": {"ca": certificate, "tls": True}})
        assert not owner.firmware.logged("task")
