# SPDX-License-Identifier: MIT
"""What a dongle keeps: its contracts, and prices of the market."""

import os
from array import array

from wattport.tariff import feed, keep, kept, market
from wattport.tariff.check import check
from wattport.tariff.days import MISSING

FOLDER = "/tmp/wattport-test-tariff"
START = 1_760_047_200  # 2025-10-09 22:00 UTC
FIRST = START // 1800


def fresh():
    """Into an empty folder."""
    os.chdir("/")
    for sub in ("/contracts", "/prices"):
        try:
            for name in os.listdir(FOLDER + sub):
                os.remove(FOLDER + sub + "/" + name)
            os.rmdir(FOLDER + sub)
        except OSError:
            pass
    try:
        os.mkdir(FOLDER)
    except OSError:
        pass
    os.chdir(FOLDER)


def contract(name="one"):
    return {"tariff": 1, "name": name, "currency": "EUR", "versions": [{"energy": {"micro": 250000}}]}


def refusal(function, *arguments):
    try:
        function(*arguments)
    except (kept.TariffError, feed.PriceError) as error:
        return str(error)
    return "taken"


def known(currency, start, count):
    into = array("i", [MISSING] * count)
    market.Market().fill(currency, start, count, into)
    return [None if price == MISSING else price for price in into]


def prices(micro, step_s=1800, start=START, currency="EUR"):
    return {"currency": currency, "start": start, "step_s": step_s, "micro": micro}


def test_contracts_are_kept_chosen_and_removed():
    fresh()
    assert kept.names() == [] and kept.current() is None
    keep.put("b", contract("two"))
    keep.put("a", contract())
    keep.put("b", contract("three"))
    assert kept.names() == ["a", "b"] and kept.read("b") == contract("three")
    keep.choose("b")
    assert kept.current() == "b"
    keep.remove("a")
    assert kept.current() == "b"
    keep.remove("b")
    assert kept.current() is None and kept.names() == []
    keep.put("b", contract())
    assert kept.current() is None
    keep.choose("b")
    keep.choose(None)
    assert kept.current() is None


def test_what_cannot_be_kept_is_refused_by_name():
    fresh()
    for name in ("", "A", "a/b", "../a", "x" * 25, "a.b", None, 5, "\u00e4"):
        assert refusal(keep.put, name, contract()).startswith("name: "), name
        assert refusal(kept.read, name).startswith("name: ") and refusal(keep.remove, name).startswith("name: ")
    assert refusal(keep.put, "a", {"tariff": 1}).startswith("name: it is missing")
    large = contract()
    large["versions"][0]["energy"]["bands"] = [{"micro": 1, "hours": "07:00-08:00," * 600 + "07:00-08:00"}]
    assert refusal(keep.put, "a", large).startswith("the contract is larger")
    assert kept.names() == []
    for i in range(keep.MOST):
        keep.put("c%d" % i, contract())
    assert "remove one" in refusal(keep.put, "a", contract())
    keep.put("c0", contract("again"))
    assert refusal(keep.choose, "a").startswith("current: ") and refusal(keep.remove, "a").startswith("name: ")
    with open("contracts/c1.json", "w") as file:
        file.write("{")
    assert "damaged" in refusal(kept.read, "c1")


def test_the_price_of_the_settings_makes_a_contract():
    simple = kept.simple({"currency": "NOK", "import_micro": 1500000, "export_micro": 0, "standing_micro": 2000000})
    assert check(simple) is simple
    assert kept.simple({"currency": "EUR", "import_micro": 0, "export_micro": 0, "standing_micro": 0}) is None


def test_prices_of_quarter_half_and_whole_hours():
    fresh()
    assert feed.put(prices([100, 101, None, 5, -7, -8], 900)) == 2
    assert known("EUR", START - 1800, 5) == [None, 201, None, -15, None]
    assert feed.put(prices([70], 3600)) == 2
    assert known("EUR", START, 3) == [140, 140, -15]
    assert feed.put(prices([None, 33, 1])) == 2
    assert known("EUR", START, 3) == [140, 66, 2] and known("NOK", START, 3) == [None] * 3
    assert feed.put(prices([9], 900)) == 0  # half of a half-hour
    feed.put(prices([-500000000, 500000000]))
    assert known("EUR", START, 2) == [-1000000000, 1000000000]


def test_prices_that_are_known_are_not_written_again():
    fresh()
    feed.put(prices([100, 200]))
    (name,) = os.listdir("prices")
    with open("prices/" + name, "rb") as file:
        data = file.read()
    os.mkdir("prices/" + name + ".new")  # nothing can be written beside it
    try:
        assert feed.put(prices([100, 200])) == 2 and feed.put(prices([None, 200])) == 1
        try:
            feed.put(prices([100, 201]))
            raise AssertionError("it was written")
        except OSError:
            pass
    finally:
        os.rmdir("prices/" + name + ".new")
    with open("prices/" + name, "rb") as file:
        assert file.read() == data


def test_prices_go_over_the_edge_of_a_file():
    fresh()
    edge = (FIRST // 1008 + 1) * 1008 * 1800
    feed.put(prices(list(range(20)), start=edge - 10 * 1800))
    assert known("EUR", edge - 12 * 1800, 30) == [None] * 2 + [2 * i for i in range(20)] + [None] * 8
    assert len(os.listdir("prices")) == 2


def test_the_oldest_prices_go_and_the_room_is_bounded():
    fresh()
    for i in range(23):
        feed.put(prices([i], start=START + i * 1008 * 1800))
    assert len(os.listdir("prices")) == 20
    assert known("EUR", START + 2 * 1008 * 1800, 1) == [None] and known("EUR", START + 3 * 1008 * 1800, 1) == [6]
    assert known("EUR", START + 22 * 1008 * 1800, 1) == [44]
    assert sum([os.stat("prices/" + name)[6] for name in os.listdir("prices")]) == 20 * 4032


def test_what_are_no_prices_is_refused_by_name():
    fresh()
    for key, values in (("currency", ("eur", "", None, "EURO", 5)),
                        ("start", (START + 1, "x", None, 0, -1800, 10 ** 11, 1.5)),
                        ("step_s", (60, 0, None, "900", True)),
                        ("micro", ([], None, [1.5], ["1"], [True], [500000001], [0] * 401, {}))):
        for value in values:
            document = prices([1])
            document[key] = value
            assert refusal(feed.put, document).startswith(key + ": "), (key, value)
        document = prices([1])
        del document[key]
        assert refusal(feed.put, document).startswith(key + ": "), key
    assert refusal(feed.put, dict(prices([1]), price=1)).startswith("price: ")


def test_a_damaged_file_of_prices_is_as_none():
    fresh()
    feed.put(prices([1]))
    name = os.listdir("prices")[0]
    with open("prices/" + name, "wb") as file:
        file.write(b"12345")
    assert known("EUR", START, 2) == [None, None]
    feed.put(prices([8], start=START + 1800))
    assert known("EUR", START, 2) == [None, 16]
