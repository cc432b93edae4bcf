# SPDX-License-Identifier: MIT
"""The engine of a staged update, without a network and with a clock of its own."""

import json
import random

import pytest

from tools import signing
from tools.bundle import make
from tools.fleet import plan
from tools.fleet.attempt import FAILURES
from tools.fleet.bundles import Bundles, BundlesError, of_files
from tools.fleet.dongle import Dongle
from tools.fleet.journal import Journal, JournalError
from tools.fleet.stage import Share, Stage

OLD, NEW = "0.1.0", "0.2.0"
BEFORE = {"version": OLD, "chip": "xtensawin", "meter": "ok", "error": "", "why": ""}
WAIT_S = 900


def stage_of(count, first="2", batch="4", limit="1", before=BEFORE):
    wanted = [("d%d" % at, NEW, dict(before)) for at in range(count)]
    return Stage(wanted, Share(first), Share(batch), Share(limit), WAIT_S)


def names(sends):
    return [attempt.name for attempt in sends]


def health(version=NEW, uptime_s=40, trial=False, meter="ok", **more):
    return {"version": version, "uptime_s": uptime_s, "trial": trial, "meter": meter, "heap_free": 50000, **more}


def update(version=OLD, in_progress=False, error="", why="", **more):
    return {"version": version, "in_progress": in_progress, "error": error, "why": why, **more}


class One:
    """A stage of one dongle that was told at the time 1000."""

    def __init__(self, **before):
        self.stage = stage_of(1, before={**BEFORE, **before})
        self.attempt = self.stage.tick(1000)[1][0]

    def hear(self, now, report):
        self.stage.heard("d0", report, now)
        return self.attempt.outcome

    def end(self):
        self.stage.tick(1000 + WAIT_S)
        return self.attempt.outcome


def test_a_dongle_that_runs_the_new_version_after_its_trial_is_updated():
    one = One()
    assert one.hear(1010, update(in_progress=True, update_percentage=20)) is None
    assert one.hear(1050, health(uptime_s=8, trial=True)) is None
    assert one.hear(1100, update(NEW)) is None  # that alone does not say that it is off trial
    assert one.hear(1110, health(uptime_s=68)) == "updated"
    assert one.stage.tick(1111) == ([], []) and one.stage.finished(1111) and one.stage.succeeded()


def test_a_report_from_before_the_command_is_no_success():
    one = One()
    assert one.hear(1060, health(uptime_s=86400)) is None  # it has not restarted since
    assert one.hear(1061, update(NEW)) is None
    assert one.attempt.stale == 1 and one.end() == "stuck"
    other = One()
    other.hear(1060, health(uptime_s=86400))
    assert other.end() == "stuck" and "from before the command" in other.attempt.detail


def test_a_report_that_does_not_tell_its_trial_is_no_success():
    one = One()
    told = health()
    del told["trial"]
    assert one.hear(1060, told) is None and one.end() == "unconfirmed"


def test_a_roll_back_is_seen_with_its_reason_whatever_comes_first():
    one = One()
    one.hear(1050, health(uptime_s=8, trial=True))
    assert one.hear(1300, health(OLD, uptime_s=5)) == "rolled_back"
    one.hear(1301, update(why="meter"))
    assert one.attempt.detail == "meter"
    other = One()
    other.hear(1010, update(in_progress=True))
    assert other.hear(1300, update(why="crashed")) == "rolled_back"  # its new version was never heard of
    assert other.attempt.detail == "crashed"


def test_an_old_reason_is_no_roll_back_unless_it_has_tried_again():
    one = One(why="meter")
    assert one.hear(1001, update(why="meter")) is None
    assert one.hear(1002, update(in_progress=True, why="meter")) is None
    assert one.hear(1003, health(OLD, uptime_s=5000)) is None
    assert one.hear(1300, health(OLD, uptime_s=7)) is None
    assert one.hear(1301, update(why="meter")) == "rolled_back"


def test_a_dongle_that_had_told_nothing_of_updates_is_not_blamed_for_an_old_reason():
    one = One()
    del one.attempt.before["why"], one.attempt.before["error"]
    assert one.hear(1001, update(why="meter", error="signature")) is None
    assert one.hear(1100, health()) == "updated"


