# SPDX-License-Identifier: MIT
"""Runs under MicroPython, in a folder with a history, prices and contracts: what /api/compare does. Prints
milliseconds, bytes of heap at most, and the sum of all contracts in cents."""

import gc
import json
import sys
import time

from wattport import posixzone
from wattport.modules import load

start, end, at_once = [int(word) for word in sys.argv[1:4]]
names = sys.argv[4:]
zone = posixzone.parse(posixzone.CENTRAL_EUROPE)


def reader(name):
    def read():
        with open("contracts/%s.json" % name) as file:
            return json.load(file)
    return read


gc.collect()
before = gc.mem_alloc()
most = cents = 0
began = time.ticks_ms()
spent = 0  # on measuring
from wattport.history import past  # noqa: E402
from wattport.tariff import compare  # noqa: E402
from wattport.tariff.cost import Account  # noqa: E402

market = load("wattport.tariff.market", "Market")()
for at in range(0, len(names), at_once):
    accounts = [Account(reader(name), market) for name in names[at:at + at_once]]
    for step in compare.steps(accounts, past.rows(start, end), zone, start, end):
        if step:
            then = time.ticks_ms()
            gc.collect()
            most = max(most, gc.mem_alloc() - before)
            spent += time.ticks_diff(time.ticks_ms(), then)
    cents += sum([compare.figures(account.whole)["cents"] for account in accounts])
print(time.ticks_diff(time.ticks_ms(), began) - spent, most, cents)
