# SPDX-License-Identifier: MIT
"""A history's CSV as long-term statistics of Home Assistant: for its energy dashboard, from before it was there.

    python -m tools.homeassistant house.csv --push http://homeassistant.local:8123 --token TOKEN
    python -m tools.homeassistant house.csv statistics.json      only writes what would be sent

What goes there are messages of its WebSocket API, "recorder/import_statistics", one or several for each quantity: hours
of UTC, each with the running total since the first row of the CSV. The statistics are "wattport:NAME_import_wh" and so
on; sent again, with a longer CSV, an hour is replaced by itself.
"""

import argparse
import json
import os
import re
import sys
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path

from websockets.exceptions import WebSocketException  # amqtt brings it
from websockets.sync.client import connect

from tools.history import HistoryError, moment, table

HOUR_S = 3600
PIECE = 1000  # hours in a message
PATIENCE_S = 60
NAME = re.compile(r"(?!.*__)[a-z0-9](?:[a-z0-9_]*[a-z0-9])?")  # what its identifiers may hold
# ending of a column: divisor, unit, its class there
UNITS = {"_wh": (1000, "kWh", "energy"), "_kj": (1000, "MJ", "energy"), "_l": (1000, "m³", "volume")}


def unit_of(column):
    """A row of UNITS; None for what is no rising quantity there: gauges, reactive energy."""
    if "_max_" in column or "_min_" in column:
        return None
    return next((unit for ending, unit in UNITS.items() if column.endswith(ending)), None)


def hours(rows, column):
    """[(UTC of an hour, what came in it), …] of a CSV's rows, by time; hours that hold nothing of it are left out."""
    found = {}
    for row in rows:
        if row.get(column):
            start = moment(row) // HOUR_S * HOUR_S
            found[start] = found.get(start, 0) + int(row[column])
    return sorted(found.items())


def messages(columns, rows, name="house", plain=False):
    """What Home Assistant is to be sent, without the number that each gets. plain: as it was before 2025, without
    unit_class and mean_type."""
    for column in columns[2:]:
        unit = unit_of(column)
        points = hours(rows, column) if unit else []
        if not points:
            continue
        divisor, text, kind = unit
        metadata = {"source": "wattport", "statistic_id": "wattport:%s_%s" % (name, column.replace(".", "_")),
                    "name": "Wattport %s %s" % (name, column.rpartition("_")[0].replace("_", " ")),
                    "unit_of_measurement": text, "has_sum": True, "has_mean": False}
        if not plain:
            metadata.update(unit_class=kind, mean_type=0)
        total, stats = 0, []
        for start, value in points:
            total += value
            stats.append({"start": datetime.fromtimestamp(start, UTC).isoformat(), "state": total / divisor,
                          "sum": total / divisor})
        for at in range(0, len(stats), PIECE):
            yield {"type": "recorder/import_statistics", "metadata": metadata, "stats": stats[at:at + PIECE]}


def push(address, token, wanted):
    """Send messages; how many hours they had. HistoryError says what Home Assistant did not like."""
    parts = urllib.parse.urlsplit(address if "://" in address else "http://" + address)
    url = "%s://%s/api/websocket" % ({"https": "wss", "wss": "wss"}.get(parts.scheme, "ws"), parts.netloc)
    count = 0
    try:
        with connect(url, open_timeout=PATIENCE_S, max_size=None) as socket:
            def answer(kind):
                while True:
                    told = json.loads(socket.recv(PATIENCE_S))
                    if told.get("type") in kind:
                        return told
            answer(("auth_required",))
            socket.send(json.dumps({"type": "auth", "access_token": token}))
            told = answer(("auth_ok", "auth_invalid"))
            if told["type"] != "auth_ok":
                raise HistoryError("%s: %s" % (address, told.get("message", "the token is wrong")))
            for number, message in enumerate(wanted, 1):
                socket.send(json.dumps({"id": number, **message}))
                told = answer(("result",))
                if not told.get("success"):
                    raise HistoryError("%s: %s: %s" % (
                        address, message["metadata"]["statistic_id"], told.get("error", {}).get("message", "refused")))
                count += len(message["stats"])
    except (OSError, TimeoutError, ValueError, KeyError, WebSocketException) as error:
        raise HistoryError("%s: %s" % (address, error or type(error).__name__)) from None
    return count


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.homeassistant",
                                     description="A history as long-term statistics of Home Assistant.")
    parser.add_argument("csv", type=Path, help="as tools.history fetches it")
    parser.add_argument("file", nargs="?", type=Path, help="where the messages go, JSON")
    parser.add_argument("--push", metavar="ADDRESS", help="of Home Assistant, to send them to")
    parser.add_argument("--token", default=os.environ.get("HASS_TOKEN"),
                        help="a long-lived access token of an administrator, or in HASS_TOKEN")
    parser.add_argument("--name", default="house", help="stands in the statistics' names")
    parser.add_argument("--plain", action="store_true", help="for a Home Assistant that knows no unit_class yet")
    wanted = parser.parse_args(arguments)
    if (wanted.file is None) == (wanted.push is None):
        parser.error("a file, or --push with an address")
    if wanted.push and not wanted.token:
        parser.error("--push needs --token")
    if not NAME.fullmatch(wanted.name):
        parser.error("--name takes small letters, digits and single underscores between them")
    try:
        made = list(messages(*table(wanted.csv.read_bytes().decode(), wanted.csv), wanted.name, wanted.plain))
        if wanted.push:
            print("%d hours brought" % push(wanted.push, wanted.token, made))
        else:
            wanted.file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
            print("%d hours written" % sum(len(message["stats"]) for message in made))
    except (HistoryError, OSError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
