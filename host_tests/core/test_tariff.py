# SPDX-License-Identifier: MIT
"""Contracts: what is accepted, and what hours, days, holidays and months cost. Sums here are done by hand."""

from wattport import posixzone
from wattport.clock import days as day_number
from wattport.tariff import terms
from wattport.tariff.check import TariffError, check
from wattport.tariff.compare import figures, run, steps
from wattport.tariff.cost import Account, cents, micro
from wattport.tariff.days import MISSING, days

ZONE = posixzone.parse("CET-1CEST,M3.5.0,M10.5.0/3")
JANUARY = 1_735_686_000  # 2025-01-01 00:00 in Central Europe
DAY = 86400


def contract(energy=None, **version):
    version["energy"] = {"micro": 250000} if energy is None else energy
    return {"tariff": 1, "name": "one", "currency": "EUR", "versions": [version]}


def refusal(document):
    try:
        check(document)
    except TariffError as error:
        return str(error)
    return None


def half_hours(start, end, **values):
    for at in range(start, end, 1800):
        yield at, 0, values


def cost(document, rows, start, end, by_day=False, **inputs):
    return run([Account(lambda: check(document), **inputs)], rows, ZONE, start, end, by_day)[0]


class Prices:
    """Of the market: for each half-hour of a day twice the same."""

    def __init__(self, twice):
        self.twice = twice

    def fill(self, currency, start, count, into):
        for i in range(count if currency == "EUR" else 0):
            into[i] = self.twice[i]


# ---- the document

def test_a_contract_may_be_as_simple_as_one_price():
    assert refusal(contract()) is None
    assert refusal(contract(standing={}, capacity=[], vat_permille={})) is None


def test_what_is_wrong_is_named_by_its_place():
    for document, place in (
            ([], "the contract"), ({}, "tariff: "), ({"tariff": 2}, "name: "),
            (contract({}), "versions[0].energy.micro: "),
            (contract({"micro": 0.25}), "versions[0].energy.micro: "), (contract([]), "versions[0].energy: "),
            (contract({"micro": True}), "versions[0].energy.micro: "),
            (contract({"micro": 1, "price": 1}), "versions[0].energy.price: "),
            (contract({"micro": 1, "bands": []}), "versions[0].energy.bands: "),
            (contract({"micro": 1, "bands": [{"micro": 1}]}), "versions[0].energy.bands[0]: "),
            (contract({"micro": 1, "bands": [{"micro": 1, "hours": "07:15-08:00"}]}),
             "versions[0].energy.bands[0].hours: "),
            (contract({"micro": 1, "bands": [{"micro": 1, "days": "monday"}]}), "versions[0].energy.bands[0].days: "),
            (contract({"micro": 1, "bands": [{"micro": 1, "months": 11}]}), "versions[0].energy.bands[0].months: "),
            (contract({"day_register": 3, "day_micro": 1, "night_micro": 1, "fallback_micro": 1}),
             "versions[0].energy.day_register: "),
            (contract({"day_register": 1, "day_micro": 1, "night_micro": 1}), "versions[0].energy.fallback_micro: "),
            (contract({"spot_permille": 1000, "add_micro": 0}), "versions[0].energy.fallback_micro: "),
            (contract(taxes={}), "versions[0].taxes: "), (contract(tax=1), "versions[0].tax: "),
            (contract(standing={"year_micro": 1}), "versions[0].standing.year_micro: "),
            (contract(capacity={}), "versions[0].capacity: "), (contract(capacity=[1]), "versions[0].capacity[0]: "),
            (contract(capacity=[{"kw_month_micro": 1, "average_months": 13}]),
             "versions[0].capacity[0].average_months: "),
            (contract(capacity=[{"steps": [{"month_micro": 1}, {"month_micro": 1}]}]),
             "versions[0].capacity[0].steps[0]: "),
            (contract(capacity=[{"steps": [{"month_micro": 1, "below_w": 5}, {"month_micro": 1, "below_w": 9}]}]),
             "versions[0].capacity[0].steps[1]: "),
            (contract(capacity=[{"steps": [{"month_micro": 1, "below_w": 5}, {"month_micro": 1, "below_w": 5},
                                           {"month_micro": 1}]}]), "versions[0].capacity[0].steps[1].below_w: "),
            (contract(vat_permille={"energy": 1001}), "versions[0].vat_permille.energy: "),
            (contract(vat_permille={"vat": 1}), "versions[0].vat_permille.vat: ")):
        text = refusal(document) or "accepted"
        assert text.startswith(place) or place == "name: " and text.startswith("name: "), (place, text)


