# SPDX-License-Identifier: MIT
"""A dongle with a year on its flash, and what a test asks of the page of that history: the rows that were put there are
added up here by another calendar."""

import contextlib
from datetime import datetime
from zoneinfo import ZoneInfo

from host_tests.brokers import eventually
from host_tests.firmware import Wire
from host_tests.house import START, House
from tools.bench import past

ZONE = ZoneInfo("Europe/Brussels")
PRICES = {"currency": "EUR", "import_micro": 300000, "export_micro": 100000, "standing_micro": 500000}
HALF = 1800
FIRST = int(datetime(2024, 10, 1, tzinfo=ZONE).timestamp())
END = START // HALF * HALF - HALF
ROWS = [{"import_wh": i * 37 % 900, "export_wh": max(0, i * 53 % 700 - 300), "2.volume_l": i * 7 % 40}
        for i in range((END - FIRST) // HALF)]


@contextlib.contextmanager
def dwelling(folder, first=FIRST, rows=ROWS, **settings):
    """The house, when its history is whole."""
    (folder / "state").mkdir()
    past.write(folder / "state", first, rows)
    with Wire() as wire, House(folder, wire, time={"source": "meter"}, **settings) as one:
        one.wait_for(one.telegram())
        if len(rows) >= 96:  # the history makes up for the days that nobody has added up yet
            eventually(lambda: list((one.state / "history").glob("d*")), "the history's days")
        yield one


def midnight(day):
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp())


def total(name, since, until):
    """Of the household's days from `since` to before `until`."""
    return sum(row[name] for at, row in enumerate(ROWS) if midnight(since) <= FIRST + HALF * at < midnight(until))


def kwh(wh, digits=2, language="en-GB"):
    text = "%s\u00a0kWh" % format(wh / 1000, ",.%df" % digits)
    return text if language != "nl" else text.translate(str.maketrans(",.", ".,"))


def words(page, selector):
    return page.locator(selector).inner_text()


def opened(browser, address, place, **how):
    """The page, when all that it asked for has come."""
    page = browser.page(address + place, **how)
    done(page)
    return page


def done(page):
    page.locator("#busy").wait_for(state="hidden", timeout=120_000)


def sums(page, place="energy-sums"):
    """{name: figure}"""
    return dict(page.evaluate("Array.from($(%r).children, one => [one.children[0].textContent, "
                              "one.children[1].firstChild.textContent])" % place))


def table(page, place="energy-table", part="tbody"):
    return page.evaluate("Array.from(document.querySelectorAll('#%s %s tr'), row => Array.from(row.cells, "
                         "cell => cell.textContent))" % (place, part))
