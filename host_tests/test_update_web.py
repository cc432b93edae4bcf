# SPDX-License-Identifier: MIT
"""An update on the settings page, as a person does it: a wrong file, one that somebody else signed, then the right one,
until the new version has proved itself. The firmware is started as a chip starts it, from slots.

WATTPORT_SHOTS names a folder for pictures of the page, for the documents.
"""

import http.server
import os
import threading
from functools import partial
from pathlib import Path

import pytest

from host_tests import pictures
from host_tests.browser import Browser, complaints, needs_browser
from host_tests.keys import small
from host_tests.test_push import PASSWORD, House, newer, record_of

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
pytestmark = [needs_browser, pytest.mark.timeout(300)]

SHOTS = os.environ.get("WATTPORT_SHOTS")
BUNDLE = {"name": "update.wpb", "mimeType": "application/octet-stream"}
# what a person is told meanwhile, each once, and whether the bar was somewhere in its middle
RECORD = """() => { window.seen = []; window.shares = []; new MutationObserver(() => {
    const text = document.getElementById("update-step").textContent;
    if (text && seen[seen.length - 1] !== text) seen.push(text);
    shares.push(parseInt(document.getElementById("update-share").textContent));
  }).observe(document.getElementById("updating"), {subtree: true, childList: true, characterData: true}) }"""
STEPS = ["The dongle restarts, to have room for the update.", "The update is sent to the dongle. Leave this page open.",
         "The dongle restarts into the new version.",
         "The new version is tried out. That takes a minute or two, and this page need not stay open."]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        browser = Browser(engine)
        yield browser
        browser.close()
        assert browser.errors == []


class Page:
    def __init__(self, browser, house, **how):
        self.page = browser.page("http://%s/settings" % house.host, **how)
        self.page.set_default_timeout(120000)

    def log_in(self):
        self.page.fill("#login-password", PASSWORD)
        self.page.press("#login-password", "Enter")

    def upload(self, data):
        self.page.set_input_files("#bundle", {**BUNDLE, "buffer": data})
        self.page.press("#upload button", "Enter")

    def says(self, selector, text):
        self.page.wait_for_function("([where, what]) => document.querySelector(where).textContent.includes(what)",
                                    arg=[selector, text])

    def ended(self, kind):
        """What the end of an update says; it has the focus then."""
        self.page.wait_for_selector("#update-end.%s:not([hidden])" % kind)
        self.page.wait_for_function("document.activeElement.id === 'update-end'")
        assert self.page.is_hidden("#updating") and self.page.is_enabled("#upload button")
        return self.page.inner_text("#update-end")

    def shot(self, name):
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            png = self.page.locator("#update").screenshot()
            (Path(SHOTS) / (name + ".png")).write_bytes(pictures.small(png))


def test_a_wrong_file_is_refused_in_words_and_the_right_one_is_uploaded_tried_out_and_stays(tmp_path, meter, browser):
    with House(tmp_path, meter) as house:
        uploaded(house, browser)


def uploaded(house, browser):
    page = Page(browser, house, size="phone")
    page.log_in()
    page.says("#update-now", "Version 0.1.0 runs.")
    assert complaints(page.page) == [] and page.page.is_hidden("#update-install")
    page.page.press("#upload button", "Enter")
    page.says("#bundle-error", "Choose the file first.")
    page.upload(b"a holiday picture" * 999)
    assert page.ended("bad") == "This file is no update for Wattport. Updates have names that end in .wpb."
    page.upload(small(version="0.0.9"))
    assert page.ended("bad").startswith("The update is older than the version that runs.")
    assert house.firmware.starts == 1

    page.upload(small(name="other"))
    assert "a key that this dongle does not know" in page.ended("bad")
    assert house.firmware.starts == 3 and page.page.inner_text("#update-now") == "Version 0.1.0 runs."

    page.page.evaluate(RECORD)
    slow = page.page.context.new_cdp_session(page.page)  # as a Wi-Fi at the end of its reach: there is a bar to be seen
    slow.send("Network.enable")
    slow.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 60000})
    page.upload(newer())
    page.log_in()  # a restart forgets who was logged in
    if SHOTS:
        page.page.wait_for_selector("#update-bar:not([hidden])")
        page.shot("update-phone")
    page.says("#update-step", "The new version is tried out.")
    assert page.ended("good") == "Version 9.9.9 runs, and has proved itself."
    assert record_of(house.state)["slot"] == "b"
    seen = page.page.evaluate("seen")
    assert [text for text in seen if text != "The dongle checks what it got."] == STEPS
    assert page.page.evaluate("shares.some(share => share > 10 && share < 100)")
    page.page.click("#update-reload")
    page.log_in()
    page.says("#update-now", "Version 9.9.9 runs.")
    page.page.context.close()


def test_what_an_address_has_is_looked_at_and_installed_and_told_when_it_is_undone(tmp_path, meter, browser):
    (tmp_path / "www").mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = "http://127.0.0.1:%d/{chip}.wpb" % server.server_address[1]
        with House(tmp_path, meter, update={"url": url}) as house:
            page = Page(browser, house, language="nl-NL", scheme="dark")
            page.log_in()
            page.page.click("#update-check")
            page.says("#update-error", "De update kon niet worden opgehaald.")
            (tmp_path / "www" / "x86.wpb").write_bytes(small())
            page.page.click("#update-check")
            page.says("#update-latest", "Versie 9.9.9 is er.")
            assert complaints(page.page) == []
            page.page.click("#update-install")
            assert page.ended("bad") == ("Versie 9.9.9 heeft zich niet bewezen: de vorige draait weer. "
                                         "Ze liep vast met een fout.")
            page.shot("update-desktop")
            page.page.reload()
            page.log_in()
            page.says("#update-last", "Versie 9.9.9 heeft zich niet bewezen")
            page.page.context.close()
        server.shutdown()