def test_what_stands_beside_the_versions_is_looked_at_too():
    for key, value in (("tariff", 2), ("tariff", True), ("name", ""), ("name", "a\nb"), ("name", 5),
                       ("currency", "eur"), ("currency", None), ("holidays", "12-25"), ("versions", []),
                       ("versions", None), ("colour", 1)):
        document = contract()
        document[key] = value
        assert (refusal(document) or "").startswith(key + ": "), (key, value)
    for value in ("13-01", "easter++1", "easter+100", "2025-02-29", "12/25", "", 5, None):
        document = contract()
        document["holidays"] = [value]
        assert (refusal(document) or "").startswith("holidays[0]: "), value


def test_versions_follow_each_other():
    document = contract()
    later = {"from": "2025-03-01", "energy": {"micro": 1}}
    document["versions"].append(later)
    assert refusal(document) is None
    document["versions"].append(later)
    assert refusal(document).startswith("versions[2].from: ")
    document["versions"][2] = {"energy": {"micro": 1}}
    assert refusal(document).startswith("versions[2].from: ")
    for wrong in ("2025-3-1", "2025-02-30", "01.03.2025", "2025-03-01T00:00", 20250301, None):
        document["versions"][2] = {"from": wrong, "energy": {"micro": 1}}
        assert refusal(document).startswith("versions[2].from: "), wrong


def test_half_hours_of_the_day():
    found = terms.hours("00:30-07:30")
    assert [i for i in range(48) if found[i]] == list(range(1, 15))
    found = terms.hours("22:00-01:00, 12:00-12:30")
    assert [i for i in range(48) if found[i]] == [0, 1, 24, 44, 45, 46, 47]
    assert sum(terms.hours("00:00-24:00")) == 48 and sum(terms.hours("00:00-00:00")) == 48
    for text in ("", "7:00-8:00", "24:00-01:00", "07:00", "07:00-25:00", "07:00-08:15", "ab:00-08:00", "-1:00-08:00"):
        try:
            terms.hours(text)
        except ValueError:
            continue
        raise AssertionError(text)


def test_easter_and_what_hangs_on_it():
    for year, month, day in ((2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5),
                             (2038, 4, 25), (2049, 4, 18), (2076, 4, 19)):
        assert terms.easter(year) == day_number(year, month, day), year
    assert terms.holiday("easter+39", 2025) == day_number(2025, 5, 29)
    assert terms.holiday("easter-2", 2026) == day_number(2026, 4, 3)
    assert terms.holiday("2025-07-21", 2026) is None and terms.holiday("02-29", 2025) is None
    assert terms.holiday("02-29", 2024) == day_number(2024, 2, 29)


# ---- days

def one_day(start, end):
    return [day for day in days(half_hours(start, end, import_wh=1), ZONE, start, end) if day][0]


def test_days_of_46_and_50_half_hours_show_their_clock():
    march, october = 1_743_289_200, 1_761_429_600  # 2025-03-30 and 2025-10-26, 00:00
    day = one_day(march, march + 23 * 3600)
    assert (day.count, day.rows, day.wanted, day.sums[0]) == (46, 46, 46, 46)
    assert list(day.clock[:46]) == [0, 1, 2, 3] + list(range(6, 48))
    day = one_day(october, october + 25 * 3600)
    assert (day.count, day.rows, day.date, day.weekday) == (50, 50, 26, 6)
    assert list(day.clock[:50]) == list(range(6)) + [4, 5] + list(range(6, 48))


def test_days_without_a_row_come_too_and_rows_outside_do_not():
    rows = list(half_hours(JANUARY - 3600, JANUARY + 3600, import_wh=10))
    found = [(day.date, day.rows, day.wanted, day.sums[0])
             for day in days(rows, ZONE, JANUARY, JANUARY + 2 * DAY + 3600) if day]
    assert found == [(1, 2, 48, 20), (2, 0, 48, 0), (3, 0, 2, 0)]


