# SPDX-License-Identifier: MIT
"""An hour of telegrams with cuts and noise through the firmware on the 32-bit port, in a small heap: none that arrives
whole is lost, none is misread, and the heap stays flat."""

import json
import subprocess

import pytest

from host_tests.test_decoding import lacks
from tools import meters
from tools.compile import micropython
from tools.meters.faults import OVERLONG, Delivery, Faulty

START = 1_686_787_200  # at night: what a line means is remembered when it changes first, and the sun changes many
KEY, AUTH_KEY = bytes(range(0x20, 0x30)), bytes(range(0x50, 0x60))
FAULTS = [("noise", 0.1), ("truncation", 0.08), ("crc", 0.05), ("bitflip", 0.05), ("overlong", 0.01),
          ("silence", 0.02)]

# one line for each delivery: [readings, errors so far, the last reading]; then the free heap, and the counters
READER = """
import gc, json, sys
gc.threshold(4096)  # as main.py
from binascii import unhexlify
from wattport.meter import Meter

lines, seed = int(sys.argv[2]), 12345
readings = []
errors = [0]

def reading(what, family):
    readings.append(what)

def error(what, frame):
    errors[0] += 1

options = json.loads(sys.argv[1])
key, auth_key = [unhexlify(options[name]) if options[name] else None for name in ("key", "auth_key")]
meter = Meter(reading, error, key, auth_key)
chunk = bytearray(512)
view = memoryview(chunk)
source = open(sys.argv[3], "rb")
free = [0, 0]
for number in range(lines):
    size = int(source.readline())
    while size:
        seed = (seed * 1103515 + 12345) % 1000003
        part = source.readinto(view[:min(size, 1 + seed % 512)])
        meter.feed(chunk, part)
        size -= part
    meter.flush()
    print(json.dumps([len(readings), errors[0], readings[-1] if readings else None]))
    readings.clear()
    late = number >= lines - 20
    if late or 480 <= number < 500:
        gc.collect()  # what the stack still seems to point at stays, so that the best of some counts
        free[late] = max(free[late], gc.mem_free())
print(json.dumps(free))
print(json.dumps([meter.counters.telegrams, meter.garbage, meter.pending]))
"""


def soak(folder, family, count, keys, telegram_seed):
    """What the firmware makes of `count` deliveries: [(delivery, [readings, errors, the last reading])], rest."""
    key, auth_key = keys
    faulty = Faulty(meters.make(family, seed=telegram_seed, start=START, key=key, auth_key=auth_key), FAULTS, seed=9)
    # the buffer grows to its full size and tables are made when they must: at once, so as not to be taken for a leak
    endless = Delivery(b"\x7e\xa0\x20\x03\x21\x13\0\0/TST5\r\n" + b"." * OVERLONG, {}, False, ("overlong",))
    deliveries = [endless] + [faulty.next() for _ in range(count - 1)]
    line = folder / "line.bin"
    line.write_bytes(b"".join(b"%d\n%s" % (len(delivery.data), delivery.data) for delivery in deliveries))
    script = folder / "reader.py"
    script.write_text(READER)
    command, environment = micropython("micropython32", heap="100k")
    options = {"key": key and key.hex(), "auth_key": auth_key and auth_key.hex()}
    done = subprocess.run([*command, str(script), json.dumps(options), str(count), str(line)], env=environment,
                          capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    return list(zip(deliveries, answers)), answers[count], answers[count + 1]


@pytest.mark.parametrize("family, count, keys", [
    ("dsmr5", 3600, (None, None)), ("lu", 600, (KEY, AUTH_KEY)), ("lu", 600, (KEY, None)),
    ("kamstrup", 600, (KEY, AUTH_KEY)), ("dsmr2", 600, (None, None))])
def test_nothing_is_lost_or_misread_and_the_heap_stays_flat(tmp_path, monkeypatch, family, count, keys):
    if family == "dsmr2":
        monkeypatch.setattr("host_tests.test_soak.FAULTS", [fault for fault in FAULTS if fault[0] != "crc"])
    pairs, free, (telegrams, garbage, pending) = soak(tmp_path, family, count, keys, 21)
    seen = 0
    told = 0
    for number, (delivery, (readings, errors, reading)) in enumerate(pairs):
        seen += readings
        if delivery.intact:
            assert readings == 1, (number, delivery.kinds)
        if readings and (family != "dsmr2" or delivery.intact):
            assert readings == 1 and not lacks(reading, delivery.expected), (number, delivery.kinds)
        # a broken telegram is told once, or was too little to be one
        assert errors - told <= (0 if delivery.intact and not delivery.kinds else 3), (number, delivery.kinds)
        told = errors
    assert telegrams == seen > count * 0.7
    assert pending == 0 and garbage > 0
    assert free[0] - free[1] <= 512 and free[1] > 36_000, free  # of 100 KB; 40 160 with Luxembourg's meter
