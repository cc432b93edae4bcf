# SPDX-License-Identifier: MIT
"""Pulses: which edges are some, what power they tell, and a register that loses and invents nothing."""

from wattport.link.count import RECORD_SIZE, Pulses, Register

KWH = 1000


def spaced(spacing_ms, count, start_ms=0):
    return [start_ms + k * spacing_ms for k in range(count)]


def watch(edges_ms, per_kwh=KWH, debounce_ms=60, stalls=(), look_ms=10, until_ms=None):
    """Pulses that come of edges at these times; `stalls`: (start, length) without a look."""
    pulses = Pulses(per_kwh, debounce_ms)
    total = now = at = 0
    until_ms = until_ms or edges_ms[-1] + 1000
    while now < until_ms:
        after = now + look_ms
        for start, length in stalls:
            if start <= after < start + length:
                after = start + length
        seen = at
        while at < len(edges_ms) and edges_ms[at] < after:
            at += 1
        total += pulses.look(at - seen, after - now)
        now = after
    return total, pulses


def records(register):
    record = bytearray(RECORD_SIZE)
    register.write(record)
    return [bytes(record)]


def test_every_pulse_of_30_kw_counts_whatever_the_pulses_a_kwh_and_the_debouncing():
    for per_kwh in (1, 100, 640, 800, 1000, 3200, 5000, 10000):
        spacing = 120000 // per_kwh
        count = 200 if spacing < 200 else 3
        for debounce in (0, 10, 60, 1000):
            assert watch(spaced(spacing, count, 3), per_kwh, debounce)[0] == count, (per_kwh, debounce)


def test_every_pulse_of_30_kw_counts_through_stalls():
    for per_kwh in (640, 1000, 3200, 10000):
        spacing = 120000 // per_kwh
        stalls = [(500, 95), (1000, 900), (2005, 55), (2100, 130), (3000, 1)]
        for phase in range(0, spacing, 11):
            assert watch(spaced(spacing, 5000 // spacing, phase), per_kwh, 1000, stalls)[0] == 5000 // spacing


def test_bounces_are_no_pulses():
    edges = []
    for at in spaced(500, 100, 20):
        edges += [at, at + 1, at + 3, at + 7, at + 15]
    assert watch(edges)[0] == 100
    # a contact bounces when it opens, too
    edges = []
    for at in spaced(500, 100, 20):
        edges += [at, at + 2, at + 30, at + 33, at + 41]
    assert watch(edges)[0] == 100
    assert watch(edges, debounce_ms=0)[0] == 500


def test_noise_for_ever_is_at_most_one_pulse():
    assert watch(spaced(9, 2000))[0] == 1


def test_power_follows_from_the_spacing():
    for spacing, watts in ((3600, 1000), (36000, 100), (1200, 3000), (720000, 5)):
        _, pulses = watch(spaced(spacing, 3), until_ms=2 * spacing + 10)
        assert abs(pulses.watts - watts) * 100 <= watts + 50, (spacing, pulses.watts)


def test_fast_pulses_are_averaged():
    for per_kwh, watts in ((1000, 30000), (10000, 30000), (3200, 11500), (1000, 12345)):
        spacing_us = 3600000000000 // (per_kwh * watts)
        edges = [k * spacing_us // 1000 for k in range(5000000 // spacing_us)]
        _, pulses = watch(edges, per_kwh, until_ms=edges[-1] + 5)
        assert abs(pulses.watts - watts) * 50 < watts, (per_kwh, watts, pulses.watts)


def test_power_is_unknown_before_two_pulses_and_zero_never_comes_from_nothing():
    pulses = Pulses(KWH, 60)
    assert pulses.watts is None
    pulses.look(0, 10000)
    pulses.look(1, 10)
    pulses.look(0, 100000)
    assert pulses.watts is None
    pulses.look(1, 10)
    assert pulses.watts == 35


def test_power_falls_while_no_pulse_comes():
    _, pulses = watch(spaced(360, 10), until_ms=3245)  # 10 kW
    assert 9700 <= pulses.watts <= 10300
    pulses.look(0, 3600)
    assert pulses.watts <= 1000
    pulses.look(0, 3600000 - 3610)
    assert pulses.watts == 1
    for _ in range(200):
        pulses.look(0, 86400000)  # longer than ticks last
    assert pulses.watts == 0
    pulses.look(1, 10)
    pulses.look(1, 3600)
    assert pulses.watts == 1000


def test_power_turns_at_once_when_the_load_does():
    _, pulses = watch(spaced(360, 10) + [3240 + 7200], until_ms=3240 + 7210)
    assert pulses.watts <= 510
    _, pulses = watch(spaced(36000, 3) + spaced(360, 8, 72360), until_ms=75100)
    assert pulses.watts >= 9000


def test_pulses_become_watt_hours_without_drift():
    for per_kwh in (1, 3, 7, 640, 800, 1000, 3200, 10000, 99999):
        register = Register(per_kwh, 12345678, [])
        for k in range(1, 2000):
            register.add(1)
            assert register.wh == 12345678 + k * 1000 // per_kwh
        register.add(per_kwh * 1000 - 1999)
        assert register.wh == 12345678 + 1000000


def test_a_register_goes_on_after_a_restart_fraction_and_all():
    register = Register(800, 5000, [])
    total = 0
    for step in (1, 1, 1, 5, 799, 3):
        register.add(step)
        total += step
        register = Register(800, 5000, records(register))
        assert register.wh == 5000 + total * 1000 // 800
    big = Register(640, 99999999999, [])
    big.add(640 * 10 ** 9)
    assert Register(640, 99999999999, records(big)).wh == 99999999999 + 10 ** 12


def test_of_two_records_the_further_one_counts():
    register = Register(KWH, 5, [])
    register.add(10)
    flash = records(register)
    register.add(7)
    rtc = records(register)
    assert Register(KWH, 5, flash + rtc).wh == Register(KWH, 5, rtc + flash).wh == 22
    fine = Register(10000, 5, [])
    fine.add(3)
    flash = records(fine)
    fine.add(4)
    rtc = records(fine)
    for both in (flash + rtc, rtc + flash):
        again = Register(10000, 5, both)
        again.add(3)
        assert again.wh == 6


def test_another_start_begins_anew_and_the_same_one_does_not():
    register = Register(KWH, 1000000, [])
    register.add(500)
    kept = records(register)
    assert Register(KWH, 1000000, kept).wh == 1000500
    assert Register(KWH, 1000400, kept).wh == 1000400
    assert Register(KWH, 0, kept).wh == 0


def test_other_pulses_a_kwh_leave_the_register_where_it_is():
    register = Register(1000, 100, [])
    register.add(12345)
    changed = Register(800, 100, records(register))
    assert changed.wh == 12445
    changed.add(800)
    assert changed.wh == 13445
    assert Register(800, 100, records(changed)).wh == 13445
    # the chip's memory may still hold the old count
    assert Register(800, 100, records(changed) + records(register)).wh == 13445


def test_a_spoilt_record_is_none():
    register = Register(KWH, 5, [])
    register.add(10)
    good = records(register)[0]
    for at in range(len(good)):
        for bit in (1, 0x80):
            bad = bytearray(good)
            bad[at] ^= bit
            assert Register(KWH, 5, [bytes(bad)]).wh == 5
    for junk in (b"", b"\x00" * 36, good[:35], good + b"\x00", None, b"\xff" * 2048):
        assert Register(KWH, 5, [junk]).wh == 5