def test_the_work_comes_in_small_pieces():
    account = Account(contract)
    count = most = 0

    def rows():
        nonlocal count
        for row in half_hours(JANUARY, JANUARY + 3 * DAY, import_wh=1):
            count += 1
            yield row

    for _ in steps([account], rows(), ZONE, JANUARY, JANUARY + 3 * DAY):
        most, count = max(most, count), 0
    assert 0 < most <= 9


# ---- what it costs

def test_one_price_a_day():
    found = cost(contract(), half_hours(JANUARY, JANUARY + DAY, import_wh=500), JANUARY, JANUARY + DAY)
    assert found["whole"]["energy"] == 6_000_000 and found["whole"]["cents"] == 600
    assert found["steps"] == {"2025-01": dict(found["whole"], missing={})}


def test_belgium_counts_the_day_in_register_1_and_the_netherlands_in_register_2():
    rows = list(half_hours(JANUARY, JANUARY + 3600, import_wh=1000, import_t1_wh=900, import_t2_wh=100))
    for register, energy in ((1, 2 * (900 * 300 + 100 * 200)), (2, 2 * (900 * 200 + 100 * 300))):
        price = {"day_register": register, "day_micro": 300000, "night_micro": 200000, "fallback_micro": 250000}
        assert cost(contract(price), rows, JANUARY, JANUARY + 3600)["whole"]["energy"] == energy


def test_a_meter_without_registers_is_charged_by_the_fallback_and_it_is_said():
    price = {"day_register": 1, "day_micro": 300000, "night_micro": 200000, "fallback_micro": 250000}
    found = cost(contract(price), half_hours(JANUARY, JANUARY + 3600, import_wh=1000), JANUARY, JANUARY + 3600)
    assert found["whole"]["energy"] == 500000 and found["steps"]["2025-01"]["missing"] == {"registers": 2}


def test_hours_weekdays_months_and_holidays_decide_in_their_order():
    price = {"micro": 1000, "bands": [
        {"micro": 2000, "days": "hol"}, {"micro": 3000, "hours": "00:00-12:00", "days": "mon-fri"},
        {"micro": 4000, "months": "dec-jan", "days": "sat,sun"}]}
    document = contract(price)
    document["holidays"] = ["01-01"]
    found = cost(document, half_hours(JANUARY, JANUARY + 5 * DAY, import_wh=1000), JANUARY, JANUARY + 5 * DAY, True)
    assert [figures["energy"] for _, figures in sorted(found["steps"].items())] == [
        48 * 2000, 24 * 3000 + 24 * 1000, 24 * 3000 + 24 * 1000, 48 * 4000, 48 * 4000]


def test_prices_of_the_market_are_halves_exactly_and_missing_ones_are_told():
    price = {"spot_permille": 1030, "add_micro": 10000, "fallback_micro": 400000}
    twice = [200001] * 47 + [MISSING]
    found = cost(contract(price), half_hours(JANUARY, JANUARY + DAY, import_wh=2), JANUARY, JANUARY + DAY,
                 prices=Prices(twice))
    # 47 half-hours: 0.002 kWh at 100000.5 × 1.03 + 10000 micro-units
    exact = 47 * 2 * (2000010 * 103 + 200 * 10000 * 10) * 5 // 10 + 2 * 400000 * 1000
    assert found["whole"]["energy"] == (exact + 500000) // 1000000
    assert found["steps"]["2025-01"]["missing"] == {"prices": 1}
    found = cost(contract(price), half_hours(JANUARY, JANUARY + 1800, import_wh=1000), JANUARY, JANUARY + 1800)
    assert found["whole"]["energy"] == 400000 and found["steps"]["2025-01"]["missing"] == {"prices": 1}


def test_what_goes_to_the_grid_is_taken_off_and_may_cost():
    document = contract(export={"micro": 80000}, vat_permille={"energy": 200})
    found = cost(document, half_hours(JANUARY, JANUARY + 1800, import_wh=1000, export_wh=5000), JANUARY, JANUARY + 1800)
    assert found["whole"] == {"energy": 250000, "tax": 0, "grid": 0, "standing": 0, "capacity": 0, "export": -400000,
                              "vat": 50000, "total": -100000, "cents": -10}


