# SPDX-License-Identifier: MIT
"""The page of the history in a browser, over the firmware: the energy of each period, on the days of the clock change
as well, the way through the time, files out and in, and what it says when something goes wrong."""

import re
from datetime import date, datetime, timedelta

import pytest

from host_tests.browser import SIZES, complaints, needs_browser
from host_tests.firmware import Wire
from host_tests.history_page import (
    FIRST,
    HALF,
    PRICES,
    ROWS,
    ZONE,
    done,
    dwelling,
    kwh,
    midnight,
    opened,
    sums,
    table,
    total,
    words,
)
from host_tests.house import House

pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
pytestmark = [needs_browser, pytest.mark.timeout(300)]
PASSWORD = "correct horse"
MENDED = date(2025, 5, 5)  # a day of which tests change half-hours


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with dwelling(tmp_path_factory.mktemp("history-page"), tariff=PRICES) as one:
        yield one


@pytest.fixture(scope="module")
def address(house):
    return "http://127.0.0.1:%d/history" % house.port


@pytest.mark.parametrize("size, language", [("phone", "en-GB"), ("desktop", "nl")])
@pytest.mark.parametrize("unit, since, until, digits, count, title, named", [
    ("day", date(2025, 6, 3), date(2025, 6, 4), 2, 48, "Tuesday 3 June 2025", "dinsdag 3 juni 2025"),
    ("week", date(2025, 3, 24), date(2025, 3, 31), 2, 7, "24 Mar – 30 Mar 2025", "24 mrt – 30 mrt 2025"),
    ("month", date(2025, 2, 1), date(2025, 3, 1), 2, 28, "February 2025", "februari 2025"),
    ("year", date(2025, 1, 1), date(2026, 1, 1), 1, 10, "2025", "2025"),
    ("months", date(2024, 11, 1), date(2025, 11, 1), 1, 12, "Nov 2024 – Oct 2025", "nov 2024 – okt 2025")])
def test_the_sums_of_each_period_are_those_of_its_half_hours(quiet, address, size, language, unit, since, until,
                                                             digits, count, title, named):
    day = min(until - timedelta(1), date(2025, 10, 9))
    page = opened(quiet, address, "#energy/%s/%s" % (unit, day), size=size, language=language)
    assert words(page, "#title").replace(",", "") == (title if language == "en-GB" else named)
    found = sums(page)
    bought, sold, gas = (total(name, since, until) for name in ("import_wh", "export_wh", "2.volume_l"))
    names = {"en-GB": ("From the grid", "To the grid", "Cost"),
             "nl": ("Van het net", "Naar het net", "Kosten")}[language]
    if until < date(2025, 10, 1):
        assert found[names[0]] == kwh(bought, digits, language) and found[names[1]] == kwh(sold, digits, language)
        assert kwh(gas, 2, language).replace("kWh", "m³") in found.values()
    else:  # what runs has one half-hour more, with what the meter brought since
        assert abs(float(re.sub(r"[^\d]", "", found[names[0]])) - bought / 100) <= 20
    rows = table(page)
    assert len(rows) == count and page.locator("#energy-chart rect.in").count() >= count * .9
    assert found[names[0]].startswith(table(page, part="tfoot")[0][1])
    standing = (until - since).days
    if until < date(2025, 10, 1):
        cents = round(bought * .03 - sold * .01 + standing * 50)
        shown = re.sub(r"\D", "", found[names[2]])
        assert abs(int(shown) - abs(cents)) <= 1
    page.context.close()


