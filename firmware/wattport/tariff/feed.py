# SPDX-License-Identifier: MIT
"""Prices of the market that are given to the dongle, see `market`. The oldest file goes when there are more than 20."""

import os

from micropython import const

from wattport.modules import fetch
from wattport.tariff.market import COUNT, FOLDER, path

_STEP_S = const(1800)
_FILES = const(20)  # 13 months and the days to come
_VALUES = const(400)  # in a document: four days of quarter-hours
_MOST = const(500000000)  # micro-units: twice that is a small integer
_FIRST_S = const(946684800)  # 2000


class PriceError(Exception):
    """What is wrong, with the entry's name."""


def _checked(document):
    """(currency, first half-hour, step of the series in s, prices); PriceError."""
    for key in document:
        if key not in ("currency", "start", "step_s", "micro"):
            raise PriceError("%s: there is no such entry here" % key)
    currency, start = document.get("currency"), document.get("start")
    step, micro = document.get("step_s"), document.get("micro")
    if not isinstance(currency, str) or len(currency) != 3 or not min([65 <= ord(char) <= 90 for char in currency]):
        raise PriceError("currency: three capital letters, such as EUR, NOK or GBP, are needed")
    if type(step) is not int or step not in (900, 1800, 3600):
        raise PriceError("step_s: 900, 1800 or 3600 is needed")
    if type(start) is not int or not _FIRST_S <= start < 4102444800 or start % _STEP_S:
        raise PriceError("start: UTC seconds since 1970, the beginning of a half-hour, are needed")
    if not isinstance(micro, list) or not 0 < len(micro) <= _VALUES:
        raise PriceError("micro: a list of 1 to %d prices is needed" % _VALUES)
    for price in micro:
        if price is not None and (type(price) is not int or not -_MOST <= price <= _MOST):
            raise PriceError("micro: whole numbers from %d to %d, or null, are needed" % (-_MOST, _MOST))
    return currency, start // _STEP_S, step, micro


def _twice(step, micro):
    """What two quarter-hours cost together, half-hour by half-hour, None where that is not known."""
    if step == 900:
        for i in range(0, len(micro) - 1, 2):
            yield None if micro[i] is None or micro[i + 1] is None else micro[i] + micro[i + 1]
        return
    for price in micro:
        for _ in range(step // _STEP_S):
            yield None if price is None else 2 * price


def _bounded():
    """Remove the oldest files that are too many."""
    found = [(name[3:], name) for name in os.listdir(FOLDER) if not name.endswith(".new")]
    found.sort()
    for _, name in found[:-_FILES]:
        os.remove(FOLDER + "/" + name)


def put(document):
    """Keep {"currency", "start": UTC, "step_s": 900, 1800 or 3600, "micro": [price or null, …]}; null leaves what was
    known. Gives how many half-hours have a price by it. What is known already is not written again: a broker that keeps
    it sends it at each connection. PriceError, OSError."""
    currency, at, step, micro = _checked(document)
    try:
        os.mkdir(FOLDER)
    except OSError:
        pass
    count = 0
    number = data = new = None
    for price in _twice(step, micro):
        if at // COUNT != number:
            if new:
                _write(currency, number, data)
            new = False
            number = at // COUNT
            data = _read(path(currency, number))
        if price is not None:
            place = at % COUNT * 4
            price &= 0xFFFFFFFF
            for i in range(4):
                byte = price >> 8 * i & 0xFF
                new = new or data[place + i] != byte
                data[place + i] = byte
            count += 1
        at += 1
    if new:
        _write(currency, number, data)
        _bounded()
    return count


def _read(path):
    """A file's bytes; where there is none, those of one that knows nothing."""
    data = bytearray(4 * COUNT)
    size = 0
    try:
        with open(path, "rb") as file:
            size = file.readinto(data)
    except OSError:
        pass
    if size != len(data):
        for i in range(3, len(data), 4):
            data[i - 3] = data[i - 2] = data[i - 1] = 0
            data[i] = 0x80  # what days.MISSING is
    return data


def _write(currency, number, data):
    fetch("wattport.files", "replace")(path(currency, number), data)