def test_what_the_broker_kept_names_a_failure_that_was_not_heard_and_never_makes_a_success():
    one = One()
    one.stage.kept("d0", update(why="crashed"))
    assert one.attempt.outcome is None
    assert one.hear(1300, health(OLD, uptime_s=9)) == "rolled_back" and one.attempt.detail == "crashed"
    two = One(why="crashed")
    two.stage.kept("d0", update(why="crashed"))
    assert two.hear(1300, health(OLD, uptime_s=9)) is None
    assert two.end() == "rolled_back"  # it restarted, and is where it was
    three = One()
    three.stage.kept("d0", update(error="signature"))
    assert three.hear(1300, health(OLD, uptime_s=9000)) == "refused"
    four = One()
    four.stage.kept("d0", update(NEW))
    assert four.end() == "silent"


def test_a_late_report_of_the_old_version_is_no_roll_back():
    one = One()
    one.hear(1050, health(uptime_s=8, trial=True))
    assert one.hear(1055, health(OLD, uptime_s=90000)) is None
    assert one.hear(1110, health(uptime_s=68)) == "updated"


def test_a_refusal_is_seen_but_not_one_of_before():
    one = One(error="signature")
    assert one.hear(1001, update(error="signature")) is None
    one.hear(1002, update(in_progress=True))
    assert one.hear(1003, update(error="signature")) == "refused"
    other = One()
    assert other.hear(1003, update(error="chip")) == "refused"
    again = One(error="signature")
    again.hear(1001, update(error="signature"))
    assert again.end() == "refused"


def test_a_download_that_breaks_is_begun_again_and_named_when_it_never_ends():
    one = One()
    one.hear(1005, update(in_progress=True))
    assert one.hear(1010, update(error="network: timed out")) is None
    one.hear(1090, health(OLD, uptime_s=9000))
    assert len(one.stage.tick(1091)[1]) == 1
    one.hear(1095, update(in_progress=True))
    assert one.hear(1100, update(error="network: timed out")) is None
    assert one.end() == "not_fetched" and one.attempt.detail == "network: timed out"


def test_worse_health_than_before_is_no_success_but_the_same_is():
    one = One()
    assert one.hear(1100, health(meter="silent")) is None
    assert one.hear(1160, health(uptime_s=100, heap_free=5000)) is None
    assert one.end() == "unhealthy"
    recovered = One()
    recovered.hear(1100, health(meter="undecoded"))
    assert recovered.hear(1160, health(uptime_s=100)) == "updated"
    silent = One(meter="silent")
    assert silent.hear(1100, health(meter="silent")) == "updated"


def test_what_was_not_over_in_time_has_its_name():
    def ends(*reports, state=None, odd=None):
        one = One()
        for at, report in enumerate(reports):
            one.hear(1020 + at, report)
        if state is not None:
            one.stage.state("d0", state)
        if odd:
            one.stage.odd("d0", odd)
        return one.end(), one.attempt.detail
    assert ends()[0] == "silent"
    assert ends(update(in_progress=True), state=False) == ("silent", "nothing for 880 s, its last will says offline")
    assert ends(odd="not_json") == ("unreadable", "the last one: not_json")
    assert ends(update(in_progress=True, update_percentage=40)) == ("stuck", "still receiving, at 40 %")
    assert ends(health(OLD, uptime_s=9000)) == ("stuck", "did not begin")
    assert ends(health(OLD, uptime_s=2)) == ("stuck", "restarted, and runs 0.1.0")
    assert ends(health(uptime_s=1, trial=True)) == ("unconfirmed", "on trial for 880 s")


def test_who_comes_late_counts_as_updated_after_all():
    one = One()
    assert one.end() == "silent"
    assert one.hear(2000, health(uptime_s=60)) == "updated" and one.stage.counts() == {"updated": 1}


def test_who_falls_back_after_its_confirmation_counts_as_rolled_back():
    one = One()
    one.hear(1100, health())
    assert one.hear(1500, health(OLD, uptime_s=4)) == "rolled_back"


def test_a_command_that_got_lost_is_sent_again_but_not_for_ever():
    stage = stage_of(1)
    stage.tick(1000)
    assert stage.tick(1060)[1] == []  # nothing is known of it
    sends = 1
    for now in range(1070, 1070 + WAIT_S - 100, 60):
        stage.heard("d0", health(OLD, uptime_s=5000 + now), now)
        sends += len(stage.tick(now)[1])
    assert sends == 3
    begun = stage_of(1)
    begun.tick(1000)
    begun.heard("d0", update(in_progress=True), 1001)
    begun.heard("d0", health(OLD, uptime_s=5000), 1100)
    assert begun.tick(1100)[1] == []


