# SPDX-License-Identifier: MIT
"""The files beside an application that is frozen into the image (boards/manifest.py): the start and what is no module,
in folders that are called like the packages, where the frozen modules look for it."""

import tempfile
from pathlib import Path

from tools import pages
from tools.paths import FIRMWARE

PACKAGE = FIRMWARE / "wattport"
STATIC = PACKAGE / "web" / "static"


def files():
    """{path on the device: bytes}"""
    found = {"main.py": (FIRMWARE / "main.py").read_bytes()}
    for path in PACKAGE.rglob("*.jsonl"):
        found[path.relative_to(FIRMWARE).as_posix()] = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        pages.pack(Path(folder))
        for path in Path(folder).rglob("*.gz"):
            name = (STATIC / path.relative_to(folder)).relative_to(FIRMWARE)
            found[name.as_posix()] = path.read_bytes()
    return found
