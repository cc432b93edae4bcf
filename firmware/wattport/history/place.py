# SPDX-License-Identifier: MIT
"""The files of a history in a folder: h…, half-hours by their number since 1970 in UTC, and d…, days by the number of
the household's date.

A name is the kind, the number of its first row, and which file it is: "h0978123.12". A trailing "b" says that it does
not begin where the file before it ends: the clock was set back. "i" is one that was brought in from outside.
"""

import os

from wattport.modules import forget

FOLDER = "history"
HALF_HOUR_S = 1800


def let_go():
    """Called by who has imported the rooms of the history for a while: they go when it goes."""
    forget("wattport.history.days", "wattport.history.export", "wattport.history.ledger", "wattport.history.past",
           "wattport.history.place", "wattport.history.record", "wattport.history.repair", "wattport.history.rollup",
           "wattport.history.rows", "wattport.history.segment", "wattport.history.store")


def files(kind):
    """[(number of the first row, which file it is, name)] by time."""
    found = []
    try:
        names = os.listdir(FOLDER)
    except OSError:
        return found
    for name in names:
        first, _, rest = name[1:].partition(".")
        rest = rest.rstrip("bi")
        if name[0] == kind and first.isdigit() and rest.isdigit():
            found.append((int(first), int(rest), name))
    found.sort()
    return found


def path(name):
    return FOLDER + "/" + name
