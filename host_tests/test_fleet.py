# SPDX-License-Identifier: MIT
"""The fleet over a real broker: simulated dongles by the hundred, and one that runs the firmware."""

import asyncio
import contextlib
import json

from host_tests import brokers
from host_tests.brokers import Mosquitto
from tools.fleet import bundles, plan, simulated
from tools.fleet.finder import Broker, Finder
from tools.fleet.journal import Journal
from tools.fleet.mqtt import Client
from tools.fleet.rollout import ByMqtt, Rollout
from tools.fleet.simulated import Pace, fleet
from tools.fleet.stage import Share, Stage

NEW = "0.2.0"
PLACE = "http://bundles.invalid/wattport-%s-xtensawin.bundle" % NEW
QUICK = {"health_s": 0.5, "receive_s": 0.2, "restart_s": 0.1, "trial_s": 0.2, "backoff_s": 0.3, "fetch": False}


async def until(predicate, patience=brokers.PATIENCE):
    async with asyncio.timeout(patience):
        while not predicate():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def house(mosquitto, dongles):
    """Dongles and a Finder that has heard of all of them."""
    running = asyncio.ensure_future(simulated.run(dongles, 1000))
    finder = Finder()
    broker = Broker(finder, say=lambda text: None, host="127.0.0.1", port=mosquitto.port, client_id="fleet-test")
    try:
        await broker.open()
        await until(lambda: len(finder.dongles) == len(dongles) and all(
            dongle.online and (dongle.healthy_at or dongle.odd) for dongle in finder.dongles.values()))
        yield finder, broker
    finally:
        running.cancel()
        await broker.close()
        await asyncio.wait((running,))


async def publish(mosquitto, topic, value):
    """Retained."""
    client = Client("127.0.0.1", mosquitto.port, "writer")
    await client.open()
    running = asyncio.ensure_future(client.run())
    await client.publish(topic, json.dumps(value).encode(), 1, True)
    running.cancel()
    await asyncio.wait((running,))


def prepare(finder, broker, path, first, batch, limit, wait_s, said=None):
    """A Rollout to version NEW of all that are there."""
    found = bundles.of_url(PLACE, (), NEW, "xtensawin")
    order, skipped = plan.plan(finder.dongles.values(), found)
    stage = Stage(order, Share(first), Share(batch), Share(limit), wait_s, resend_s=3)
    said = [] if said is None else said
    return Rollout(stage, found, ByMqtt(broker, finder, str), Journal(path / "state.json"), say=said.append), skipped


def outcomes(stage):
    return {name: attempt.outcome for name, attempt in stage.attempts.items() if attempt.outcome != "updated"}


def test_200_dongles_are_updated_in_stages_though_three_are_bad_and_the_broker_restarts(tmp_path):
    async def scenario(mosquitto):
        # the order is known beforehand, so that the bad ones are no canaries
        names = ["sim%05d" % at for at in range(200)]
        dongles = fleet(("127.0.0.1", mosquitto.port), 200, Pace(reading_s=5, **{**QUICK, "health_s": 1}))
        async with house(mosquitto, dongles) as (finder, broker):
            said = []
            rollout, skipped = prepare(finder, broker, tmp_path, "5", "100", "4", 90, said)
            stage = rollout.stage
            order = list(stage.attempts)
            assert sorted(order) == names and not skipped
            bad = dict(zip(order[10:200:70], ("rolls_back", "refuses", "crashes")))
            for dongle in dongles:
                dongle.fault = bad.get(dongle.name, "")
            running = asyncio.ensure_future(rollout.run(asyncio.Event()))
            await until(lambda: stage.number == 2)
            assert all(stage.attempts[name].outcome == "updated" for name in order[:5])
            await until(lambda: len(stage.updated()) > 20)
            mosquitto.kill()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(mosquitto.start)
            await asyncio.wait_for(running, 120)
            assert broker.connects == 2
        assert outcomes(stage) == {name: {"rolls_back": "rolled_back", "refuses": "refused", "crashes": "rolled_back"}[
            fault] for name, fault in bad.items()}
        assert not stage.stopped and len(stage.updated()) == 197
        assert [dongle.version for dongle in dongles].count(NEW) == 197
        assert max(len(dongle.commands) for dongle in dongles) <= 3
        for name in bad:
            assert any(line.startswith(name + ": ") for line in said)

    with Mosquitto(tmp_path) as mosquitto:
        asyncio.run(scenario(mosquitto))


