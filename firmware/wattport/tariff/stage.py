# SPDX-License-Identifier: MIT
"""Contracts on their way into a backup, and back out of one: then they lie in a folder of their own, checked, until
all of them are there. Loaded for that, then forgotten."""

import json
import os

from micropython import const

from wattport.modules import forget
from wattport.tariff import keep, kept
from wattport.tariff.terms import TariffError

FOLDER = "contracts.new"
_PIECE = const(512)


def let_go():
    forget("wattport.tariff.stage", "wattport.tariff.keep", "wattport.tariff.kept", "wattport.tariff.terms")


def written():
    """{"current": name or null, "documents": {name: contract, …}} as it stands on the flash, in pieces of a text."""
    yield '{"current": %s, "documents": {' % json.dumps(kept.current())
    comma = ""
    for name in kept.names():
        with open(kept.path(name), "rb") as file:
            piece = file.read(_PIECE)
            file.seek(-1, 2)
            if piece[:1] != b"{" or file.read(1) != b"}":  # damaged
                continue
            file.seek(0)
            yield '%s"%s": ' % (comma, name)
            comma = ", "
            while True:
                piece = file.read(_PIECE)
                if not piece:
                    break
                yield piece
    yield "}}"


def clear():
    """Away with what was put."""
    for name in kept.names(FOLDER):
        os.remove(kept.path(name, FOLDER))
    try:
        os.rmdir(FOLDER)
    except OSError:
        pass


def put(name, contract):
    """One of them. TariffError, OSError."""
    kept.path(name)
    try:
        keep.put(name, contract, FOLDER)
    except TariffError as error:
        text = str(error)
        raise TariffError("%s%s%s" % (name, "." if ": " in text else ": ", text))


def ready(contracts):
    """Put those that are in "documents", and look whether the others, null there, were put before. TariffError,
    OSError."""
    if not isinstance(contracts, dict) or not isinstance(contracts.get("documents"), dict):
        raise TariffError("documents: the contracts of a backup are needed")
    documents = contracts["documents"]
    for name in documents:
        if documents[name] is not None:
            put(name, documents[name])
        elif name not in kept.names(FOLDER):
            raise TariffError("%s: this contract has not been sent" % name)
    if contracts.get("current") is not None and contracts["current"] not in documents:
        raise TariffError("current: there is no such contract")


def adopt(contracts):
    """They are the dongle's from now on, those and no others. A power cut in between leaves some of both. OSError."""
    documents = contracts["documents"]
    try:
        os.mkdir(kept.FOLDER)
    except OSError:
        pass
    for name in documents:
        os.rename(kept.path(name, FOLDER), kept.path(name))
    for name in kept.names():
        if name not in documents:
            keep.remove(name)
    keep.choose(contracts.get("current"))