@pytest.mark.parametrize("zone", [None, "America/New_York", "Australia/Sydney"])
@pytest.mark.parametrize("day, hours", [(date(2024, 10, 27), 25), (date(2025, 3, 30), 23)])
def test_days_when_the_clocks_change_have_50_and_46_half_hours_of_the_household(quiet, address, day, hours, zone):
    page = opened(quiet, address, "#energy/day/%s" % day, zone=zone)
    rows = table(page)
    assert len(rows) == 2 * hours
    assert sums(page)["From the grid"] == kwh(total("import_wh", day, day + timedelta(1)))
    start = midnight(day)
    for at, (name, bought, *_) in enumerate(rows):
        clock = datetime.fromtimestamp(start + HALF * at, ZONE)
        assert name == clock.strftime("%H:%M") + (" again" if clock.fold else "")
        assert abs(float(bought) * 1000 - ROWS[(start - FIRST) // HALF + at]["import_wh"]) <= 5.001
    names = [row[0] for row in rows]
    assert ("02:00 again" in names) == (hours == 25) and ("02:00" in names) == (hours == 25)
    page.context.close()


def test_back_forward_a_date_today_and_a_tap_on_a_step_lead_through_the_time(quiet, address):
    page = opened(quiet, address, "")
    today = words(page, "#title")
    assert "9 October 2025" in today and page.locator("#on").is_disabled() and page.locator("#today").is_disabled()
    page.locator("#back").click()
    page.locator("#title", has_text="8 October 2025").wait_for()
    page.locator("#units button", has_text="Year").click()
    page.locator("#title", has_text=re.compile("^2025$")).wait_for()
    done(page)
    page.locator("#back").click()
    page.locator("#title", has_text="2024").wait_for()
    done(page)
    page.locator("#energy-found summary").click()
    page.locator("#energy-table a", has_text="November 2024").click()
    page.locator("#title", has_text="November 2024").wait_for()
    done(page)
    page.locator("#energy-chart svg").click(position={"x": 300, "y": 60})
    page.locator("#energy-legend p a").click()
    page.locator("#title", has_text=re.compile("day,? .*November 2024")).wait_for()
    page.go_back()
    page.locator("#title", has_text=re.compile("^November 2024")).wait_for()
    page.locator("#date").fill("2025-01-15")
    page.locator("#title", has_text="January 2025").wait_for()
    page.locator("#today").click()
    page.locator("#title", has_text="October 2025").wait_for()
    page.locator("#back").click()
    page.locator("#title", has_text="September 2025").wait_for()
    done(page)
    page.locator("#on").click()
    page.locator("#title", has_text="October 2025").wait_for()
    page.context.close()


def test_an_address_that_says_nothing_shows_today(quiet, address):
    for place in ("#nothing/at/all", "#energy/day/2199-01-01", "#energy/year/2025-99-99", "#energy/month/1999-01-01"):
        page = opened(quiet, address, place)
        assert re.search("October 2025|^2025$", words(page, "#title")), place
        page.context.close()


def csv_of(day, note, count=48):
    lines = ["start,note,import_wh,export_wh"]
    for at in range(count):
        stamp = datetime.fromtimestamp(midnight(day) + HALF * at, ZONE).isoformat()
        lines.append("%s,%s,%d,%d" % (stamp, note if at in (10, 11, 12) else "", 1000 + at, 3))
    return "\r\n".join(lines) + "\r\n"


def mend(page, data):
    page.locator("#v-energy details", has_text="Mend").locator("summary").click()
    page.locator("#mended").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": data.encode()})
    page.locator("#mend button").click()


def test_a_file_mends_a_day_and_what_it_calls_estimated_looks_different(quiet, address):
    page = opened(quiet, address, "#energy/day/%s" % MENDED, size="phone")
    assert page.locator("#energy-chart .guess").count() == 0 and "estimated" not in words(page, "#energy-legend")
    mend(page, csv_of(MENDED, "estimated"))
    page.locator("#mend-told", has_text="48 rows are kept.").wait_for()
    done(page)
    page.locator("#energy-chart .guess").first.wait_for()
    assert sums(page)["From the grid"] == kwh(sum(1000 + at for at in range(48)))
    rows = [row[0] for row in table(page)]
    assert [name for name in rows if "estimated" in name] == ["05:00estimated", "05:30estimated", "06:00estimated"]
    assert "estimated" in words(page, "#energy-legend") and "gap" in words(page, "#energy-note")
    assert complaints(page) == []
    page.evaluate("go('energy', 'month', '2025-05-05')")
    page.locator("#title", has_text="May 2025").wait_for()
    done(page)
    assert [row[0] for row in table(page) if "partly estimated" in row[0]] == ["Mon 5 Maypartly estimated"] or [
        row[0] for row in table(page) if "partly estimated" in row[0]] == ["Mon, 5 Maypartly estimated"]
    page.context.close()


@pytest.mark.parametrize("data", [
    "", "a,b\r\n1,2\r\n", "start,note,import_wh\r\nnow,,5\r\n", csv_of(MENDED, "")[:-1].replace(":30:00", ":20:00"),
    "start,note,import_wh\r\n2025-05-05T00:00:00+02:00,,5\r\n2025-05-06T00:00:00+02:00,,5\r\n"])
def test_a_file_that_is_no_history_in_half_hours_is_refused_before_anything_is_sent(quiet, address, data):
    page = opened(quiet, address, "#energy/day/%s" % MENDED)
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    mend(page, data)
    page.locator("#mend-error", has_text="no history in half-hours").wait_for()
    assert "POST" not in sent
    page.context.close()


def test_the_download_is_the_csv_of_the_days_that_were_asked_for(quiet, house, address):
    page = opened(quiet, address, "#energy/week/2025-03-30")
    assert page.locator("#since").input_value() == "2025-03-24" and page.locator("#until").input_value() == "2025-03-30"
    page.locator("#since").fill("2025-03-29")
    page.locator("#step").select_option("day")
    with page.expect_download() as download:
        page.locator("#save").click()
    lines = download.value.path().read_text().splitlines()
    assert [line.split("T")[0] for line in lines[1:]] == ["2025-03-29", "2025-03-30"]
    assert int(lines[1].split(",")[2]) == total("import_wh", date(2025, 3, 29), date(2025, 3, 30))
    page.context.close()


def test_a_time_without_a_history_says_so_and_so_does_a_dongle_that_keeps_none(quiet, address, tmp_path):
    page = opened(quiet, address, "#energy/day/2024-01-01", size="phone")
    assert "Nothing is recorded for this time." in words(page, "#v-energy")
    assert not page.locator("#energy-chart").is_visible() and complaints(page) == []
    page.context.close()
    with Wire() as wire, House(tmp_path, wire, history={"enabled": False}) as one:
        one.wait_for(one.telegram())
        page = opened(quiet, "http://127.0.0.1:%d/history" % one.port, "", language="fr")
        page.locator("#trouble-text", has_text="Aucun historique").wait_for()
        assert page.locator("#trouble-link").get_attribute("href") == "/settings#history"
        page.context.close()


def test_what_goes_wrong_is_told_and_can_be_tried_again(quiet, address):
    page = quiet.page("about:blank")
    page.route("**/api/history?*", lambda route: route.fulfill(
        status=500, json={"error": "failed", "detail": "Something failed."}))
    page.goto(address)
    page.locator("#trouble-text", has_text="Something failed.").wait_for()
    assert not page.locator("#v-energy").is_visible() and complaints(page) == []
    page.unroute("**/api/history?*")
    page.route("**/api/history?*", lambda route: route.abort())
    page.locator("#again").click()
    page.locator("#trouble-text", has_text="The dongle does not answer").wait_for()
    page.unroute("**/api/history?*")
    page.locator("#again").click()
    page.locator("#energy-chart svg").wait_for()
    assert not page.locator("#trouble").is_visible()
    page.context.close()


def test_a_dongle_that_is_busy_is_asked_again_and_the_energy_is_there_without_the_cost(quiet, address):
    page = quiet.page("about:blank")
    busy = {"status": 503, "json": {"error": "busy", "detail": "Somebody else calculates at the moment."}}
    page.route("**/api/history?*", lambda route: route.fulfill(**busy), times=1)
    page.route("**/api/cost?*", lambda route: route.fulfill(
        status=500, json={"error": "failed", "detail": "It failed."}))
    page.goto(address + "#energy/day/2025-06-03")
    page.locator("#energy-sums", has_text="It failed.").wait_for()
    assert sums(page)["From the grid"] == kwh(total("import_wh", date(2025, 6, 3), date(2025, 6, 4)))
    assert sums(page)["Cost"] == "–"
    page.context.close()


def test_the_dongle_is_asked_one_thing_at_a_time(quiet, address):
    page = quiet.page("about:blank")
    running, most = [], []

    def begins(request):
        if "/api/" in request.url:
            running.append(request.url)
            most.append(len(running))

    def ends(request):
        if "/api/" in request.url:
            running.remove(request.url)
    page.on("request", begins)
    page.on("requestfinished", ends)
    page.on("requestfailed", ends)
    page.goto(address)
    done(page)
    assert max(most) == 1 and len(most) >= 3
    for unit in ("month", "week", "year", "day"):  # faster than the dongle
        page.locator("#units [value=%s]" % unit).click()
    page.locator("#title", has_text="9 October").wait_for()
    done(page)
    assert max(most) <= 2 and len(most) >= 5  # what is left may not have gone when the next begins
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size, language, view, unit", [
    ("phone", "de-DE", "energy", "day"), ("small", "fr-FR", "energy", "week"), ("tablet", "nl-NL", "energy", "year"),
    ("small", "nb-NO", "cost", "week"), ("phone", "fr-FR", "compare", "month"), ("small", "de-DE", "compare", "month"),
    ("small", "nl-NL", "solar", "month")])
