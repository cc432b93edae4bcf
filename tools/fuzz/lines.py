# SPDX-License-Identifier: MIT
"""What is broken: lines with telegrams that are intact, of every family of the simulator and of real meters."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tools import cpython, meters
from tools.paths import TELEGRAMS

cpython.install()

from tools import zones  # noqa: E402

KEY, AUTH_KEY = bytes(range(0x40, 0x50)), bytes(range(0x60, 0x70))
START = 1_686_823_180
# without a checksum in the frame: what comes out of a broken telegram can't be judged
UNCHECKED = ("dsmr2", "iec")


@dataclass
class Line:
    """One meter's line. `telegrams` are intact; `checked`: each has a checksum or a tag."""

    name: str
    telegrams: list
    key: bytes = None
    auth_key: bytes = None
    zone: str = None
    checked: bool = True
    protocol: Callable = None  # makes the protocols of a line that are not found out
    corpus: list = field(default_factory=list)


def _keys(name):
    """The keys that a family takes: most of what it can encrypt with."""
    for keys in ((KEY, AUTH_KEY), (KEY, None), (None, None)):
        try:
            return meters.FAMILIES[name].check_keys(*keys)
        except ValueError:
            pass
    raise ValueError("no keys fit %s" % name)


def simulated(count=8):
    for name, family in meters.FAMILIES.items():
        for keys in {(None, None), _keys(name)}:
            try:
                meter = meters.make(name, seed=11, start=START, key=keys[0], auth_key=keys[1])
            except ValueError:
                continue  # always encrypted
            telegrams = [meter.next()[0] for _ in range(count)]
            yield Line(name + ("+" if meter.state.key else ""), telegrams, meter.state.key, meter.state.auth_key,
                       zones.posix(family.zone), name not in UNCHECKED)


def glow():
    """A British meter's JSON, as `tools.decode` reads it: no line carries it, and nothing checks it."""
    for name, family in meters.WITHOUT_PORT.items():
        meter = meters.make(name, seed=11, start=START)
        telegrams = [meter.next()[0] for _ in range(4)]
        if telegrams[0][:1] == b"{":
            yield Line(name, telegrams, zone=zones.posix(family.zone), checked=False, protocol=_json)


def _json():
    from wattport.frame.json import Json
    return [Json()]


def real():
    """One line for each pair of keys of the real telegrams, when they are there."""
    found = {}
    for path in sorted(TELEGRAMS.glob("*.json")) if TELEGRAMS.is_dir() else ():
        sidecar = json.loads(path.read_text())
        data = path.with_suffix(".bin").read_bytes()
        if data[:1] in (b"{", b"\xe6", b"\x0f") or len(data) > 6000:
            continue  # files of tools, not what comes over a line
        keys = tuple(bytes.fromhex(sidecar[name]) if sidecar.get(name) else None for name in ("key", "auth_key"))
        found.setdefault(keys, []).append(data)
    for i, (keys, telegrams) in enumerate(found.items()):
        yield Line("real%d%s" % (i, "+" if keys[0] else ""), telegrams, *keys, checked=False)


def every():
    return [*simulated(), *glow(), *real()]
