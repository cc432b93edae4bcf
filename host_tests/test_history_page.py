# SPDX-License-Identifier: MIT
"""The page of the history in a browser, over the firmware with a year on its flash: its figures are those of the rows
that were put there, added up here by another calendar."""

import json
import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from host_tests.brokers import eventually
from host_tests.browser import SIZES, Browser, complaints, needs_browser
from host_tests.firmware import Wire
from host_tests.house import START, House
from tools import tariff
from tools.bench import past

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
pytestmark = [needs_browser, pytest.mark.timeout(300)]
ZONE = ZoneInfo("Europe/Brussels")
PASSWORD = "correct horse"
PRICES = {"currency": "EUR", "import_micro": 300000, "export_micro": 100000, "standing_micro": 500000}
HALF = 1800
FIRST = int(datetime(2024, 10, 1, tzinfo=ZONE).timestamp())
END = START // HALF * HALF - HALF
ROWS = [{"import_wh": i * 37 % 900, "export_wh": max(0, i * 53 % 700 - 300), "2.volume_l": i * 7 % 40}
        for i in range((END - FIRST) // HALF)]
MENDED = date(2025, 5, 5)  # a day of which tests change half-hours


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as engine:
        browser = Browser(engine)
        yield browser
        browser.close()


@pytest.fixture
def quiet(browser):
    """No page may have had an error in its script."""
    browser.errors.clear()
    yield browser
    assert browser.errors == []


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("history-page")
    (folder / "state").mkdir()
    past.write(folder / "state", FIRST, ROWS)
    with Wire() as wire, House(folder, wire, tariff=PRICES, time={"source": "meter"}) as one:
        one.wait_for(one.telegram())
        # the history makes up for the days that nobody has added up yet
        eventually(lambda: list((one.state / "history").glob("d*")), "the history's days")
        yield one


@pytest.fixture(scope="module")
def address(house):
    return "http://127.0.0.1:%d/history" % house.port


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
    page.locator(".tools a", has_text="Verlauf").click()
    page.locator("#energy-chart svg").wait_for()
    page.locator(".tools a", has_text="Übersicht").click()
    page.locator("#now").wait_for()
    assert house.health()["tasks"]["web"]["restarts"] == 0
    page.context.close()


# ---- cost, comparison, contracts


EXAMPLES = {path.stem: json.loads(path.read_text()) for path in tariff.EXAMPLES}


@pytest.fixture
def contracts(house):
    """Three contracts, the household's own among them; nothing is kept afterwards."""
    for name in ("be-flat", "at-workdays", "no-spot"):
        house.json("/api/tariffs", {"put": {"name": name, "contract": EXAMPLES[name]}})
    house.json("/api/tariffs", {"current": "at-workdays"})
    yield house
    forget_contracts(house)


def forget_contracts(house):
    for one in house.json("/api/tariffs")["contracts"]:
        house.json("/api/tariffs", {"remove": one["name"]})


def calculated(house, path):
    """The answer, as soon as there is the memory for it."""
    found = []

    def there():
        status, _, body = house.ask(path)
        if status == 200:
            found.append(json.loads(body)["costs"])
        return found
    eventually(there, "the costs")
    return found[0]


def nearly(shown, micro):
    """Whether a sum of money is that one, to the cent."""
    return abs(int(re.sub(r"[^\d]", "", shown)) - abs(micro) / 1e4) <= 0.51


def test_the_cost_is_told_by_its_parts_and_by_its_steps(quiet, contracts, address):
    *steps, whole = calculated(contracts, "/api/cost?from=2025-03-01&to=2025-04-01&step=day")
    page = opened(quiet, address, "#cost/month/2025-03-15", size="phone")
    assert nearly(sums(page, "cost-sums")["Cost"], whole["total"])
    parts = {name: amount for name, amount in table(page, "cost-parts")}
    for name, key in (("Energy", "energy"), ("Taxes", "tax"), ("Grid fees", "grid"), ("Standing charge", "standing"),
                      ("VAT", "vat"), ("For energy to the grid", "export")):
        assert nearly(parts[name], whole[key]) and ("-" in parts[name]) == (whole[key] < 0), name
    assert "Capacity" not in parts  # this contract has none
    rows = table(page, "cost-table")
    assert len(rows) == len(steps) == 31
    for row, step in zip(rows, steps, strict=True):
        assert row[0].split()[1].strip(",") == str(int(step["step"][-2:])) and nearly(row[-1], step["total"])
    assert page.locator("#cost-chart rect.a").count() == 31 and complaints(page) == []
    page.context.close()


def test_what_was_missing_for_the_cost_is_counted_in_words(quiet, contracts, address):
    contracts.json("/api/tariffs", {"current": "no-spot"})
    *steps, _ = calculated(contracts, "/api/cost?from=2025-02-01&to=2025-03-01&step=day")
    page = opened(quiet, address, "#cost/month/2025-02-15", language="nb-NO")
    missed = sum(step["missing"]["prices"] for step in steps)
    assert missed >= 48 * 28
    told = words(page, "#cost-note").replace("\u00a0", "")
    assert ": %d." % missed in told and "Måneder uten kjent topp: 1." in told
    page.context.close()


@pytest.mark.parametrize("size, language, saved", [
    ("phone", "en-GB", "You would have saved {0} with “{1}”."), ("desktop", "nl-NL", "Met “{1}” had je {0} bespaard.")])
def test_contracts_are_compared_and_the_savings_are_those_of_the_engine(quiet, contracts, address, size, language,
                                                                        saved):
    found = [one for one in calculated(contracts, "/api/compare?from=2025-08-01&to=2025-09-01") if not one["step"]]
    by_name = {one["contract"]: one for one in found}
    page = opened(quiet, address, "#compare/month/2025-08-15", size=size, language=language)
    page.locator("#compare").click()
    page.locator("#compare-table tbody tr").nth(2).wait_for()
    assert by_name["be-flat"]["saved"] > 0, "the example is to be cheaper here"
    told = words(page, "#compare-told")
    shape = re.escape(saved).replace(r"\{0\}", "(.*)").replace(r"\{1\}", "(?:.*)")
    assert EXAMPLES["be-flat"]["name"] in told and nearly(re.fullmatch(shape, told)[1], by_name["be-flat"]["saved"])
    rows = table(page, "compare-table")
    assert [row[0].startswith(EXAMPLES[name]["name"]) for row, name in zip(
        rows, ("be-flat", "at-workdays", "no-spot"), strict=True)] == [True] * 3  # the cheapest first
    for row, name in zip(rows, ("be-flat", "at-workdays", "no-spot"), strict=True):
        assert nearly(row[1], by_name[name]["total"])
    assert nearly(rows[0][2], by_name["be-flat"]["saved"]) and rows[2][2] in ("another currency", "andere valuta")
    # the chart leaves out what is in another currency, and is to scale
    widths = page.evaluate("Array.from($('compare-bars').querySelectorAll('.bar'), bar => bar.clientWidth)")
    assert len(widths) == 2
    assert abs(widths[0] / widths[1] - by_name["be-flat"]["total"] / by_name["at-workdays"]["total"]) < 0.02
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    page.context.close()


def test_a_household_adds_its_contract_chooses_it_and_gives_it_a_new_price(quiet, house, address):
    page = opened(quiet, address, "#compare/month/2025-08-15", size="phone")
    assert page.locator("#adding").get_attribute("open") is not None  # as there is none yet
    page.locator("#add .primary").click()
    assert "A name is needed." in words(page, "#add")
    for name, text in (("title-of", "Été 2025"), ("price", "0,2512"), ("export", "0.05"), ("standing", "4.5x"),
                       ("vat", "6")):
        page.locator("#" + name).fill(text)
    page.locator("#add .primary").click()
    page.locator("#standing-error", has_text="A price is a number").wait_for()
    assert page.evaluate("document.activeElement.id") == "standing"
    page.locator("#standing").fill("4.5")
    page.locator("#add .primary").click()
    page.locator("#contracts li", has_text="Été 2025").wait_for()
    document = {"tariff": 1, "name": "Été 2025", "currency": "EUR", "versions": [{
        "energy": {"micro": 251200}, "export": {"micro": 50000}, "standing": {"month_micro": 4500000},
        "vat_permille": {"energy": 60, "standing": 60}}]}
    (kept,) = house.json("/api/tariffs")["contracts"]
    assert house.json("/api/tariffs?name=" + kept["name"]) == document
    eventually(lambda: house.json("/api/tariffs")["current"] == kept["name"], "the first one is the household's own")
    done(page)
    page.locator("#contracts li", has_text="Été 2025").get_by_text("New price").click()
    page.locator("#price").fill("0.3")
    page.locator("#holds").fill("2025-08-16")
    page.locator("#add .primary").click()
    eventually(lambda: len(house.json("/api/tariffs?name=" + kept["name"])["versions"]) == 2, "the new price")
    document = house.json("/api/tariffs?name=" + kept["name"])
    assert document["versions"][1] == {"from": "2025-08-16", "energy": {"micro": 300000}, "export": {"micro": 0},
                                       "standing": {"month_micro": 0}, "vat_permille": {"energy": 0, "standing": 0}}
    done(page)
    page.locator("#contracts input").first.click()
    eventually(lambda: house.json("/api/tariffs")["current"] is None, "the prices of the settings")
    done(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#contracts li", has_text="Été 2025").get_by_text("Remove").click()
    eventually(lambda: house.json("/api/tariffs")["contracts"] == [], "the end of the contract")
    page.context.close()


def test_every_example_can_be_taken_and_a_document_that_is_none_is_told_with_its_place(quiet, house, address):
    page = opened(quiet, address, "#compare/month/2025-08-15", language="de-DE")
    page.locator("#kind").select_option("document")
    page.wait_for_function("$('document').value")
    offered = page.evaluate("Array.from($('example').options, one => one.value)")
    assert sorted(offered) == sorted(EXAMPLES)
    for name in offered[:3]:
        page.locator("#kind").select_option("document")
        page.locator("#example").select_option(name)
        page.wait_for_function("JSON.parse($('document').value).versions.length === %d && $('title-of').value" % len(
            EXAMPLES[name]["versions"]))
        title = page.locator("#title-of").input_value()
        page.locator("#add .primary").click()
        page.locator("#contracts li", has_text=title).wait_for()
        done(page)
        page.locator("#adding summary").click()
    kept = [house.json("/api/tariffs?name=" + one["name"]) for one in house.json("/api/tariffs")["contracts"]]
    assert sorted(json.dumps({**one, "name": ""}, sort_keys=True) for one in kept) == sorted(
        json.dumps({**EXAMPLES[name], "name": ""}, sort_keys=True) for name in offered[:3])
    page.locator("#kind").select_option("document")
    page.locator("#title-of").fill("x")
    page.locator("#document").fill('{"tariff": 1, "currency": "EUR", "versions": [{"energy": {"micro": 0.5}}]}')
    page.locator("#add .primary").click()
    page.locator("#contracts-error", has_text=re.compile(r"versions\[0\]\.energy")).wait_for()
    page.locator("#document").fill("{")
    page.locator("#add .primary").click()
    page.locator("#document-error", has_text="kein JSON-Dokument").wait_for()
    forget_contracts(house)
    page.context.close()


def test_without_any_price_the_page_says_where_to_set_one(quiet, tmp_path):
    (tmp_path / "state").mkdir()
    past.write(tmp_path / "state", END - 20 * HALF, ROWS[:20])
    with Wire() as wire, House(tmp_path, wire, time={"source": "meter"}) as one:
        one.wait_for(one.telegram())
        page = opened(quiet, "http://127.0.0.1:%d/history" % one.port, "#cost/day/2025-10-09")
        page.locator("#cost-none", has_text="no price is set").wait_for()
        page.locator("#tabs a", has_text="Compare").click()
        page.locator("#compare").click()
        page.locator("#compare-told", has_text="nothing to compare yet").wait_for()
        page.locator("#tabs a", has_text="Energy").click()
        page.locator("#energy-sums a", has_text="Set your prices").wait_for()
        page.locator("#tabs a", has_text="Peaks").click()
        page.locator("#peaks-none", has_text="No capacity tariff is set.").wait_for()
        page.locator("#tabs a", has_text="Alerts").click()
        page.locator("#alerts-none", has_text="Alerts are switched off.").wait_for()
        assert page.locator("#alerts-settings a").get_attribute("href") == "/settings#alert"
        assert complaints(page) == []
        page.context.close()


# ---- solar


@pytest.mark.parametrize("size, language, names", [
    ("phone", "en-GB", ("Produced", "Used yourself", "To the grid", "From the grid", "Self-sufficiency")),
    ("desktop", "nl", ("Opgewekt", "Zelf verbruikt", "Naar het net", "Van het net", "Zelfvoorziening"))])
def test_with_a_meter_of_the_panels_what_is_used_at_home_is_what_did_not_go_to_the_grid(quiet, tmp_path, size,
                                                                                        language, names):
    (tmp_path / "state").mkdir()
    rows = [{"import_wh": i % 50 * 10, "export_wh": i % 48 * 5, "3.energy_wh": i % 48 * 9} for i in range(96)]
    first = midnight(date(2025, 10, 6))
    past.write(tmp_path / "state", first, rows)
    with Wire() as wire, House(tmp_path, wire, time={"source": "meter"}) as one:
        one.wait_for(one.telegram())
        page = opened(quiet, "http://127.0.0.1:%d/history" % one.port, "#solar/day/2025-10-07", size=size,
                      language=language)
        day = rows[48:]
        bought, sold, made = (sum(row[name] for row in day) for name in ("import_wh", "export_wh", "3.energy_wh"))
        own = made - sold
        found = sums(page, "solar-sums")
        assert [found[name] for name in names[:4]] == [kwh(wh, 2, language) for wh in (made, own, sold, bought)]
        assert found[names[4]] == "%d\u00a0%%" % round(100 * own / (own + bought))
        assert page.locator("#solar-chart rect.sun").count() == 47 and complaints(page) == []
        page.locator("#panels").select_option("")
        page.wait_for_function("!document.querySelector('#solar-chart rect.sun')")
        assert names[0] not in sums(page, "solar-sums")
        page.context.close()


def test_without_such_a_meter_import_and_export_are_there_and_what_would_show_more(quiet, address):
    page = opened(quiet, address, "#solar/month/2025-06-08", language="fr-FR")
    assert kwh(total("export_wh", date(2025, 6, 1), date(2025, 7, 1))).replace(".", ",") in sums(
        page, "solar-sums").values()
    assert "compteur de production" in words(page, "#solar-note") and not page.locator("#panels").is_visible()
    page.context.close()


# ---- peaks, alerts


def peaks_told(**more):
    return {"preset": "be", "window_s": 900, "average_w": 2120, "projected_w": 2870, "allowed_w": 1240,
            "until": START + 600, "limit_w": 2500, "figure_w": 2500, "over": False, "month": 202510,
            "peaks": [{"time": START - 86400, "w": 2310}],
            "months": [{"month": 202508, "w": 3100}, {"month": 202509, "w": 2700}], **more}


@pytest.mark.parametrize("more, told", [
    ({}, r"You may use 1\.2\skW more until \d\d:\d\d\."), ({"allowed_w": 300}, r"You may use 300\sW more until"),
    ({"allowed_w": -400, "over": True}, r"Use 400\sW less until \d\d:\d\d, or it becomes a new peak\."),
    ({"allowed_w": None, "limit_w": None}, "no limit yet"),
    ({"allowed_w": None, "projected_w": None}, "Not known yet")])
def test_the_projection_of_the_running_window_is_a_sentence(quiet, address, more, told):
    page = quiet.page("about:blank", size="phone")
    page.route("**/api/peaks", lambda route: route.fulfill(json=peaks_told(**more)))
    page.goto(address + "#peaks")
    page.locator("#peaks-said", has_text=re.compile(told)).wait_for()
    assert [row[1] for row in table(page, "peaks-table")] == ["2.50\u00a0kW", "2.70\u00a0kW", "3.10\u00a0kW"]
    assert table(page, "peaks-month")[0][1] == "2.31\u00a0kW"
    assert complaints(page) == [] and not page.locator("#when").is_visible()
    page.context.close()


def test_peaks_and_alerts_are_those_of_the_dongle_and_the_peaks_go_on_by_themselves(quiet, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "alerts.json").write_text(json.dumps({
        "known": {}, "active": {"voltage_high_l3": [START, 254300]},
        "last": [["power_high", START - 900, START - 600, 9100], ["outage", START - 500, START - 400, None]]}))
    alert = {"on": True, "peak_preset": "be"}
    with Wire() as wire, House(tmp_path, wire, "dsmr4", time={"source": "meter"}, alert=alert) as one:
        one.wait_for(one.telegram())
        page = opened(quiet, "http://127.0.0.1:%d/history" % one.port, "#peaks", language="de-DE")
        figure = one.json("/api/peaks")["figure_w"]
        assert ("%.2f\u00a0kW" % (figure / 1000)).replace(".", ",") in sums(page, "peaks-sums").values()
        with page.expect_request("**/api/peaks", timeout=20_000):
            pass
        page.locator("#tabs a", has_text="Meldungen").click()
        page.locator("#alerts-table tbody tr").first.wait_for()
        told = one.json("/api/alerts")
        rows = table(page, "alerts-table")
        assert len(rows) == len(told["active"]) + len(told["last"]) >= 3
        assert "Die Spannung von L3 ist zu hoch." in rows[0][0] and "254,3" in rows[0][0] and rows[0][2] == "dauert an"
        assert any("Der Strom war ausgefallen." in row[0] and re.search(r"\d\d:\d\d", row[2]) for row in rows)
        assert complaints(page) == []
        page.context.close()
