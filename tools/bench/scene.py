# SPDX-License-Identifier: MIT
"""Runs under MicroPython: the foundation's heap. An encrypted meter decoded, MQTT made ready, microdot imported; prints
the bytes that are free. Written with few names of its own: each would count."""

import gc

gc.threshold(4096)  # as main.py

import asyncio  # noqa: E402, F401
import sys  # noqa: E402

from wattport import settings  # noqa: E402
from wattport.modules import forget  # noqa: E402

document = settings.check({"mqtt": {"host": "127.0.0.1"}, "meter": {"protocol": "encrypted"}})
del settings
forget("wattport.settings")
from wattport.meter import Meter  # noqa: E402
from wattport.publish.publisher import Publisher  # noqa: E402

publisher = Publisher(document["mqtt"], "0", "0")
meter = Meter(lambda a, b: publisher.reading(a), lambda a, b: print(a), bytes(range(16)), protocol="encrypted")
buf = bytearray(512)
with open(sys.argv[1], "rb") as file:
    while True:
        size = file.readinto(buf)
        if not size:
            break
        meter.feed(buf, size)
import microdot  # noqa: E402, F401

gc.collect()
print(gc.mem_free() if meter.counters.telegrams else 0)
