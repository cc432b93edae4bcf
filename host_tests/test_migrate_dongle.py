# SPDX-License-Identifier: MIT
"""The whole firmware, from a version whose settings have one form to one with another, and back: what it was set to,
and what was changed in between, stays."""

import json

import forms
import pytest

from host_tests.air import HOME, Air
from host_tests.brokers import eventually
from host_tests.firmware import Firmware, Wire
from host_tests.keys import modulus, small, whole
from host_tests.test_partition import RUNNING
from tools import dongle
from tools.paths import FIRMWARE

from wattport import modules, settings  # isort: skip  (tools.dongle has made it importable)
from wattport.update import begin, bundle, folder, install, rsa, slots  # isort: skip

SETTINGS = {"wifi": {"ssid": "home", "password": "geheim99"}, "mqtt": {"host": "127.0.0.1", "port": 1, "user": "me",
            "password": "s3cret"}, "meter": {"key": "00" * 16}, "web": {"port": 0}, "time": {"server": ""}}
QUICK = {"WATTPORT_SETTLE_S": "2", "WATTPORT_TRIAL_S": "4"}


def source(module, *pairs):
    """(module, its text with something else in it)"""
    text = FIRMWARE.joinpath(*module.split(".")).with_suffix(".py").read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return module, text


# form 2: mqtt.user is called mqtt.login; and this version saves something at its start
NEWER = (
    source("wattport.settings", ("SCHEMA = 1", "SCHEMA = 2"), ('\nuser "" text', '\nlogin "" text')),
    source("wattport.publish.publisher", ('settings["user"]', 'settings["login"]')),
    source("wattport.migrate", ("STEPS = ()", """
def _renamed(one, other):
    def step(document):
        mqtt = document.get("mqtt", {})
        if one in mqtt:
            mqtt[other] = mqtt.pop(one)
    return step


STEPS = ((_renamed("user", "login"), _renamed("login", "user")),)""")),
    source("wattport.startup", ("    del settings\n", """
    settings.keep(settings.merge(document, {"mqtt": {"keepalive_s": 90}}))
    del settings
""")),
)


def installed(data):
    """In the idle slot, by what the dongle does."""
    number = slots.trusted(slots.read())
    one = install.Install(number, rsa.verify, RUNNING, {"application": lambda manifest, written: folder.Folder(
        manifest, slots.read()["slot"], "", number, begin.ready)})
    for at in range(0, len(data), 512):
        one.feed(data[at:at + 512])
    for _ in one.finish():
        pass


def kept(state, name="settings.json"):
    return json.loads((state / name).read_text())


def runs(folder_, uart, air, **environment):
    return Firmware(folder_, uart, None, flash={"key": modulus()}, environment={
        **air.environment, **QUICK, **environment})


@pytest.fixture
def form(monkeypatch):
    """forms.be, for what is installed too."""
    monkeypatch.setattr(begin, "fetch", lambda module, name: (
        getattr(forms.migrate, name) if module == "wattport.migrate" else modules.fetch(module, name)))
    yield forms.be
    forms.be(0)


def prepared(tmp_path, monkeypatch):
    state = tmp_path / "state"
    state.mkdir()
    (state / "settings.json").write_text(json.dumps(SETTINGS))
    (state / "today.txt").write_text("history")
    dongle.prepare(state)
    dongle.flash(state, "micropython32", modulus())
    monkeypatch.chdir(state)
    air = Air(tmp_path)
    air.set(HOME)
    return state, air


def test_a_newer_form_that_is_tried_and_undone_leaves_the_dongle_in_its_wifi(tmp_path, monkeypatch):
    state, air = prepared(tmp_path, monkeypatch)
    installed(whole(*NEWER, settings=2))
    record = slots.read()
    record["alive"] = "mqtt"  # which does not come
    slots.write(record)
    with Wire() as wire, runs(tmp_path, wire.uart, air) as firmware:
        eventually(lambda: "schema" in kept(state), "the newer form")
        assert kept(state)["mqtt"]["login"] == "me" and kept(state)["mqtt"]["keepalive_s"] == 90
        eventually(lambda: slots.read().get("failed"), "the way back", 120)
        eventually(lambda: len(firmware.logged("Wi-Fi connected")) == len(
            firmware.logged("info    Wattport ")), "Wi-Fi", 60)
        assert not firmware.logged("refused") and not (state / "access_point.json").exists()
        assert slots.read()["slot"] == "a"
        before = kept(state, "settings.1.json")
    assert before == {**SETTINGS, "mqtt": {**SETTINGS["mqtt"], "keepalive_s": 90}}
    assert (state / "today.txt").read_text() == "history"


def test_an_older_version_that_is_installed_finds_the_settings_of_today_in_its_form(tmp_path, monkeypatch, form):
    state, _ = prepared(tmp_path, monkeypatch)
    form(3)
    settings.keep(settings.merge(settings.current(), {"mqtt": {"login": "you"}, "tariff": {"night_micro": 5}}))
    (state / "settings.1.json").unlink()
    installed(small(settings=1))
    form(0)
    assert kept(state, "settings.1.json") == {**SETTINGS, "mqtt": {**SETTINGS["mqtt"], "user": "you"}}
    assert kept(state)["schema"] == 3
    assert settings.load("settings.json")["mqtt"]["user"] == "you"


def test_one_that_cannot_be_handed_down_to_is_not_installed(tmp_path, monkeypatch, form):
    """The flash is full, say."""
    state, _ = prepared(tmp_path, monkeypatch)
    (state / "settings.1.json.new").mkdir()
    form(2)
    with pytest.raises(bundle.BundleError) as error:
        installed(small(settings=1))
    assert error.value.kind == "flash_full"
    assert "trial" not in slots.read() and not (state / "slot_b" / "manifest").exists()
