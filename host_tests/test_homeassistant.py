# SPDX-License-Identifier: MIT
"""The history as Home Assistant's long-term statistics: judged by what its recorder asks of them, and sent to one that
speaks as it does."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from websockets.sync.server import serve

from tools import cpython, history, homeassistant

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.history.export import stamp  # noqa: E402

ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)
AUTUMN = 1_761_422_400  # 2025-10-25 20:00 UTC; 02:00 comes twice that night
COLUMNS = ["start", "note", "import_wh", "export_wh", "reactive_import_varh", "1.volume_l", "2.energy_kj",
           "power_import_max_w", "voltage_min_mv"]
TOKEN = "long-lived"
# what the recorder's WebSocket command takes: of what type, and whether it has to be there
METADATA = {"has_mean": (bool, False), "mean_type": (int, False), "has_sum": (bool, True), "name": (str, True),
            "source": (str, True), "statistic_id": (str, True), "unit_class": (str, False),
            "unit_of_measurement": (str, True)}
STAT = {"start": (str, True), "state": ((int, float), False), "sum": ((int, float), False)}
UNITS = {"energy": ("kWh", "Wh", "MJ", "GJ"), "volume": ("L", "m³")}


def rows(count, first=AUTUMN, zone=ZONE):
    """As they stand in the CSV."""
    made = []
    for i in range(count):
        values = [100 + i, 7, 3, i % 2, 5000, 900, 229700]
        made.append(dict(zip(COLUMNS, [stamp(zone, first + 1800 * i), "", *map(str, values)])))
    return made


def fits(table, value):
    return set(value) <= set(table) and all(
        isinstance(value[name], kind) if name in value else not needed for name, (kind, needed) in table.items())


def judge(message):
    """As the recorder does; its words, or ""."""
    metadata, last = message.get("metadata", {}), None
    if message.get("type") != "recorder/import_statistics" or not fits(METADATA, metadata):
        return "extra keys, or missing ones"
    if not re.fullmatch(r"[\da-z]+(_[\da-z]+)*:[\da-z]+(_[\da-z]+)*", metadata["statistic_id"]):
        return "Invalid statistic_id"
    if metadata["statistic_id"].split(":")[0] != metadata["source"]:
        return "Invalid source"
    if "unit_class" in metadata and metadata["unit_of_measurement"] not in UNITS[metadata["unit_class"]]:
        return "Unsupported unit_of_measurement"
    for stat in message["stats"]:
        if not fits(STAT, stat):
            return "extra keys, or missing ones"
        start = datetime.fromisoformat(stat["start"])
        if start.tzinfo is None:
            return "Naive timestamp"
        if start.minute or start.second or start.microsecond:
            return "timestamps must be from the top of the hour"
        if last is not None and start <= last:
            return "not by time"
        last = start
    return ""


class Assistant:
    """The WebSocket API; `kept` is what was imported: {statistic_id: {start: sum}}."""

    def __init__(self, refuses=None):
        self.kept, self.sizes, self._refuses = {}, [], refuses

    def _speak(self, socket):
        socket.send(json.dumps({"type": "auth_required", "ha_version": "x"}))
        if json.loads(socket.recv()).get("access_token") != TOKEN:
            socket.send(json.dumps({"type": "auth_invalid", "message": "Invalid access token or password"}))
            return
        socket.send(json.dumps({"type": "auth_ok", "ha_version": "x"}))
        number = 0
        for text in socket:
            message = json.loads(text)
            assert message.pop("id") > number
            number += 1
            wrong = self._refuses or judge(message)
            if not wrong:
                self.kept.setdefault(message["metadata"]["statistic_id"], {}).update(
                    {stat["start"]: stat["sum"] for stat in message["stats"]})
                self.sizes.append(len(message["stats"]))
            socket.send(json.dumps({"id": number, "type": "event"}))  # others may speak, too
            socket.send(json.dumps({"id": number, "type": "result", "success": not wrong, **(
                {"error": {"code": "home_assistant_error", "message": wrong}} if wrong else {})}))

    def __enter__(self):
        self._server = serve(self._speak, "127.0.0.1", 0)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = "http://127.0.0.1:%d" % self._server.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self._server.shutdown()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "house.csv"
    history.CsvFile(path).add(COLUMNS, rows(20))
    return path


def sums(message):
    return {datetime.fromisoformat(stat["start"]): stat["sum"] for stat in message["stats"]}


def test_each_rising_quantity_is_a_statistic_of_hours_with_its_running_total():
    made = {message["metadata"]["statistic_id"]: message for message in homeassistant.messages(COLUMNS, rows(20))}
    assert set(made) == {"wattport:house_" + name for name in ("import_wh", "export_wh", "1_volume_l", "2_energy_kj")}
    assert all(judge(message) == "" for message in made.values())
    first = datetime.fromtimestamp(AUTUMN, UTC)
    # ten hours, that which comes twice by the clock too
    assert sums(made["wattport:house_import_wh"]) == {
        first + timedelta(hours=i): sum(100 + j for j in range(2 * i + 2)) / 1000 for i in range(10)}
    assert sums(made["wattport:house_1_volume_l"])[first + timedelta(hours=9)] == 0.01
    about = [message["metadata"] for message in made.values()]
    assert [(one["unit_of_measurement"], one["unit_class"]) for one in about] == [
        ("kWh", "energy"), ("kWh", "energy"), ("m³", "volume"), ("MJ", "energy")]
    for message in homeassistant.messages(COLUMNS, rows(20), "attic_2", True):
        assert judge(message) == "" and not {"unit_class", "mean_type"} & set(message["metadata"])


def test_gaps_halves_and_zones_of_half_an_hour_keep_the_total():
    india = posixzone.parse("IST-5:30")
    some = rows(3, AUTUMN + 1800, india) + rows(2, AUTUMN + 86400, india)
    some[1]["import_wh"] = ""
    message = next(homeassistant.messages(COLUMNS, some))
    assert judge(message) == ""
    first = datetime.fromtimestamp(AUTUMN, UTC)
    assert sums(message) == {first: 0.1, first + timedelta(hours=1): 0.202, first + timedelta(days=1): 0.403}


def test_it_is_imported_and_once_more_with_what_is_new(table, capsys):
    with Assistant() as assistant:
        arguments = [str(table), "--push", assistant.address, "--token", TOKEN]
        assert homeassistant.main(arguments) == 0 and "40 hours" in capsys.readouterr().out
        before = {name: dict(kept) for name, kept in assistant.kept.items()}
        history.CsvFile(table).add(COLUMNS, rows(2400, AUTUMN + 20 * 1800))
        assert homeassistant.main(arguments) == 0
        assert max(assistant.sizes) == 1000 and len(assistant.kept["wattport:house_import_wh"]) == 1210
        for name, kept in before.items():
            assert {start: assistant.kept[name][start] for start in kept} == kept
        for kept in assistant.kept.values():
            values = [kept[start] for start in sorted(kept)]
            assert values == sorted(values)


def test_what_home_assistant_does_not_like_is_told(table, capsys):
    with Assistant() as assistant:
        assert homeassistant.main([str(table), "--push", assistant.address, "--token", "wrong"]) == 1
        assert "Invalid access token" in capsys.readouterr().err
    with Assistant("Invalid unit") as assistant:
        assert homeassistant.main([str(table), "--push", assistant.address, "--token", TOKEN]) == 1
        assert "wattport:house_import_wh: Invalid unit" in capsys.readouterr().err
    assert homeassistant.main([str(table), "--push", "127.0.0.1:9", "--token", TOKEN]) == 1
    assert "127.0.0.1:9: " in capsys.readouterr().err
    for wrong in ([], ["x.json", "--push", "y", "--token", "z"], ["--push", "y"], ["x.json", "--name", "Two__"]):
        with pytest.raises(SystemExit):
            homeassistant.main([str(table), *wrong])
        capsys.readouterr()
    table.write_text("a,b\r\n")
    assert homeassistant.main([str(table), str(table.with_name("x.json"))]) == 1
    assert "no history's CSV" in capsys.readouterr().err


def test_the_messages_can_be_had_as_a_file(table, tmp_path):
    made = tmp_path / "statistics.json"
    assert homeassistant.main([str(table), str(made)]) == 0
    found = json.loads(made.read_text())
    assert len(found) == 4 and all(judge(message) == "" for message in found)
