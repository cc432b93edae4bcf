# SPDX-License-Identifier: MIT
"""What runs here, as a bundle has to fit it."""

import sys

import board

# as in the upper bits of sys.implementation._mpy (py/persistentcode.h)
_CHIPS = {1: "x86", 2: "x64", 10: "xtensawin", 11: "rv32imc"}


def running(version):
    """{"version", "chip", "cpu", "micropython"}, texts, for `bundle.fit`; chip: what modules are compiled for; cpu: as
    esptool calls it."""
    now = sys.implementation
    chip = _CHIPS.get(getattr(now, "_mpy", 0) >> 10 & 15, "bytecode")
    return {"version": version, "chip": chip, "cpu": getattr(board, "CHIP", ""),
            "micropython": "%d.%d.%d" % now.version[:3]}
