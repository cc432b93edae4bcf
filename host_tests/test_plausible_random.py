# SPDX-License-Identifier: MIT
"""Whatever a line without a checksum makes of one telegram, no register that comes out falls or jumps, and nothing
that was right stays away for more than a telegram."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import meters
from wattport.plausible import Guard

LIMIT_W = 80000
NAMES = ("import_wh", "import_t1_wh", "export_wh")
POWERS = ("power_import_w", "power_export_w")
CHILD = "volume_l"
SLACK_WH = LIMIT_W * 5 // 3600 + 1000  # five seconds, and a meter that counts in kWh
START = 1760000000
VALUES = st.integers(0, 2**33) | st.sampled_from([0, 1, 0x80000, 0xFFFFFFFF, 99999999, 99999999999])


@st.composite
def streams(draw):
    """[(seconds since the last, Reading)]: a meter that does what a meter may."""
    step = draw(st.sampled_from([1, 1, 10, 1000]))
    work = {name: draw(st.integers(0, 20_000_000)) for name in NAMES}
    litres = draw(st.integers(0, 5_000_000))
    stream, seconds = [], 0
    for _ in range(draw(st.integers(4, 12))):
        gap_s = draw(st.sampled_from([1, 10, 10, 10, 60, 3600, 86400]))
        seconds += gap_s
        for name in NAMES:
            work[name] += draw(st.integers(0, LIMIT_W * gap_s // 3600))
        litres += draw(st.sampled_from([0, 0, 50]))
        reading = {name: work[name] // step * step for name in NAMES}
        reading.update({name: draw(st.integers(0, LIMIT_W)) for name in POWERS})
        reading["time"] = START + seconds
        reading["meter_id"] = "A"
        reading["devices"] = {"1": {"type": "gas", CHILD: litres}}
        stream.append((gap_s, reading))
    return stream


@st.composite
def corruptions(draw):
    """What happens to one Reading, by a function."""
    changes = {}
    for name in draw(st.sets(st.sampled_from(NAMES + POWERS + ("import_t3_wh", "time", "meter_id", "devices")))):
        if name == "meter_id":
            changes[name] = "B"
        elif name == "devices":
            changes[name] = {"1": {"type": "gas", CHILD: draw(VALUES)}}
        else:
            way = draw(st.sampled_from(["set", "flip", "near", "gone"]))
            changes[name] = way, draw(VALUES if way == "set" else st.integers(0, 33) if way == "flip"
                                      else st.integers(-2000, 2000))

    def corrupt(reading):
        for name, change in changes.items():
            if name in ("meter_id", "devices"):
                reading[name] = change
                continue
            way, number = change
            if way == "gone":
                reading.pop(name, None)
            elif way == "set":
                reading[name] = number
            else:
                old = reading.get(name, 0)
                reading[name] = old ^ 1 << number if way == "flip" else old + number
        return reading
    return corrupt


@settings(max_examples=600, deadline=None)
@given(streams(), corruptions(), st.data())
def test_one_corrupted_telegram_makes_nothing_fall_jump_or_stay_away(stream, corrupt, data):
    which = data.draw(st.integers(0, len(stream) - 1))
    told, told_s, now_s = {}, {}, 0
    guard = Guard(LIMIT_W)
    for k, (gap_s, sent) in enumerate(stream):
        now_s += gap_s
        reading = {name: value.copy() if name == "devices" else value for name, value in sent.items()}
        reading["devices"] = {channel: dict(device) for channel, device in sent["devices"].items()}
        if k == which:
            reading = corrupt(reading)
        guard.take(reading, now_s * 1000 % (1 << 30), False)
        out = {name: reading[name] for name in reading if name.endswith("_wh")}
        for name in POWERS:
            assert reading.get(name, 0) <= LIMIT_W
        if k != which:
            assert all(reading[name] == sent[name] for name in POWERS)
        for name, value in out.items():
            assert value >= told.get(name, 0), (k, name)
            if k != which:
                assert value == sent[name], (k, name)
            elif name in told:
                assert value <= told[name] + LIMIT_W * (now_s - told_s[name]) // 3600 + SLACK_WH, (k, name)
            else:  # nothing was before but the first, which waited
                assert k == 1, name
            told[name], told_s[name] = value, now_s
        if k > 0 and which not in (k, k - 1):  # two good ones in a row
            for name in NAMES:
                assert name in out or sent[name] < told[name], (k, name)
        if "devices" in reading:
            litres = reading["devices"]["1"].get(CHILD)
            if litres is not None:
                assert litres >= told.get(CHILD, 0)
                told[CHILD] = litres


@settings(max_examples=200, deadline=None)
@given(streams(), st.integers(1, 11), st.integers(1, 11), st.sets(st.sampled_from(NAMES), min_size=1), st.booleans())
def test_a_meter_that_is_replaced_comes_out_one_telegram_late_at_most(stream, after, back, names, checked):
    guard = Guard(LIMIT_W)
    now_s = 0
    for k, (gap_s, sent) in enumerate(stream):
        now_s += gap_s
        reading = {name: value for name, value in sent.items() if name != "devices"}
        if k >= after:
            for name in names:
                reading[name] += 10_000_000 * back
        expected = dict(reading)
        guard.take(reading, now_s * 1000 % (1 << 30), checked)
        if k not in (after, 0):
            assert reading == expected, k
    assert guard.counts["swap"] <= 1


@settings(max_examples=200, deadline=None)
@given(streams(), st.booleans())
def test_a_meter_that_does_nothing_odd_is_never_held_up(stream, checked):
    guard = Guard(LIMIT_W)
    now_s = 0
    for k, (gap_s, sent) in enumerate(stream):
        now_s += gap_s
        reading = dict(sent)
        reading["devices"] = {channel: dict(device) for channel, device in sent["devices"].items()}
        guard.take(reading, now_s * 1000 % (1 << 30), checked)
        if k:
            assert reading == sent
    assert guard.counts["held"] == guard.counts["swap"] == 0


@pytest.mark.parametrize("start", [1774746000 - 600, 1792890000 - 600], ids=["to summer time", "to winter time"])
@pytest.mark.parametrize("family", meters.FAMILIES)
def test_no_simulated_meter_is_held_up(family, start):
    meter = meters.make(family, seed=7, start=start)
    guard = Guard(LIMIT_W)
    for k in range(1500):
        _, sent = meter.next()
        reading = copy.deepcopy(sent)
        guard.take(reading, meter.time * 1000 % (1 << 30), family not in ("dsmr2", "iec", "iec-c"))
        assert k == 0 or reading == sent
    assert guard.news == "" and not any(guard.counts.values())
