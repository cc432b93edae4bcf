# SPDX-License-Identifier: MIT
"""Energy since the household's midnight: today's registers less those that the first telegram of the day brought. Pure.

Those are kept in a small text, written once a day, so that a restart does not lose the morning:
"1760047200 1760047200 12345678 - E0012", the day's start, since when it is counted, the registers of import and
export ("-": the meter has none) and the meter's number.
"""

from micropython import const

_PATH = "today.txt"
_NAMES = "import_wh export_wh".split()
_CLOSE_S = const(4000)  # some meters tell their registers once an hour: what lies between belongs to the new day
_SAVE_S = const(900)  # two meters that take turns on a line must not wear the flash out


def restore(zone):
    """Today, as it was kept. `app` writes the file."""
    try:
        with open(_PATH) as file:
            return Today(zone, file.read(128))
    except (OSError, ValueError):  # none, or no text
        return Today(zone, "")


class Today:
    """zone: the household's. kept: what `take` gave to be kept, or ""."""

    def __init__(self, zone, kept):
        self._zone = zone
        self._kept = kept
        self._start = self._end = None  # of the day; None without a clock
        self._since = None
        self._since_s = 0  # the same in seconds since the start, for as long as there is no clock
        self._first = [None, None]
        self._last = [None, None]
        self._id = None
        self._seen_s = self._saved_s = None
        self._unsaved = False

    def take(self, reading, utc, uptime_s):
        """utc: the clock, or None. The text to be kept, or None: most times nothing has changed."""
        values = [reading.get(name) for name in _NAMES]
        if values[0] is None and values[1] is None:
            return None
        own_id = reading.get("meter_id")
        if utc is not None and (self._end is None or not self._start <= utc < self._end):
            self._turn(utc, uptime_s, values, own_id)
        if own_id is not None and own_id != self._id:
            if self._id is not None:
                self._begin(utc, uptime_s)
            self._id = own_id
        for i in range(2):
            if values[i] is not None and self._first[i] is not None and values[i] < self._first[i]:
                self._begin(utc, uptime_s)  # another meter, or one that was reset
        if self._first[0] is None and self._first[1] is None and self._since is None:
            self._since, self._since_s = utc, uptime_s
        for i in range(2):
            if values[i] is not None:
                self._last[i] = values[i]
                if self._first[i] is None:
                    self._first[i] = values[i]
                    self._unsaved = True
        self._seen_s = uptime_s
        if self._unsaved and self._end is not None and (
                self._saved_s is None or uptime_s - self._saved_s >= _SAVE_S):
            self._unsaved = False
            self._saved_s = uptime_s
            first = ["-" if register is None else str(register) for register in self._first]
            return "%d %d %s %s\n" % (self._start, self._since, " ".join(first), self._id or "")
        return None

    def _begin(self, since, uptime_s):
        self._since, self._since_s = since, uptime_s
        self._first = [None, None]
        self._last = [None, None]

    def _turn(self, utc, uptime_s, values, own_id):
        """Another day, or the first one that is known."""
        from wattport.civil import day
        from wattport.modules import forget
        forget("wattport.civil")
        end = self._end
        self._start, self._end = day(self._zone, utc)
        if end is None:
            self._know(utc - uptime_s, values, own_id)
            if self._since is not None and self._since >= self._start:
                return
            self._begin(utc, uptime_s)
        elif utc >= end and uptime_s - self._seen_s <= _CLOSE_S and self._start == end:
            self._begin(self._start, uptime_s)
        else:
            self._begin(utc, uptime_s)

    def _know(self, started, values, own_id):
        """There is a clock from now on: take up what was kept, if it is of this day and this meter."""
        if self._since is None and self._first != [None, None]:
            self._since = started + self._since_s
            self._unsaved = True
        kept, self._kept = self._kept.split(None, 4), ""
        try:
            start, since = [int(word) for word in kept[:2]]
            first = [None if word == "-" else int(word) for word in kept[2:4]]
        except ValueError:  # nothing, or damaged
            return
        name = kept[4].strip() if len(kept) > 4 else ""
        if start != self._start or not start <= since < self._end or len(first) != 2:
            return
        if name and own_id is not None and name != own_id:
            return
        for i in range(2):
            if first[i] is not None and (values[i] is not None and values[i] < first[i]):
                return
        self._since, self._first = since, first
        self._id = name or None
        self._unsaved = False

    def report(self, utc):
        """{"import_wh", "export_wh": energy or None, "since": UTC or None without a clock}."""
        known = self._end is None or utc is not None and utc < self._end
        made = {name: last - first if known and last is not None and first is not None else None
                for name, last, first in zip(_NAMES, self._last, self._first)}
        made["since"] = self._since if known else None
        return made
