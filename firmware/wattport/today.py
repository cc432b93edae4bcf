# SPDX-License-Identifier: MIT
"""Energy since the household's midnight: today's registers less those that the first telegram of the day brought. Pure.
What happens once a day is in `midnight`, which is loaded for it."""

from wattport.modules import fetch


class Today:
    """zone: the household's. kept: what `take` gave to be kept, or "".

    The rest is for `midnight`: the day's `start` and `end` in UTC, None without a clock; `since` when it is counted, in
    UTC, and `began`, the same in seconds since the start; `first`, the registers of import and export then, and `last`;
    `seen` and `saved`, in seconds since the start.
    """

    def __init__(self, zone, kept):
        self.zone = zone
        self.kept = kept
        self.start = self.end = self.since = self.name = self.seen = self.saved = None
        self.began = 0
        self.first = [None, None]
        self.last = [None, None]
        self.dirty = False

    def take(self, reading, utc, uptime_s):
        """utc: the clock, or None. The text to be kept, or None: most times nothing has changed."""
        values = reading.get("import_wh"), reading.get("export_wh")
        if values == (None, None):
            return None
        name = reading.get("meter_id")
        plain = not self.dirty and name in (None, self.name) and (
            utc is None if self.end is None else utc is None or self.start <= utc < self.end)
        for i in range(2):
            if values[i] is not None:
                if self.first[i] is None or values[i] < self.first[i]:
                    plain = False
                else:
                    self.last[i] = values[i]
        if plain:
            self.seen = uptime_s
            return None
        return fetch("wattport.midnight", "update")(self, values, name, utc, uptime_s)
