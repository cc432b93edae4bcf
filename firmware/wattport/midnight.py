# SPDX-License-Identifier: MIT
"""What `today.Today` needs once a day, or when the meter is another one.

The registers that a day began with are kept in a small text, written once a day, so that a restart does not lose the
morning: "1760047200 1760047200 12345678 - E0012", the day's start, since when it is counted, the registers of import
and export ("-": the meter has none) and the meter's number.
"""

from micropython import const

from wattport.modules import fetch
from wattport.today import Today

_CLOSE_S = const(4000)  # some meters tell their registers once an hour: what lies between belongs to the new day
_SAVE_S = const(900)  # two meters that take turns on a line must not wear the flash out


def load(zone, path="today.txt"):
    """Today, as it was kept."""
    try:
        with open(path) as file:
            return Today(zone, file.read(128))
    except (OSError, ValueError):  # none, or no text
        return Today(zone, "")


def update(today, values, name, utc, uptime_s):
    """As Today.take, which looks at what needs no more than a look."""
    if utc is not None and (today.end is None or not today.start <= utc < today.end):
        _turn(today, utc, uptime_s, values, name)
    if name is not None and name != today.name:
        if today.name is not None:
            _begin(today, utc, uptime_s)
        today.name = name
    for value, first in zip(values, today.first):
        if value is not None and first is not None and value < first:
            _begin(today, utc, uptime_s)  # another meter, or one that was reset
            break
    if today.first == [None, None] and today.since is None:
        today.since, today.began = utc, uptime_s
    for i in range(2):
        if values[i] is not None:
            today.last[i] = values[i]
            if today.first[i] is None:
                today.first[i] = values[i]
                today.dirty = True
    today.seen = uptime_s
    if today.end is None:
        today.dirty = False  # until there is a clock
    elif today.dirty and (today.saved is None or uptime_s - today.saved >= _SAVE_S):
        today.dirty = False
        today.saved = uptime_s
        first = ["-" if register is None else str(register) for register in today.first]
        return "%d %d %s %s\n" % (today.start, today.since, " ".join(first), today.name or "")
    return None


def _begin(today, since, uptime_s):
    today.since, today.began = since, uptime_s
    today.first = [None, None]
    today.last = [None, None]


def _turn(today, utc, uptime_s, values, name):
    """Another day, or the first one that is known."""
    end = today.end
    today.start, today.end = fetch("wattport.civil", "day")(today.zone, utc)
    if end is None:
        _know(today, utc - uptime_s, values, name)
        if today.since is not None and today.since >= today.start:
            return
    elif today.start == end and uptime_s - today.seen <= _CLOSE_S:
        utc = end
    _begin(today, utc, uptime_s)


def _know(today, started, values, name):
    """There is a clock from now on: take up what was kept, if it is of this day and this meter."""
    if today.since is None and today.first != [None, None]:
        today.since = started + today.began
        today.dirty = True
    kept, today.kept = today.kept.split(None, 4), ""
    try:
        start, since = [int(word) for word in kept[:2]]
        first = [None if word == "-" else int(word) for word in kept[2:4]]
    except ValueError:  # nothing, or damaged
        return
    own = kept[4].strip() if len(kept) > 4 else ""
    if (start != today.start or not start <= since < today.end or len(first) != 2
            or own and name is not None and name != own):
        return
    for i in range(2):
        if first[i] is not None and values[i] is not None and values[i] < first[i]:
            return
    today.since, today.first, today.name, today.dirty = since, first, own or None, False


def get(today, utc):
    """{"import_wh", "export_wh": energy or None, "since": UTC or None without a clock}."""
    known = today.end is None or utc is not None and utc < today.end
    made = {}
    for name, last, first in zip(("import_wh", "export_wh"), today.last, today.first):
        made[name] = last - first if known and last is not None and first is not None else None
    made["since"] = today.since if known else None
    return made