def test_canaries_come_first_and_a_batch_waits_for_the_one_before():
    stage = stage_of(11)
    assert names(stage.tick(0)[1]) == ["d0", "d1"]
    assert stage.tick(100)[1] == []
    stage.heard("d0", health(), 100)
    assert stage.tick(101)[1] == []
    stage.heard("d1", health(), 102)
    assert names(stage.tick(103)[1]) == ["d2", "d3", "d4", "d5"]
    for name in ("d2", "d3", "d4", "d5"):
        stage.heard(name, health(), 203)
    assert names(stage.tick(204)[1]) == ["d6", "d7", "d8", "d9"]
    assert stage.counts() == {"updated": 6, "under_way": 4, "untouched": 1}


def test_more_failures_than_the_limit_stop_it_and_the_rest_is_untouched():
    stage = stage_of(20, limit="1")
    stage.tick(0)
    stage.heard("d0", health(), 50)
    stage.heard("d1", update(error="signature"), 50)
    assert len(stage.tick(60)[1]) == 4
    for name in ("d2", "d3"):
        stage.heard(name, update(error="signature"), 70)
    assert stage.tick(71)[1] == [] and "3 of 6 failed" in stage.stopped
    assert not stage.finished(72)  # two are under way
    for name in ("d4", "d5"):
        stage.heard(name, health(), 100)
    assert stage.tick(101) == ([], []) and stage.finished(101)
    assert stage.counts() == {"updated": 3, "refused": 3, "untouched": 14}


def test_a_percentage_is_of_those_tried_so_that_a_bad_canary_counts():
    stage = stage_of(200, first="5", batch="50", limit="5%")
    stage.tick(0)
    stage.heard("d0", update(error="signature"), 1)
    stage.tick(2)
    assert "1 of 5" in stage.stopped
    many = stage_of(200, first="100", limit="5%")
    many.tick(0)
    for at in range(5):
        many.heard("d%d" % at, update(error="signature"), 1)
    many.tick(2)
    assert not many.stopped
    many.heard("d5", update(error="signature"), 3)
    many.tick(4)
    assert many.stopped


def test_canaries_that_all_fail_stop_it_whatever_the_limit():
    stage = stage_of(20, first="2", limit="10")
    stage.tick(0)
    for name in ("d0", "d1"):
        stage.heard(name, update(error="signature"), 1)
    assert stage.tick(2)[1] == [] and stage.stopped == "every canary failed"


def test_who_goes_offline_before_its_turn_is_waited_for_and_not_sent_to():
    stage = stage_of(4, first="1", batch="10")
    stage.tick(0)
    stage.state("d2", False)
    stage.heard("d0", health(), 50)
    assert names(stage.tick(51)[1]) == ["d1", "d3"]
    for name in ("d1", "d3"):
        stage.heard(name, health(), 100)
    assert stage.tick(101)[1] == [] and not stage.finished(101)
    stage.state("d2", True)
    assert names(stage.tick(102)[1]) == ["d2"]
    stage.state("d2", False)
    stage.tick(102 + WAIT_S)
    assert stage.counts() == {"updated": 3, "silent": 1}
    gone = stage_of(2, first="1")
    gone.state("d1", False)
    gone.tick(0)
    gone.heard("d0", health(), 50)
    gone.tick(51)
    gone.tick(51 + WAIT_S)
    assert gone.finished(51 + WAIT_S) and not gone.succeeded() and gone.counts() == {"updated": 1, "untouched": 1}


def test_shares_are_numbers_or_percentages():
    assert Share("5").size(3) == 5 and Share("5%").size(201) == 11 and Share("1%").size(3) == 1
    for bad in ("", "x", "-1", "5.5", "101%", "%", "5 %", "１x", "99999999"):
        with pytest.raises(ValueError):
            Share(bad)


# ---- cut off, and gone on with

def bundles():
    found = Bundles()
    found.add("http://example.org/x", "xtensawin", NEW)
    return found


