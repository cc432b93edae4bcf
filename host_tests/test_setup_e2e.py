# SPDX-License-Identifier: MIT
"""The first set-up as a person does it: a browser, the firmware, an encrypted meter, a broker with a password. From the
address that a phone looks for an internet with, to the first reading on the dashboard, in two languages and sizes. Then
the settings page: what is changed, refused, backed up and restored there.

WATTPORT_SHOTS names a folder for pictures of the pages, for the README.
"""

import json
import os
import threading
from pathlib import Path

import pytest

from host_tests.brokers import PATIENCE, Mosquitto, eventually, free_port
from host_tests.browser import CHROMIUM, SIZES, complaints, needs_browser
from host_tests.firmware import Firmware, Wire
from host_tests.test_portal import House as Dongle
from tools import meters
from tools.pages import SOURCES

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
pytestmark = [needs_browser, pytest.mark.timeout(300)]

KEY = "36c66639e48a8ca4d6bc8b282a793bbb"
AUTH = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
WIFI = {"ssid": "Familie Jansen", "password": "zonnebloem 12", "channel": 11, "rssi": -48}
NEIGHBOURS = [{"ssid": "Buren 2.4", "password": "niet van ons", "channel": 1, "rssi": -74},
              {"ssid": "Gast", "password": "", "channel": 6, "rssi": -82}]
PROBE = "connectivitycheck.gstatic.com"
PASSWORD = "zonnepanelen op het dak"
WRONG_KEY = ("The key is wrong: what the meter sends makes no sense with it. Compare it with the letter, digit by "
             "digit.")
SHOTS = os.environ.get("WATTPORT_SHOTS")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP %s 127.0.0.1" % PROBE])
        yield browser
        browser.close()


class House(Dongle):
    """networks: None where the network of this machine is simply there, as on a Raspberry Pi."""

    def __init__(self, folder, networks, settings=None):
        super().__init__(folder, settings, networks or [])
        self.address = "http://127.0.0.1:%d" % self.port
        self._networks = networks

    def __enter__(self):
        if self._networks is not None:
            return super().__enter__()
        self.wire = Wire()
        self.firmware = Firmware(self.folder, self.wire.uart, self.settings)
        self.firmware.wait_for_log("web: dashboard")
        return self


class Meter:
    """Sends a telegram now and then, for as long as the test lasts."""

    def __init__(self, wire, family, **keys):
        self._meter = meters.make(family, seed=3, **keys)
        self._wire = wire
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def _send(self):
        while not self._over.wait(0.5):
            try:
                self._wire.send(self._meter.next()[0])
            except OSError:  # the firmware starts again, or the test is over
                self._wire.unplug()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(PATIENCE)


class Page:
    """The set-up's page in a language; whatever it throws or complains of fails the test."""

    def __init__(self, browser, language, size, log):
        self._log = log
        self.context = browser.new_context(
            viewport=dict(zip(("width", "height"), SIZES[size])), locale=language, timezone_id="Europe/Amsterdam")
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        code = language[:2]
        self._texts = json.loads((SOURCES / "lang" / (code + ".json")).read_text()) if code != "en" else {}
        self.language = code
        self._name = "%s-%s" % (code, size)
        self.wrong = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message):
        # what the network did is told to the page's own script as well
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.wrong.append(message.text)

    def t(self, text, *values):
        text = self._texts.get(text, text) if self._texts else text
        for place, value in enumerate(values):
            text = text.replace("{%d}" % place, str(value))
        return text

    def try_wifi(self):
        self.page.check("text=Familie Jansen")
        self.page.fill("#wifi-password", WIFI["password"])
        self.page.click("#wifi-test")

    def step(self, name):
        """Wait for a step. It has the focus on its heading, labels and contrast are right, and nothing is wider than
        the screen."""
        self.page.wait_for_selector("#step-%s:not([hidden])" % name)
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        self.page.wait_for_function("id => document.activeElement.id === id", arg="h-" + name)
        assert complaints(self.page) == []

    def says(self, selector, text, *values):
        """Wait until an element shows a text, in this page's language."""
        wanted = self.t(text, *values)
        self.page.wait_for_function(
            "([where, what]) => [...document.querySelectorAll(where)].some(one => one.textContent.includes(what))",
            arg=[selector, wanted])

    def open(self, house):
        self.page.goto(house.address + "/setup")
        self.page.wait_for_selector("main > [id^=step-]:not([hidden]):not(#step-wait)")

    def next(self, step):
        self.page.click("#step-%s .end .primary" % step)

    def shot(self, name):
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path="%s/%s-%s.png" % (SHOTS, self._name, name))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.shot("failed")
            print("\n".join(self._log[-30:] + self.wrong))  # pytest shows it beside the failure
        self.context.close()
        if not kind:
            assert self.wrong == []


