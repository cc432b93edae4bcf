# SPDX-License-Identifier: MIT
"""What the text of few meters needs, imported when one sends it: codes as optical heads write them (IEC 62056-21, 6.5;
VDEW specification), words in place of numbers, telegrams that name no version.

    1.8.0(   16.7(   C.1.0(   F.F(      short for 1-0:1.8.0, 1-0:16.7.0, 1-0:96.1.0, 1-0:97.97.0
"""

from micropython import const

from wattport.decode import p1line
from wattport.errors import MeterError

_LETTERS = {"C": "96", "F": "97", "L": "98", "P": "99"}
_MOST_WH = const(99999999999)  # no register has more than eight digits of kWh


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


def worded(name, buf, at, end):
    """A tariff or a breaker's state in words, as Hungary's Wasion has it; None when it is another one."""
    text = bytes(buf[at:end])
    if name == "tariff":
        return p1line.number(text, 7, len(text), 0) if text.startswith(b"TARIFF ") else None
    return {b"ON": 1, b"OFF": 0}.get(text)


def family_of(reading, buf, at, end, strict):
    """The family of a telegram that names none. Read-outs of optical heads leave A-B out, or write out group F; they
    have one power with a sign in 1.7.0. Where no checksum was, an impossible register is MeterError."""
    if strict:
        for name in reading:
            if name.endswith("_wh") and not 0 <= reading[name] <= _MOST_WH:
                raise MeterError("malformed", "%s is no register" % name)
    long = buf.find(b"-0:", at, end) >= 0 or buf.find(b"-1:", at, end) >= 0
    if long and buf.find(b"*255(", at, end) < 0 and buf.find(b"\x02", at, end) < 0:
        return "dsmr2" if strict else "dsmr-se"
    for line in ("w", "l1_w", "l2_w", "l3_w"):
        power = "power_import_" + line
        if power in reading and "power_export_" + line not in reading:
            reading["net_" + line] = reading.pop(power)
    return "iec62056-21"