def test_a_run_that_was_cut_off_goes_on_and_what_is_done_is_not_done_again(tmp_path):
    journal = Journal(tmp_path / "state.json")
    stage = stage_of(8)
    stage.tick(0)
    stage.heard("d0", health(), 50)
    stage.heard("d1", health(), 50)
    stage.tick(51)
    stage.heard("d2", update(error="chip"), 60)
    stage.heard("d3", update(in_progress=True), 60)
    journal.write(stage, bundles())
    again, found = Journal(tmp_path / "state.json").read(500)
    assert found.places == bundles().places and found.version == NEW
    assert again.counts() == stage.counts() == {"updated": 2, "refused": 1, "under_way": 3, "untouched": 2}
    assert again.tick(501) == ([], [])  # those under way are waited for, not told again
    again.kept("d4", update(in_progress=True))
    for name in ("d4", "d5"):
        again.heard(name, health(OLD, uptime_s=5000), 507)
    assert names(again.tick(508)[1]) == ["d5"]  # but that one has nothing under way
    for name in ("d3", "d4", "d5"):
        again.heard(name, health(uptime_s=300), 510)
    assert names(again.tick(511)[1]) == ["d6", "d7"]
    assert again.attempts["d3"].sent == 51


def test_nothing_is_sent_when_all_is_done(tmp_path):
    journal = Journal(tmp_path / "state.json")
    stage = stage_of(2)
    stage.tick(0)
    for name in ("d0", "d1"):
        stage.heard(name, health(), 50)
    journal.write(stage, bundles())
    again, _ = journal.read(1000)
    assert again.tick(1000) == ([], []) and again.finished(1000) and again.succeeded()


def test_those_that_failed_are_tried_again_when_asked_for():
    stage = stage_of(2, limit="9")
    stage.tick(0)
    stage.heard("d0", update(error="signature"), 5)
    stage.renew(stage.failures())
    stage.heard("d1", health(), 50)
    assert names(stage.tick(51)[1]) == ["d0"]


def test_the_limit_holds_when_it_goes_on(tmp_path):
    journal = Journal(tmp_path / "state.json")
    stage = stage_of(9, limit="0")
    stage.tick(0)
    stage.heard("d0", update(error="chip"), 5)
    stage.heard("d1", health(), 50)
    stage.tick(51)
    journal.write(stage, bundles())
    again, _ = journal.read(60)
    assert again.tick(60)[1] == [] and again.stopped


@pytest.mark.parametrize("text", [
    "", "[]", "{}", '{"wattport_fleet": 2}', '{"version": 1, "places": []}', "\xff", "[" * 9999])
def test_a_file_that_is_no_state_is_refused_in_words(tmp_path, text):
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(JournalError, match="no state of a fleet"):
        Journal(path).read(0)


def test_a_thousand_random_stages_end_and_never_touch_more_than_the_limit_allows():
    """Whatever dongles say, in whatever order: nobody is sent to twice who has begun, nothing is sent behind a stop,
    each has exactly one outcome, and it ends."""
    chance = random.Random(5)
    for _ in range(1000):
        count = chance.randrange(1, 30)
        stage = stage_of(count, str(chance.randrange(1, 6)), str(chance.randrange(1, 12)),
                         chance.choice(("0", "2", "20%")))
        now = 0.0
        while not stage.finished(now):
            now += chance.choice((1, 30, 200))
            was_stopped, failed, tried = stage.stopped, len(stage.failures()), stage.tried()
            _, sends = stage.tick(now)
            fresh = [attempt for attempt in sends if attempt.sends == 1]
            assert not fresh or not was_stopped and not stage.limit.passed(failed, tried)
            for attempt in chance.sample(list(stage.attempts.values()), chance.randrange(count + 1)):
                up = chance.choice((1, 20, 100000))
                report = chance.choice((
                    health(uptime_s=up), health(OLD, uptime_s=up), health(uptime_s=up, trial=True),
                    update(in_progress=True), update(error="chip"), update(NEW), update(why="meter")))
                stage.heard(attempt.name, report, now)
                if chance.random() < 0.1:
                    stage.state(attempt.name, chance.random() < 0.7)
            assert now < 1000 * WAIT_S
        assert sum(stage.counts().values()) == count
        assert all(attempt.outcome in (None, "updated", *FAILURES) for attempt in stage.attempts.values())
        assert not stage.flying()
        restored = Stage.restored(json.loads(json.dumps(stage.document())), now)
        assert restored.counts() == stage.counts()


# ---- who gets what

def dongle(name, online=True, **facts):
    one = Dongle(name)
    one.online = online
    one.take({"version": OLD, "chip": "xtensawin", "uptime_s": 9, **facts}, 0)
    return one