def join(page):
    """The Wi-Fi, with a mistake first."""
    page.step("wifi")
    page.page.check("text=Familie Jansen")
    page.page.fill("#wifi-password", "zonnebloem")
    page.page.press("#wifi-password", "Enter")
    page.says("#wifi-verdict", "The password for “{0}” is wrong. Capitals count; try “Show” to see what you typed.",
              "Familie Jansen")
    page.shot("wifi-wrong")
    page.page.fill("#wifi-password", WIFI["password"])
    page.page.click("#wifi-test")
    page.says("#wifi-known", "It works. The dongle’s address there is {0}.", "127.0.0.1")
    page.shot("wifi")


def give_key(page):
    """The key, with a digit too few and then a wrong one."""
    page.step("key")
    page.page.fill("#key", "36-C6 66")
    page.says("#key-count", "{0} of 32 digits", 6)
    page.next("key")
    page.says("#key-verdict", "A key has exactly 32 digits. Look for one that is missing or doubled.")
    page.page.fill("#key", "f" * 32)
    page.next("key")
    page.says("#key-verdict", WRONG_KEY)
    page.shot("key-wrong")
    page.page.fill("#key", "-".join(KEY[place:place + 4].upper() for place in range(0, 32, 4)))
    page.page.click("#second summary")
    page.page.fill("#auth-key", "f" * 32)
    page.next("key")
    page.says("#key-verdict", "The encryption key is right, but the authentication key is wrong. Compare it with the "
              "letter, digit by digit.")
    page.page.fill("#auth-key", AUTH)
    page.next("key")
    page.says("#key-verdict", "The key is right: the meter can be read.")
    page.page.wait_for_selector("#key-verdict strong")
    page.shot("key")


def name_broker(page, broker):
    """The broker: nobody there, then a wrong password."""
    page.step("mqtt")
    page.page.fill("#host", "127.0.0.1")
    page.page.fill("#port", str(free_port()))
    page.next("mqtt")
    page.says("#mqtt-verdict", "“{0}” is there, but no broker listens on this port. Is the port right, and is the "
              "broker running?", "127.0.0.1")
    page.page.fill("#port", str(broker.port))
    page.page.fill("#user", "p1")
    page.page.fill("#mqtt-password", "fout")
    page.next("mqtt")
    page.says("#mqtt-verdict", "“{0}” refuses the user name or the password.", "127.0.0.1")
    page.shot("mqtt-wrong")
    page.page.fill("#mqtt-password", "stroom op")
    page.next("mqtt")
    page.says("#mqtt-verdict", "The broker lets the dongle in.")


def choose_password_and_prices(page):
    page.step("password")
    page.page.fill("#password", "kort")
    page.next("password")
    page.says("#password-error", "A password has at least 8 characters.")
    page.page.fill("#password", PASSWORD)
    page.shot("password")
    page.next("password")
    page.step("time")
    page.page.fill("#import", "0,2345")
    page.page.fill("#export", "o.05")
    page.next("time")
    page.says("#export-error", "A price is a number, such as {0}", "0.25" if page.language == "en" else "0,25")
    page.page.fill("#export", "0.05")
    page.next("time")


def save(page, house):
    page.next("finish")
    page.step("done")
    page.shot("done")
    page.page.wait_for_selector("#open:not([hidden])")
    assert house.firmware.starts == 2


def kept(folder):
    return json.loads((folder / "state" / "settings.json").read_text())


@pytest.mark.parametrize("language, size", [("en-GB", "phone"), ("nl-NL", "phone"), ("en-GB", "desktop"),
                                            ("nl-NL", "desktop")])
