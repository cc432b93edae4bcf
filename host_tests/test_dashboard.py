# SPDX-License-Identifier: MIT
"""The dashboard in a browser, over the firmware as it runs: what it says in all the states that a household meets."""

import json
import os
import re
import threading
import time
from pathlib import Path

import pytest

from host_tests import pictures
from host_tests.brokers import eventually
from host_tests.browser import SIZES, complaints, needs_browser
from host_tests.firmware import Wire
from host_tests.house import START, House
from tools import meters, pages

pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
pytestmark = [needs_browser, pytest.mark.timeout(300)]
PASSWORD = "correct horse"
SHOTS = os.environ.get("WATTPORT_SHOTS")
PRICES = {"currency": "EUR", "import_micro": 300000, "export_micro": 100000, "standing_micro": 500000}


class Sending:
    """A meter that goes on sending, as they do."""

    def __init__(self, send):
        self._one = send
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def _send(self):
        while not self._over.wait(0.5):
            self._one()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Wire() as wire, House(tmp_path_factory.mktemp("dashboard"), wire, tariff=PRICES,
                               web={"password": PASSWORD}) as one, Sending(one.telegram):
        eventually(lambda: one.ask("/api/reading")[0] == 200, "a reading")
        yield one


@pytest.fixture(scope="module")
def address(house):
    return "http://127.0.0.1:%d" % house.port


def words(page, selector):
    return page.locator(selector).inner_text()


def wait(page, selector, text):
    page.locator(selector).filter(has_text=re.compile(text)).wait_for(timeout=45_000)


def test_the_power_the_day_the_hour_and_the_meters_are_there_and_live(quiet, house, address):
    page = quiet.page(address + "/")
    wait(page, "#state", "^Live$")
    assert re.fullmatch("[+−]?[0-9,.]+\u00a0k?W", words(page, "#power"))
    assert re.search("(Im|Ex)porting|Nothing to or from", words(page, "#way"))
    page.locator("#chart canvas").wait_for()
    wait(page, "#summary", "on average")
    wait(page, "#sums", "From the grid")
    assert "€" in words(page, "#sums")
    assert "Gas" in words(page, "#devices") and "kWh" in words(page, "#registers")
    first = words(page, "#registers")
    eventually(lambda: words(page, "#registers") != first, "a newer reading")
    page.context.close()


def test_the_chart_can_be_read_as_a_table(quiet, address):
    page = quiet.page(address + "/")
    page.locator("#chart canvas").wait_for()
    page.locator("#minutes summary").click()
    page.locator("#minutes tbody tr").first.wait_for()
    assert re.fullmatch(r"\d\d:\d\d\t[+−]?[\d,.]+\u00a0W", words(page, "#minutes tbody tr >> nth=0"))
    page.context.close()


@pytest.mark.parametrize("language, told", [
    ("nl-NL", "Vermogen nu"), ("de-AT", "Leistung jetzt"), ("fr-FR", "Puissance actuelle"), ("nn-NO", "Effekt nå"),
    ("it-IT", "Power now")])
def test_it_speaks_the_browsers_language_and_english_to_others(quiet, address, language, told):
    page = quiet.page(address + "/", language=language)
    wait(page, "#h-now", told)
    page.context.close()


def test_another_language_can_be_chosen_and_is_kept(quiet, address):
    page = quiet.page(address + "/", language="en-GB")
    wait(page, "#state", "Live")
    page.locator("#language").select_option("de")
    wait(page, "#h-now", "Leistung jetzt")
    wait(page, "#registers", "Vom Netz, gesamt")
    page.reload()
    wait(page, "#h-now", "Leistung jetzt")
    assert page.evaluate("document.documentElement.lang") == "de"
    page.context.close()


