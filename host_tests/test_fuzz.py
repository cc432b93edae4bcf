# SPDX-License-Identifier: MIT
"""The short form of `make fuzz`, and proof that it would see what it looks for: each thing that must never happen is
made to happen, and found."""

import json
import random
from array import array
from dataclasses import replace

import pytest

from tools import cpython

cpython.install()

from tools.decoder import Decoder  # noqa: E402
from tools.fuzz import chip, judge, lines, mutate, player  # noqa: E402
from tools.fuzz.__main__ import shorter  # noqa: E402
from tools.meters.dlms import seal  # noqa: E402
from wattport import posixzone  # noqa: E402
from wattport.crypto import gcm, ghash  # noqa: E402
from wattport.decode import cosem  # noqa: E402
from wattport.errors import MeterError  # noqa: E402
from wattport.frame import framer, hdlc, mbus, p1, sml  # noqa: E402

LINES = lines.every()
SECONDS = 12


def hunted(names, count=4000):
    """The text of the first finding in so many frames; "" when there is none."""
    some = [replace(line, corpus=[]) for line in LINES if line.name in names]
    found = []

    def on_finding(number, line, wrong):
        found.append("%s: %s" % (type(wrong).__name__, wrong))
        raise StopIteration

    try:
        player.rounds(some, count, "hunt", random.Random, 0.05, player.fresh_stats(), player.Work(), on_finding)
    except StopIteration:
        pass
    return found[0] if found else ""


def test_broken_telegrams_of_every_family_give_right_readings_or_named_errors():
    stats, work = player.fresh_stats(), player.Work()

    def on_finding(number, line, wrong):
        document = shorter(player.kept(line, wrong.transcript, wrong))
        raise AssertionError("%s, transcript %r" % (document["error"], document["transcript"])) from wrong

    player.rounds(LINES, 100_000, "short", random.Random, 0.05, stats, work, on_finding, cases=20, seconds=SECONDS)
    assert stats["frames"] > 1000 and stats["readings"] > 500
    assert set(stats["kinds"]) == {"checksum", "truncated", "malformed", "unsupported", "no_key", "wrong_key"}


def test_the_32_bit_port_says_the_same_in_a_small_heap_that_stays_as_free(tmp_path):
    frames, readings, _, late = chip.run(LINES, 2500, "short", tmp_path)
    assert frames >= 2500 and readings > 1000
    assert late > 40 * 1024


def test_the_tool_says_something_of_whatever_it_is_given():
    """Its codes and its items are read from the same broken telegrams, and from what is in them without a frame."""
    chance = random.Random("tool")
    for _ in range(2500):
        line = chance.choice(LINES)
        telegram, donor = chance.choice(line.telegrams), chance.choice(chance.choice(LINES).telegrams)
        data = mutate.unit(chance, telegram, line, donor)
        inner = mutate.unwrapped(telegram)
        if inner and chance.random() < 0.3:
            data = chance.choice((b"", b"\xe6\xe7\x00")) + mutate.bend(chance, inner, (1, 2, 6, 9, 10, 15, 18), donor)
        data = data or b"\0"
        options = {"obis": chance.random() < 0.8, "items": chance.random() < 0.3}
        for name in ("key", "auth_key"):
            if getattr(line, name):
                options[name] = getattr(line, name).hex()
        told = []
        decoder = Decoder(options, lambda text, told=told: told.append(json.loads(text)), data[:512])
        decoder.meter.feed(data, len(data))
        decoder.finish()
        assert told and all(isinstance(text, str) for text in decoder.remarks())


@pytest.mark.parametrize("module, name, family", [
    (p1, "crc16_arc", "dsmr5"), (hdlc, "crc16_x25", "kamstrup"), (sml, "crc16_x25", "sml")])
def test_a_checksum_that_is_not_looked_at_is_found(monkeypatch, module, name, family):
    """What was sent counts as right, by a CRC that gives what is asked for."""
    class Any(int):
        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

        __hash__ = int.__hash__

    monkeypatch.setattr(module, name, lambda *place: Any(0))
    assert "was taken" in hunted([family])


def test_a_sum_that_is_not_looked_at_is_found(monkeypatch):
    whole = mbus.Mbus.measure

    def blind(self, buf, start, end, last):
        try:
            return whole(self, buf, start, end, last)
        except mbus.MeterError as error:
            if error.kind == "checksum":
                return self.reach
            raise
    monkeypatch.setattr(mbus.Mbus, "measure", blind)
    assert "M-Bus frame with a wrong checksum was taken" in hunted(["sagemcom-at+"])


def test_a_tag_that_is_not_looked_at_is_found(monkeypatch):
    monkeypatch.setattr(gcm.AesGcm, "verify", lambda *_: True)
    assert "tag does not fit" in hunted(["lu+", "e450+"])