def test_many_bad_ones_stop_it_after_the_canaries_and_the_rest_is_untouched(tmp_path):
    async def scenario(mosquitto):
        dongles = fleet(("127.0.0.1", mosquitto.port), 40, Pace(**QUICK), ["rolls_back"] * 40)
        async with house(mosquitto, dongles) as (finder, broker):
            rollout, _ = prepare(finder, broker, tmp_path, "4", "20", "2", 60)
            await asyncio.wait_for(rollout.run(asyncio.Event()), 90)
        stage = rollout.stage
        assert "3 of 4 failed" in stage.stopped or "4 of 4 failed" in stage.stopped
        assert stage.counts() == {"rolled_back": 4, "untouched": 36}
        assert sum(len(dongle.commands) for dongle in dongles) == 4
        assert all(attempt.detail == "meter" for attempt in stage.failures())

    with Mosquitto(tmp_path) as mosquitto:
        asyncio.run(scenario(mosquitto))


def test_each_way_to_fail_has_its_name_and_no_stale_or_hostile_message_is_a_success(tmp_path):
    faults = {"rolls_back": "rolled_back", "crashes": "rolled_back", "vanishes": "silent", "hangs": "stuck",
              "refuses": "refused", "deaf": "stuck", "boasts": "stuck", "sick": "unhealthy",
              "undecided": "unconfirmed"}
    hostile = ("noise", "types", "huge")

    async def scenario(mosquitto):
        dongles = fleet(("127.0.0.1", mosquitto.port), len(faults) + 1, Pace(**QUICK), faults)
        enemies = fleet(("127.0.0.1", mosquitto.port), 3, Pace(**QUICK), hostile)
        for enemy in enemies:
            enemy.name = "bad" + enemy.fault
        # what the broker has kept says that the deaf one runs the new version since a moment ago
        deaf = next(dongle.name for dongle in dongles if dongle.fault == "deaf")
        report = {"version": NEW, "uptime_s": 1, "trial": False, "meter": "ok"}
        await publish(mosquitto, "wattport/%s/health" % deaf, report)
        async with house(mosquitto, dongles + enemies) as (finder, broker):
            rollout, skipped = prepare(finder, broker, tmp_path, "100", "100", "100", 8)
            assert skipped == {enemy.name: "unreadable" for enemy in enemies}
            kept = []
            working = asyncio.ensure_future(rollout.run(asyncio.Event()))
            await until(lambda: rollout.stage.number == 1)
            next(dongle for dongle in dongles if not dongle.fault).fault = "types"  # one turns hostile once it was told
            heard = finder.on_report
            finder.on_report = lambda name, report, live: (heard(name, report, live), live or kept.append(name))
            broker._client.close(False)  # it comes back, and is told once more what was kept
            await until(lambda: deaf in kept)
            await asyncio.wait_for(working, 60)
        by_name = {dongle.name: dongle.fault for dongle in dongles}
        found = {by_name[name]: outcome for name, outcome in outcomes(rollout.stage).items()}
        assert found.pop("types") in ("stuck", "unreadable")
        assert found == faults
        assert {kind for enemy in enemies for kind in finder.dongles[enemy.name].odd} == {
            "not_json", "wrong_type", "too_large"}

    with Mosquitto(tmp_path) as mosquitto:
        asyncio.run(scenario(mosquitto))