def test_the_browser_hashes_texts_as_the_packer_does(quiet, address):
    page = quiet.page(address + "/")
    for text in ("", "Live", "Waiting for the meter’s first telegram", "Connecting…", "\U0001f600 a"):
        assert page.evaluate("textKey", text) == pages.text_key(text)
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size, path", [("phone", "/"), ("desktop", "/"), ("small", "/"), ("tablet", "/wall")])
def test_nothing_is_wrong_with_contrast_labels_and_width(quiet, address, size, path, scheme):
    page = quiet.page(address + path, size=size, scheme=scheme, language="de-DE")
    wait(page, "#state" if path == "/" else "#way", "Live|Netz")
    page.locator("#chart canvas").wait_for()
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    if path == "/wall":
        assert page.evaluate("document.documentElement.scrollHeight") <= SIZES[size][1]
    page.context.close()


def test_somebody_with_a_keyboard_gets_everywhere(quiet, address):
    page = quiet.page(address + "/")
    wait(page, "#state", "Live")
    seen = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('href') "
                               "|| document.activeElement.tagName"))
    assert {"/history", "/settings", "log", "language", "SUMMARY", "/wall"} <= seen
    page.context.close()


def test_a_wrong_password_is_told_and_the_right_one_logs_in_and_out_again(quiet, address):
    page = quiet.page(address + "/")
    wait(page, "#log", "Log in")
    page.locator("#log").click()
    assert page.evaluate("document.activeElement.id") == "login-password"
    assert complaints(page) == []
    page.keyboard.type("wrong horse")
    page.keyboard.press("Enter")
    wait(page, "#login-error", "not the password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    wait(page, "#log", "Log out")
    assert page.locator(".veil").count() == 0
    page.locator("#log").click()
    wait(page, "#log", "Log in")
    page.context.close()


def test_the_sheet_for_the_password_keeps_the_keyboard_and_goes_away_with_escape(quiet, address):
    page = quiet.page(address + "/")
    wait(page, "#log", "Log in")
    page.locator("#log").click()
    for _ in range(5):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('.veil') !== null")
    page.keyboard.press("Escape")
    assert page.locator(".veil").count() == 0 and page.evaluate("document.activeElement.id") == "log"
    page.context.close()


def test_private_readings_wait_for_the_password(quiet, tmp_path):
    web = {"password": PASSWORD, "private": True}
    with Wire() as wire, House(tmp_path, wire, web=web) as house, Sending(house.telegram):
        page = quiet.page("http://127.0.0.1:%d/" % house.port)
        page.locator("#login-password").wait_for()
        assert words(page, "#power") == "–"
        page.keyboard.press("Escape")
        wait(page, "#notice", "The readings are private")
        page.locator("#notice-link").click()
        page.locator("#login-password").fill(PASSWORD)
        page.keyboard.press("Enter")
        wait(page, "#state", "^Live$")
        page.context.close()


def test_a_silent_meter_and_one_whose_key_is_missing_are_told_with_what_to_do(quiet, tmp_path):
    meter = meters.make("kamstrup", seed=7, start=START, key=bytes(16), auth_key=bytes(16))
    with Wire() as wire, House(tmp_path, wire, web={"password": PASSWORD}) as house:
        page = quiet.page("http://127.0.0.1:%d/" % house.port, size="phone")
        wait(page, "#notice", "Nothing arrives from the meter")
        assert page.locator("#notice-link").get_attribute("href") == "/settings#meter"
        with Sending(lambda: wire.send(meter.next()[0])):
            wait(page, "#notice", "encrypts, and no key is set")
        page.context.close()


def test_an_alert_stands_at_the_top_in_the_persons_own_words(quiet, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    kept = {"known": {}, "active": {"voltage_high_l3": [START, 254300]}, "last": []}  # this one tells no voltages
    (state / "alerts.json").write_text(json.dumps(kept))
    with Wire() as wire, House(tmp_path, wire, "dsmr4", web={"password": PASSWORD}, alert={"on": True}) as house, (
            Sending(house.telegram)):
        page = quiet.page("http://127.0.0.1:%d/" % house.port, language="de-DE")
        wait(page, "#notice-text", "Die Spannung von L3 ist zu hoch.")
        assert words(page, "#notice-title") == "Meldung:"
        page.context.close()


def test_a_dongle_that_goes_away_is_missed_and_found_again(quiet, tmp_path):
    with Wire() as wire, House(tmp_path, wire, web={"password": PASSWORD}) as house:
        house.wait_for(house.telegram())
        page = quiet.page("http://127.0.0.1:%d/" % house.port)
        wait(page, "#state", "^Live$")
        page.route("**/api/**", lambda route: route.abort())
        page.evaluate("source.close(); source = null; askHealth()")
        wait(page, "#notice", "The dongle does not answer")
        assert page.title() == "Wattport" and "old" in page.locator("#now").get_attribute("class")
        page.unroute("**/api/**")
        page.evaluate("start()")
        page.locator("#notice").wait_for(state="hidden", timeout=20_000)
        page.context.close()


def test_a_dongle_that_starts_again_is_live_again_by_itself(quiet, tmp_path):
    with Wire() as wire, House(tmp_path, wire, web={"password": PASSWORD}) as house:
        def send():
            try:
                house.telegram()
            except OSError:
                wire.unplug()
        with Sending(send):
            page = quiet.page("http://127.0.0.1:%d/" % house.port)
            wait(page, "#state", "^Live$")
            page.evaluate("api('POST', '/api/login', {password: %r})" % PASSWORD)
            eventually(lambda: page.evaluate("reading.import_wh") and house.health()["uptime_s"] > 4, "some time")
            page.evaluate("api('POST', '/api/restart')")
            eventually(lambda: len(house.firmware.logged("dashboard on port")) == 2, "the second start")
            before = page.evaluate("reading.time")
            eventually(lambda: page.evaluate("reading.time") > before, "a reading after it")
            wait(page, "#state", "^Live$")
            wait(page, "#log", "Log in")  # it has forgotten who was logged in, and the page knows
            page.context.close()


def test_more_people_than_the_dongle_can_tell_each_reading_see_it_all_the_same(quiet, address):
    family = [quiet.page(address + "/") for _ in range(3)]
    for page in family:
        wait(page, "#state", "^Live$")
    last = family[-1]
    assert last.evaluate("source === null || source.readyState") in (True, 0, 2)  # two may listen
    first = last.evaluate("reading.time")
    eventually(lambda: last.evaluate("reading.time") > first, "a reading for the third")
    for page in family:
        page.context.close()


def test_without_the_file_of_its_language_the_page_works_in_english(quiet, address):
    page = quiet.page("about:blank", language="nl-NL")
    page.route("**/lang/*", lambda route: route.abort())
    page.goto(address + "/")
    wait(page, "#state", "^Live$")
    assert words(page, "#h-now") == "Power now"
    page.context.close()


def test_without_the_charts_everything_else_is_there(quiet, address):
    page = quiet.page("about:blank")
    page.route("**/uplot.js*", lambda route: route.abort())
    page.goto(address + "/")
    wait(page, "#state", "^Live$")
    wait(page, "#summary", "on average")
    page.context.close()


def test_a_shared_script_that_did_not_arrive_is_asked_for_again(browser, address):
    page = browser.page("about:blank")
    page.route("**/common.js*", lambda route: route.abort(), times=1)
    page.goto(address + "/")
    wait(page, "#state", "^Live$")
    page.context.close()


def test_the_page_is_painted_before_anything_was_asked(quiet, address):
    page = quiet.page("about:blank")
    page.route("**/api/**", lambda route: None)
    page.route("**/uplot.js*", lambda route: None)
    page.goto(address + "/", wait_until="domcontentloaded")
    assert words(page, "#h-now") == "Power now" and "Waiting" in words(page, "#way")
    page.context.close()


def test_the_wall_shows_the_same_power_in_big_figures(quiet, address):
    page = quiet.page(address + "/wall", size="tablet")
    wait(page, "#way", "grid")
    page.locator("#chart canvas").wait_for()
    assert page.evaluate("parseFloat(getComputedStyle(document.getElementById('power')).fontSize)") > 90
    box = page.locator("#power").bounding_box()
    assert box["x"] + box["width"] <= SIZES["tablet"][0]
    page.locator("#leave").click()
    wait(page, "#state", "Live")
    page.context.close()


def test_readings_of_the_hour_survive_a_reload(quiet, house, address):
    deadline = time.monotonic() + 60
    while not [value for value in json.loads(house.ask("/api/hour")[2])["power_w"] if value is not None]:
        assert time.monotonic() < deadline
        time.sleep(1)
    page = quiet.page(address + "/")
    page.locator("#chart canvas").wait_for()
    assert page.evaluate("power.length") >= 1
    page.context.close()


def test_the_last_day_is_shown_by_the_minute_and_the_hour_again(quiet, house, address):
    day = json.loads(house.ask("/api/day")[2])
    assert day["step_s"] == 60 and day["day"] and set(day) == set(json.loads(house.ask("/api/hour")[2]))
    day["power_w"] = [100 * (at % 20) - 500 for at in range(1440)]
    page = quiet.page("about:blank")
    page.route("**/api/day", lambda route: route.fulfill(json=day))
    page.goto(address + "/")
    wait(page, "#h-past", "^The last hour$")
    wait(page, "#span", "^The last day$")
    page.locator("#span").click()
    wait(page, "#h-past", "^The last day$")
    wait(page, "#summary", "on average")
    assert page.locator("#chart").get_attribute("aria-label") == "Power over the last day"
    assert 1439 <= page.evaluate("power.length") <= 1440
    wait(page, "#summary", "−500\u00a0W to")
    page.locator("#minutes summary").click()
    page.locator("#minutes tbody tr").first.wait_for()
    assert 47 <= page.locator("#minutes tbody tr").count() <= 49
    page.locator("#span").click()
    wait(page, "#h-past", "^The last hour$")
    wait(page, "#summary", "on average")
    assert page.evaluate("power.length") <= 360
    page.context.close()


def test_the_chart_may_come_while_the_other_span_is_on_its_way(quiet, address):
    page = quiet.page("about:blank")
    held = []
    page.route("**/uplot.js*", lambda route: held.append(route))
    page.route("**/api/day", lambda route: None)  # no answer for now
    page.goto(address + "/")
    wait(page, "#summary", "on average")
    eventually(lambda: page.wait_for_timeout(50) or held, "the page asks for the chart")
    page.evaluate("source.close()")  # and no reading either
    page.locator("#span").click()
    assert page.evaluate("power.length") == 0
    held[0].continue_()
    page.locator("#chart canvas").wait_for()
    page.context.close()


if SHOTS:  # pictures for the README: WATTPORT_SHOTS=docs
    @pytest.mark.parametrize("name, size, path, scheme", [
        ("dashboard-phone", "phone", "/", "light"), ("dashboard-desktop", "desktop", "/", "dark"),
        ("dashboard-wall", "tablet", "/wall", "light")])
    def test_pictures(quiet, house, address, name, size, path, scheme):
        meter = meters.make("dsmr5", seed=7, start=START - 3600)  # an hour of the household, as nobody waits for one
        powers = [one["power_import_w"] - one["power_export_w"] for _, one in (meter.next() for _ in range(3600))]
        hour = json.loads(house.ask("/api/hour")[2])
        hour["power_w"] = [sum(powers[at:at + 10]) // 10 for at in range(0, 3600, 10)]
        hour["today"] = {"import_wh": 4310, "export_wh": 1270, "since": int(time.time()) // 86400 * 86400}
        page = quiet.page("about:blank", size=size, scheme=scheme)
        page.route("**/api/hour", lambda route: route.fulfill(json=hour))
        page.goto(address + path)
        page.locator("#chart canvas").wait_for()
        page.wait_for_timeout(2000)
        Path(SHOTS, name + ".png").write_bytes(pictures.small(page.screenshot()))
        page.context.close()
