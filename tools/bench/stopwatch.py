# SPDX-License-Identifier: MIT
"""Runs in every runtime: what a family's telegrams cost. `stopwatch.py FILE KEY AUTH_KEY` prints
[microseconds a telegram, bytes allocated].

FILE holds telegrams, each with its length before it (4 bytes). They differ from one another as a meter's do.
"""

import gc
import json
import sys
import time
from binascii import unhexlify

from wattport.meter import Meter

ROUNDS = 7


def telegrams(path):
    with open(path, "rb") as file:
        while True:
            size = file.read(4)
            if not size:
                return
            yield file.read(int.from_bytes(size, "big"))


def refuse(error, frame):
    raise error


def measure(path, key, auth_key):
    """(microseconds, bytes allocated or None) of one telegram; the best of some rounds, as a noisy machine's is."""
    frames = list(telegrams(path))
    meter = Meter(lambda reading, family: None, refuse, unhexlify(key) if key else None,
                  unhexlify(auth_key) if auth_key else None)

    def play():
        for frame in frames:
            meter.feed(frame, len(frame))
    play()
    best = None
    for _ in range(ROUNDS):
        gc.collect()
        start = time.ticks_us()
        play()
        passed = time.ticks_diff(time.ticks_us(), start)
        best = passed if best is None else min(best, passed)
    allocated = None
    if hasattr(gc, "mem_alloc"):
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        play()
        allocated = (gc.mem_alloc() - before) // len(frames)
        gc.enable()
    return best / len(frames), allocated


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:4])))
