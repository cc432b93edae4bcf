# SPDX-License-Identifier: MIT
"""The running window of a capacity tariff: what has been used in it, and whether its average is going to pass the
limit. Pure. What happens at a window's edge is in `peaks`, what is told in `projection`; both are loaded for it.

Windows lie on the meter's clock. An edge is the first telegram with the import register behind it; power fills in what
the register, which some meters send once an hour, does not know yet.
"""

from micropython import const

from wattport.modules import fetch

LATE_S = const(20)  # an edge's telegram comes that late at most: hourly lists do
HOLD_S = const(65)  # a power holds until the next one comes, if that is soon


class Window:
    """`take` each Reading. Made by `peaks.load`.

    `limit_w`: what the average may be without a consequence, None for no limit; `over`: it is going to be more.
    `average_w`: of the last whole window, None when there was a gap in it.

    For `peaks` and `projection`: `preset`; `seconds`, its length; `setting_w`, the limit of the settings or 0;
    `most_w`, more than that can't be, or 0. `start` and `end` in UTC; `edge`, [UTC, Wh, uptime or None, UTC of the
    dongle's own clock or None, meter's number] at the start, or None. `used_ws`, W s since then; `more_ws`, of these by
    power alone; `power_w` at `at`, in seconds of uptime, which is `now` by the meter's clock; `ahead_s`: that less the
    uptime. `told_w`: the peak of the month as the meter has it. `state`: what is kept at `path`, see `peaks`.
    """

    def __init__(self, preset, seconds, setting_w, most_w, zone, state, path):
        self.preset, self.seconds, self.setting_w, self.most_w, self.zone = preset, seconds, setting_w, most_w, zone
        self.state, self.path = state, path
        self.edge = self.ahead_s = self.power_w = self.limit_w = self.average_w = self.told_w = None
        self.start = self.end = self.at = self.now = self.used_ws = self.more_ws = 0
        self.over = False

    def take(self, reading, uptime_s, wall):
        """Whether there is something to tell: a window has ended, or `over` or the month's peak is another. `wall`: the
        dongle's clock."""
        wh = reading.get("import_wh")
        now = reading.get("time")
        if now is not None:
            self.ahead_s = now - uptime_s
        elif self.ahead_s is not None:
            now = uptime_s + self.ahead_s
        else:
            now = wall.utc()
            if now is None:
                return False
        news = False
        if not self.start <= now < self.end and (wh is not None or not self.start <= now < self.end + LATE_S):
            try:
                news = fetch("wattport.tariff.peaks", "turn")(self, now, wh, reading.get("meter_id"), uptime_s, wall)
            except MemoryError:  # costs are added up, say; the next telegram is early enough
                return False
        gone_s, self.at, self.now = uptime_s - self.at, uptime_s, now
        demand = reading.get("demand_import_w")
        if demand is not None and self.preset == "be":  # a sawtooth: energy of the quarter-hour over its whole length
            self.used_ws = demand * 900
            self.more_ws = 0
        elif wh is not None and self.edge:
            if wh < self.edge[1]:
                self.edge = None
            else:
                self.used_ws = (wh - self.edge[1]) * 3600
                self.more_ws = 0
        elif self.power_w is not None and gone_s <= HOLD_S:
            self.more_ws += self.power_w * gone_s
        if not self.edge and (demand is None or self.preset != "be"):
            self.used_ws = None
        power_w = reading.get("power_import_w")
        if power_w is not None:
            self.power_w = power_w
        peak_w = reading.get("peak_month_w")
        if peak_w is not None and peak_w != self.told_w:
            before, self.told_w = self.told_w, peak_w
            try:
                fetch("wattport.tariff.peaks", "settle")(self)
            except MemoryError:
                self.told_w = before
                return news
            news = True
        return self._look(now) or news

    def _look(self, now):
        """Whether `over` is another now. Not before a quarter of what may be used has been: a kettle at the start would
        be an alarm; and with some distance on the way back."""
        over = False
        if self.limit_w is not None and self.used_ws is not None and self.power_w is not None:
            used = self.used_ws + self.more_ws
            most = self.limit_w * self.seconds
            to_be = used + self.power_w * max(self.end - now, 0)
            over = to_be > most // 20 * 19 if self.over else to_be > most and used > most // 4
        changed, self.over = over != self.over, over
        return changed
