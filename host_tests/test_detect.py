# SPDX-License-Identifier: MIT
"""The line's settings are found: every family at its own line, and every line of the standards, in simulated time.

`python -m host_tests.test_detect` prints how long it takes, a table for docs/figures.md.
"""

import statistics
import sys

import pytest

from host_tests.lines import SECOND, Bench, Noise, Sender, Silence, usual_line
from tools import meters
from tools.sim.wire import FORMATS, Receiver, Wave, bits_of, parse

BAUDS = 300, 2400, 9600, 115200
LIVE_S = 10  # issue 3: a meter that sends every ten seconds or oftener is found within sixty
BOUND_S = 60
RESYNC = "edge", "level"


def telegrams_of(family, count=4):
    meter = meters.make(family, seed=3, start=1760000000)
    return [meter.next()[0] for _ in range(count)]


def sender_of(family, baud, form, seed=1, noise=False):
    return Sender(telegrams_of(family), baud, form, meters.FAMILIES[family].interval_s, seed, noise)


def is_text(family):
    return all(byte < 128 for byte in telegrams_of(family, 1)[0])


def lines_of(family):
    """Its own line, then all others that can carry its bytes."""
    own = usual_line(family)
    return [own] + [(baud, form) for baud in BAUDS for form in FORMATS
                    if (baud, form) != own and (form != "7E1" or is_text(family))]


def converge(family, baud, form, inverted, seed, noise, resync):
    """(seconds, bound, bench)."""
    sender = sender_of(family, baud, form, seed, noise)
    bench = Bench(sender, inverted, resync=resync, seed=seed)
    period_s = sender.period / SECOND
    bound_s = BOUND_S if period_s <= LIVE_S + 1 else 6 * period_s
    return bench.run(2 * bound_s), bound_s, bench


def check(family, baud, form, inverted, seed, noise, resync):
    seconds, bound_s, bench = converge(family, baud, form, inverted, seed, noise, resync)
    told = "%s at %d %s, seed %d, %s: %s" % (family, baud, form, seed, resync, bench.settings)
    assert seconds is not None and seconds <= bound_s, told
    found = bench.line
    assert (found[0], found[2]) == (baud, inverted), told
    # another format only where its receiver hears the same bytes; then every telegram comes through from now on
    bench.sender.noise = False
    bench.run(bench.sender.lasts * 2 / SECOND + 2 * bench.sender.period / SECOND, lambda bench: False)
    frames = bench.meter.counters.frames
    broken = dict(bench.errors)
    bench.run(4 * bench.sender.period / SECOND, lambda bench: False)
    assert bench.meter.counters.frames - frames >= 3, told
    for kind in ("checksum", "truncated"):
        assert bench.errors.get(kind) == broken.get(kind), told


@pytest.mark.parametrize("family", sorted(meters.FAMILIES))
@pytest.mark.parametrize("resync", RESYNC)
def test_a_meter_at_its_own_line_is_found_from_inside_of_a_telegram_and_with_noise(family, resync):
    baud, form = usual_line(family)
    for seed in range(4):
        check(family, baud, form, bool(seed & 1), seed, seed > 0, resync)


