# SPDX-License-Identifier: MIT
"""Ten contracts compared over 13 months of half-hours, four at a time as the dongle does it."""

import os
import subprocess
from pathlib import Path

from tools import tariff
from tools.bench import past
from tools.bench.show import show
from tools.compile import RUNTIMES, micropython

START = 1_733_007_600  # 2024-12-01 00:00 in Central Europe
DAYS = 396
HEAP = "136k"
_COUNT, _AT_ONCE = 10, 4


def _prepare(folder):
    """A history with all that contracts look at, prices of quarter-hours, and the contracts."""
    past.write(folder, START, [
        {"import_t1_wh": i * 37 % 900, "import_t2_wh": i % 7, "import_wh": i * 37 % 900 + i % 7,
         "export_t1_wh": i % 5, "export_t2_wh": 0, "export_wh": i % 5} for i in range(48 * DAYS)])
    before = os.getcwd()
    os.chdir(folder)
    try:
        from wattport.tariff import feed, keep
        for day in range(0, DAYS, 4):
            feed.put({"currency": "EUR", "start": START + 86400 * day, "step_s": 900,
                      "micro": [10 * (i * 7919 % 30000) for i in range(384)]})
        for path in tariff.EXAMPLES[:_COUNT]:
            keep.put(path.stem, tariff.read(path))
    finally:
        os.chdir(before)


def measure(folder):
    folder = folder / "contracts"
    folder.mkdir()
    _prepare(folder)
    for runtime in RUNTIMES:
        command, environment = micropython(runtime, heap=HEAP if runtime == "micropython32" else "272k")
        done = subprocess.run(
            [*command, str(Path(__file__).with_name("compared.py")), str(START), str(START + 86400 * DAYS),
             str(_AT_ONCE), *[path.stem for path in tariff.EXAMPLES[:_COUNT]]],
            env=environment, cwd=folder, capture_output=True, text=True)
        ms, heap, _ = [int(word) for word in done.stdout.split()] if done.returncode == 0 else (None, None, 0)
        show("compare.ten_contracts." + runtime, ms, "ms")
        show("compare.heap." + runtime, heap, "bytes")
