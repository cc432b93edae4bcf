# SPDX-License-Identifier: MIT
"""The history of a running dongle (32 bits, 136 KB): kept beside everything else, and asked for over the network."""

import csv
import io
import json
import os
import sqlite3
from datetime import datetime

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Wire
from host_tests.house import House
from tools import cpython, history, meters

cpython.install()

from wattport.history.halfhour import HalfHour  # noqa: E402
from wattport.history.ledger import Ledger  # noqa: E402

HALF = 1800
NOON = 1_760_004_000  # 2025-10-09 12:00 in Central Europe
EARLIER = 60 * HALF  # what was recorded before the test, and two hours of silence behind it
SILENCE = 4 * HALF


def recorded(folder, meter):
    """A history that ends two hours before the meter's first telegram: the registers at its beginning."""
    end = NOON - SILENCE
    values = {name: meter.household[name] for name in (
        "import_wh", "import_t1_wh", "import_t2_wh", "export_wh", "export_t1_wh", "export_t2_wh")}
    identity = meter.family.compose(meter.household, meter.state)[1]["meter_id"]
    here = os.getcwd()
    os.chdir(folder)
    try:
        half, kept = HalfHour(), None
        for utc in range(end - EARLIER, end + 1, 300):
            reading = {name: values[name] - 1000 - (end - utc) // 30 for name in values}
            reading.update(meter_id=identity, power_import_w=240, power_export_w=0)
            half.take(reading, utc, False)
            if half.marks:
                ledger = Ledger(kept)
                for _ in ledger.load():
                    pass
                marks, half.marks = half.marks, []
                for mark in marks:
                    ledger.take(mark)
                ledger.flush()
                kept = ledger.kept()
    finally:
        os.chdir(here)
    return values["import_wh"] - 1000 - EARLIER // 30


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("history")
    (folder / "state").mkdir()
    meter = meters.make("dsmr5", seed=7, start=NOON - 4)
    first = recorded(folder / "state", meter)
    with Wire() as wire, House(folder, wire, time={"source": "meter"}) as one:
        one._meter = meter
        one.first = first
        closed(one)
        yield one


def closed(house):
    """Send telegrams until the half-hour before noon is in the history."""
    def there():
        house.newest = house.telegram()
        status, _, body = house.ask("/api/history?from=%d&to=%d" % (NOON - HALF, NOON + 60))
        return status == 200 and json.loads(body)["rows"]  # while the line is looked for, the heap may be full
    eventually(there, "the end of the half-hour")


def total(answer, name="import_wh"):
    at = answer["columns"].index(name)
    return sum(row[at] for row in answer["rows"])


def test_what_came_while_the_dongle_was_off_is_there_as_an_estimate_and_the_sum_is_the_registers(house):
    answer = house.json("/api/history?from=%d&to=%d" % (NOON - 10 * 86400, NOON + 60))
    assert answer["step"] == "halfhour" and answer["columns"][:2] == ["start", "flags"]
    starts = [row[0] for row in answer["rows"]]
    assert starts == list(range(NOON - SILENCE - EARLIER, NOON, HALF))
    assert [row[1] & 1 for row in answer["rows"]] == [0] * 60 + [1] * 4
    assert 0 <= house.newest["import_wh"] - house.first - total(answer) <= 10  # since the half-hour began


def test_steps_add_up(house):
    for step, count in (("hour", 32), ("day", 2), ("month", 1)):
        answer = house.json("/api/history?from=2025-10-01&to=%d&step=%s" % (NOON, step))
        halves = house.json("/api/history?from=2025-10-01&to=%d" % NOON)
        assert len(answer["rows"]) == count, answer["rows"]
        assert total(answer) == total(halves)
        first = datetime.fromtimestamp(answer["rows"][0][0])
        assert first.minute == 0


def test_the_csv_says_the_same_and_opens_as_a_table(house):
    rows = house.json("/api/history?from=2025-10-08&to=2025-10-10")
    status, headers, body = house.ask("/api/history.csv?from=2025-10-08&to=2025-10-10")
    assert status == 200 and headers["Content-Type"].startswith("text/csv")
    assert "wattport-halfhour.csv" in headers["Content-Disposition"]
    lines = body.decode().split("\r\n")
    assert lines[-1] == "" and not [line for line in lines if "\n" in line]
    table = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert len(table) == len(rows["rows"]) > 50
    for line, row in zip(table, rows["rows"], strict=True):
        assert datetime.fromisoformat(line["start"]).timestamp() == row[0] and line["start"].endswith("+02:00")
        assert [int(line[name]) if line[name] else None for name in rows["columns"][2:]] == row[2:]
        assert ("estimated" in line["note"]) == bool(row[1] & 1)
    utc = house.ask("/api/history.csv?from=2025-10-08&to=2025-10-10&utc=1")[2].decode()
    assert "\r\n2025-10-08T02:00:00Z," in utc


def test_what_is_no_time_or_step_is_refused(house):
    for query in ("from=x", "to=2025-02-30", "from=2025-1-1", "step=year", "from=99999999999", "to="):
        assert house.ask("/api/history?" + query)[0] == 400, query
    assert house.json("/api/history?from=5&to=4")["rows"] == []


def test_a_pc_fetches_what_is_new_and_brings_back_what_was_mended(house, tmp_path):
    host = "127.0.0.1:%d" % house.port
    for name in ("house.csv", "house.sqlite"):
        path = tmp_path / name
        count = history.pull(host, path, "2025-10-09")
        assert count > 20 and history.pull(host, path) == 0
    table, base = tmp_path / "house.csv", sqlite3.connect(tmp_path / "house.sqlite")
    columns, rows = history.table(table.read_bytes().decode(), table)
    assert [(row[0], row[1]) for row in base.execute("select start, import_wh from halfhour order by start")] == [
        (history.moment(row), int(row["import_wh"])) for row in rows]
    base.close()
    table.write_bytes("\r\n".join(table.read_bytes().decode().split("\r\n")[:-3] + [""]).encode())
    assert history.pull(host, table) == 2 and history.table(table.read_bytes().decode(), table) == (columns, rows)
    for row in rows[-3:]:
        row["import_wh"] = "77"
    mended = tmp_path / "mended.csv"
    history.CsvFile(mended).add(columns, rows)
    assert history.main([host, "--send", str(mended)]) == 0
    answer = house.json("/api/history?from=%d&to=%d" % (NOON - 3 * HALF, NOON))
    assert total(answer) == 231
    day = house.json("/api/history?from=2025-10-09&to=%d&step=day" % NOON)
    assert total(day) == sum(int(row["import_wh"]) for row in rows)


def test_what_a_pc_cannot_have_is_told(house, tmp_path, capsys):
    bad = tmp_path / "bad.csv"
    for text, told in (("a,b\r\n", "no history's CSV"), ("start,note,import_wh\r\nnow,,5\r\nthen,,5\r\n", "no time")):
        bad.write_text(text)
        assert history.main(["127.0.0.1:%d" % house.port, "--send", str(bad)]) == 1
        assert told in capsys.readouterr().err
    assert history.main(["127.0.0.1:9", str(tmp_path / "x.csv")]) == 1 and not (tmp_path / "x.csv").exists()


def test_the_meter_goes_on_meanwhile(house):
    health = house.health()
    assert health["tasks"]["history"]["restarts"] == 0 and not house.firmware.logged("history can't")
    assert health["heap_free"] > 20000


def test_half_hours_that_the_broker_missed_are_sent_later_oldest_first_and_once(tmp_path):
    (tmp_path / "state").mkdir()
    meter = meters.make("dsmr5", seed=7, start=NOON - 4)
    recorded(tmp_path / "state", meter)
    # the last that the broker has: three more were recorded while it was away, then the dongle was off for four
    number = (NOON - SILENCE) // HALF - 3
    cursor = tmp_path / "state" / "history" / "sent.txt"
    cursor.write_text(str(number))
    with Mosquitto(tmp_path) as broker, Wire() as wire, Listener(broker.port) as listener:
        mqtt = {"host": "127.0.0.1", "port": broker.port, "discovery": False}
        with House(tmp_path, wire, time={"source": "meter"}, mqtt=mqtt) as house:
            house._meter = meter
            closed(house)
            topic = house.firmware.topic("halfhour")
            eventually(lambda: len(listener.payloads(topic)) >= 7, "the half-hours")
            eventually(lambda: cursor.read_text() == str(NOON // HALF), "the note of that")
        wire.unplug()
        with House(tmp_path, wire, time={"source": "meter"}, mqtt=mqtt) as house:  # and a restart sends nothing again
            house._meter = meter
            readings = house.firmware.topic("reading")
            seen = len(listener.payloads(readings))
            eventually(lambda: house.telegram() and len(listener.payloads(readings)) > seen + 3, "readings")
        told = [json.loads(text) for text in listener.payloads(topic)]
    assert [one["start"] for one in told] == [(number + i) * HALF for i in range(7)]
    assert [one["estimated"] for one in told] == [False] * 3 + [True] * 4
    assert all(one["minutes"] == 30 and one["import_wh"] >= 0 for one in told)


def test_a_history_that_is_not_wanted_is_not_kept(tmp_path):
    with Wire() as wire, House(tmp_path, wire, history={"enabled": False}) as one:
        one.wait_for(one.telegram())
        assert one.ask("/api/history")[0] == 404 and not (one.state / "history").exists()
