# SPDX-License-Identifier: MIT
"""Contracts on a PC, with the engine of the dongle: check them, list the examples, compare them by a history.

    python -m tools.tariff examples
    python -m tools.tariff check FILE...
    python -m tools.tariff compare HISTORY.csv CONTRACT... [--prices FILE] [--peaks FILE] [--tz ZONE] [--from, --to]

A contract is a file or the name of an example. The first one is yours: the others are held against it. docs/tariffs.md
has the forms. Exit 0: all is well; 1: a contract, or a file, is wrong; 2: usage.
"""

import argparse
import csv
import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tools import cpython, zones

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.tariff.check import TariffError, check  # noqa: E402
from wattport.tariff.compare import run  # noqa: E402
from wattport.tariff.cost import Account  # noqa: E402
from wattport.tariff.days import MISSING  # noqa: E402

EXAMPLES = sorted((Path(__file__).parent / "contracts").glob("*.json"))
HALF_HOUR = 1800
STEPS = (900, 1800, 3600)


class FileError(Exception):
    """What is wrong with which file."""


def read(path):
    """The contract in a file, checked."""
    try:
        return check(json.loads(Path(path).read_text()))
    except OSError:
        raise FileError("%s: there is no such file" % path)
    except (ValueError, RecursionError):
        raise FileError("%s: this is no JSON" % path)
    except TariffError as error:
        raise FileError("%s: %s" % (path, error))


def named(name):
    """The contract in a file, or the example of that name."""
    for path in EXAMPLES:
        if path.stem == name:
            return read(path)
    return read(name)


class Prices:
    """Of the market: for each half-hour twice its price, in micro-units a kWh."""

    def __init__(self):
        self._found = {}

    def add(self, currency, step_s, micro):
        """micro: {UTC: price}, each for step_s seconds. A half-hour of which a quarter is missing is missing."""
        found = self._found.setdefault(currency, {})
        for at, price in micro.items():
            if step_s >= HALF_HOUR:
                for start in range(at, at + step_s, HALF_HOUR):
                    found[start] = 2 * price
            elif at % HALF_HOUR == 0 and at + step_s in micro:
                found[at] = price + micro[at + step_s]

    def fill(self, currency, start, count, into):
        found = self._found.get(currency, {})
        for i in range(count):
            into[i] = found.get(start + HALF_HOUR * i, MISSING)


def prices(path):
    """From a file as the dongle takes it (docs/tariffs.md), or a list of such."""
    made = Prices()
    try:
        parts = json.loads(Path(path).read_text())
        for part in parts if isinstance(parts, list) else [parts]:
            step = part["step_s"]
            if step not in STEPS:
                raise FileError("%s: step_s is one of %s" % (path, ", ".join(map(str, STEPS))))
            made.add(part["currency"], step, {
                part["start"] + step * i: price for i, price in enumerate(part["micro"]) if price is not None})
    except OSError:
        raise FileError("%s: there is no such file" % path)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FileError("%s: these are no prices" % path)
    return made


