# SPDX-License-Identifier: MIT
"""What the capacity parts of a contract cost for a month. Loaded when a month is charged, then forgotten."""

from wattport.modules import forget
from wattport.tariff import terms

forget("wattport.tariff.terms")


def _name(year, month):
    return "%d-%02d" % (year, month)


def _watts(peaks, year, month, part):
    """(W that are charged for a month, whether it is known): each month's peak, not less than `least_w`; the mean of
    the last `average_months` that are known, rounded to the watt."""
    count = total = 0
    known = _name(year, month) in peaks
    least = part.get("least_w", 0)
    for _ in range(part.get("average_months", 1)):
        watts = peaks.get(_name(year, month))
        if watts is not None:
            total += max(watts, least)
            count += 1
        month -= 1
        if not month:
            year, month = year - 1, 12
    return ((2 * total + count) // (2 * count) if count else least), known


def _one(part, peaks, excess, year, month):
    """(what a part costs for the whole month, in 1e-9 of the currency; whether its input is known)"""
    if "excess_micro" in part:
        name = _name(year, month)
        return excess.get(name, 0) * part["excess_micro"], name in excess
    watts, known = _watts(peaks, year, month, part)
    if "steps" not in part:
        return watts * part["kw_month_micro"], known
    for step in part["steps"]:
        if watts < step.get("below_w", watts + 1):
            return step["month_micro"] * 1000, known


def month(parts, peaks, excess, year, month):
    """(1e-9 of the currency for a whole month, how many parts had no input)"""
    amount = missing = 0
    for part in parts:
        if terms.mask(part.get("months", "jan-dec"), terms.MONTHS) >> month - 1 & 1:
            one, known = _one(part, peaks, excess, year, month)
            amount += one
            missing += not known
    return amount, missing
