# SPDX-License-Identifier: MIT
"""Whatever stands in a contract is refused in words or can be calculated; a range costs exactly what its parts cost."""

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tools import cpython, tariff

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.tariff.check import TariffError, check  # noqa: E402
from wattport.tariff.compare import run, steps  # noqa: E402
from wattport.tariff.cost import Account  # noqa: E402

DOCUMENTS = [tariff.read(path) for path in tariff.EXAMPLES]
ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)
START = 1_742_770_800  # 2025-03-24 00:00 in Central Europe: the clocks change within, and so does the month
COUNT = 48 * 12
ROWS = [(START + 1800 * i, 0, {"import_wh": i * 7919 % 2500, "export_wh": i * 104729 % 900,
                               **({"import_t1_wh": i * 7919 % 2500, "import_t2_wh": 0} if i % 5 else {})})
        for i in range(COUNT)]
PEAKS = {"2025-%02d" % month: 1000 * month + 357 for month in range(1, 4)}
EXCESS = {"2025-03": 12345}
MARKET = tariff.Prices()
MARKET.add("EUR", 900, {START + 900 * i: i * 3571 % 400000 - 30000 for i in range(2 * COUNT) if i % 50})

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["mon-fri", "nov-mar", "07:00-22:00", "easter+1", "2025-03-28", "12-25", "sat,hol",
                       "24:00-00:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["micro", "bands", "from", "energy", "steps", "hours", "kw_month_micro", "day_register"]), inner, max_size=3),
    max_leaves=5)


def places(value, path=()):
    """Every place in a document."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, path + (key,))


@st.composite
def nearly_contracts(draw):
    """An example with up to three places changed, taken away or added."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(document))[1:] or [("tariff",)]))
        within = document
        for key in path[:-1]:
            within = within[key]
        action = draw(st.sampled_from(["change", "change", "remove", "add"]))
        if action == "remove":
            del within[path[-1]]
        elif action == "add" and isinstance(within, dict):
            within[draw(st.sampled_from(["micro", "months", "from", "average_months", "other"]))] = draw(ANYTHING)
        else:
            within[path[-1]] = draw(ANYTHING)
    return document


def account(document):
    return Account(lambda: document, MARKET, PEAKS, EXCESS)


@given(nearly_contracts() | ANYTHING)
@settings(max_examples=400, deadline=None)
def test_a_contract_is_refused_in_words_or_can_be_calculated(document):
    before = json.dumps(document, default=str)
    try:
        check(document)
    except TariffError as error:
        place, _, wanted = str(error).partition(": ")
        assert place and (wanted or "no JSON object" in place)
        assert json.dumps(document, default=str) == before
        return
    found = run([account(document)], ROWS[:100], ZONE, START, START + 1800 * 100)[0]["whole"]
    parts = [found[name] for name in ("energy", "tax", "grid", "standing", "capacity", "export", "vat")]
    assert abs(found["total"] - sum(parts)) <= len(parts)


def exact(documents, start, end):
    """[[sum of each part]] of contracts, before anything is rounded."""
    accounts = [account(document) for document in documents]
    for _ in steps(accounts, ROWS, ZONE, start, end):
        pass
    return [one.whole for one in accounts]


WHOLE = exact(DOCUMENTS, START, START + 1800 * COUNT)


@given(st.lists(st.integers(0, COUNT), max_size=3))
@settings(max_examples=25, deadline=None)
def test_a_range_costs_exactly_what_its_parts_cost(cuts):
    ends = [0, *sorted(cuts), COUNT]
    sums = [[0] * 7 for _ in DOCUMENTS]
    for first, last in zip(ends, ends[1:]):
        for into, part in zip(sums, exact(DOCUMENTS, START + 1800 * first, START + 1800 * last)):
            into[:] = [one + other for one, other in zip(into, part)]
    assert sums == WHOLE


@given(st.integers(0, 9), st.booleans())
@settings(max_examples=10, deadline=None)
def test_days_and_months_add_up_to_the_whole(first, by_day):
    accounts = [account(document) for document in DOCUMENTS]
    sums = [[0] * 7 for _ in DOCUMENTS]
    for name in steps(accounts, ROWS, ZONE, START + 86400 * first, START + 1800 * COUNT, by_day):
        if name:
            for into, one in zip(sums, accounts):
                into[:] = [a + b for a, b in zip(into, one.step)]
    assert sums == [one.whole for one in accounts]
    if not first:
        assert sums == WHOLE
