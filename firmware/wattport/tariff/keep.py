# SPDX-License-Identifier: MIT
"""Changes to the contracts that a dongle keeps, see `kept`."""

import json
import os

from micropython import const

from wattport.modules import fetch
from wattport.tariff import kept
from wattport.tariff.terms import TariffError

MOST = 12
_SIZE = const(4096)  # bytes of a contract as it is written: a block of the flash


def choose(name):
    """None: none of them. TariffError, OSError."""
    if name is None:
        _remove(kept.FOLDER + "/current")
        return
    if name not in kept.names():
        raise TariffError("current: there is no such contract")
    fetch("wattport.files", "replace")(kept.FOLDER + "/current", name)


def put(name, document, folder=kept.FOLDER):
    """Keep a contract, a new one or in place of one. TariffError, OSError."""
    path = kept.path(name, folder)
    fetch("wattport.tariff.check", "check")(document)
    text = json.dumps(document, separators=(",", ":"))
    if len(text.encode()) > _SIZE:
        raise TariffError("the contract is larger than %d bytes" % _SIZE)
    there = kept.names(folder)
    if name not in there and len(there) >= MOST:
        raise TariffError("name: there are %d contracts already; remove one" % MOST)
    try:
        os.mkdir(folder)
    except OSError:
        pass
    fetch("wattport.files", "replace")(path, text)


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


def remove(name):
    """TariffError when there is none."""
    if name not in kept.names():
        raise TariffError("name: there is no contract %s" % name)
    if kept.current() == name:
        choose(None)
    _remove(kept.path(name))
