# SPDX-License-Identifier: MIT
"""Modules that are needed now and then: imported, used, and forgotten, so that their heap is free in between."""

import sys


def _place(name):
    """What the module is called where the program runs: in a dongle's slot names are shorter (tools/slot.py)."""
    return name  # as it is


def forget(*names):
    """Let go of modules by name ("wattport.net.dns"); what still refers to their functions keeps those."""
    for name in names:
        name = _place(name)
        sys.modules.pop(name, None)
        package, _, module = name.rpartition(".")
        package = sys.modules.get(package)
        if package and hasattr(package, module):
            delattr(package, module)


def load(module, name):
    """What `from module import name` gives, by texts: an import statement leaves its names in the heap for ever, even
    where it is never reached. In a slot the module's own name and path do not stay either: it is imported as e, which
    is in the ROM, and boot.py's slot.py opens the right one."""
    place = _place(module)
    found = sys.modules.get(place)
    slot = sys.modules.get("slot")
    if not found and slot and slot.runs:
        sys.modules.pop("e", None)
        slot.module = "/%s.mpy" % place
        try:
            found = sys.modules[place] = __import__("e")
        finally:
            sys.modules.pop("e", None)
    return getattr(found or __import__(place, None, None, ("*",)), name)


def fetch(module, name):
    """The same, and the module is forgotten: of it stays what `name` needs, as long as somebody holds that."""
    try:
        return load(module, name)
    finally:
        forget(module)
