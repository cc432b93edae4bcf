# SPDX-License-Identifier: MIT
"""What anybody at the broker may write is counted and named, and neither believed nor shown as it came."""

import json
import random

import pytest

from tools.fleet.dongle import LIMIT, Odd, clean, health_report, update_report
from tools.fleet.finder import Finder
from tools.fleet.table import record, summary, table

HEALTH = {"version": "0.1.0", "uptime_s": 90, "trial": None, "slot": "a", "chip": "xtensawin", "meter": "ok",
          "errors": {"checksum": 2, "truncated": 1}, "heap_free": 51000, "rssi": -61, "telegram_age_s": None}
BAD = {
    "not_json": (b"", b"{", b"\xff\xfe", b"[" * 4000),
    "wrong_type": (
        b"9" * 4096, b"null", b"[]", b"7", b"NaN", b"{}", b'{"version": 1}', b'{"version": "\\u001b[2J"}',
        b'{"version": "../x"}', b'{"uptime_s": -1}', b'{"uptime_s": true}', b'{"uptime_s": 1e400}',
        b'{"uptime_s": NaN}', b'{"heap_free": "much"}', b'{"trial": 1}', b'{"trial": ["a"]}', b'{"meter": "fine"}',
        b'{"errors": [1]}', b'{"errors": {"a": -1}}', b'{"version": "%s"}' % (b"1" * 60)),
    "too_large": (b'{"a": "%s"}' % (b"x" * LIMIT),),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_no_dongle_sends_has_a_name_and_no_control_characters(kind):
    for payload in BAD[kind]:
        with pytest.raises(Odd) as caught:
            health_report(payload, len(payload))
        assert caught.value.kind == kind, payload
        assert str(caught.value).isprintable() and len(str(caught.value)) < 150


def test_a_message_that_was_cut_off_is_too_large_though_its_beginning_is_fine():
    with pytest.raises(Odd) as caught:
        health_report(b'{"version": "0.2.0"}', 1000000)
    assert caught.value.kind == "too_large"


def test_what_a_dongle_sends_is_taken():
    text = json.dumps({**HEALTH, "anything": {"else": [1]}}).encode()
    found = health_report(text, len(text))
    assert found["errors"] == 3 and found["trial"] is False and found["telegram_age_s"] is None
    assert "anything" not in found
    text = b'{"installed_version": "0.1.0", "in_progress": true, "update_percentage": 40.0, "why": "a\\nb\\u202ec"}'
    found = update_report(text, len(text))
    assert found == {"version": "0.1.0", "in_progress": True, "update_percentage": 40, "why": "a?b?c"}
    for value, trial in (("b", True), (True, True), (False, False), (None, False), ("", False)):
        text = json.dumps({"trial": value}).encode()
        assert health_report(text, len(text)) == {"trial": trial}


def test_texts_are_one_line_and_not_endless():
    assert clean("a\x1b]0;x\x07\r\n\u2028b") == "a?]0;x????b" and len(clean("x" * 1000)) == 201


def deliver(finder, topic, payload, retained=False):
    finder.message(topic, payload, retained, len(payload))


def test_topics_of_nobody_are_counted():
    finder = Finder()
    for topic in ("wattport/\x1b[2J/state", "wattport/a b/health", "wattport/" + "x" * 200 + "/state", "state", "/x"):
        deliver(finder, topic, b"online")
    assert not finder.dongles and finder.odd == {"topic": 5}


def test_kept_messages_never_take_the_place_of_what_was_heard():
    finder = Finder()
    heard = []
    finder.on_report = lambda name, report, live: heard.append(live)
    deliver(finder, "wattport/a/health", json.dumps(HEALTH).encode())
    deliver(finder, "wattport/a/health", json.dumps({**HEALTH, "version": "0.9.0"}).encode(), True)
    assert heard == [True, False] and finder.dongles["a"].get("version") == "0.1.0"


def test_a_cleared_topic_is_no_dongle_and_a_topic_of_its_own_base_is_one():
    finder = Finder(bases=["wattport/+", "home/meter"])
    assert "home/meter/state" in finder.topics()
    deliver(finder, "wattport/gone/state", b"")
    deliver(finder, "home/meter/state", b"online")
    assert list(finder.dongles) == ["home/meter"] and Finder.topic("home/meter", "state") == "home/meter/state"
    assert Finder.topic("a1", "update/set") == "wattport/a1/update/set"


def test_ten_thousand_random_messages_leave_a_table_that_can_be_printed():
    chance = random.Random(11)
    finder = Finder()
    whole = json.dumps(HEALTH).encode()
    for _ in range(10000):
        text = bytearray(whole)
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(text))
            text[at:at + chance.randrange(3)] = bytes(chance.randrange(256) for _ in range(chance.randrange(4)))
        kind = chance.choice(("state", "health", "update"))
        deliver(finder, "wattport/d%d/%s" % (chance.randrange(20), kind), bytes(text), chance.random() < 0.3)
    dongles = finder.dongles.values()
    lines = table(dongles) + summary(dongles, finder.odd)
    assert all(line.isprintable() for line in lines) and len(lines) == 1 + 20 + 1 + 20
    for one in dongles:
        assert json.loads(json.dumps(record(one)))["odd"]
        assert sum(one.odd.values()) > 100 and one.get("version")