def test_nothing_is_wrong_with_contrast_labels_and_width(quiet, address, size, language, view, unit, scheme):
    page = opened(quiet, address, "#%s/%s/2025-06-08" % (view, unit), size=size, scheme=scheme, language=language)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    for chart in page.locator(".chart svg").all():
        chart.click(position={"x": 200, "y": 60})
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    page.context.close()


def test_somebody_with_a_keyboard_gets_everywhere(quiet, address):
    page = opened(quiet, address, "#energy/month/2025-06-08")
    seen = []
    for _ in range(45):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"Energy", "Day", "Year", "back", "on", "date", "today", "As a table", "since", "step", "save"} <= set(seen)
    page.locator("#units button", has_text="Week").focus()
    page.keyboard.press("Enter")
    page.locator("#title", has_text="Jun 2025").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Week"
    page.context.close()


def test_a_private_history_waits_for_the_password(quiet, tmp_path):
    with Wire() as wire, House(tmp_path, wire, web={"password": PASSWORD, "private": True}) as one:
        one.telegram()
        page = quiet.page("http://127.0.0.1:%d/history" % one.port)
        page.locator("#login-password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.locator("#energy-none", has_text="Nothing is recorded").wait_for()
        page.context.close()


def test_the_dashboard_leads_there_and_back(quiet, house, address):
    page = quiet.page(address.replace("/history", "/"), size="small", language="de-DE")
    page.locator(".top a", has_text="Verlauf").click()
    page.locator("#energy-chart svg").wait_for()
    page.locator(".tools a", has_text="Übersicht").click()
    page.locator("#now").wait_for()
    assert house.health()["tasks"]["web"]["restarts"] == 0
    page.context.close()
