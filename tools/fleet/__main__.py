# SPDX-License-Identifier: MIT
"""Find, watch and update many dongles.

    python -m tools.fleet list  --mqtt broker:1883
    python -m tools.fleet stage --mqtt broker:1883 --url 'https://example.org/wattport-{chip}-0.2.0.wpb'
    python -m tools.fleet watch --mqtt broker:1883

Exit codes of `stage`: 0 all updated, 1 stopped at the limit, 2 nothing was begun (usage, no broker, no bundle), 3
finished but not all are updated, 130 interrupted; `list`: 0, or 1 when nobody is there.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from tools.fleet import bundles, options, plan, serve, web
from tools.fleet.finder import Broker, Finder, listen
from tools.fleet.journal import Journal, JournalError
from tools.fleet.mqtt import MqttError
from tools.fleet.rollout import ByMqtt, ByWeb, Rollout, steady_clock
from tools.fleet.stage import Share, Stage
from tools.fleet.table import record, summary, table

_LISTEN_S = {"list": 5, "watch": 1, "stage": 75}  # a stage has to know the chips, which stand in the health
_WAIT_S = 900


class Refusal(Exception):
    """Why nothing was begun; the text is for the person who tried."""


async def find(wanted, stop):
    """(Finder, Broker or None): who is there."""
    clock = steady_clock()
    finder, broker = Finder(clock, wanted.base or ("wattport/+",)), None
    if wanted.mqtt:
        host, port = wanted.mqtt
        broker = Broker(finder, host=host, port=port, client_id="wattport-fleet-" + secrets.token_hex(4),
                        user=wanted.user, password=wanted.password or "", tls=wanted.tls)
        try:
            await broker.open()
        except (MqttError, OSError) as error:
            raise Refusal("broker %s:%d: %s" % (host, port, error))
        seconds = _LISTEN_S[wanted.command] if wanted.listen is None else wanted.listen
        await listen(finder, seconds, lambda dongle: (
            dongle.healthy_at is not None or dongle.odd or dongle.get("in_progress")), stop)
    if wanted.host:
        try:
            hosts = web.expand(wanted.host)
        except ValueError as error:
            raise Refusal(str(error))
        for name, dongle in (await asyncio.to_thread(web.sweep, hosts, wanted.token)).items():
            known = finder.dongles.setdefault(name, dongle)
            known.host, known.private = dongle.host, dongle.private
            known.take(dongle.facts, clock())
            known.online = True
    return finder, broker


async def shown(wanted, stop):
    finder, broker = await find(wanted, stop)
    if broker:
        await broker.close()
    dongles = [dongle for dongle in finder.dongles.values() if all(one(dongle) for one in wanted.match)]
    if wanted.json:
        for dongle in sorted(dongles, key=lambda dongle: dongle.name):
            print(json.dumps(record(dongle)))
    else:
        print("\n".join(table(dongles) + summary(dongles, finder.odd)))
    return 0 if dongles else 1


_WATCHED = ("version", "slot", "trial", "meter", "in_progress", "update_percentage", "error", "why")


async def watched(wanted, stop):
    """Each change of what matters, a line."""
    finder, broker = await find(wanted, stop)
    known = {}

    def look(name, *_):
        dongle = finder.dongles[name]
        if not all(one(dongle) for one in wanted.match):
            return
        facts = {"online": dongle.online, **{fact: dongle.get(fact) for fact in _WATCHED},
                 "odd": sum(dongle.odd.values())}
        before = known.get(name, {})
        known[name] = facts
        changes = {fact: value for fact, value in facts.items()
                   if value != before.get(fact, 0 if fact == "odd" else None)}
        if changes and wanted.json:
            print(json.dumps({"time": int(time.time()), "id": name, **changes}), flush=True)
        elif changes:
            print("%s %s: %s" % (time.strftime("%H:%M:%S"), name, ", ".join(
                "%s %s" % (fact.replace("_", " "), json.dumps(value, ensure_ascii=False)) for fact, value in
                changes.items())), flush=True)
    finder.on_report = finder.on_state = finder.on_odd = look
    for name in sorted(finder.dongles):
        look(name)
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), 5 if wanted.host else None)
        except TimeoutError:
            hosts = [dongle.host for dongle in finder.dongles.values() if dongle.host]
            found = await asyncio.to_thread(web.sweep, hosts, wanted.token)
            for name, dongle in finder.dongles.items():
                if dongle.host:
                    dongle.online = name in found
                    if found.get(name):
                        dongle.take(found[name].facts, time.time())
                    look(name)
    if broker:
        await broker.close()
    return 0


def _begin(wanted, finder, now):
    """(stage, bundles, journal, skipped) of a new one, or of one that is gone on with."""
    if wanted.resume:
        journal = Journal(wanted.resume)
        stage, found = journal.read(now)
        if wanted.retry:
            stage.renew(stage.failures())
        stage.batch, stage.limit = wanted.batch or stage.batch, wanted.max_failures or stage.limit
        for name in stage.attempts:
            if name in finder.dongles:
                stage.known(name, finder.dongles[name].online, finder.dongles[name].facts)
        return stage, found, journal, {}
    if not finder.dongles:
        raise Refusal("no dongle is there")
    chips = {dongle.get("chip") for dongle in finder.dongles.values() if dongle.get("chip")}
    found = (bundles.of_files(wanted.bundle, wanted.key) if wanted.bundle
             else bundles.of_url(wanted.url, chips, wanted.version, wanted.chip, wanted.key))
    order, skipped = plan.plan(finder.dongles.values(), found, wanted.match)
    stage = Stage(order, wanted.first or Share("5"), wanted.batch or Share("10%"), wanted.max_failures or Share("5%"),
                  _WAIT_S if wanted.wait is None else wanted.wait)
    journal = Journal(wanted.state or "fleet-%s.json" % Path(found.version).name)
    if order and journal.path.exists() and not wanted.dry_run:
        raise Refusal("%s is there: go on with --resume %s, or take another --state" % (journal.path, journal.path))
    return stage, found, journal, skipped


def _planned(stage, found, skipped):
    yield "version %s for %s: %d to update" % (found.version, ", ".join(sorted(found.places)), len(stage.attempts))
    for why in plan.SKIPPED:
        some = sorted(name for name in skipped if skipped[name] == why)
        if some:
            yield "%d left out, %s (%s): %s%s" % (len(some), why, plan.SKIPPED[why], " ".join(some[:8]),
                                                  " and %d more" % (len(some) - 8) if len(some) > 8 else "")


def _told(stage, journal, interrupted, now):
    """The end of it, in words; gives the exit code."""
    counts = ["%d %s" % (count, name.replace("_", " ")) for name, count in stage.counts().items()]
    print(", ".join(counts) or "nothing to do")
    for attempt in stage.failures():
        print("  %s: %s, %s" % (attempt.name, attempt.outcome.replace("_", " "), attempt.detail or "no more is known"))
    for attempt in stage.flying():
        print("  %s: under way for %d s" % (attempt.name, now - attempt.sent))
    if stage.stopped:
        print("stopped: " + stage.stopped)
    if stage.pending() or stage.flying():
        print("to go on: --resume %s" % journal.path)
    if interrupted:
        return 130
    return 1 if stage.stopped else 0 if stage.succeeded() else 3


async def staged(wanted, stop):
    finder, broker = await find(wanted, stop)
    if stop.is_set():
        return 130
    clock = steady_clock()
    stage, found, journal, skipped = _begin(wanted, finder, clock())
    if wanted.wait is not None:
        stage.wait_s = wanted.wait
    for line in _planned(stage, found, skipped):
        print(line, flush=True)
    if wanted.dry_run:
        for at, attempt in enumerate(stage.attempts.values()):
            print("  %3d %s %s, %s" % (at + 1, attempt.name, attempt.before["version"], attempt.before["chip"]))
        return 0
    if not stage.attempts:
        return 0
    server = None
    try:
        if broker:
            url = str
            files = [place for place in found.places.values() if "://" not in place]
            if files:
                host, port = wanted.serve
                server = serve.Server(files, host or serve.own_address(wanted.mqtt), port)
                url = server.url
            way = ByMqtt(broker, finder, url)
        else:
            hosts = {name: dongle.host for name, dongle in finder.dongles.items()}
            way = ByWeb(hosts, wanted.owner, wanted.token)
        await Rollout(stage, found, way, journal, clock, lambda text: print(text, flush=True)).run(stop)
    finally:
        if server:
            server.close()
        if broker:
            await broker.close()
    return _told(stage, journal, not stage.finished(clock()), clock())


async def run(wanted):
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await {"list": shown, "watch": watched, "stage": staged}[wanted.command](wanted, stop)


def main(arguments=None):
    parser = options.parser()
    wanted = parser.parse_args(arguments)
    options.check(wanted, parser.error)
    try:
        return asyncio.run(run(wanted))
    except (Refusal, bundles.BundlesError, JournalError) as error:
        print("tools.fleet: %s" % error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print("tools.fleet: %s" % error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
