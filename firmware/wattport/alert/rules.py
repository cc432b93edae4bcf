# SPDX-License-Identifier: MIT
"""What of a reading is wrong, as rows of integers that `alerts` compares. Loaded at the start, then forgotten.

A row of `_ROWS`: name, field, the setting that is its limit or the limit itself, sign (1: above it is wrong, -1:
below), how far back it has to be to be right again ("5%", or in the field's unit), beyond what it is another thing, and
how long it has to last, s. A limit of 0 switches it off; "?" stands for the phase.
"""

from micropython import const

_FAR = const(0x3FFFFFFF)
# voltages: EN 50160 allows 230 V ± 10 % as means of ten minutes; below 100 V there is none
_ROWS = """
voltage_high_l? voltage_l?_mv voltage_high_mv 1 1000 - 10
voltage_low_l? voltage_l?_mv voltage_low_mv -1 1000 100000 10
phase_missing_l? voltage_l?_mv 100000 -1 50000 - 10
power_high power_import_w power_w 1 5% - 30
reverse_flow power_export_w reverse 1 30 - 60
"""
_REVERSE_W = const(50)  # a meter shows some watts of its own filters


def make(settings):
    """The rules of the group `alert`, as Alerts has them: above `most`, up to `far`, is wrong, up to `clear` right
    again, by the sign."""
    found = []
    for row in _ROWS.strip().split("\n"):
        name, field, limit, sign, back, far, hold_s = row.split()
        if limit in settings:
            limit = settings[limit]
            if isinstance(limit, bool):
                limit = _REVERSE_W if limit else 0
        limit, sign = int(limit), int(sign)
        if limit:
            back = limit * int(back[:-1]) // 100 if back[-1] == "%" else int(back)
            fields = tuple([field.replace("?", phase) for phase in "123"]) if "?" in field else (field,)
            if found and len(fields) == len(found[-1][1]) == 3:
                fields = found[-1][1]  # once in the heap
            found.append((name, fields, sign, sign * limit, sign * limit - back,
                          _FAR if far == "-" else sign * int(far), int(hold_s)))
    return found


def numbers(rules):
    """[(name, number), ...] of each rule's field, as `due` has them."""
    found = []
    for name, fields, _, _, _, _, _ in rules:
        for field in fields:
            found.append((name.replace("?", field[9]), len(found)))
    return found
