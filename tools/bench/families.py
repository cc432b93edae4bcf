# SPDX-License-Identifier: MIT
"""Every family of the simulator: time and heap that a telegram takes, in each runtime and beside the peers that can
read it, and what is free behind some fifty of them in the application that reads nothing else."""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass

from tools import cpython, meters
from tools.compile import RUNTIMES, micropython

cpython.install()

from tools.bench import peers, stopwatch  # noqa: E402
from tools.bench.house import House  # noqa: E402
from tools.bench.show import best, show, wanted  # noqa: E402

KEY = bytes(range(16))
TELEGRAMS = 20
START = 1_760_000_000
ALLOCATION = 4096
HEAP_APP = 40 * 1024
AT_ONCE = 6  # applications, most of the time they wait
# first byte of a telegram → meter.protocol
PROTOCOLS = {0x2F: "P1", 0x7E: "HDLC", 0xDB: "encrypted", 0x68: "M-Bus", 0x10: "M-Bus", 0x1B: "SML", 0x02: "TIC"}


@dataclass
class Case:
    """A family with its keys, and some of its telegrams. `name`: the family's, or NAME_encrypted where both are."""

    name: str
    family: str
    key: bytes
    auth_key: bytes
    frames: list

    @property
    def protocol(self):
        return PROTOCOLS[self.frames[0][0]]


def cases():
    for family in meters.FAMILIES:
        kinds = []
        for key in (None, KEY):
            try:
                meter = meters.make(family, seed=1, start=START, key=key, auth_key=key)
            except ValueError:
                try:
                    meter = meters.make(family, seed=1, start=START, key=key)
                except ValueError:
                    continue
            if kinds and kinds[-1].key and meter.state.key:
                break  # always encrypted, with a key of its own if there is no other
            name = family + "_encrypted" if kinds and meter.state.key else family
            kinds.append(Case(name, family, meter.state.key, meter.state.auth_key,
                              [meter.next()[0] for _ in range(TELEGRAMS)]))
        yield from kinds


def decoding(folder, case):
    path = folder / case.name
    keys = [key.hex() if key else "" for key in (case.key, case.auth_key)]
    path.write_bytes(b"".join(len(frame).to_bytes(4, "big") + frame for frame in case.frames))
    budget = None
    for name, read in peers.of(case.family, case.frames, case.key, case.auth_key).items():
        with peers.quiet():
            theirs = best(lambda read=read: read(case.frames), len(case.frames), 5)
        show("decode.%s.%s" % (case.name, name), theirs, "us")
        least = theirs / peers.FACTORS.get((case.name, name), 1)
        budget = least if budget is None else min(budget, least)
    # ciphers in Python on CPython are compared with nobody's in C
    show("decode.%s.cpython" % case.name, stopwatch.measure(path, *keys)[0], "us", None if case.key else budget)
    for runtime in RUNTIMES:
        words, environment = micropython(runtime, heap="2m")
        printed = subprocess.run([*words, stopwatch.__file__, str(path), *keys], env=environment, capture_output=True,
                                 text=True, check=True).stdout
        passed, allocated = json.loads(printed)
        show("decode.%s.%s" % (case.name, runtime), passed, "us", budget if runtime == "micropython" else None)
        if runtime == "micropython32":
            show("alloc.%s.%s" % (case.name, runtime), allocated, "bytes", ALLOCATION)


async def _free(folder, case):
    meter = meters.make(case.family, seed=1, start=START, key=case.key, auth_key=case.auth_key)
    house = House(folder, case.name, meter, (case.key, case.auth_key), case.protocol)
    try:
        return (await house.live(50, 0.04))[1]
    finally:
        house.close()


async def heaps(folder, some):
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(case):
        async with gate:
            try:
                return await _free(folder, case)
            except Exception as wrong:
                return wrong
    for case, health in zip(some, await asyncio.gather(*[one(case) for case in some])):
        good = isinstance(health, dict) and health["telegrams"] >= 30
        show("heap.%s.micropython32" % case.name, health["heap_free"] if good else 0, "bytes", HEAP_APP, more=True)
        if not good:
            print("heap.%s: %r" % (case.name, health), file=sys.stderr)


def measure(folder):
    every = list(cases())
    for case in every:
        if wanted("decode." + case.name, "alloc." + case.name):
            decoding(folder, case)
    some = [case for case in every if wanted("heap." + case.name)]
    asyncio.run(heaps(folder, some))