def test_a_month_is_paid_by_its_days_and_a_day_where_it_begins():
    document = contract(standing={"month_micro": 31_000_000, "day_micro": 500_000})
    found = cost(document, (), JANUARY, JANUARY + 10 * DAY)
    assert found["whole"]["standing"] == 15_000_000 and found["steps"]["2025-01"]["missing"] == {"rows": 480}
    assert cost(document, (), JANUARY + 1800, JANUARY + DAY)["whole"]["standing"] == 0
    assert cost(document, (), JANUARY, JANUARY + 31 * DAY)["whole"]["standing"] == 31_000_000 + 31 * 500_000


def test_another_price_holds_from_the_local_midnight_of_its_day():
    document = contract()
    document["versions"].append({"from": "2025-01-02", "energy": {"micro": 300000}, "vat_permille": {"energy": 100}})
    found = cost(document, half_hours(JANUARY, JANUARY + 2 * DAY, import_wh=1000), JANUARY, JANUARY + 2 * DAY)
    assert found["whole"]["energy"] == 48 * 550000 and found["whole"]["vat"] == 48 * 30000


def test_what_lies_before_the_first_version_is_told():
    document = contract()
    document["versions"][0]["from"] = "2025-01-02"
    found = cost(document, half_hours(JANUARY, JANUARY + 2 * DAY, import_wh=1000), JANUARY, JANUARY + 2 * DAY)
    assert found["whole"]["energy"] == 48 * 250000 and found["steps"]["2025-01"]["missing"] == {"contract": 48}


def capacity(part, peaks, excess=None):
    found = cost(contract(capacity=[part]), (), JANUARY, JANUARY + 31 * DAY, peaks=peaks, excess=excess)
    return found["whole"]["capacity"], found["steps"]["2025-01"]["missing"].get("peaks", 0)


def test_the_peak_of_a_month_has_its_price():
    part = {"kw_month_micro": 4_000_000, "least_w": 2500}
    assert capacity(part, {"2025-01": 4321}) == (17_284_000, 0)
    assert capacity(part, {"2025-01": 100}) == (10_000_000, 0)
    assert capacity(part, {"2024-12": 9000}) == (10_000_000, 1)
    part["average_months"] = 3
    assert capacity(part, {"2025-01": 3000, "2024-12": 100, "2024-11": 4000, "2024-10": 90000}) == (3167 * 4000, 0)
    assert capacity(dict(part, months="apr-oct"), {"2025-01": 3000}) == (0, 0)


def test_steps_of_capacity_and_energy_above_the_reference():
    part = {"steps": [{"below_w": 2000, "month_micro": 1}, {"below_w": 5000, "month_micro": 2}, {"month_micro": 3}]}
    for watts, price in ((0, 1), (1999, 1), (2000, 2), (4999, 2), (5000, 3), (90000, 3)):
        assert capacity(part, {"2025-01": watts}) == (price, 0)
    assert capacity({"excess_micro": 110000}, {}, {"2025-01": 2000}) == (220000, 0)
    assert capacity({"excess_micro": 110000}, {}) == (0, 1)


def test_rounding_comes_last_and_away_from_zero():
    unit = 10 ** 9 * 2000 * 1000 * 377580
    assert cents(unit // 200) == 1 and cents(unit // 200 - 1) == 0
    assert cents(-unit // 200) == -1 and cents(1 - unit // 200) == 0
    assert micro(unit * 3 // 2000000) == 2 and micro(-unit * 3 // 2000000) == -2
    third = figures([unit // 300, unit // 300, unit // 300, 0, 0, 0, 0])
    assert third["cents"] == 1 and third["energy"] == 3333


def test_contracts_are_compared_in_one_pass():
    dear = contract({"micro": 300000})
    end = JANUARY + 40 * DAY
    rows = half_hours(JANUARY, end, import_wh=1000)
    found = run([Account(contract), Account(lambda: dear)], rows, ZONE, JANUARY, end)
    assert [one["whole"]["cents"] for one in found] == [48 * 40 * 25, 48 * 40 * 30]
    assert sorted(found[1]["steps"]) == ["2025-01", "2025-02"]
    assert found[1]["steps"]["2025-02"]["cents"] == 48 * 9 * 30