def instant(text, zone):
    """UTC of a time in a CSV: with its offset, or in the zone; or seconds since 1970."""
    if text.isdigit():
        return int(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        return zone.utc(at.year, at.month, at.day, at.hour, at.minute, at.second)
    return int(at.timestamp())


def history(path, zone):
    """[(UTC, 0, {"import_wh": …})] of a CSV: its first column is when a half-hour starts, others are named as in rows.
    """
    rows = []
    try:
        with open(path, newline="") as file:
            for number, line in enumerate(csv.DictReader(file), 2):
                try:
                    names = list(line)
                    values = {name: int(line[name]) for name in names[1:]
                              if name and name.endswith("_wh") and line[name]}
                    rows.append((instant(line[names[0]], zone), 0, values))
                except (ValueError, TypeError, IndexError):
                    raise FileError("%s: line %d is no half-hour" % (path, number))
    except OSError:
        raise FileError("%s: there is no such file" % path)
    except (UnicodeDecodeError, csv.Error):
        raise FileError("%s: this is no CSV" % path)
    if not rows or not any("import_wh" in values for _, _, values in rows):
        raise FileError("%s: there is no import_wh in it" % path)
    if any(at % HALF_HOUR for at, _, _ in rows):
        raise FileError("%s: its steps are no half-hours" % path)
    return sorted(rows, key=lambda row: row[0])


def peaks(path):
    """({month: W}, {month: Wh}) of {"peaks": …, "excess": …}."""
    if path is None:
        return {}, {}
    try:
        found = json.loads(Path(path).read_text())
        both = found.get("peaks", {}), found.get("excess", {})
        for part in both:
            for month, value in part.items():
                date.fromisoformat(month + "-01")
                if type(value) is not int or value < 0:
                    raise ValueError
        return both
    except OSError:
        raise FileError("%s: there is no such file" % path)
    except (ValueError, AttributeError):
        raise FileError('%s: {"peaks": {"2026-01": 4321}} is needed, in watts' % path)


def money(cents, currency):
    return "%s%d.%02d %s" % ("-" if cents < 0 else "", abs(cents) // 100, abs(cents) % 100, currency)


def table(found):
    """Lines for a person: months down, contracts across, and what was missing."""
    months = sorted({month for one in found for month in one["steps"]})
    lines = ["".rjust(8) + "".join(("[%d]" % (i + 1)).rjust(16) for i in range(len(found)))]
    for month in months:
        lines.append(month.rjust(8) + "".join(
            money(one["steps"][month]["cents"], one["currency"]).rjust(16) for one in found))
    lines.append("all".rjust(8) + "".join(money(one["whole"]["cents"], one["currency"]).rjust(16) for one in found))
    own = found[0]
    for i, one in enumerate(found):
        text = "[%d] %s" % (i + 1, one["name"])
        saved = own["whole"]["cents"] - one["whole"]["cents"]
        if i and one["currency"] == own["currency"]:
            text += ": you would have %s %s" % ("saved" if saved >= 0 else "paid more by",
                                                money(abs(saved), one["currency"]))
        lines.append(text)
        lost = {}
        for step in one["steps"].values():
            for what, count in step["missing"].items():
                lost[what] = lost.get(what, 0) + count
        for what, count in lost.items():
            lines.append("    " + MISSED[what] % count)
    return lines


MISSED = {
    "rows": "%d half-hours are not in the history",
    "contract": "%d half-hours lie before its first version: they cost nothing here",
    "prices": "%d half-hours had no price of the market: its fallback price was used",
    "registers": "%d half-hours had no registers T1 and T2: its fallback price was used",
    "peaks": "%d months had no known peak",
}


def compare(wanted):
    zone = posixzone.parse(wanted.tz)
    rows = history(wanted.history, zone)
    start, end = rows[0][0], rows[-1][0] + HALF_HOUR
    if wanted.start:
        start = zone.utc(*wanted.start.timetuple()[:3], 0, 0, 0)
    if wanted.end:
        end = zone.utc(*(wanted.end + timedelta(days=1)).timetuple()[:3], 0, 0, 0)
    market = prices(wanted.prices) if wanted.prices else None
    tops, excess = peaks(wanted.peaks)
    documents = [named(name) for name in wanted.contracts]
    found = run([Account(lambda document=document: document, market, tops, excess) for document in documents],
                rows, zone, start, end)
    if wanted.json:
        print(json.dumps(found))
    else:
        print("%s to %s" % tuple(datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC") for at in (start, end)))
        print("\n".join(table(found)))


def zone_text(text):
    try:
        return zones.posix(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tools.tariff", description="Electricity contracts: check and compare.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("examples", help="the example contracts, invented all of them")
    one = commands.add_parser("check", help="say what is wrong with a contract")
    one.add_argument("files", nargs="+", metavar="FILE")
    one = commands.add_parser("compare", help="what each contract would have cost; the first one is yours")
    one.add_argument("history", metavar="HISTORY.csv", help="half-hours, as the dongle exports them")
    one.add_argument("contracts", nargs="+", metavar="CONTRACT", help="a file, or an example's name")
    one.add_argument("--prices", metavar="FILE", help="prices of the market (JSON)")
    one.add_argument("--peaks", metavar="FILE", help="the peak of each month (JSON)")
    one.add_argument("--tz", type=zone_text, default=posixzone.CENTRAL_EUROPE, help="time zone, such as Europe/Oslo")
    one.add_argument("--from", type=date.fromisoformat, dest="start", metavar="DATE", help="the first day")
    one.add_argument("--to", type=date.fromisoformat, dest="end", metavar="DATE", help="the last day")
    one.add_argument("--json", action="store_true", help="exact figures, in micro-units, one JSON object")
    return parser.parse_args(arguments)


def main(arguments=None):
    wanted = parse(arguments)
    bad = 0
    try:
        if wanted.command == "examples":
            for path in EXAMPLES:
                print("%-16s %s" % (path.stem, read(path)["name"]))
        elif wanted.command == "compare":
            compare(wanted)
        else:
            for name in wanted.files:
                try:
                    print("%s: %s" % (name, named(name)["name"]))
                except FileError as error:
                    print(error, file=sys.stderr)
                    bad = 1
    except FileError as error:
        print(error, file=sys.stderr)
        bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
