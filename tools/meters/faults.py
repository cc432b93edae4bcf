# SPDX-License-Identifier: MIT
"""What goes wrong between a meter and its reader, as often as asked for and the same for the same seed."""

import random
import re
from typing import NamedTuple

from tools.meters.family import MARKS

DEFAULT_PROBABILITY = 0.1
OVERLONG = 10_240
REGISTER = re.compile(rb"\((\d+\.?\d*)\*kWh")
QUIET = bytes(byte for byte in range(256) if byte not in MARKS + b"!")


class Delivery(NamedTuple):
    """What arrives in place of one telegram.

    `intact`: the telegram is in `data` whole and nothing before it looks like the start of one: it must be
    read. Otherwise a reader may lose it, but must never make another reading of it than `expected`. A reader
    that goes by a length and sees no pause on the line may lose the telegram after a broken one too."""

    data: bytes
    expected: dict
    intact: bool
    kinds: tuple


def parse(text):
    """KIND[:PROBABILITY] as ("kind", probability)."""
    kind, _, probability = text.partition(":")
    if kind not in KINDS:
        raise ValueError("no fault %r; there are %s" % (kind, ", ".join(KINDS)))
    probability = float(probability) if probability else DEFAULT_PROBABILITY
    if not 0 <= probability <= 1:
        raise ValueError("a probability is 0 to 1")
    return kind, probability


def _cut(telegram, chance):
    return telegram[:chance.randrange(1, len(telegram))]


def _noise(meter, telegram, chance):
    """Harmless before the telegram, hostile before it (looks like a start), or inside."""
    length = chance.randint(1, 60)
    where = chance.choice(("before", "hostile", "inside"))
    if where == "before":
        return bytes(chance.choices(QUIET, k=length)) + telegram, True
    if where == "hostile":
        return bytes((chance.choice(MARKS),)) + chance.randbytes(length) + telegram, False
    place = chance.randrange(1, len(telegram))
    return telegram[:place] + chance.randbytes(length) + telegram[place:], False


def _truncation(meter, telegram, chance):
    return _cut(telegram, chance), False


def _crc(meter, telegram, chance):
    return meter.family.spoil(telegram, chance), False


def _silence(meter, telegram, chance):
    return b"", False


def _powercut(meter, telegram, chance):
    meter.household.fail(meter.family.interval_s * chance.randint(3, 30))
    return _cut(telegram, chance), False


def _bitflip(meter, telegram, chance):
    bit = chance.randrange(len(telegram) * 8)
    flipped = bytearray(telegram)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped), False


def _flip(meter, telegram, chance):
    """Of a register in plain text one digit is another: what nobody sees where there is no checksum."""
    registers = list(REGISTER.finditer(telegram))
    if not registers:
        return _bitflip(meter, telegram, chance)
    register = chance.choice(registers)
    changes = [(place, bit) for place in range(*register.span(1)) for bit in (1, 2, 4, 8)
               if telegram[place:place + 1].isdigit() and 0x30 <= telegram[place] ^ bit <= 0x39]
    place, bit = chance.choice(changes)
    flipped = bytearray(telegram)
    flipped[place] ^= bit
    return bytes(flipped), False


def _overlong(meter, telegram, chance):
    start = telegram[:chance.randrange(1, len(telegram) // 2)]
    return start + bytes(chance.choices(QUIET, k=OVERLONG)), False


def _lost(meter, telegram, chance):
    """One frame of several never comes; of one alone nothing does."""
    parts = list(meter.family.parts(telegram))
    del parts[chance.randrange(len(parts))]
    return b"".join(parts), False


def _twice(meter, telegram, chance):
    """One of the frames is repeated at once."""
    parts = list(meter.family.parts(telegram))
    which = chance.randrange(len(parts))
    return b"".join(parts[:which + 1] + parts[which:]), False


KINDS = {"noise": _noise, "truncation": _truncation, "crc": _crc, "silence": _silence, "powercut": _powercut,
         "bitflip": _bitflip, "flip": _flip, "overlong": _overlong, "lost": _lost, "twice": _twice}


class Faulty:
    """A meter behind bad wiring: `faulty.next()` is a Delivery."""

    def __init__(self, meter, faults, seed=1):
        """`faults`: (kind, probability) pairs; at most one of them happens to a telegram, in their order."""
        self.meter = meter
        self.faults = list(faults)
        self._chance = random.Random("%s/faults" % seed)
        if any(kind == "crc" for kind, _ in self.faults):
            meter.family.spoil(meter.family.telegram(meter.household, meter.state), random.Random(0))

    def next(self):
        telegram, expected = self.meter.next()
        for kind, probability in self.faults:
            if self._chance.random() < probability:
                data, intact = KINDS[kind](self.meter, telegram, self._chance)
                return Delivery(data, expected, intact, (kind,))
        return Delivery(telegram, expected, True, ())
