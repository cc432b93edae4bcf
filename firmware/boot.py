# SPDX-License-Identifier: MIT
"""Before anything else: the application lies in one of two slots, and the one to run is mounted as /a (see slot.py).

This file and those that it uses are written when the dongle is flashed, and never updated over the air.
"""

import gc
import sys

gc.threshold(4096)  # as main.py has it, which asks for a large piece: what stays from here must not lie across that

import machine  # noqa: E402
import slot  # noqa: E402
import slots  # noqa: E402
import vfs  # noqa: E402

# An import of a built-in module that could be extended looks through every folder first, each time; once known here,
# it does not. A start has hundreds of such looks, and each reads the flash a dozen times.
_rest = [path for path in sys.path if path not in ("", ".frozen", "/lib")]  # under a PC: what stands in for the chip
sys.path[:] = _rest + [".frozen"]
for name in ("array", "binascii", "cryptolib", "errno", "hashlib", "io", "json", "machine", "os", "random", "re",
             "select", "socket", "struct", "time", "uctypes"):
    sys.modules[name] = __import__(name)
slot.runs = slots.choose(machine.reset_cause() == machine.WDT_RESET)
if slot.runs:
    vfs.mount(slot.Slot(slots.folder(slot.runs)), "/a")
# one letter: the heap keeps the path of every module
sys.path[:] = _rest + [".frozen", "/a", "", "/lib"]
del sys.modules["slots"], slots, slot, vfs, name, _rest
