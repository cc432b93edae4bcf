# SPDX-License-Identifier: MIT
"""The cost of a year by every example contract, against a calculation that shares nothing with the firmware's: each
half-hour for itself, decimal arithmetic, Python's own calendar and time zones."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

import pytest

from tools import cpython, tariff, zones
from tools.bench import past as bench_past

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.history import export, past  # noqa: E402
from wattport.tariff.compare import run  # noqa: E402
from wattport.tariff.cost import Account  # noqa: E402
from wattport.tariff.days import MISSING  # noqa: E402

HALF_HOUR = timedelta(minutes=30)
EXAMPLES = {path.stem: tariff.read(path) for path in tariff.EXAMPLES}
# name → where the household lives, or a place with the same clock, minutes that a price of the market holds for
PLACES = {"be-flat": ("Europe/Brussels", 15), "be-day-night": ("Europe/Brussels", 15),
          "nl-day-night": ("Europe/Amsterdam", 15), "nl-dynamic": ("Europe/Amsterdam", 15),
          "no-spot": ("Europe/Oslo", 60), "se-power-fee": ("Europe/Oslo", 60), "uk-night": ("Europe/London", 30),
          "uk-half-hourly": ("Europe/London", 30), "lu-reference": ("Europe/Brussels", 15),
          "de-flat": ("Europe/Brussels", 15), "at-workdays": ("Europe/Brussels", 15)}
HOLIDAYS = {  # of 2025, from the calendar on the wall
    "no-spot": "01-01 04-17 04-18 04-20 04-21 05-01 05-17 05-29 06-09 12-25 12-26",
    "at-workdays": "01-01 01-06 04-21 05-01 05-29 06-09 06-19 08-15 10-26 11-01 12-08 12-25 12-26"}
PEAKS = {"2024-%02d" % month: 2100 + 313 * month for month in range(2, 13)}
PEAKS.update({"2025-%02d" % month: 1700 + 1873 * month % 7001 for month in range(1, 13) if month != 8})
EXCESS = {"2025-%02d" % month: 137 * month for month in range(1, 12)}
NO_REGISTERS = date(2025, 11, 3), date(2025, 11, 20)
NO_PRICES = date(2025, 5, 30), date(2025, 6, 2)
WEEKDAYS = "mon tue wed thu fri sat sun".split()
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


@cache
def year(zone):
    """[(UTC, local time, values)] of 2025: more in winter, at night for the car, sun at noon in summer."""
    place, random = ZoneInfo(zone), Random(zone)
    at = datetime(2025, 1, 1, tzinfo=place).astimezone(UTC)
    end = datetime(2026, 1, 1, tzinfo=place).astimezone(UTC)
    found = []
    while at < end:
        local = at.astimezone(place)
        load = random.randrange(40, 400) + (random.randrange(3600) if 1 <= local.hour < 4 else 0)
        sun = random.randrange(1800) if 9 <= local.hour < 17 and 3 < local.month < 10 else 0
        values = {"import_wh": max(load - sun, 0), "export_wh": max(sun - load, 0)}
        if not NO_REGISTERS[0] <= local.date() < NO_REGISTERS[1]:
            day = local.weekday() < 5 and 7 <= local.hour < 22
            for way in ("import", "export"):
                for register in (1, 2):
                    by_day = day == (register == (2 if zone == "Europe/Amsterdam" else 1))
                    values["%s_t%d_wh" % (way, register)] = values[way + "_wh"] if by_day else 0
        found.append((at, local, values))
        at += HALF_HOUR
    return found


@cache
def market(zone, minutes):
    """{UTC: micro-units a kWh from then on}: below zero at times, and four days of it never came."""
    random, found = Random(zone), {}
    at, end = year(zone)[0][0], year(zone)[-1][0] + HALF_HOUR
    while at < end:
        price = 10 * random.randrange(-2000, 31000)
        if not NO_PRICES[0] <= at.date() < NO_PRICES[1]:
            found[at] = price
        at += timedelta(minutes=minutes)
    return found


class Prices:
    """Of the market, as the firmware wants them."""

    def __init__(self, zone, minutes):
        self.found = tariff.Prices()
        known = market(zone, minutes)
        self.found.add("EUR", minutes * 60, {int(at.timestamp()): price for at, price in known.items()})

    def fill(self, currency, start, count, into):
        self.found.fill("EUR", start, count, into)


# ---- the independent calculation

def within(text, names, name):
    for part in text.split(","):
        first, _, last = part.partition("-")
        at, to = names.index(first), names.index(last or first)
        reach = names[at:to + 1] if at <= to else names[at:] + names[:to + 1]
        if name in reach:
            return True
    return False


def at_hours(text, local):
    for part in text.split(","):
        first, last = part.split("-")
        now = "%02d:%02d" % (local.hour, local.minute)
        if first <= now < last if first < last else now >= first or now < last:
            return True
    return False


def price_of(price, way, local, values, spot, kind):
    """[(Wh, price in micro-units)], and the name of what was missing."""
    wh = values[way + "_wh"]
    if "spot_permille" in price:
        if spot is None:
            return [(wh, Decimal(price["fallback_micro"]))], "prices" if wh else None
        return [(wh, spot * price["spot_permille"] / 1000 + price["add_micro"])], None
    if "day_register" in price:
        if way + "_t1_wh" not in values:
            return [(wh, Decimal(price["fallback_micro"]))], "registers" if wh else None
        night = 3 - price["day_register"]
        return [(values["%s_t%d_wh" % (way, price["day_register"])], Decimal(price["day_micro"])),
                (values["%s_t%d_wh" % (way, night)], Decimal(price["night_micro"]))], None
    for band in price.get("bands", []):
        if (("days" not in band or within(band["days"], WEEKDAYS + ["hol"], kind))
                and ("months" not in band or within(band["months"], MONTHS, MONTHS[local.month - 1]))
                and ("hours" not in band or at_hours(band["hours"], local))):
            return [(wh, Decimal(band["micro"]))], None
    return [(wh, Decimal(price["micro"]))], None


def capacity_of(part, day):
    """What a month with such a day costs."""
    if "months" in part and not within(part["months"], MONTHS, MONTHS[day.month - 1]):
        return Decimal(0), None
    name = day.strftime("%Y-%m")
    if "excess_micro" in part:
        missing = None if name in EXCESS else "peaks"
        return Decimal(EXCESS.get(name, 0)) * part["excess_micro"] / 1000, missing
    missing, known = None if name in PEAKS else "peaks", []
    for back in range(part.get("average_months", 1)):
        before = day.year * 12 + day.month - 1 - back
        name = "%d-%02d" % (before // 12, before % 12 + 1)
        if name in PEAKS:
            known.append(max(PEAKS[name], part.get("least_w", 0)))
    watts = part.get("least_w", 0)
    if known:
        watts = (Decimal(sum(known)) / len(known)).quantize(Decimal(1), ROUND_HALF_UP)
    if "steps" in part:
        for step in part["steps"]:
            if "below_w" not in step or watts < step["below_w"]:
                return Decimal(step["month_micro"]), missing
    return Decimal(watts) * part["kw_month_micro"] / 1000, missing


@cache
def expected(name):
    """({month: {part: micro-units, exact}}, {month: {what: how many were missing}})."""
    document, (zone, minutes) = EXAMPLES[name], PLACES[name]
    holidays, prices = HOLIDAYS.get(name, "").split(), market(zone, minutes)
    sums, missing = defaultdict(lambda: defaultdict(Decimal)), defaultdict(lambda: defaultdict(int))
    monthly = defaultdict(lambda: defaultdict(Decimal))  # still to be divided by the month's days
    seen, asked = set(), set()

    def book(version, month, part, amount, into=sums):
        into[month][part] += amount
        into[month]["vat"] += amount * version.get("vat_permille", {}).get(part, 0) / 1000

    day = None
    for at, local, values in year(zone):
        if local.date() != day:
            day, month = local.date(), local.strftime("%Y-%m")
            version = [one for one in document["versions"] if one.get("from", "") <= day.isoformat()][-1]
            kind = "hol" if local.strftime("%m-%d") in holidays else WEEKDAYS[local.weekday()]
        if minutes == 15:
            pair = [prices.get(at), prices.get(at + timedelta(minutes=15))]
            spot = None if None in pair else Decimal(sum(pair)) / 2
        else:
            spot = prices.get(at.replace(minute=at.minute - at.minute % minutes))
            spot = None if spot is None else Decimal(spot)
        for part in ("energy", "tax", "grid", "export"):
            if part in version:
                way, sign = ("export", -1) if part == "export" else ("import", 1)
                found, lost = price_of(version[part], way, local, values, spot, kind)
                book(version, month, part, sign * sum(wh * price for wh, price in found) / 1000)
                if lost:
                    missing[month][lost] += 1
        if day not in seen:
            seen.add(day)
            standing = version.get("standing", {})
            book(version, month, "standing", Decimal(standing.get("day_micro", 0)))
            book(version, month, "standing", Decimal(standing.get("month_micro", 0)), monthly)
            for i, part in enumerate(version.get("capacity", [])):
                amount, lost = capacity_of(part, day)
                book(version, month, "capacity", amount, monthly)
                asked_for = month, id(version), i
                if lost and asked_for not in asked:
                    asked.add(asked_for)
                    missing[month][lost] += 1
    for month, parts in monthly.items():
        days = sum(1 for day in seen if day.strftime("%Y-%m") == month)
        for part, amount in parts.items():
            sums[month][part] += amount / days
    return sums, missing


def rounded(amount, unit=1):
    return int((amount / unit).quantize(Decimal(1), ROUND_HALF_UP))  # half away from zero


def by_firmware(name):
    zone, minutes = PLACES[name]
    rows = [(int(at.timestamp()), 0, values) for at, _, values in year(zone)]
    account = Account(lambda: EXAMPLES[name], Prices(zone, minutes), PEAKS, EXCESS)
    return run([account], rows, posixzone.parse(zones.posix(zone)), rows[0][0], rows[-1][0] + 1800)[0]


@pytest.mark.parametrize("name", PLACES)
def test_a_year_costs_what_an_independent_calculation_says_to_the_cent(name):
    with localcontext(prec=60):
        sums, missing = expected(name)
        found = by_firmware(name)
        assert list(found["steps"]) == sorted(sums) and len(sums) == 12
        for month, figures in found["steps"].items():
            for part in ("energy", "tax", "grid", "standing", "capacity", "export", "vat"):
                assert figures[part] == rounded(sums[month][part]), (month, part)
            assert figures["total"] == rounded(sum(sums[month].values()))
            assert figures["cents"] == rounded(sum(sums[month].values()), 10000)
            assert figures["missing"] == dict(missing[month])
        whole = sum(sum(parts.values()) for parts in sums.values())
        assert found["whole"]["cents"] == rounded(whole, 10000) and found["whole"]["total"] == rounded(whole)


def test_every_example_is_calculated_and_says_that_it_is_one():
    assert set(PLACES) == set(EXAMPLES) and len(EXAMPLES) >= 10
    for name, document in EXAMPLES.items():
        assert document["name"].startswith("Example: "), name


def test_the_year_has_what_makes_it_difficult():
    for zone in ("Europe/Brussels", "Europe/London"):
        days = defaultdict(int)
        for _, local, _ in year(zone):
            days[local.date()] += 1
        assert (days[date(2025, 3, 30)], days[date(2025, 10, 26)]) == (46, 50) and len(days) == 365
    kinds = {key for document in EXAMPLES.values() for version in document["versions"]
             for part in ("energy", "tax", "grid", "export") for key in version.get(part, {})}
    assert kinds == {"micro", "bands", "day_register", "day_micro", "night_micro", "fallback_micro", "spot_permille",
                     "add_micro"}
    assert any(version.get("from", "-01")[-2:] != "01" for version in EXAMPLES["be-flat"]["versions"])
    lost = expected("nl-dynamic")[1]
    assert lost["2025-05"]["prices"] and lost["2025-06"]["prices"]
    assert expected("be-day-night")[1]["2025-11"]["registers"] > 500
    assert MISSING == -2 ** 31


# ---- tools.tariff

def told(capsys, *arguments):
    code = tariff.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_tool_lists_checks_and_names_mistakes(capsys, tmp_path):
    code, out, _ = told(capsys, "examples")
    assert code == 0 and len(out.splitlines()) == len(EXAMPLES) and "uk-night" in out
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"tariff": 1, "name": "x", "currency": "EUR", "versions": [{"energy": {"micro": 0.25}}]}')
    code, out, err = told(capsys, "check", wrong, tariff.EXAMPLES[0], tmp_path / "none.json")
    assert code == 1 and len(out.splitlines()) == 1
    assert "versions[0].energy.micro: a whole number" in err and "none.json: there is no such file" in err


def test_the_tool_compares_contracts_by_a_csv(capsys, tmp_path):
    history = tmp_path / "history.csv"
    lines = ["start,import_wh,export_wh,note"]
    lines += ["%s,1000,0,x" % local.isoformat() for _, local, _ in year("Europe/Brussels")[:48 * 59]]
    history.write_text("\r\n".join(lines))
    own = tmp_path / "own.json"
    own.write_text('{"tariff": 1, "name": "Mine", "currency": "EUR", "versions": [{"energy": {"micro": 300000}}]}')
    cheap = tmp_path / "cheap.json"
    cheap.write_text(own.read_text().replace("300000", "250000").replace("Mine", "Cheap"))
    code, out, _ = told(capsys, "compare", history, own, cheap, "no-spot")
    assert code == 0 and "you would have saved 141.60 EUR" in out
    assert "2025-02" in out and "849.60 EUR" in out and "2832 half-hours had no price of the market" in out
    code, out, _ = told(capsys, "compare", history, own, "--from", "2025-01-10", "--to", "2025-01-10", "--json")
    assert code == 0 and '"cents": 1440' in out
    history.write_text("start,import_wh\nyesterday,5\n")
    assert told(capsys, "compare", history, own)[::2] == (1, "%s: line 2 is no half-hour\n" % history)


def test_the_tool_reads_what_the_dongle_exports(tmp_path, monkeypatch):
    rows = [values for _, _, values in year("Europe/Brussels")[48 * 298:48 * 302]]  # over the end of summer time
    start = int(year("Europe/Brussels")[48 * 298][0].timestamp())
    names = ("import_wh", "export_wh", "import_t1_wh", "import_t2_wh")
    bench_past.write(tmp_path, start, [{name: values[name] for name in names} for values in rows])
    monkeypatch.chdir(tmp_path)
    zone = posixzone.parse(posixzone.CENTRAL_EUROPE)
    for utc in (False, True):
        text = "".join(line for line in export.csv(zone, "halfhour", start, start + 1800 * len(rows), utc) if line)
        (tmp_path / "history.csv").write_text(text, newline="")
        found = tariff.history(tmp_path / "history.csv", zone)
        assert found == list(past.rows(start, start + 1800 * len(rows))) and len(found) == 4 * 48