def test_the_first_set_up_from_the_probe_address_to_the_first_reading(tmp_path, browser, language, size):
    with Mosquitto(tmp_path, users={"p1": "stroom op"}) as broker, \
            House(tmp_path, networks=[WIFI, *NEIGHBOURS]) as house, \
            Meter(house.wire, "kamstrup", key=bytes.fromhex(KEY), auth_key=bytes.fromhex(AUTH)), \
            Page(browser, language, size, house.firmware.log) as page:
        page.page.goto("http://%s:%d/generate_204" % (PROBE, house.port))
        assert page.page.url == "http://127.0.0.1:%d/setup" % house.port
        page.page.wait_for_selector("#step-welcome:not([hidden])")
        assert page.page.evaluate("document.documentElement.lang") == language[:2]
        page.shot("welcome")
        page.next("welcome")
        join(page)
        page.next("wifi")
        page.step("meter")
        page.says("#meter-live", "It encrypts what it sends: the next step asks for its key.")
        page.shot("meter")
        page.next("meter")
        give_key(page)
        page.next("key")
        name_broker(page, broker)
        page.next("mqtt")
        choose_password_and_prices(page)
        page.step("finish")
        page.says("#summary", "Familie Jansen")
        page.says("#summary", "Kamstrup")
        page.shot("finish")
        save(page, house)
        page.page.click("#open")
        page.page.wait_for_function("() => /[0-9]/.test(document.getElementById('power')?.textContent)")
        page.shot("reading")
        assert house.ask("/api/status")[1]["setup"] is False
        check_what_is_kept(kept(tmp_path), broker)


def check_what_is_kept(kept, broker):
    assert kept["wifi"] == {"ssid": WIFI["ssid"], "password": WIFI["password"]}
    assert kept["meter"] == {"key": KEY, "auth_key": AUTH}
    assert kept["mqtt"] == {"host": "127.0.0.1", "port": broker.port, "user": "p1", "password": "stroom op"}
    assert kept["tariff"] == {"import_micro": 234500, "export_micro": 50000}
    assert kept["web"]["password"].startswith("pbkdf2:")


def test_a_phone_that_forgets_the_page_in_the_middle_goes_on_where_it_was(tmp_path, browser):
    with House(tmp_path, networks=[WIFI]) as house, Meter(house.wire, "dsmr5"):
        with Page(browser, "de-DE", "phone", house.firmware.log) as page:
            page.open(house)
            page.next("welcome")
            page.step("wifi")
            page.try_wifi()
            page.says("#wifi-known", "It works. The dongle’s address there is {0}.", "127.0.0.1")
        with Page(browser, "de-DE", "phone", house.firmware.log) as page:  # another sheet: nothing is in its storage
            page.open(house)
            page.says("#wifi-known", "It works. The dongle’s address there is {0}.", "127.0.0.1")
            page.next("wifi")
            page.step("meter")
            page.says("#meter-live", "Iskraemeco")
            page.says("#meter-live", "The meter is read. Switch something on, and the figure follows.")
            page.next("meter")
            page.step("mqtt")
            page.page.click("#step-mqtt .skip")
            choose_password_and_prices(page)
            page.step("finish")
            page.page.reload()
            page.page.wait_for_selector("#step-finish:not([hidden])")
            save(page, house)
        assert kept(tmp_path)["wifi"] == {"ssid": WIFI["ssid"], "password": WIFI["password"]}
        assert "mqtt" not in kept(tmp_path)


@pytest.mark.parametrize("size", ["small", "desktop"])
def test_where_the_network_is_simply_there_nobody_is_asked_for_a_wifi(tmp_path, browser, size):
    with House(tmp_path, networks=None) as house, Meter(house.wire, "dsmr5"), \
            Page(browser, "fr-FR", size, house.firmware.log) as page:
        page.open(house)
        page.next("welcome")
        page.step("meter")
        page.says("#where", "Step {0} of {1}", 2, 6)
        page.says("#meter-live", "Iskraemeco")
        page.next("meter")
        page.step("mqtt")
        page.page.click("#step-mqtt .skip")
        choose_password_and_prices(page)
        page.step("finish")
        save(page, house)
        assert "wifi" not in kept(tmp_path)
        page.page.goto(house.address + "/setup")  # it is closed now
        page.page.wait_for_selector("#step-closed:not([hidden])")


