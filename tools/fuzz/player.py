# SPDX-License-Identifier: MIT
"""One meter under fire: plays a line's broken telegrams to the firmware and watches what must always be so."""

import json
import sys
import time

from tools import cpython
from tools.fuzz import mutate
from tools.fuzz.judge import Finding, Judge
from tools.paths import FIRMWARE

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.crypto import ghash  # noqa: E402
from wattport.errors import KINDS, MeterError  # noqa: E402
from wattport.meter import Meter  # noqa: E402

SIZE = 4096
MOST_PARTS = 4096
GOOD = 3  # telegrams that must be read behind the garbage
# Work for what is fed, garbage or not. A start costs at most a look at all that waits behind it, so it is so much for a
# byte plus so much for a full buffer of the worst bytes.
STEPS_A_BYTE, STEPS = 60, 60_000
KERNEL_A_BYTE, KERNEL = 60, 3_000_000
HELD = 32 * 1024  # bytes of texts and buffers that a Meter may hold
_CORE = str(FIRMWARE / "wattport")
_KERNELS = str(FIRMWARE / "wattport" / "crypto")


def _fast_ghash(tab, red, y, buf, start, end):
    """ghash_update by whole numbers: what it does is tested elsewhere, and here it would take most of the time."""
    rows = _ROWS.get(id(tab))
    if rows is None or rows[0] is not tab:
        rows = _ROWS[id(tab)] = tab, [
            (_number(tab, nibble * 4), _number(tab, 64 + nibble * 4)) for nibble in range(16)]
    rows = rows[1]
    total = int.from_bytes(y, "big")
    for at in range(start, end, 16):
        total ^= int.from_bytes(bytes(buf[at:min(at + 16, end)]).ljust(16, b"\0"), "big")
        product = 0
        for _ in range(16):
            byte = total & 0xFF
            total >>= 8
            product = product >> 8 ^ red[product & 0xFF] << 112 ^ rows[byte >> 4][0] ^ rows[byte & 15][1]
        total = product
    y[:] = total.to_bytes(16, "big")


_ROWS = {}


def _number(tab, at):
    return tab[at] << 96 | tab[at + 1] << 64 | tab[at + 2] << 32 | tab[at + 3]


SLOW_GHASH = ghash.ghash_update
ghash.ghash_update = _fast_ghash


