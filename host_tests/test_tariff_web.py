# SPDX-License-Identifier: MIT
"""Contracts, prices and what they come to, through the API of the whole firmware with a history on its flash."""

import json

import pytest

from host_tests.brokers import eventually
from host_tests.firmware import Wire
from host_tests.house import House
from tools import cpython, tariff
from tools.bench import past

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.tariff.compare import run  # noqa: E402
from wattport.tariff.cost import Account  # noqa: E402

ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)
FIRST = 1_754_344_800  # 2025-08-05 00:00 in Central Europe
ROWS = [{"import_wh": i * 37 % 900, "export_wh": i * 11 % 70, "import_t1_wh": i * 37 % 900, "import_t2_wh": 0}
        for i in range(48 * 60)]
END = FIRST + 1800 * len(ROWS)
EXAMPLES = {path.stem: tariff.read(path) for path in tariff.EXAMPLES}
PRICE = {"currency": "NOK", "import_micro": 1500000, "export_micro": 500000, "standing_micro": 2000000}


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tariffs")
    (folder / "state").mkdir()
    past.write(folder / "state", FIRST, ROWS)
    with Wire() as wire, House(folder, wire, tariff=PRICE, time={"source": "meter"}) as one:
        one.wait_for(one.telegram())
        # the history makes up for the days that nobody has added up yet
        eventually(lambda: list((one.state / "history").glob("d*")), "the history's days")
        yield one


@pytest.fixture(autouse=True)
def nothing_is_kept(owner):
    yield
    for one in owner.json("/api/tariffs")["contracts"]:
        owner.json("/api/tariffs", {"remove": one["name"]})


def expected(documents, start, end, market=None, by_day=False):
    """What the API has to answer for contracts, by the engine that test_tariff.py has proven."""
    rows = [(FIRST + 1800 * i, 0, row) for i, row in enumerate(ROWS)]
    return run([Account(lambda document=document: document, market) for document in documents], rows, ZONE, start, end,
               by_day)


def test_contracts_are_put_read_chosen_and_removed(owner):
    assert owner.json("/api/tariffs") == {"current": None, "most": 12, "contracts": []}
    answer = owner.json("/api/tariffs", {"put": {"name": "be", "contract": EXAMPLES["be-flat"]}})
    assert answer == {"current": None, "contracts": ["be"]}
    owner.json("/api/tariffs", {"put": {"name": "at", "contract": EXAMPLES["at-workdays"]}})
    assert owner.json("/api/tariffs", {"current": "be"})["current"] == "be"
    assert owner.json("/api/tariffs") == {"current": "be", "most": 12, "contracts": [
        {"name": "at", "title": EXAMPLES["at-workdays"]["name"], "currency": "EUR", "from": [None]},
        {"name": "be", "title": EXAMPLES["be-flat"]["name"], "currency": "EUR", "from": ["2025-01-01", "2025-07-14"]}]}
    assert owner.json("/api/tariffs?name=at") == EXAMPLES["at-workdays"]
    assert owner.json("/api/tariffs?name=none", status=404)["error"] == "not_found"
    assert owner.json("/api/tariffs", {"remove": "be"}) == {"current": None, "contracts": ["at"]}


def test_every_example_fits_on_the_dongle(owner):
    for name, document in EXAMPLES.items():
        owner.json("/api/tariffs", {"put": {"name": name, "contract": document}})
        assert owner.json("/api/tariffs?name=" + name) == document


@pytest.mark.parametrize("document, setting", [
    ({}, ""), ({"put": {}, "remove": "x"}, ""), ({"other": 1}, "put"), ({"put": 1}, "put"),
    ({"put": {"name": "a"}}, "put"),
    ({"put": {"name": "A", "contract": {}}}, "name"), ({"put": {"name": "a", "contract": []}}, ""),
    ({"put": {"name": "a", "contract": {**EXAMPLES["be-flat"], "versions": []}}}, "versions"),
    ({"remove": "a"}, "name"), ({"current": "a"}, "current"), ({"current": 5}, "current")])
def test_what_is_wrong_is_refused_with_its_place(owner, document, setting):
    answer = owner.json("/api/tariffs", document, 422)
    assert answer["setting"] == setting and len(answer["detail"]) > 10


def costs(owner, path):
    """The answer, as soon as there is the memory for it: (itself, [(name, {step: figures}, whole)] in its order)."""
    found = []

    def there():
        status, _, body = owner.ask(path)
        assert status in (200, 503), body
        if status == 200:
            found.append(json.loads(body))
        return found
    eventually(there, "the costs")
    return found[0], by_contract(found[0])


