# SPDX-License-Identifier: MIT
"""Debian's Chromium over the pages of a running firmware, for tests; each page is watched for errors of its scripts."""

import shutil

import pytest

from tools import npm

SIZES = {"phone": (390, 844), "desktop": (1280, 800), "small": (320, 640), "tablet": (1024, 600)}
# the first one has no window to draw, and takes half of the processor's time
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no Chromium: install chromium-headless-shell or chromium")


class Browser:
    """`page()` opens one as a person of that language and time zone has it, on a screen of that size."""

    def __init__(self, engine):
        self._browser = engine.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"])
        self.errors = []  # of all pages

    def page(self, address, size="desktop", language="en-GB", scheme="light", zone=None):
        width, height = SIZES[size]
        context = self._browser.new_context(viewport={"width": width, "height": height}, locale=language,
                                            color_scheme=scheme, timezone_id=zone)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(address)
        return page

    def _heard(self, message):
        # what the network did, a page's own script is told as well
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def close(self):
        self._browser.close()


def complaints(page):
    """What axe-core finds against WCAG 2.1 AA, contrast and labels among it: ["rule: element", ...]."""
    page.evaluate(npm.read("axe-core", "axe.min.js")[0])
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    return ["%s: %s" % (rule["id"], node["html"]) for rule in found["violations"] for node in rule["nodes"]]
