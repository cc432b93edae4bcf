# SPDX-License-Identifier: MIT
"""`make bench`: every budget that can be measured on this machine, one JSON object a line:

    {"name": "decode.dsmr5.cpython", "value": 88.1, "unit": "us", "budget": 98.8, "ok": true}

Times are compared within one run, never with those of another day: this machine may be noisy. Instructions and bytes
are exact. A budget of null means that there is none. `make bench ONLY=decode.dsmr5` measures what contains that.
"""

import argparse
import asyncio
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import container, cpython, flashed, meters, pages
from tools.compile import ARCHITECTURES, RUNTIMES, compile_tree, slot_tree
from tools.machine_code import ARCHITECTURES as CHIPS
from tools.machine_code import Module
from tools.paths import FIRMWARE

cpython.install()

from tools.bench import families, history, portal, tariff  # noqa: E402
from tools.bench.families import HEAP_APP, KEY, START  # noqa: E402
from tools.bench.house import House  # noqa: E402
from tools.bench.show import ONLY, show, wanted  # noqa: E402
from wattport.crypto import crc, ghash  # noqa: E402
from wattport.crypto.aes import Aes  # noqa: E402

CLOCK = 250_000_000  # instructions a second, the clock of the budgets
KIB = 1024
HEAP_FOUNDATION = 60 * KIB
HEAP = "136k"  # nothing simulated lies in it
SLOT = 200 * KIB
BLOCK = 4096
PAGE = 100 * KIB  # over the wire: the heaviest one with all it loads
PAGES = 110 * KIB  # in flash: all of them, in all languages; a part of SLOT


def kernels():
    """Executed instructions for one KiB, the same in every run."""
    data = bytearray(i * 7 & 0xFF for i in range(KIB))
    hasher = ghash.Ghash(KEY)
    aes = Aes(KEY)
    calls = {  # module, kernel → arguments for one KiB
        ("crc", "crc16_update"): (0, 0, data, KIB, *crc._tables_of(0xA001)),
        ("ghash", "ghash_update"): (hasher._table, ghash._REDUCTIONS, hasher.y, data, 0, KIB),
        ("gcm", "ctr_fill"): (bytearray(KIB), bytes(12), 2, KIB),
        ("gcm", "xor_into"): (0, data, 0, bytes(KIB), KIB),
        ("aes", "aes128_encrypt"): (aes._te, aes._rk, data, data, KIB),
    }
    for arch in CHIPS:
        found = {}
        for (module, kernel), arguments in calls.items():
            path = FIRMWARE / "wattport" / "crypto" / (module + ".py")
            found[kernel] = Module(path, arch).count(kernel, *arguments)
            show("crypto.%s.%s" % (kernel, arch), found[kernel], "instructions/KiB",
                 CLOCK // 5000 if module == "crc" else None)
        # sums of kernels: the chip's own AES and the few lines of Python around them are not in it
        parts = found["ghash_update"] + found["ctr_fill"] + found["xor_into"]
        show("crypto.gcm_chip_aes." + arch, parts, "instructions/KiB", CLOCK // 500)
        show("crypto.gcm." + arch, parts + found["aes128_encrypt"], "instructions/KiB", CLOCK // 250)


def heap(folder):
    meter = meters.make("lu", seed=1, start=START, key=KEY)
    path = folder / "stream"
    path.write_bytes(b"".join(meter.next()[0] for _ in range(20)))
    top = compile_tree("x86")
    program, _ = RUNTIMES["micropython32"]
    scene = Path(__file__).with_name("scene.py")
    # started in the folder of the modules: their paths count too, and are short on the chip
    done = subprocess.run(
        [str(program), "-X", "heapsize=" + HEAP, str(scene), str(path)], cwd=top, capture_output=True, text=True,
        env={"MICROPYPATH": ".:.frozen"})
    show("heap.foundation.micropython32", int(done.stdout.split()[-1]) if done.returncode == 0 else 0, "bytes",
         HEAP_FOUNDATION, more=True)


def application(folder):
    """The whole application: heap, the way from the wire to the broker, the longest stall of the meter task."""
    for scene, family, key, protocol in (("dsmr5", "dsmr5", None, "P1"), ("lu", "lu", KEY, "encrypted"),
                                         ("web", "dsmr5", None, "P1"), ("web_lu", "lu", KEY, "encrypted"),
                                         ("crowd", "dsmr5", None, "P1"), ("first", "dsmr5", None, None)):
        if not wanted("heap.app_" + scene, "latency." + scene, "stall." + scene):
            continue
        house = House(folder, "app-" + scene, meters.make(family, seed=1, start=START, key=key),
                      (key, None), protocol, scene in ("web", "web_lu", "crowd"), scene == "crowd")
        try:
            delays, health = asyncio.run(house.live(40, 0.2))
        finally:
            house.close()
        show("heap.app_%s.micropython32" % scene, health["heap_free"], "bytes", HEAP_APP, more=True)
        show("latency.%s.micropython32" % scene, sorted(delays)[len(delays) // 2], "ms", 100)
        show("stall.%s.micropython32" % scene, health["stall_ms"], "ms", 50)


def sizes():
    for arch in ARCHITECTURES[2:]:
        size = len(flashed.program(arch)[container.NAME])
        chip = "" if arch == ARCHITECTURES[2] else "." + arch
        show("size.slot" + chip, size, "bytes", SLOT)
        # of the file system: whole blocks for the program, and one for its manifest; two for the folder
        show("size.slot_blocks" + chip, (-(-size // BLOCK) + 3) * BLOCK, "bytes", SLOT)
    packed = slot_tree(arch) / "wattport" / "web" / "static"
    show("size.page", max(pages.weights(packed).values()), "bytes", PAGE)
    show("size.pages", sum(file.stat().st_size for file in packed.rglob("*.gz")), "bytes", PAGES)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.bench")
    parser.add_argument("--only", default="", help="figures whose name contains this")
    ONLY[0] = parser.parse_args().only
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        families.measure(folder)
        if wanted("crypto."):
            kernels()
        if wanted("heap.foundation"):
            heap(folder)
        application(folder)
        if wanted("heap.app_portal", "stall.portal"):
            portal.measure(folder, KEY, START, HEAP_APP)
        history.measure(folder, START)
        if wanted("compare."):
            tariff.measure(folder)
        if wanted("size."):
            sizes()


if __name__ == "__main__":
    sys.exit(main())