def test_each_is_left_out_for_a_reason_that_has_a_name():
    kept = Dongle("kept")
    kept.online = True
    kept.take({"version": NEW, "chip": "xtensawin"}, 0, False)  # from the broker's memory: proves nothing
    found = plan.plan([
        dongle("a"), dongle("b", version=NEW), dongle("c", version="0.10.0"), dongle("d", online=False),
        dongle("e", in_progress=True), dongle("f", trial=True, version=NEW), dongle("g", chip=None),
        dongle("h", chip="rv32imc"), kept, dongle("i", version=None)], bundles())
    assert [name for name, _, _ in found[0]] == ["a"]
    assert found[1] == {"b": "already", "c": "newer", "d": "offline", "e": "updating", "f": "updating", "g": "no_chip",
                        "h": "no_bundle", "kept": "unheard", "i": "no_version"}
    assert set(found[1].values()) <= set(plan.SKIPPED)


def test_canaries_are_of_every_kind_and_the_order_is_the_same_each_time():
    some = [dongle("x%02d" % at, board="one") for at in range(40)]
    some += [dongle("y%d" % at, board="two") for at in range(3)]
    order = [name for name, _, _ in plan.plan(some, bundles())[0]]
    assert {name[0] for name in order[:2]} == {"x", "y"} and sorted(order) == [one.name for one in some]
    random.shuffle(some)
    assert [name for name, _, _ in plan.plan(some, bundles())[0]] == order


def test_matches_choose_by_what_is_known():
    some = [dongle("a", meter="ok"), dongle("b", meter="silent"), dongle("c", version="0.1.7")]

    def chosen(*texts):
        return [name for name, _, _ in plan.plan(some, bundles(), [plan.match(text) for text in texts])[0]]
    assert sorted(chosen("version=0.1.*")) == ["a", "b", "c"] and chosen("version=0.1.7") == ["c"]
    assert sorted(chosen("id=a,b")) == ["a", "b"] and chosen("id=a,b", "meter=silent") == ["b"]
    for bad in ("", "id", "id=", "colour=red"):
        with pytest.raises(ValueError):
            plan.match(bad)


def bundle(path, chip="xtensawin", version=NEW, kind="application"):
    line = json.dumps({"name": "wattport", "kind": kind, "version": version, "chip": chip,
                       "files": [["program", 9, "0" * 64]], "payload": [9, "0" * 64]}).encode()
    path.write_bytes(b"WATTPORT BUNDLE 1\nKEY YWE= YWE=\n" + line + b"\nc2ln\n" + bytes(5000))
    return path


def test_bundles_of_one_version_one_for_each_chip_and_no_mixture(tmp_path):
    one = bundle(tmp_path / "one")
    other = bundle(tmp_path / "other", "rv32imc")
    found = of_files([one, other])
    assert found.version == NEW and found.places == {"xtensawin": str(one), "rv32imc": str(other)}
    for path in (bundle(tmp_path / "twice"), bundle(tmp_path / "older", "x64", "0.1.9"),
                 bundle(tmp_path / "python", "esp32", kind="micropython"), tmp_path / "missing"):
        with pytest.raises(BundlesError):
            of_files([one, path])
    for text in (b"", b"WATTPORT BUNDLE 1\n", b"WATTPORT BUNDLE 1\n[]\n", b"{}", b"WATTPORT BUNDLE 1\n" + b"[" * 6000,
                 b"WATTPORT BUNDLE 1\n{" + b"[" * 2000 + b"\nc2ln\n", b"WATTPORT BUNDLE 1\n{}\nc2ln\n"):
        (tmp_path / "bad").write_bytes(text)
        with pytest.raises(BundlesError):
            of_files([tmp_path / "bad"])


def test_a_signature_is_looked_at_before_any_dongle_does_when_the_key_is_given(tmp_path):
    _, public = signing.make(tmp_path / "ours")
    private, _ = signing.make(tmp_path / "theirs")
    manifest = {"name": "wattport", "kind": "application", "version": NEW, "chip": "x64",
                "files": [["program", 9000, "0" * 64]]}
    whole = make(manifest, {"program": b"x" * 9000}, signing.private(private))
    (tmp_path / "bundle.wpb").write_bytes(whole)
    assert of_files([tmp_path / "bundle.wpb"], signing.public(private)).places["x64"]
    with pytest.raises(BundlesError, match="does not know"):
        of_files([tmp_path / "bundle.wpb"], signing.public(public))
