# SPDX-License-Identifier: MIT
"""Prints figures, those that are asked for."""

import json
import time

from tools.bench import stopwatch

ONLY = [""]  # what a name must contain


def wanted(*starts):
    """May a name that starts so be one that is asked for?"""
    only = ONLY[0]
    return any(start.startswith(only[:len(start)]) or only in start for start in starts) or not only


def show(name, value, unit, budget=None, more=False):
    """`more`: the value should be at least the budget, not at most."""
    if ONLY[0] not in name:
        return
    good = None if budget is None else value >= budget if more else value <= budget
    rounded = [round(number, 1) if isinstance(number, float) else number for number in (value, budget)]
    print(json.dumps({"name": name, "value": rounded[0], "unit": unit, "budget": rounded[1], "ok": good}), flush=True)


def best(work, count, rounds=stopwatch.ROUNDS):
    """Microseconds of one of `count` pieces of work, the best of some rounds."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) / count * 1e6)
    return min(found)
