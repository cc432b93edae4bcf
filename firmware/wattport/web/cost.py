# SPDX-License-Identifier: MIT
"""GET /api/cost?from=&to=&step=: what the household's own half-hours cost by its contract. GET /api/compare: by each
contract that is kept, its own first.

from, to: UTC seconds since 1970, or a date, when the household's day begins; this month, and of `compare` thirteen
months, when they are left out. step: "month" or "day". Without a contract the prices of the settings make one.

{"from", "to", "costs": [{"contract": name, "step": "2026-01", figures, "missing"}, …, {"contract": name, "step": null,
"title", "currency", figures of the whole range, "saved": against the household's own}]}: figures as `compare.figures`;
the name of what the settings make is null. Sent while it is calculated, a few contracts at a time.
"""

import asyncio
import json
import time

from micropython import const

from wattport.modules import fetch, forget, load
from wattport.web.refused import Refused

_AT_ONCE = const(4)  # contracts in a pass over the half-hours, where the heap has room for them
_NEEDS = const(22500)  # bytes of heap for a pass with one, and for the meter meanwhile
_SPARE = const(13000)  # bytes that the pass and the meter need beside the contracts
_LOOK_MS = const(200)
_TURN_MS = const(5)  # then it is the others' turn
_busy = []  # who calculates: one after another, as each takes its heap


def _forgotten():
    forget("wattport.tariff.market", "wattport.tariff.days", "wattport.tariff.price", "wattport.tariff.cost",
           "wattport.tariff.compare", "wattport.tariff.terms", "wattport.tariff.capacity")


def _reader(web, name):
    """Gives a contract as often as it is asked for; None: what the settings make. No more than that, as it stays in the
    heap for as long as it takes."""
    if name is None:
        document = fetch("wattport.tariff.kept", "simple")(web.settings["tariff"])
        return lambda: document

    def read():
        with open("contracts/%s.json" % name) as file:
            return json.load(file)
    return read


async def _accounts(web, names):
    """[(name, Account)] of the first contracts, as many as a pass may have; they are taken out of `names`. What is
    damaged is left out."""
    from wattport.tariff.cost import Account
    market = load("wattport.tariff.market", "Market")()
    peaks, excess = fetch("wattport.web.range", "peaks")(web.app)
    found = []
    while names and len(found) < _AT_ONCE:
        if found and fetch("wattport.spare", "left")()[0] < _SPARE:
            break
        name = names.pop(0)
        try:
            found.append((name, Account(_reader(web, name), market, peaks, excess)))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        await asyncio.sleep(0)
    return found


class _Answer:
    def __init__(self, web, names, start, end, by_day):
        self._web, self._names, self._start, self._end, self._by_day = web, names, start, end, by_day
        self._own = None  # what the first contract comes to
        self._comma = ""

    async def send(self, client):
        half = self._web.app.half
        while _busy or half.busy:  # somebody was quicker
            await asyncio.sleep_ms(50)
            client.send()
        _busy.append(True)
        half.users += 1
        try:
            await client.awrite('{"from": %d, "to": %d, "costs": [' % (self._start, self._end))
            while self._names:
                load("wattport.history.past", "rows")  # so that what is free then is free for contracts
                load("wattport.tariff.compare", "steps")
                load("wattport.tariff.capacity", "month")  # an import takes the heap that is in one piece now
                await self._pass(client, await _accounts(self._web, self._names))
            await client.awrite("]}")
        finally:
            half.users -= 1
            if not half.users:
                load("wattport.history.place", "let_go")()
            _busy.pop()
            _forgotten()

    async def _pass(self, client, found):
        from wattport.tariff import compare
        rows = load("wattport.history.past", "rows")(self._start, self._end)
        since = time.ticks_ms()
        accounts = [account for _, account in found]
        for step in compare.steps(accounts, rows, self._web.app.wall.zone, self._start,
                                  self._end, self._by_day):
            if step is None:
                if time.ticks_diff(time.ticks_ms(), since) >= _TURN_MS:
                    await asyncio.sleep(0)
                    client.send()  # it is we who are slow
                    since = time.ticks_ms()
                continue
            for name, account in found:
                await self._tell(client, name, step, compare.told(account))
        for name, account in found:
            made = compare.figures(account.whole)
            if self._own is None:
                self._own = account.currency, sum(account.whole)
            made["title"], made["currency"] = account.name, account.currency
            made["saved"] = compare.saved(self._own, account)
            await self._tell(client, name, None, made)
        # what the stack has kept of this pass must not keep them for the next one
        account = rows = None
        accounts.clear()
        found.clear()

    async def _tell(self, client, name, step, made):
        made["contract"], made["step"] = name, step
        await client.awrite(self._comma + json.dumps(made))
        self._comma = ", "


async def get(web, request):
    half = web.app.half
    if not half:
        raise Refused(404, "not_found", "There is nothing at this address.")  # in the portal, or no history is kept
    while half.busy:  # never both in the heap
        await asyncio.sleep_ms(_LOOK_MS)
    names, start, end, by_day = fetch("wattport.web.range", "wanted")(web, request)
    if _busy:
        raise Refused(503, "busy", "Somebody else calculates at the moment.")
    if fetch("wattport.spare", "left")()[0] < _NEEDS:  # the history is at work, say
        raise Refused(503, "busy", "The dongle's memory is full at the moment.")
    return _Answer(web, names, start, end, by_day).send, 200, "Content-Type: application/json\r\n"