def test_an_error_of_another_kind_is_found(monkeypatch):
    def text_of(buf, at, end, *rest):
        return bytes(buf[at:end]).decode()
    monkeypatch.setattr(cosem, "text_of", text_of)
    assert "UnicodeDecodeError" in hunted(["kamstrup", "aidon"])


def test_a_reading_that_another_telegram_left_its_mark_on_is_found(monkeypatch):
    decode = cosem.CosemDecoder.decode

    def sticky(self, buf, start, end):
        self.last = dict(getattr(self, "last", {}), **decode(self, buf, start, end))
        return self.last
    monkeypatch.setattr(cosem.CosemDecoder, "decode", sticky)
    assert "but a fresh decoder reads" in hunted(["am550-si", "kaifa"])


def test_good_telegrams_that_are_lost_are_found(monkeypatch):
    monkeypatch.setattr(framer.Framer, "_skip", lambda self: self._pass_to(self._end))
    assert "good telegrams were lost" in hunted(["kamstrup", "sml", "dsmr5"])


def test_a_loop_without_end_is_found(monkeypatch):
    """Work is counted, not timed: so this is found too where a machine is fast enough to hide it."""
    monkeypatch.setattr(player, "STEPS", 600)
    monkeypatch.setattr(player, "STEPS_A_BYTE", 0)
    assert "steps" in hunted(["dsmr5"])


def test_a_memory_that_grows_is_found(monkeypatch):
    decode = cosem.CosemDecoder.decode

    def greedy(self, buf, start, end):
        self.__dict__.setdefault("all", []).append(bytes(buf))
        return decode(self, buf, start, end)
    monkeypatch.setattr(cosem.CosemDecoder, "decode", greedy)
    assert "the meter holds" in hunted(["kamstrup"])


def test_the_judges_arithmetic_is_the_firmwares():
    chance = random.Random(1)
    for size in (0, 1, 15, 16, 17, 300):
        data = chance.randbytes(size)
        assert judge.crc_x25(data) == hdlc.crc16_x25(data, 0, size)
        assert judge.crc_kermit(data) == sml.crc16_kermit(data, 0, size)
        hasher = ghash.Ghash(chance.randbytes(16))
        hasher.y[:] = first = chance.randbytes(16)
        player._fast_ghash(hasher._table, ghash._REDUCTIONS, hasher.y, data, 0, size)
        fast, hasher.y[:] = bytes(hasher.y), first
        assert isinstance(hasher._table, array)
        player.SLOW_GHASH(hasher._table, ghash._REDUCTIONS, hasher.y, data, 0, size)
        assert hasher.y == fast
        sealed = seal(data, lines.KEY, lines.AUTH_KEY, b"TST00001", 7)
        assert judge.unsealed(sealed, lines.KEY, lines.AUTH_KEY) == (data, True, True)
        spoilt = sealed[:-1] + bytes((sealed[-1] ^ 1,))
        assert not judge.unsealed(spoilt, lines.KEY, lines.AUTH_KEY)[1]


def test_a_telegram_taken_apart_and_changed_inside_has_right_checksums_still():
    """Most of the changes below the outer layers would be stopped by the checksums otherwise."""
    chance = random.Random(2)
    for line in LINES:
        if line.name in ("amis+", "pl+") or line.name.startswith("real"):
            continue
        reached = 0
        for _ in range(40):
            heard = player.Player(line)
            changed = mutate.deep(chance, line.telegrams[0], line, b"donor")
            heard.feed(changed)
            heard.silence()
            reached += not {"checksum", "truncated", "wrong_key"} & set(heard.kinds)
        assert reached > 8, line.name


def test_lists_that_look_the_same_and_are_not_give_whole_numbers_or_a_named_error(monkeypatch):
    """A list is known by a sum of 25 bits. Here that is of none, so every list is taken for the first."""
    monkeypatch.setattr(cosem, "_BITS", 0)
    lists = {}
    for line in LINES:
        for telegram in line.telegrams:
            data = mutate.unwrapped(telegram)
            if data and data[0] in (0xDB, 0xDC) and line.key:
                data = (judge.unsealed(data, line.key, line.auth_key) or [b""])[0]
            if data and data[0] == 0x0F:
                lists[data] = posixzone.parse(line.zone or posixzone.CENTRAL_EUROPE)
    assert len(lists) > 60
    outcomes = set()
    for first in list(lists)[::9]:
        decoder = cosem.CosemDecoder(lists[first])
        for data in (first, *lists):
            try:
                judge.check_reading(decoder.decode(data, 0, len(data)))
                outcomes.add("reading")
            except MeterError as error:
                outcomes.add(error.detail.rpartition(" ")[2])
            except judge.Finding as finding:
                assert str(finding) == "a reading that is {}"  # nothing of the plan is in the list
    assert {"reading", "like"} <= outcomes
