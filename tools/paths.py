# SPDX-License-Identifier: MIT
"""Where things are: one place, so that every tool and test agrees."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
BOARDS = ROOT / "boards"
DIST = ROOT / "dist"
BUILD = ROOT / ".build"
PROGRAMS = BUILD / "debian" / "bin"
# real telegrams with expected values; not part of the product, tests use them when they are there
TELEGRAMS = Path(os.environ.get("WATTPORT_TELEGRAMS", ROOT.parent / "shared" / "telegrams" / "open"))
