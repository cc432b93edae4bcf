# SPDX-License-Identifier: MIT
"""Prices of the market over MQTT: the whole firmware (32 bits, 136 KB) and Mosquitto."""

import json
import time
from array import array

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Wire
from host_tests.house import House
from tools import tariff

DYNAMIC = next(tariff.read(path) for path in tariff.EXAMPLES if path.stem == "nl-dynamic")
FLAT = next(tariff.read(path) for path in tariff.EXAMPLES if path.stem == "de-flat")
NIGHT = 1_759_960_800  # 2025-10-09 00:00 in Central Europe
SPRING, AUTUMN = 1_743_289_200, 1_761_429_600  # 2025-03-30 and 2025-10-26, when 23 and 25 hours make a day
MISSING = -1 << 31


def document(micro, start=NIGHT, step_s=900, currency="EUR"):
    return {"currency": currency, "start": start, "step_s": step_s, "micro": micro}


def kept(state, start, count, currency="EUR"):
    """Twice the price of half-hours, as they lie on the flash; None: not known."""
    found = []
    for at in range(start // 1800, start // 1800 + count):
        file = state / "prices" / ("%s%05d" % (currency, at // 1008))
        value = array("i", file.read_bytes())[at % 1008] if file.exists() else MISSING
        found.append(None if value == MISSING else value)
    return found


class Market:
    """A dongle with a contract, and who sends it prices."""

    def __init__(self, folder, broker, wire, listener, contract=DYNAMIC, **mqtt):
        (folder / "state" / "contracts").mkdir(parents=True, exist_ok=True)
        (folder / "state" / "contracts" / "mine.json").write_text(json.dumps(contract))
        self.house = House(folder, wire, time={"source": "meter"}, mqtt={
            "host": "127.0.0.1", "port": broker.port, **mqtt})
        self.listener = listener
        self.topic = self.house.firmware.topic("prices")

    def send(self, payload, retain=False):
        """What the dongle answers."""
        before = len(self.listener.payloads(self.topic))
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.listener.publish(self.topic + "/set", data, 1, retain)
        eventually(lambda: len(self.listener.payloads(self.topic)) > before, "an answer")
        return json.loads(self.listener.payloads(self.topic)[-1])

    def listens(self):
        self.house.firmware.wait_for_log("mqtt: connected")
        self.listener.wait(self.house.firmware.topic("health"))  # what is asked for first has been granted by then

    def __enter__(self):
        self.house.__enter__()
        return self

    def __exit__(self, *trouble):
        self.house.__exit__(*trouble)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    with Mosquitto(folder) as broker, Wire() as wire, Listener(broker.port, ["wattport/#"]) as listener:
        with Market(folder, broker, wire, listener) as one:
            one.house.wait_for(one.house.telegram())
            one.listens()
            yield one


def test_quarter_half_and_whole_hours_are_kept_with_their_gaps_and_the_later_ones_count(market):
    state = market.house.state
    assert market.send(document([100, 200, None, 7, -5, -6] + [None] * 90)) == {
        "half_hours": 2, "until": NIGHT + 86400}
    assert kept(state, NIGHT, 4) == [300, None, -11, None]
    # those of the next message lie over them, a null leaves what was known
    assert market.send(document([None, 50, 60], step_s=1800)) == {"half_hours": 2, "until": NIGHT + 5400}
    assert kept(state, NIGHT, 4) == [300, 100, 120, None]
    assert market.send(document([9], NIGHT + 1800, 3600))["half_hours"] == 2
    assert kept(state, NIGHT, 4) == [300, 18, 18, None]
    assert market.send(document([1], currency="NOK"))["half_hours"] == 0  # half of a half-hour
    assert kept(state, NIGHT, 1) == [300]


@pytest.mark.parametrize("start, quarters", [(SPRING, 92), (AUTUMN, 100)])
def test_the_days_when_the_clocks_change_have_all_their_quarter_hours(market, start, quarters):
    micro = [1000 * i - 7 for i in range(quarters)]
    assert market.send(document(micro, start)) == {"half_hours": quarters // 2, "until": start + 900 * quarters}
    assert kept(market.house.state, start, quarters // 2 + 1) == [
        micro[i] + micro[i + 1] for i in range(0, quarters, 2)] + [None]


def test_two_days_of_quarter_hours_with_all_their_digits_are_one_message(market):
    micro = [123456 + i for i in range(192)]
    payload = json.dumps(document(micro, NIGHT + 86400)).encode()
    assert 1500 < len(payload) < 2000
    assert market.send(payload)["half_hours"] == 96
    assert kept(market.house.state, NIGHT + 86400, 96) == [micro[i] + micro[i + 1] for i in range(0, 192, 2)]


@pytest.mark.parametrize("payload, error, setting", [
    (json.dumps(document([123456] * 600)).encode(), "too_large", ""),
    (b"x" * 100000, "too_large", ""),
    (json.dumps(document([1] * 401)).encode(), "setting", "micro"),
    (json.dumps(document([1, 2])).encode()[:-2], "json", ""), (b"{", "json", ""), (b"[1, 2]", "json", ""),
    (b"\xff\xfe{}", "json", ""), (b"null", "json", ""),
    (b"{}", "setting", "currency"), (b'{"price": 5}', "setting", "price"),
    (json.dumps(document([1], currency="eur")).encode(), "setting", "currency"),
    (json.dumps(document([1], NIGHT + 5)).encode(), "setting", "start"),
    (json.dumps(document([1], step_s=60)).encode(), "setting", "step_s"),
    (json.dumps(document([1.5])).encode(), "setting", "micro"), (json.dumps(document([])).encode(), "setting", "micro"),
])
def test_what_are_no_prices_is_refused_by_name_and_changes_nothing(market, payload, error, setting):
    before = {path.name: path.read_bytes() for path in (market.house.state / "prices").iterdir()}
    told = market.send(payload)
    assert (told["error"], told["setting"]) == (error, setting) and len(told["detail"]) > 20
    assert {path.name: path.read_bytes() for path in (market.house.state / "prices").iterdir()} == before
    market.house.firmware.wait_for_log("prices over MQTT refused")


def test_the_meter_and_the_broker_go_on_meanwhile(market):
    payload = json.dumps(document([123456] * 192)).encode()
    readings = market.house.firmware.topic("reading")
    for _ in range(10):
        market.listener.publish(market.topic + "/set", payload)
        time_of_it = market.house.telegram()["time"]
        market.listener.wait(readings, lambda text, time=time_of_it: json.loads(text)["time"] == time)
    health = market.house.health()
    assert health["mqtt"]["connects"] == 1 and all(task["restarts"] == 0 for task in health["tasks"].values())
    assert health["telegrams"] >= 11 and sum(health["errors"].values()) == 0


def test_a_message_that_the_broker_keeps_is_taken_at_each_start_and_written_once(tmp_path):
    with Mosquitto(tmp_path) as broker, Wire() as wire, Listener(broker.port, ["wattport/#"]) as listener:
        with Market(tmp_path, broker, wire, listener) as one:
            one.send(document([40, 60]), True)
            (file,) = (one.house.state / "prices").iterdir()
            written = file.stat().st_mtime_ns
        wire.unplug()
        with Market(tmp_path, broker, wire, listener) as one:
            eventually(lambda: len(listener.payloads(one.topic)) == 2, "an answer without being asked")
            assert kept(one.house.state, NIGHT, 1) == [100] and file.stat().st_mtime_ns == written
            listener.publish(one.topic + "/set", b"", 1, True)  # removed there: nothing to be told of
            assert one.send(document([1, 3]))["half_hours"] == 1
            assert len(listener.payloads(one.topic)) == 3


def test_who_needs_no_prices_is_not_listened_to_until_a_contract_does(tmp_path):
    with Mosquitto(tmp_path) as broker, Wire() as wire, Listener(broker.port, ["wattport/#"]) as listener:
        with Market(tmp_path, broker, wire, listener, FLAT, discovery=False) as one:
            one.listens()
            listener.publish(one.topic + "/set", json.dumps(document([1, 2])).encode(), 1)
            time.sleep(3)
            assert not listener.payloads(one.topic) and not (one.house.state / "prices").exists()
            one.house.json("/api/tariffs", {"put": {"name": "spot", "contract": DYNAMIC}})
            assert one.send(document([5, 6]))["half_hours"] == 1
            assert kept(one.house.state, NIGHT, 1) == [11]
            one.house.json("/api/tariffs", {"remove": "spot"})
            listener.publish(one.topic + "/set", json.dumps(document([7, 8])).encode(), 1)
            time.sleep(3)  # an answer took one
            assert kept(one.house.state, NIGHT, 1) == [11] and len(listener.payloads(one.topic)) == 1