def by_contract(found):
    steps, wholes = {}, []
    for one in found["costs"]:
        name, step = one.pop("contract"), one.pop("step")
        if step is None:
            wholes.append((name, steps.get(name), one))
        else:
            steps.setdefault(name, {})[step] = one
    return wholes


def test_without_a_contract_the_price_of_the_settings_counts(owner):
    found, by_name = costs(owner, "/api/cost?from=2025-09-01&to=2025-09-02")
    (one,) = expected([{"tariff": 1, "name": "x", "currency": "NOK", "versions": [
        {"energy": {"micro": 1500000}, "export": {"micro": 500000}, "standing": {"day_micro": 2000000}}]}],
        found["from"], found["to"])
    assert found["to"] - found["from"] == 86400 and one["whole"]["cents"] > 1000
    assert by_name == [(None, one["steps"], {
        **one["whole"], "title": "Price of the settings", "currency": "NOK", "saved": 0})]


def test_contracts_are_compared_and_the_savings_told(owner):
    names = ["at-workdays", "be-day-night", "de-flat", "no-spot", "uk-night", "be-flat"]
    for name in names:
        owner.json("/api/tariffs", {"put": {"name": name, "contract": EXAMPLES[name]}})
    owner.json("/api/tariffs", {"current": "be-day-night"})
    order = ["be-day-night", *sorted(set(names) - {"be-day-night"})]
    wanted = expected([EXAMPLES[name] for name in order], FIRST, END)
    _, found = costs(owner, "/api/compare?from=2025-08-05&to=%d" % END)
    assert [name for name, _, _ in found] == order
    for (_, steps, whole), one in zip(found, wanted):
        assert steps == one["steps"] and len(steps) == 3
        saved = whole.pop("saved")
        assert whole == {**one["whole"], "title": one["name"], "currency": one["currency"]}
        if one["currency"] == "EUR":
            assert abs(saved - (wanted[0]["whole"]["total"] - one["whole"]["total"])) <= 1
        else:
            assert saved is None
    day, ((name, steps, _),) = costs(owner, "/api/cost?from=2025-09-10&to=2025-09-13&step=day")
    (one,) = expected([EXAMPLES["be-day-night"]], day["from"], day["to"], by_day=True)
    assert name == "be-day-night" and steps == one["steps"]
    assert list(steps) == ["2025-09-10", "2025-09-11", "2025-09-12"]


def test_prices_of_the_market_are_taken_and_used(owner):
    start, micro = FIRST, [10 * (i * 79 % 3001) - 500 for i in range(96 * 3)]
    micro[7] = None
    assert owner.json("/api/prices", {"currency": "EUR", "start": start, "step_s": 900, "micro": micro}) == {
        "half_hours": 48 * 3 - 1}
    owner.json("/api/tariffs", {"put": {"name": "nl", "contract": EXAMPLES["nl-dynamic"]}})
    owner.json("/api/tariffs", {"current": "nl"})
    _, ((_, steps, _),) = costs(owner, "/api/cost?from=%d&to=%d" % (start, start + 4 * 86400))
    market = tariff.Prices()
    market.add("EUR", 900, {start + 900 * i: price for i, price in enumerate(micro) if price is not None})
    (one,) = expected([EXAMPLES["nl-dynamic"]], start, start + 4 * 86400, market)
    assert steps == one["steps"] and steps["2025-08"]["missing"]["prices"] >= 48


def test_ranges_and_steps_that_cannot_be_are_refused(owner):
    for query in ("from=yesterday", "from=2025-09-31", "from=2025-09-02&to=2025-09-01", "from=2023-01-01", "step=hour",
                  "from=99999999999"):
        assert owner.json("/api/cost?" + query, status=400)["error"] == "bad_request", query
    now, ((_, steps, _),) = costs(owner, "/api/cost")
    assert len(steps) == 1 and 0 <= owner.health()["utc"] - now["to"] < 3600
    year, month = list(steps)[0].split("-")
    _, ((_, steps, _),) = costs(owner, "/api/compare")
    assert list(steps)[0] == "%d-%s" % (int(year) - 1, month) and len(steps) == 13


def test_a_full_dongle_compares_all_its_contracts_and_reads_the_meter(owner):
    before = owner.health()["web"]["errors"]
    for name, document in EXAMPLES.items():
        owner.json("/api/tariffs", {"put": {"name": name, "contract": document}})
    _, found = costs(owner, "/api/compare?from=2025-08-05&to=2025-10-04")
    assert [len(steps) for _, steps, _ in found] == [3] * (len(EXAMPLES) + 1)
    owner.wait_for(owner.telegram())
    assert owner.health()["web"]["errors"] == before
