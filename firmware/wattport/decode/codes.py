# SPDX-License-Identifier: MIT
"""Every OBIS code of a telegram, named or not, for `tools.decode --obis`:

    {"1-0:1.8.1": [1234567, -3, "kWh"]}    integer, decimal exponent, unit as sent; a text where there is no number
"""

from wattport.decode import cosem, p1line
from wattport.decode.units import UNITS

# as people write them
_SHOWN = {"VAR": "var", "WH": "Wh", "VAH": "VAh", "VARH": "varh", "HZ": "Hz"}


def _unit(code):
    unit = UNITS.get(code, "")
    return _SHOWN.get(unit, unit)


def _value(buf, at, end):
    stop, _, _ = p1line.quantity(buf, at, end)
    dot = buf.find(b".", at, stop)
    places = stop - dot - 1 if dot >= 0 else 0
    text = p1line.plain(bytes(buf[at:end])) if end > at else ""
    unit = text[stop - at + 1:]
    try:
        if stop < end and buf[stop] != 42:
            raise ValueError("a stamp or a text")
        whole = int(bytes(buf[at:stop]).replace(b".", b""))
        return [whole, -places, unit]
    except ValueError:
        return text


def of_text(buf, start, end):
    """Codes of P1 text. A line of several groups gives a list of them."""
    found = {}
    # behind the identification; lines that were encrypted come without one
    at = buf.find(b"\n", start, end) + 1 if buf[start] == 47 else start
    while start <= at < end:
        stop = p1line.end_of_line(buf, at, end)
        bracket = buf.find(b"(", at, stop)
        if bracket >= 0:
            try:
                values = [_value(buf, a, b) for a, b in p1line.groups(buf, bracket, stop)]
                found[p1line.plain(bytes(buf[at:bracket])).strip("\x02")] = values[0] if len(values) == 1 else values
            except ValueError:
                pass
        at = stop
    return found


def of_notification(buf, start, end):
    """Codes of a COSEM notification. Lists without units carry none: ["number", 0, ""]."""
    found = {}
    walker = cosem.open_list(buf, start, end, True)[0]
    items = walker.items
    for i in range(len(items) - 1):
        value = items[i + 1]
        if walker.shape[i] != "c" or walker.shape[i + 1] == "c":
            continue
        at = items[i][0]
        code = "%d-%d:%d.%d.%d" % tuple([buf[at + group] for group in range(5)])
        if isinstance(value, tuple):
            found[code] = cosem.text_of(buf, value[0], value[1])
        elif value is not None:
            scaler, unit = walker.scales.get(i + 1, (0, 255))
            found[code] = [value, scaler, _unit(unit)]
    return found


def of_sml(buf, start, end):
    """Codes of an SML file, with their group F where it is not 255."""
    from wattport.decode import sml
    found = {}
    walker = sml.Walker(buf, start, end)
    while walker.next():
        at = walker.at
        code = "%d-%d:%d.%d.%d" % tuple([buf[at + group] for group in range(5)])
        if buf[at + 5] != 0xFF:
            code += "*%d" % buf[at + 5]
        if walker.value is not None:
            found[code] = [walker.value, walker.scaler or 0, _unit(walker.unit)]
        elif walker.text_end > walker.text:
            found[code] = sml.plain(buf, walker.text, walker.text_end)
    return found


def of(first, buf, start, end):
    """Codes of a payload by its first byte."""
    if first == 0x2F:
        return of_text(buf, start, end)
    if first == 0x76:
        return of_sml(buf, start, end)
    return of_notification(buf, start, end) if first == 0x0F else {}
