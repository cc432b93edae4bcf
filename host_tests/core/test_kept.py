# SPDX-License-Identifier: MIT
"""The frames that are kept for the diagnostics: the last two, what fits of each, in memory that does not grow."""

from wattport.errors import MeterError
from wattport.kept import Kept


def kept(*frames):
    made = Kept()
    for at, frame in enumerate(frames):
        made.take(MeterError("checksum", "frame %d" % at), memoryview(frame), at * 10)
    return [(kind, detail, size, at, bytes(data)) for kind, detail, size, at, data in made.frames()]


def test_nothing_is_kept_at_first():
    assert kept() == []


def test_the_last_two_are_kept_oldest_first():
    frames = [bytes([at]) * (at + 1) for at in range(7)]
    for count in range(1, 8):
        told = kept(*frames[:count])
        first = max(0, count - 2)
        assert told == [("checksum", "frame %d" % at, at + 1, at * 10, frames[at]) for at in range(first, count)]


def test_of_a_long_frame_its_beginning_is_kept_and_its_size():
    long = bytes(range(256)) * 5
    told = kept(b"ab", long, b"", b"c")
    assert [entry[4] for entry in told] == [b"", b"c"]
    told = kept(long, b"xyz")
    assert told[0][2] == 1280 and told[0][4] == long[:1024] and told[1][4] == b"xyz"
    assert kept(long, long)[1][4] == long[:1024]


def test_what_is_given_out_is_a_copy():
    made = Kept()
    made.take(MeterError("checksum", ""), memoryview(b"abc"), 0)
    next(made.frames())[4][0] = 0
    assert bytes(next(made.frames())[4]) == b"abc"
