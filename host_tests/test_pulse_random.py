# SPDX-License-Identifier: MIT
"""Pulses as a meter may send them and a busy chip may look at them: all are counted, whatever the debouncing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from wattport.link.count import MOST_PER_KWH, RECORD_SIZE, Pulses, Register

# a look every 10 ms, and now and then a stall
LOOKS = st.lists(st.integers(10, 14) | st.integers(10, 3000), min_size=1, max_size=60)


@settings(max_examples=2000, deadline=None)
@given(st.sampled_from([1, 100, 640, 800, 1000, 1600, 3200, 5000, 10000]), st.integers(0, 1000),
       st.lists(st.integers(0, 400), min_size=1, max_size=150), LOOKS)
def test_no_pulse_of_30_kw_is_lost_to_stalls_or_debouncing(per_kwh, debounce, later, looks):
    pulses = Pulses(per_kwh, debounce)
    at, edges = 0, []
    for extra in later:
        at += 120000 // per_kwh + extra
        edges.append(at)
    now = counted = seen = turn = 0
    while seen < len(edges):
        gap = looks[turn % len(looks)]
        if per_kwh <= 100:
            gap *= 100
        turn += 1
        now += gap
        fresh = sum(1 for edge in edges[seen:] if edge <= now)
        seen += fresh
        counted += pulses.look(fresh, gap)
        assert pulses.watts is None or pulses.watts >= 0
    assert counted == len(edges)


@settings(max_examples=500, deadline=None)
@given(st.integers(60, 1000), st.integers(60, 1000), st.lists(st.lists(st.integers(0, 8), max_size=5), max_size=40))
def test_bounces_of_a_contact_are_never_pulses(debounce, closed_ms, contacts):
    """Each closing bounces for some milliseconds; without stalls."""
    pulses = Pulses(1000, debounce)
    edges = []
    for k, bounces in enumerate(contacts):
        at = 20 + k * (closed_ms + 200)
        edges += [at, *[at + bounce for bounce in sorted(bounces)]]
    counted = 0
    for now in range(10, (len(contacts) + 1) * (closed_ms + 200), 10):
        counted += pulses.look(sum(1 for edge in edges if now - 10 < edge <= now), 10)
    assert counted == len(contacts)


@given(st.integers(1, MOST_PER_KWH), st.integers(0, 99_999_999_999), st.lists(st.integers(0, 10**7), max_size=20))
def test_the_register_is_exact_and_never_falls_over_restarts(per_kwh, start, steps):
    register, total = Register(per_kwh, start, []), 0
    shown = start
    for step in steps:
        register.add(step)
        total += step
        assert register.wh == start + total * 1000 // per_kwh >= shown
        shown = register.wh
        record = bytearray(RECORD_SIZE)
        register.write(record)
        register = Register(per_kwh, start, [b"", record])
        assert register.wh == shown


@given(st.binary(max_size=80) | st.binary(min_size=36, max_size=36))
def test_no_bytes_are_a_record_by_chance(junk):
    assert Register(1000, 7, [junk]).wh == 7
