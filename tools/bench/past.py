# SPDX-License-Identifier: MIT
"""A history for a dongle of the tests and of the bench, written by the firmware's own store."""

import os

from tools import cpython

cpython.install()

from wattport.history import place, record, store  # noqa: E402
from wattport.history.rows import Rows  # noqa: E402

_FILE = 500  # half-hours


def write(state, start, rows):
    """Half-hours from UTC `start` on, each {"import_wh": …}, all with the same names, into a state folder."""
    before = os.getcwd()
    os.chdir(state)
    try:
        names = list(rows[0])
        registers = [0] * len(names)
        for at in range(0, len(rows), _FILE):
            first = start // place.HALF_HOUR_S + at
            into = Rows(names, first)
            part = rows[at:at + _FILE]
            data = b"".join(bytes(record.write(into, 0, [row[name] for name in names])) for row in part)
            store.begin("h", "E0012", {}, names, first, registers, 0, data)
            registers = [registers[i] + sum(row[name] for row in part) for i, name in enumerate(names)]
    finally:
        os.chdir(before)
