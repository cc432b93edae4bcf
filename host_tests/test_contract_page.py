# SPDX-License-Identifier: MIT
"""Cost, comparison and contracts, solar power, peaks and alerts on the page of the history, in a browser over the
firmware. WATTPORT_SHOTS names a folder for pictures of the page, for the documents."""

import json
import math
import os
import re
from datetime import date
from pathlib import Path

import pytest

from host_tests import pictures
from host_tests.brokers import eventually
from host_tests.browser import SIZES, complaints, needs_browser
from host_tests.firmware import Wire
from host_tests.history_page import (
    END,
    HALF,
    PRICES,
    ROWS,
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
from host_tests.house import START, House
from tools import tariff

pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not there")
pytestmark = [needs_browser, pytest.mark.timeout(300)]
SHOTS = os.environ.get("WATTPORT_SHOTS")
EXAMPLES = {path.stem: json.loads(path.read_text()) for path in tariff.EXAMPLES}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with dwelling(tmp_path_factory.mktemp("history-page"), tariff=PRICES) as one:
        yield one


@pytest.fixture(scope="module")
def address(house):
    return "http://127.0.0.1:%d/history" % house.port


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
    page.locator("#contracts-error",
                 has_text="versions[0].energy.micro: eine ganze Zahl von -1000000000 bis 1000000000 wird").wait_for()
    page.locator("#document").fill(json.dumps({**EXAMPLES["be-flat"], "holidays": ["x"]}))
    page.locator("#add .primary").click()
    page.locator("#contracts-error", has_text="holidays[0]: ein Tag wie 12-25, easter+1 oder 2026-06-01").wait_for()
    page.locator("#document").fill("{")
    page.locator("#add .primary").click()
    page.locator("#document-error", has_text="kein JSON-Dokument").wait_for()
    forget_contracts(house)
    page.context.close()


def test_without_any_price_the_page_says_where_to_set_one(quiet, tmp_path):
    with dwelling(tmp_path, END - 20 * HALF, ROWS[:20]) as one:
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
    rows = [{"import_wh": i % 50 * 10, "export_wh": i % 48 * 5, "3.energy_wh": i % 48 * 9} for i in range(96)]
    first = midnight(date(2025, 10, 6))
    with dwelling(tmp_path, first, rows) as one:
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
    ({"allowed_w": None, "projected_w": None}, "Not known at the moment")])
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


if SHOTS:  # WATTPORT_SHOTS=docs
    def family(at):
        """A plausible half-hour: lights and stove in the evening, panels at noon."""
        utc = END - HALF * (30 * 48 - at)
        hour = (utc + 7200) % 86400 / 3600
        sun = max(0, math.sin((hour - 7) / 12 * math.pi)) * 900 * (.35 + .65 * (utc // 86400 * 7919 % 100) / 100)
        use = 110 + (380 if 17 <= hour < 22 else 150 if 7 <= hour < 9 else 30) + utc * 7919 // HALF % 140
        return {"import_wh": int(max(0, use - sun)), "export_wh": int(max(0, sun - use)),
                "import_t1_wh": int(max(0, use - sun)) if 7 <= hour < 22 else 0,
                "import_t2_wh": 0 if 7 <= hour < 22 else int(max(0, use - sun))}

    @pytest.fixture(scope="module")
    def shown(tmp_path_factory):
        rows = [family(at) for at in range(30 * 48)]
        with dwelling(tmp_path_factory.mktemp("shown"), END - HALF * len(rows), rows, tariff=PRICES) as one:
            for name in ("be-flat", "be-day-night", "at-workdays", "de-flat", "nl-day-night", "nl-dynamic"):
                title = EXAMPLES[name]["name"].partition(": ")[2]
                one.json("/api/tariffs", {"put": {"name": name, "contract": {**EXAMPLES[name], "name": title}}})
            one.json("/api/tariffs", {"current": "be-day-night"})
            yield "http://127.0.0.1:%d/history" % one.port

    @pytest.mark.parametrize("name, size, place, scheme", [
        ("history-day-phone", "phone", "#energy/day/2025-10-04", "light"),
        ("compare-desktop", "desktop", "#compare/month/2025-09-15", "dark"),
        ("peaks-phone", "phone", "#peaks", "light")])
    def test_pictures(quiet, shown, name, size, place, scheme):
        page = quiet.page("about:blank", size=size, scheme=scheme)
        months = [{"month": 202500 + month, "w": 2500 + month * 7919 % 1900} for month in range(1, 10)]
        peaks = peaks_told(months=months, figure_w=2870, limit_w=2870, projected_w=1690,
                           until=START // 900 * 900 + 900, peaks=[{"time": START - 86400, "w": 2870}])
        page.route("**/api/peaks", lambda route: route.fulfill(json=peaks))
        page.goto(shown + place)
        done(page)
        if "compare" in place:
            page.locator("#compare").click()
            page.locator("#compare-table tbody tr").first.wait_for()
        page.wait_for_timeout(1500)
        Path(SHOTS, name + ".png").write_bytes(pictures.small(page.screenshot()))
        page.context.close()
