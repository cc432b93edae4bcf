# SPDX-License-Identifier: MIT
"""A dongle's history on a PC: fetched, and only what is new; or brought back.

    python -m tools.history wattport.local house.csv
    python -m tools.history wattport.local house.sqlite --from 2026-01-01 --token TOKEN
    python -m tools.history wattport.local --send mended.csv --token TOKEN

The file grows with each call: half-hours behind its last one are added. In SQLite they are the table `halfhour`, with
`start` in UTC seconds.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import re
import sqlite3
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path

PATIENCE_S = 120  # a chip takes its time over a year
PIECE = 5000  # bytes of a request: the dongle takes 8 KB
COLUMN = re.compile(r"[a-z0-9_.]+")


class HistoryError(Exception):
    """What the dongle or the file is to blame for."""


def ask(host, path, token=None, document=None):
    """The answer's text."""
    base = host if "://" in host else "http://" + host
    headers = {"Content-Type": "application/json"} if document is not None else {}
    if token:
        headers["Authorization"] = "Bearer " + token
    request = urllib.request.Request(
        base.rstrip("/") + path, None if document is None else json.dumps(document).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        try:
            raise HistoryError("%s: %s" % (host, json.load(error)["detail"])) from None
        except (ValueError, KeyError):
            raise HistoryError("%s: %s" % (host, error)) from None
    except OSError as error:
        raise HistoryError("%s: %s" % (host, getattr(error, "reason", error))) from None


def table(text, name):
    """(columns, rows) of a CSV, each a dict."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = list(reader.fieldnames or ())
    if columns[:2] != ["start", "note"] or not all(COLUMN.fullmatch(column) for column in columns):
        raise HistoryError("%s: no history's CSV" % name)
    return columns, list(reader)


def moment(row):
    try:
        return int(datetime.fromisoformat(row["start"]).timestamp())
    except ValueError:
        raise HistoryError("no time: %s" % row["start"]) from None


class CsvFile:
    def __init__(self, path):
        self._path = path
        self._columns, self._rows = ["start", "note"], []
        if path.exists():
            self._columns, self._rows = table(path.read_bytes().decode(), path)

    def newest(self):
        return moment(self._rows[-1]) if self._rows else None

    def add(self, columns, rows):
        """All of it anew, as columns may have come; the old file stays until the new one is whole."""
        self._columns += [name for name in columns if name not in self._columns]
        self._rows += rows
        new = self._path.with_name(self._path.name + ".new")
        with open(new, "w", newline="") as file:
            writer = csv.DictWriter(file, self._columns, restval="", lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(self._rows)
        os.replace(new, self._path)


class Database:
    def __init__(self, path):
        self._path = path
        with self._open() as base:
            base.execute("create table if not exists halfhour (start integer primary key, note text)")

    @contextlib.contextmanager
    def _open(self):
        with contextlib.closing(sqlite3.connect(self._path)) as base, base:
            yield base

    def newest(self):
        with self._open() as base:
            return base.execute("select max(start) from halfhour").fetchone()[0]

    def add(self, columns, rows):
        with self._open() as base:
            there = {row[1] for row in base.execute("pragma table_info(halfhour)")}
            for name in columns:
                if name not in there:
                    base.execute('alter table halfhour add column "%s" integer' % name)
            base.executemany(
                "insert or replace into halfhour (%s) values (%s)" % (
                    ",".join('"%s"' % name for name in columns), ",".join("?" * len(columns))),
                [[moment(row), row["note"], *(int(row[name]) if row[name] else None for name in columns[2:])]
                 for row in rows])


def pull(host, path, since=None, token=None):
    """Add what is new; how many half-hours that is."""
    into = Database(path) if path.suffix in (".sqlite", ".db") else CsvFile(path)
    newest = into.newest()
    if newest is not None:
        since = str(newest + 1)
    query = urllib.parse.urlencode({"from": since or "0"})
    columns, rows = table(ask(host, "/api/history.csv?" + query, token), host)
    if rows:
        into.add(columns, rows)
    return len(rows)


def send(host, path, token=None):
    """Bring a CSV of half-hours to a dongle; how many it took."""
    columns, rows = table(path.read_bytes().decode(), path)
    for before, row in zip(rows, rows[1:]):
        if moment(row) - moment(before) < 1800:
            raise HistoryError("%s: %s is not half an hour behind the row before" % (path, row["start"]))
    lines = [",".join(row[name] or "" for name in columns) for row in rows]
    first = ",".join(columns)
    count = 0
    while lines:
        piece, size = [first], len(first)
        while lines and size < PIECE:
            piece.append(lines.pop(0))
            size += len(piece[-1]) + 2
        count += json.loads(ask(host, "/api/history", token, {"csv": "\n".join(piece), "last": not lines}))["rows"]
    return count


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.history", description="A dongle's history on a PC.")
    parser.add_argument("host", help="the dongle's name or address")
    parser.add_argument("file", nargs="?", type=Path, help="where it goes: .csv, .sqlite or .db")
    parser.add_argument("--from", dest="since", metavar="DATE", help="2026-01-01, say; without it all there is")
    parser.add_argument("--send", metavar="CSV", type=Path, help="half-hours that are to count instead of the dongle's")
    parser.add_argument("--token", default=os.environ.get("WATTPORT_TOKEN"), help="or in WATTPORT_TOKEN")
    wanted = parser.parse_args(arguments)
    if (wanted.file is None) == (wanted.send is None):
        parser.error("a file, or --send with one")
    try:
        if wanted.send:
            print("%d half-hours brought" % send(wanted.host, wanted.send, wanted.token))
        else:
            print("%d new half-hours" % pull(wanted.host, wanted.file, wanted.since, wanted.token))
    except (HistoryError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
