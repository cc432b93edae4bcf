# SPDX-License-Identifier: MIT
"""What is broken: lines with telegrams that are intact, of every family of the simulator and of real meters."""

import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

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


def amis():
    """Siemens' TD3511 with its request, which no family of the simulator sends."""
    plain = (b"\x2f\x2f\x06\x6d\x1e\x28\x0c\x2f\x16\x00" + b"\x04\x03\x15\xcd\x5b\x07" + b"\x04\x83\x3c\x01\x00\x00\x00"
             + b"\x84\x10\xfb\x82\x73\x05\x00\x00\x00" + b"\x84\x10\xfb\x82\xf3\x3c\x06\x00\x00\x00"
             + b"\x04\x2b\x20\x03\x00\x00" + b"\x04\xab\x3c\x00\x00\x00\x00" + b"\x04\xfb\x14\x07\x00\x00\x00"
             + b"\x04\xfb\x94\x3c\x00\x00\x00\x00" + b"\x04\x83\xff\x04\x00\x00\x00\x00").ljust(80, b"\x2f")
    frames = []
    for access in (1, 2, 3):
        head = b"\x12\x34\x56\x78\x2d\x4c\x01\x0e" + bytes((access,)) + b"\0\x50\x05"
        cipher = Cipher(algorithms.AES(KEY), modes.CBC(head[4:6] + head[:4] + head[6:8] + head[8:9] * 8)).encryptor()
        body = b"\x53\xf0\x5b" + head + cipher.update(plain)
        frames.append(b"\x68" + bytes((len(body),)) * 2 + b"\x68" + body + bytes((sum(body) & 0xFF,)) + b"\x16")
    return Line("amis+", [b"\x10\x40\xf0\x30\x16" + frame for frame in frames], KEY)


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
    return [*simulated(), amis(), *real()]