@pytest.mark.parametrize("family", sorted(meters.FAMILIES))
def test_a_family_is_found_on_every_line(family):
    slow = max(map(len, telegrams_of(family))) > 400  # such a telegram takes a quarter of a minute at 300 baud
    for seed, (baud, form) in enumerate(lines_of(family)):
        if baud == 300 and slow and family != "dsmr2":
            continue
        check(family, baud, form, bool(seed & 1), seed, bool(seed & 2), RESYNC[seed // 2 & 1])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("baud", BAUDS)
@pytest.mark.parametrize("inverted", (False, True))
def test_every_line_is_found_by_the_text_of_a_meter(baud, form, inverted):
    for resync in RESYNC:
        check("dsmr2", baud, form, inverted, 7, True, resync)


@pytest.mark.parametrize("family", ["tic", "tic-standard"])
@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("resync", RESYNC)
def test_a_meter_that_never_pauses_is_found_although_its_line_never_rests(family, phases, resync):
    meter = meters.make(family, seed=3, start=1760000000, phases=phases)
    telegrams = [meter.next()[0] for _ in range(4)]
    baud, form = usual_line(family)
    for seed in range(6):
        inverted = bool(seed & 1)
        sender = Sender(telegrams, baud, form, 0, seed, endless=True)
        bench = Bench(sender, inverted, resync=resync, seed=seed, pin=seed < 4)
        seconds = bench.run(2 * BOUND_S)
        assert seconds is not None and seconds <= BOUND_S, bench.settings
        assert (bench.line[0], bench.line[2]) == (baud, inverted), bench.settings
        bench.run(10, lambda bench: False)
        assert bench.readings.count("tic") >= 3


def test_a_meter_without_its_key_is_found():
    for family in ("lu", "kamstrup"):
        seconds, bound_s, bench = converge(family, *usual_line(family), True, 2, True, "edge")
        assert seconds < bound_s
        assert not bench.readings or family == "kamstrup"


def test_a_line_that_was_kept_is_right_with_the_first_whole_telegram():
    for family in ("dsmr5", "dsmr2", "kamstrup"):
        baud, form = usual_line(family)
        sender = sender_of(family, baud, form)
        bench = Bench(sender, True, first=(baud, form, True))
        assert bench.run(BOUND_S) <= 2 * sender.period / SECOND + 1
        assert len(bench.settings) == 1


@pytest.mark.parametrize("kept", [
    (300, "7E1", False), (2400, "8E1", True), (9600, "8N1", False), (115200, "8N1", False)])
@pytest.mark.parametrize("family", ["dsmr5", "dsmr4", "dsmr2", "kamstrup", "se"])
def test_a_line_that_was_kept_and_is_wrong_costs_no_more_than_a_minute(family, kept):
    baud, form = usual_line(family)
    if kept[:2] == (baud, form):
        return
    for inverted in (False, True):
        bench = Bench(sender_of(family, baud, form), inverted, first=kept)
        seconds = bench.run(2 * BOUND_S)
        assert seconds is not None and seconds <= BOUND_S, bench.settings
        assert bench.line[0] == baud


def test_another_meter_on_another_line_is_found_while_the_search_is_on():
    bench = Bench(Noise(), False)
    bench.run(40, lambda bench: False)
    bench.plug(sender_of("dsmr2", 9600, "7E1"), True)
    assert bench.run(2 * BOUND_S) is not None
    assert bench.line == (9600, "7E1", True)


def test_silence_gives_up_nothing_and_the_meter_behind_it_is_found():
    for first in ((115200, "8N1", True), (2400, "8E1", False)):
        bench = Bench(Silence(), first[2], first=first)
        assert bench.run(600) is None
        assert bench.line == first and len(bench.settings) == 1
        bench.plug(sender_of("kamstrup", 2400, "8N1"), first[2])
        assert bench.run(BOUND_S) is not None


def test_the_level_of_a_line_at_rest_is_followed_again_and_again():
    bench = Bench(Silence(), True)
    for inverted in (False, True, False):
        bench.plug(Silence(), inverted)
        bench.run(2, lambda bench: False)
        assert bench.line == (115200, "8N1", inverted)


def test_without_a_pin_to_look_at_the_polarity_stays_as_it_is():
    bench = Bench(sender_of("kamstrup", 2400, "8N1"), False, first=(115200, "8N1", False), pin=False)
    assert bench.run(BOUND_S) is not None
    assert bench.line[2] is False


def test_ten_minutes_of_noise_are_no_meter_and_the_meter_after_them_is_found():
    for seed in range(2):
        bench = Bench(Noise(seed), bool(seed), seed=seed)
        assert bench.run(600) is None
        assert not bench.readings
        bench.plug(sender_of("dsmr4", 115200, "8N1"), bool(seed))
        assert bench.run(2 * BOUND_S) is not None, bench.settings


# the model itself

def sent(data, baud, form):
    wave = Wave()
    wave.add(data, 1000, baud, form)
    return wave


def heard(wave, baud, form, wrong=False, resync="edge"):
    return [byte for _, byte in Receiver(wave, baud, form, wrong, 0, resync).receive(wave.end + SECOND)]


@pytest.mark.parametrize("resync", RESYNC)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("baud", BAUDS)
def test_a_receiver_with_the_senders_settings_hears_what_was_sent(baud, form, resync):
    data = bytes(range(128 if form == "7E1" else 256))
    assert heard(sent(data, baud, form), baud, form, resync=resync) == list(data)


def test_a_slower_sender_is_heard_as_breaks_one_each_run_of_low_bits():
    wave = sent(b"U\x00\xff", 2400, "8N1")  # U: start, 1010 1010; 0: one run; 255: the start bit
    assert heard(wave, 115200, "8N1") == [0] * 7
    assert heard(wave, 115200, "8N1", resync="level") == [0] * 7


def test_even_parity_heard_without_is_the_top_bit():
    assert heard(sent(b"AC", 9600, "7E1"), 9600, "8N1") == [0x41, 0xC3]


def test_a_low_line_is_one_break_however_long():
    wave = Wave()
    wave.pulse(1000, SECOND)
    assert heard(wave, 9600, "8N1") == [0]


def test_a_needle_is_no_start_bit():
    wave = Wave()
    wave.pulse(1000, SECOND // 9600 // 3)
    wave.add(b"x", SECOND, 9600, "8N1")
    assert heard(wave, 9600, "8N1") == [ord("x")]


def test_bytes_arrive_one_by_one_when_their_stop_bits_do():
    wave = sent(b"abc", 300, "7E1")
    receiver = Receiver(wave, 300, "7E1")
    arrived = receiver.receive(1000 + SECOND * 25 // 300)
    assert [byte for _, byte in arrived] == list(b"ab")
    assert [byte for _, byte in receiver.receive(wave.end)] == list(b"c")


def test_parity_is_even_and_the_format_of_a_line_is_read_from_text():
    assert bits_of(0x03, "8E1") == [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert bits_of(0x01, "7E1") == [0, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert parse("2400 8E1 inverted") == (2400, "8E1", True)
    with pytest.raises(ValueError):
        parse("2400 8O1")


def main():
    rows = {}
    for family in sorted(meters.FAMILIES):
        own = usual_line(family)
        for line in lines_of(family):
            for seed in range(4):
                seconds, bound_s, _ = converge(family, *line, bool(seed & 1), seed, seed > 0, RESYNC[seed // 2])
                live = "live" if bound_s == BOUND_S else "slow"
                rows.setdefault((line, live), []).append((seconds, family))
                if line == own:
                    rows.setdefault(("own", live), []).append((seconds, family))
    for (line, live), times in sorted(rows.items(), key=str):
        worst, family = max(times)
        print("%-16s %s  median %5.1f s  worst %5.1f s (%s)  of %d" % (
            line if line == "own" else "%d %s" % line, live, statistics.median(seconds for seconds, _ in times), worst,
            family, len(times)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
