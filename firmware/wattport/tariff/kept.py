# SPDX-License-Identifier: MIT
"""The contracts that a dongle keeps: contracts/<name>.json each, and in contracts/current the name of the one that is
the household's. What changes them is in `keep`."""

import json
import os

from micropython import const

from wattport.tariff.terms import TariffError

FOLDER = "contracts"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"
_LONGEST = const(24)


def path(name, folder=FOLDER):
    """TariffError when no contract can be called so."""
    fine = isinstance(name, str) and 0 < len(name) <= _LONGEST
    for char in name if fine else "":
        fine = fine and char in _LETTERS
    if not fine:
        raise TariffError("name: 1 to %d small letters, digits and hyphens are needed" % _LONGEST)
    return "%s/%s.json" % (folder, name)


def names(folder=FOLDER):
    try:
        return sorted([name[:-5] for name in os.listdir(folder) if name.endswith(".json")])
    except OSError:
        return []


def read(name):
    """The contract; TariffError when there is none, or it is damaged."""
    try:
        with open(path(name)) as file:
            document = json.load(file)
        if not isinstance(document, dict) or "versions" not in document:
            raise ValueError
        return document
    except OSError:
        raise TariffError("name: there is no contract %s" % name)
    except ValueError:
        raise TariffError("name: the contract %s is damaged" % name)


def current():
    """The name of the household's contract, None when none is chosen."""
    try:
        with open(FOLDER + "/current") as file:
            name = file.read(_LONGEST)
        return name if name in names() else None
    except (OSError, ValueError):
        return None


def simple(settings):
    """A contract made of the settings' group `tariff`: a price, what is paid for export, a charge a day; None where all
    of that is nothing."""
    if not (settings["import_micro"] or settings["export_micro"] or settings["standing_micro"]):
        return None
    return {"tariff": 1, "name": "Price of the settings", "currency": settings["currency"], "versions": [{
        "energy": {"micro": settings["import_micro"]}, "export": {"micro": settings["export_micro"]},
        "standing": {"day_micro": settings["standing_micro"]}}]}