def test_a_phone_that_loses_the_access_point_during_the_test_is_told_and_finds_back(tmp_path, browser):
    with House(tmp_path, networks=[WIFI]) as house, Page(browser, "nb-NO", "phone", house.firmware.log) as page:
        page.open(house)
        page.next("welcome")
        page.step("wifi")
        page.page.check("text=Familie Jansen")
        page.page.fill("#wifi-password", WIFI["password"])
        page.page.route("**/api/try", lambda route: route.abort())
        page.page.click("#wifi-test")
        page.says("#wifi-verdict", "The dongle is out of reach for a moment: its own Wi-Fi changes the channel.")
        page.says("#wifi-verdict", "If this takes longer than a minute, join “{0}” again; the page goes on by itself.",
                  "Wattport-" + house.firmware.identity[-4:])
        page.page.unroute("**/api/try")
        page.says("#wifi-known", "It works. The dongle’s address there is {0}.", "127.0.0.1")


def test_who_sets_up_again_keeps_key_and_password_by_leaving_them_alone(tmp_path, browser):
    settings = {"meter": {"key": KEY, "auth_key": AUTH}, "web": {"password": PASSWORD}, "tariff": {"currency": "DKK"}}
    with House(tmp_path, [WIFI], settings) as house, \
            Meter(house.wire, "kamstrup", key=bytes.fromhex(KEY), auth_key=bytes.fromhex(AUTH)), \
            Page(browser, "en-GB", "desktop", house.firmware.log) as page:
        page.open(house)
        page.next("welcome")
        page.step("wifi")
        page.try_wifi()
        page.page.click("#wifi-go")
        page.step("meter")
        page.says("#meter-live", "Kamstrup")
        page.says("#meter-live", "The meter is read. Switch something on, and the figure follows.")
        page.next("meter")
        page.step("key")
        page.says("#key-count", "A key is set. Leave this empty to keep it.")
        page.next("key")
        page.step("mqtt")
        page.page.click("#step-mqtt .skip")
        page.step("password")
        page.says("#password-hint", "A password is set. Leave this empty to keep it.")
        page.next("password")
        page.step("time")
        page.next("time")
        page.step("finish")
        save(page, house)
        found = kept(tmp_path)
        assert found["meter"] == settings["meter"] and house.ask("/api/login", {"password": PASSWORD})[0] == 200
        assert found["tariff"] == settings["tariff"] and found["wifi"]["password"] == WIFI["password"]


def test_a_meter_without_a_port_is_set_up_by_its_led(tmp_path, browser):
    with House(tmp_path, networks=None) as house, Page(browser, "en-GB", "phone", house.firmware.log) as page:
        page.open(house)
        page.next("welcome")
        page.step("meter")
        page.says("#meter-live", "Nothing comes from the meter yet.")
        page.page.click("#british summary")
        page.page.check("#pulse")
        page.says("#meter-live", "The dongle will count the flashes of the LED.")
        page.page.fill("#pulses", "0")
        page.page.fill("#face", "12345.6")
        page.next("meter")
        page.says("#pulses-error", "A whole number from {0} to {1}", 1, 100000)
        page.page.fill("#pulses", "800")
        page.next("meter")
        page.step("mqtt")
        page.page.click("#step-mqtt .skip")
        choose_password_and_prices(page)
        page.step("finish")
        save(page, house)
        assert kept(tmp_path)["meter"] == {"source": "pulse", "pulses_per_kwh": 800, "start_wh": 12345600}


def test_without_scripts_the_page_says_so(tmp_path, browser):
    with House(tmp_path, networks=[WIFI]) as house:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(house.address + "/setup")
        assert "JavaScript" in page.inner_text("noscript")
        context.close()


# ---- the settings page

@pytest.fixture
def owner(tmp_path, browser):
    """(house, page) with the settings of a dongle that has a password, logged in."""
    settings = {"web": {"password": PASSWORD}, "mqtt": {"host": "127.0.0.1", "port": 1, "password": "stroom op"}}
    with House(tmp_path, None, settings) as house, \
            Meter(house.wire, "dsmr5"), Page(browser, "en-GB", "phone", house.firmware.log) as page:
        page.page.goto(house.address + "/settings")
        log_in(page)
        page.page.wait_for_selector("#form:not([hidden])")
        yield house, page


def log_in(page):
    page.page.fill("#login-password", PASSWORD)
    page.page.press("#login-password", "Enter")


def save_settings(page):
    """Save, log in anew, as a restart forgets who was logged in."""
    page.page.click("#save")
    page.page.wait_for_selector("#restarting:not([hidden])")
    log_in(page)
    page.page.wait_for_selector("#restarting", state="hidden")


