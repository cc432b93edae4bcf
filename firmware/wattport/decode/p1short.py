# SPDX-License-Identifier: MIT
"""Codes as optical heads write them (IEC 62056-21, 6.5; VDEW specification): imported when a meter leaves A-B out.

    1.8.0(   16.7(   C.1.0(   F.F(      short for 1-0:1.8.0, 1-0:16.7.0, 1-0:96.1.0, 1-0:97.97.0
"""

from wattport.decode import p1line

_LETTERS = {"C": "96", "F": "97", "L": "98", "P": "99"}


def meaning(key):
    """(what, name) of the line's key b"1.8.0("; None when it has no name here."""
    try:
        groups = key[:-1].decode().split(".")
    except ValueError:
        return None
    if len(groups) == 2 and "*" not in groups[1]:
        groups.append("0")
    if len(groups) != 3 or not groups[0]:
        return None
    found = p1line.meaning(("1-0:" + ".".join([_LETTERS.get(group, group) for group in groups]) + "(").encode())
    if not found or found[0] == p1line.MARK:
        return None
    return (p1line.WORD, found[1]) if found[0] == p1line.TEXT else found
