# SPDX-License-Identifier: MIT
"""The alerts by name, what they say, and how bad they are. Loaded when one changes or is asked for.

A row of `_TEXTS`: name, severity (info, warning, alarm), how long it stays by itself, s, or - where it ends when it is
right again; then the sentence. {V}, {W}, {s} and {t} stand for the value in volts, watts, minutes, or as it is; a part
between [ and ] is left out where there is no value. ? is the phase.
"""

_TEXTS = """
outage warning 900 There was a power cut[, for {s}].
voltage_high alarm - The voltage of L? is too high: {V}.
voltage_low alarm - The voltage of L? is too low: {V}.
phase_missing alarm - There is no voltage on L?.
power_high warning - More power is used than the limit: {W}.
reverse_flow warning - Power flows to the grid, where none is expected: {W}.
peak warning - This quarter-hour or hour is going to pass the limit[ of {W}].
meter_silent alarm - Nothing arrives from the meter.
meter_unreadable alarm - Something arrives from the meter, but no telegram.
wrong_key alarm - The key does not open the meter's telegrams.
changed_key alarm - The key does not open the meter's telegrams any more: it was probably changed.
clock_step info 900 The meter's clock made a step[ of {t} s].
meter_swapped warning 900 Another meter is there, or it was reset.
implausible warning 900 The meter sent values that cannot be; they were left out.
tariff_change info 60 The tariff is now {t}.
message info 86400 The grid operator says: {t}
"""


def _shown(sentence, value):
    if value is None:
        at, stop = sentence.find("["), sentence.find("]")
        return sentence[:at] + sentence[stop + 1:] if at >= 0 else sentence.replace(": {V}", "").replace(": {W}", "")
    sentence = sentence.replace("[", "").replace("]", "")
    for mark, text in (("{V}", lambda: "%d.%d V" % (value // 1000, value // 100 % 10)), ("{W}", lambda: "%d W" % value),
                       ("{s}", lambda: "%d s" % value if value < 120 else "%d min" % (value // 60)),
                       ("{t}", lambda: str(value))):
        if mark in sentence:
            return sentence.replace(mark, text())
    return sentence


def describe(name, value):
    """(severity, seconds that it stays or None, the sentence in English)."""
    kind, phase = name, ""
    if name[-3:-1] == "_l":
        kind, phase = name[:-3], name[-1]
    at = _TEXTS.find("\n%s " % kind)
    if at < 0:
        return "info", None, name
    _, severity, stays, sentence = _TEXTS[at + 1:_TEXTS.find("\n", at + 1)].split(" ", 3)
    return severity, int(stays) if stays != "-" else None, _shown(sentence.replace("?", phase), value)
