# SPDX-License-Identifier: MIT
"""Modules that are needed now and then: imported, used, and forgotten, so that their heap is free in between."""

import sys


def _place(name):
    """What the module is called where the program runs: in a dongle's slot names are shorter (tools/slot.py)."""
    return name  # as it is


def _alone(place):
    """In a slot, what a module needs stands before it, and at itself that it stays (slot.py)."""
    return place.rpartition(" ")[2].lstrip("=+")


def forget(*names):
    """Let go of modules by name ("wattport.net.dns"); what still refers to their functions keeps those."""
    for name in names:
        name = _alone(_place(name))
        sys.modules.pop(name, None)
        package, _, module = name.rpartition(".")
        package = sys.modules.get(package)
        if package and hasattr(package, module):
            delattr(package, module)


def load(module, name):
    """What `from module import name` gives, by texts: an import statement leaves its names in the heap for ever, even
    where it is never reached. In a slot the module's own name and path do not stay either (slot.py)."""
    slot = sys.modules.get("slot")
    module = _place(module)
    return getattr(slot.load(module) if slot else __import__(_alone(module), None, None, ("*",)), name)


def fetch(module, name):
    """The same, and the module is forgotten: of it stays what `name` needs, as long as somebody holds that."""
    try:
        return load(module, name)
    finally:
        forget(module)
