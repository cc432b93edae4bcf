# SPDX-License-Identifier: MIT
"""Any number of contracts against the same half-hours, in one pass and in small pieces."""

from wattport.tariff.cost import MISSED, PARTS, cents, micro
from wattport.tariff.days import days


def steps(accounts, rows, zone, start, end, by_day=False):
    """Charge each Account with `rows` (start, flags, values), in order, from `start` to `end` (UTC).

    A generator: None after each piece of work (a few rows, or one price of a contract for a day), and the name of a
    month ("2026-01") or day ("2026-01-31") when its figures stand in each account's `step` and `missing`. At its end
    `whole` has all.
    """
    name = None
    for day in days(rows, zone, start, end):
        yield None
        if day is None:
            continue
        of = "%d-%02d" % (day.year, day.month) + ("-%02d" % day.date if by_day else "")
        if name is not None and of != name:
            for account in accounts:
                account.close()
            yield name
            for account in accounts:
                account.open()
        name = of
        for account in accounts:
            yield from account.take(day)
            yield None
    if name is not None:
        for account in accounts:
            account.close()
        yield name


def figures(sums):
    """Exact sums in the order of PARTS → micro-units by their names, "total", and "cents" of that."""
    made = {name: micro(value) for name, value in zip(PARTS, sums)}
    made["total"] = micro(sum(sums))
    made["cents"] = cents(sum(sums))
    return made


def told(account):
    """The figures of a step, and what was "missing" in it."""
    made = figures(account.step)
    made["missing"] = {name: count for name, count in zip(MISSED, account.missing) if count}
    return made


def saved(own, other):
    """What the whole range costs less by another Account, in micro-units; None in another currency. own: (currency,
    exact sum)."""
    return micro(own[1] - sum(other.whole)) if own[0] == other.currency else None


def run(accounts, rows, zone, start, end, by_day=False):
    """All at once. For each account {"name", "currency", "steps": {"2026-01": figures, "missing"}, "whole": figures}"""
    found = [{"name": account.name, "currency": account.currency, "steps": {}} for account in accounts]
    for name in steps(accounts, rows, zone, start, end, by_day):
        if name is not None:
            for record, account in zip(found, accounts):
                record["steps"][name] = told(account)
    for record, account in zip(found, accounts):
        record["whole"] = figures(account.whole)
    return found