class Work:
    """Counts lines of the firmware that are executed: `steps`, and `kernel` for those of checksums and ciphers. Keeps
    which line came after which in `arcs`."""

    def __init__(self):
        self.arcs = set()
        self.new = 0
        self.most = (0, 0)
        self._last = None

    def __enter__(self):
        self.steps = self.kernel = self.new = 0
        sys.settrace(self._call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _call(self, frame, event, _):
        name = frame.f_code.co_filename
        if not name.startswith(_CORE):
            return None
        return self._kernel if name.startswith(_KERNELS) else self._line

    def _kernel(self, frame, event, _):
        self.kernel += 1
        return self._kernel

    def _line(self, frame, event, _):
        self.steps += 1
        here = frame.f_code.co_filename, frame.f_lineno
        arc = self._last, here
        self._last = here
        if arc not in self.arcs:
            self.arcs.add(arc)
            self.new += 1
        return self._line


def held(thing, seen=None):
    """Bytes of texts, and of buffers, that are reached from an object of the firmware."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, (bytes, bytearray, str)):
        return len(thing)
    if isinstance(thing, dict):
        return sum(held(key, seen) + held(value, seen) + 8 for key, value in thing.items())
    if isinstance(thing, (list, tuple)):
        return sum(held(inner, seen) + 4 for inner in thing)
    if type(thing).__module__.startswith("wattport."):
        return held(vars(thing), seen)
    return 0


class Player:
    """A Meter, its Judge, and a transcript of what was fed: bytes, or False for a silence, True for the end of all,
    None for a short silence that a telegram's parts outlive."""

    def __init__(self, line, trace=None):
        self.line = line
        self.transcript = []
        self.readings = []
        self.errors = []
        self.kinds = []  # of every error so far
        self.judge = Judge(posixzone.parse(line.zone or posixzone.CENTRAL_EUROPE), line.key, line.auth_key)
        self.meter = Meter(self._reading, self._error, line.key, line.auth_key, line.zone, size=SIZE,
                           on_frame=self._frame, protocol=line.protocol() if line.protocol else "auto")
        self._wrong = None
        self._garbage = 0

    def _frame(self, frame):
        self.judge.blind()
        if self.meter.garbage != self._garbage:
            self._garbage = self.meter.garbage
            self.judge.drop()
        try:
            self.judge.frame(frame)
        except Finding as finding:
            self._wrong = self._wrong or finding

    def _reading(self, reading, family):
        self.readings.append(reading)
        if type(family) is not str or not family:
            self._wrong = self._wrong or Finding("a family called %r" % (family,))
        try:
            self.judge.reading(reading)
        except Finding as finding:
            self._wrong = self._wrong or finding

    def _error(self, error, frame):
        if type(error) is not MeterError or error.kind not in KINDS or type(error.detail) is not str:
            self._wrong = self._wrong or Finding("an error that is %r" % (error,))
        if not len(frame):
            self._wrong = self._wrong or Finding("an error about nothing")
        if not error.detail.startswith("the last parts"):  # that one tells of those before this frame
            self.judge.drop()
        self.errors.append(error)
        self.kinds.append(error.kind)

    def _watch(self):
        if self._wrong:
            raise self._wrong

    def feed(self, data):
        self.transcript.append(data)
        self.judge.feed(data)
        self.meter.feed(data, len(data))
        self._watch()
        if self.meter.pending > SIZE + 4 * MOST_PARTS:
            raise Finding("%d bytes wait" % self.meter.pending)

    def silence(self, last=False):
        self.transcript.append(last)
        if last is None:
            self.meter.flush(False, True)
        else:
            self.meter.flush(last)
            self.judge.drop()
        self._watch()
        if self.meter.pending > (4 * MOST_PARTS if last is None else 0):
            raise Finding("%d bytes wait behind a silence" % self.meter.pending)

    def weigh(self):
        size = held(self.meter)
        if size > HELD:
            raise Finding("the meter holds %d bytes" % size)
        return size


def measured(player, work, pieces, silence):
    """Feed, with every step counted; Finding when it was too much work. True when lines were run in a new order."""
    with work:
        for piece in pieces:
            player.feed(piece)
        for kind in silence:
            player.silence(kind)
    size = sum(map(len, pieces)) + SIZE
    work.most = max(work.most[0], work.steps / size), max(work.most[1], work.kernel / size)
    if work.steps > STEPS + STEPS_A_BYTE * size or work.kernel > KERNEL + KERNEL_A_BYTE * size:
        raise Finding("%d steps and %d of checksums for %d bytes" % (work.steps, work.kernel, size))
    return work.new > 0


def good(player, chance, silent):
    """Good telegrams behind the garbage: (telegrams lost, bytes from the first on until one was read).

    `silent`: the line is silent behind each, so none may be lost. Otherwise a broken length may swallow what follows,
    until the buffer is full: enough is sent for that."""
    telegrams = player.line.telegrams
    first = chance.randrange(len(telegrams))
    sent = size = at = 0
    late = None
    before = len(player.readings)
    while sent < GOOD or not silent and size < 2 * SIZE:
        telegram = telegrams[(first + sent) % len(telegrams)]
        player.feed(telegram)
        if silent:
            player.silence()
        sent += 1
        size += len(telegram)
        if late is None and len(player.readings) > before:
            late = at
        at += len(telegram)
    player.silence()
    lost = sent - (len(player.readings) - before)
    return lost, size if late is None else late


def play_round(line, lines, chance, cases, work, traced, stats):
    """A meter's life of some `cases`; stats counts frames. A Finding carries the transcript."""
    player = Player(line)
    try:
        _cases(player, lines, chance, cases, work, traced, stats)
        stats["held"] = max(stats["held"], player.weigh())
    except Exception as wrong:
        sys.settrace(None)
        wrong.transcript = player.transcript
        raise
    stats["readings"] += len(player.readings)
    return player


def _cases(player, lines, chance, cases, work, traced, stats):
    line = player.line
    for _ in range(cases):
        pool = line.corpus if line.corpus and chance.random() < 0.3 else line.telegrams
        donor = chance.choice(chance.choice(lines).telegrams)
        units = [mutate.unit(chance, chance.choice(pool), line, donor) for _ in range(chance.choice((1, 1, 2, 4)))]
        stats["frames"] += len(units)
        data = b"".join(units)
        pieces = list(mutate.chunks(chance, data))
        silence = chance.choice(((), (), (None,), (False,), (False,), (True,)))
        before = len(player.errors)
        new = False
        if traced and chance.random() < traced:
            new = measured(player, work, pieces, silence)
        else:
            for piece in pieces:
                player.feed(piece)
            for kind in silence:
                player.silence(kind)
        for error in player.errors[before:]:
            stats["kinds"][error.kind] = stats["kinds"].get(error.kind, 0) + 1
            told = line.name, error.kind, "".join([letter for letter in error.detail[:40] if letter.isalpha()])
            if told not in stats["told"]:
                stats["told"].add(told)
                new = True
        if new:
            _keep(line.corpus, units, chance)
        del player.errors[before:]
        if line.checked and chance.random() < 0.1:
            silent = chance.random() < 0.7
            if silent:
                player.silence()
            lost, late = good(player, chance, silent)
            stats["late"] = max(stats["late"], late)
            stats["lost"][lost] = stats["lost"].get(lost, 0) + 1
            if lost > (0 if silent else 1) or lost < 0 and silent:
                raise Finding("%d good telegrams were lost, the first was read %d bytes late" % (lost, late))
        if len(player.transcript) > 4000:
            return


def _keep(corpus, units, chance):
    for unit in units:
        if 0 < len(unit) < SIZE:
            if len(corpus) < 100:
                corpus.append(unit)
            else:
                corpus[chance.randrange(100)] = unit


def replay(document):
    """Play a transcript that was kept; raises what it raised."""
    from tools.fuzz.lines import Line
    keys = [bytes.fromhex(document[name]) if document[name] else None for name in ("key", "auth_key")]
    player = Player(Line(document["line"], [], *keys, zone=document["zone"]))
    for piece in document["transcript"]:
        if isinstance(piece, str):
            player.feed(bytes.fromhex(piece))
        else:
            player.silence(piece)
    return player


def kept(line, transcript, error):
    """The document for `replay`."""
    return {"line": line.name, "zone": line.zone, "key": line.key and line.key.hex(),
            "auth_key": line.auth_key and line.auth_key.hex(), "error": "%s: %s" % (type(error).__name__, error),
            "transcript": [piece.hex() if isinstance(piece, bytes) else piece for piece in transcript]}


def rounds(lines, count, seed, chance_of, traced, stats, work, on_finding, cases=60, seconds=None):
    """Play `count` broken frames, or for so many seconds."""
    begin = time.monotonic()
    number = 0
    while stats["frames"] < count and (seconds is None or time.monotonic() - begin < seconds):
        chance = chance_of("%s/%d" % (seed, number))
        line = lines[number % len(lines)]
        try:
            play_round(line, lines, chance, cases, work, traced, stats)
        except Exception as wrong:
            on_finding(number, line, wrong)
        number += 1


def fresh_stats():
    return {"frames": 0, "readings": 0, "held": 0, "late": 0, "lost": {}, "kinds": {}, "told": set()}


def summary(stats, work):
    return json.dumps({**stats, "told": len(stats["told"]), "arcs": len(work.arcs),
                       "work": [round(number, 1) for number in work.most]})