def test_what_is_wrong_is_said_at_the_field_and_what_is_changed_is_saved_alone(tmp_path, owner):
    house, page = owner
    assert complaints(page.page) == []
    page.shot("settings")
    assert page.page.get_attribute("#mqtt-password", "placeholder") == "set – leave empty to keep it"
    page.page.fill("#mqtt-port", "99999")
    page.page.click("#save")
    page.says("#mqtt-port-error", "A whole number from {0} to {1}", 1, 65535)
    page.page.fill("#mqtt-port", "1884")
    page.page.click("text=What is sent, and how")
    page.page.fill("#mqtt-base", "home/#")  # only the dongle knows that this is none
    page.page.click("#save")
    page.page.wait_for_function("() => document.activeElement.id === 'mqtt-base'")
    assert "mqtt.base" not in page.page.inner_text("#mqtt-base-error") != ""
    page.page.fill("#mqtt-base", "home/meter")
    page.says("#changes", "{0} changes", 2)
    save_settings(page)
    assert kept(tmp_path)["mqtt"] == {"host": "127.0.0.1", "port": 1884, "password": "stroom op", "base": "home/meter"}
    assert page.page.input_value("#mqtt-base") == "home/meter"


def test_a_secret_can_be_removed_and_every_setting_is_on_the_page(tmp_path, owner):
    house, page = owner
    ids = set(page.page.evaluate("() => [...document.querySelectorAll('#form [id]')].map(one => one.id)"))
    schema = page.page.evaluate("() => fetch('/schema.json').then(answer => answer.json())")
    assert not {"%s-%s" % (group, key) for group in schema for key in schema[group]} - ids - {"web-token"}
    page.page.click("#mqtt-password >> xpath=ancestor::div[contains(@class, 'field')] >> text=Remove it")
    save_settings(page)
    assert "password" not in kept(tmp_path)["mqtt"]


def test_a_wrong_key_that_is_tried_on_the_settings_page_does_not_stop_the_readings(tmp_path, browser):
    settings = {"meter": {"key": KEY, "auth_key": AUTH}, "web": {"password": PASSWORD}}
    with House(tmp_path, None, settings) as house, \
            Meter(house.wire, "kamstrup", key=bytes.fromhex(KEY), auth_key=bytes.fromhex(AUTH)), \
            Page(browser, "nl-NL", "desktop", house.firmware.log) as page:
        page.page.goto(house.address + "/settings")
        log_in(page)
        page.page.fill("#meter-key", "f" * 32)
        button = page.page.locator("#form button", has_text=page.t("Check the key"))
        button.click()
        page.says("#form .verdict.bad", WRONG_KEY)
        telegrams = house.ask("/api/health")[1]["telegrams"]
        eventually(lambda: house.ask("/api/health")[1]["telegrams"] > telegrams + 1)
        page.page.fill("#meter-key", "")
        button.click()
        page.says("#form .verdict.good", "The key is right: the meter can be read.")


def test_a_backup_with_a_passphrase_brings_everything_back(tmp_path, owner):
    house, page = owner
    contracts = tmp_path / "state" / "contracts"
    contracts.mkdir()
    contract = {"tariff": 1, "name": "Mijn", "currency": "EUR", "versions": [{"energy": {"micro": 1}}]}
    for name in ("mine", "other"):
        (contracts / (name + ".json")).write_text(json.dumps(contract))
    (contracts / "current").write_text("mine")
    page.page.fill("#passphrase", "vergeet mij niet")
    with page.page.expect_download() as download:
        page.page.click("#backup button:has-text('Download')")
    file = tmp_path / "backup.json"
    download.value.save_as(file)
    assert "stroom op" not in file.read_text()
    page.page.fill("#mqtt-host", "10.0.0.1")
    save_settings(page)
    for path in contracts.iterdir():
        path.unlink()
    page.page.set_input_files("#file", file)
    page.page.fill("#restore-passphrase", "vergeten")
    page.page.click("#restore button.danger")
    page.page.wait_for_selector("#restore-error:not(:empty)")
    page.page.fill("#restore-passphrase", "vergeet mij niet")
    page.page.click("#restore button.danger")
    page.page.wait_for_selector("#restarting:not([hidden])")
    log_in(page)
    page.page.wait_for_function("() => document.getElementById('mqtt-host')?.value === '127.0.0.1'")
    assert kept(tmp_path)["mqtt"]["password"] == "stroom op"
    assert (contracts / "current").read_text() == "mine"
    assert [json.loads((contracts / (name + ".json")).read_text()) for name in ("mine", "other")] == [contract] * 2
