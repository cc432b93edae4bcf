# SPDX-License-Identifier: MIT
"""What cannot be is not told: each Reading passes here before anybody sees it. Pure.

A register only rises, and by no more than the connection lets through in the time since. Registers of a telegram that
break this are taken out of it, all of them, and wait for the next telegram; powers and voltages go on at once.

- The next one rises from what was believed before: the odd one was wrong, it is dropped.
- The next one rises from the odd one: that is how it is now, a new meter, or one that was reset. What comes out starts
  anew there, "swap". The registers that waited are not told later: the next telegram brings newer ones.
- The next one rises from the odd one and from what was believed before the last: the last one, a rise small enough to
  be possible, was wrong. Each register is left out until it has passed what has been told, so none falls.

At once, without waiting: another meter's number with other registers, and a register that starts again at zero behind
99999.999 kWh (or 999999.999), which counts as "swap" too. Not so where no checksum protects the telegram: there the
first one waits as well, and so does a name that is new. Registers that are all zero after others that were not are no
reset before they rise. Time is the ticks', and the meter's when that went further and a checksum protects it.
"""

from micropython import const

_SLACK_S = const(5)  # a telegram may come late, and the next in time
# of child meters, an hour: gas of a large boiler (G25, 40 m³), and more heat than a house takes
_CHILD_RATES = {"volume_l": 40000, "energy_wh": 500000, "energy_kj": 1800000}
_CHILD_SLACK_S = const(3600)  # they tell of the last hour, once in the next
_CHILDREN = const(8)
_TURN = const(100000000)  # behind eight digits of Wh, or litres, a meter starts again; others have nine
_TICKS = const(0x3FFFFFFF)


def _step(value, last):
    """The smallest rise that a meter with these two values shows: some count in 10 Wh, some in kWh."""
    for step in (1000, 100, 10):
        if value % step == last % step == 0:
            return step
    return 1


class _Series:
    """The registers of one meter. `judge` takes out of a dict what is not to be told.

    limit_w: 0 for a child meter. Those change once an hour or so, and then by all that has come since: their time
    counts from the last change."""

    def __init__(self, guard, limit_w):
        self._guard = guard
        self._limit_w = limit_w
        self._id = self._held_id = self._stamp = None
        self._last = {}  # believed
        self._at = {}  # name → when that was
        self._before = {}  # believed before the last
        self._before_s = self._last_s = self._held_s = 0
        self._held = {}
        self._told = {}  # what was told and is more than what is believed now

    def judge(self, values, names, checked, now_s, own_id, stamp):
        """values: the Reading or the child meter, changed in place. names: the registers in it. now_s: the clock.
        own_id, stamp: the meter's number and time, or None."""
        guard = self._guard
        most = max([values[name] for name in names])
        moved = own_id != self._id and own_id is not None and self._id is not None
        fine = False
        if self._last:
            fine = self._follows(self._last, None, values, names, now_s, not checked, checked)
            if not fine and checked and moved and most:
                self._begin()
                fine = True
                guard.note("swap")
        elif checked and most and not most >> 31:  # zeros, or more than 2 GWh, all bits set say: asked for twice
            fine = True
        if fine:
            if self._held:
                self._held.clear()
                guard.note("dropped")
        elif not (self._held and own_id == self._held_id
                  and self._follows(self._held, self._held_s, values, names, now_s, not checked, False)
                  and self._believe_held(now_s, most or moved)):
            self._hold(values, names, now_s, own_id)
            return
        if own_id is not None:
            self._id = own_id
        repeated = stamp is not None and stamp == self._stamp  # an hourly list that was sent again says nothing new
        self._stamp = stamp
        self._before_s, self._last_s = self._last_s, now_s
        turned = False
        self._before.update(self._last)
        for name in names:
            value, last = values[name], self._last.get(name)
            if value != last or self._limit_w and not repeated:
                self._at[name] = now_s
            turned = turned or last is not None and value < last
            self._last[name] = value
            self._before.setdefault(name, value)
        if turned:
            self._told.clear()
            guard.note("swap")
        for name in list(self._told):
            if name in values:
                if values[name] < self._told[name]:
                    del values[name]
                else:
                    del self._told[name]

    def _follows(self, series, since_s, values, names, now_s, strict, turns):
        """Do these values rise from the series' ones, and no further than they can? since_s: when those were, or None.
        strict: a name that is not in the series is odd. turns: a register may start again at zero."""
        now_s += _SLACK_S if self._limit_w else _CHILD_SLACK_S
        for name in names:
            if name not in series:
                if strict:
                    return False
                continue
            value, last = values[name], series[name]
            rise = value - last
            if rise < 0 and turns:
                rise += _TURN if last < _TURN else 10 * _TURN
            rate = self._limit_w or _CHILD_RATES[name]
            seconds = now_s - (self._at[name] if since_s is None else since_s)
            if not 0 <= rise <= rate * seconds // 3600 + _step(value, last):
                return False
        return True

    def _believe_held(self, now_s, may_start):
        """The held ones were right: what were those that did not fit? False when that takes a start that may not be."""
        held, guard = self._held, self._guard
        if self._last and not self._follows(self._last, None, held, held, now_s, False, False):
            if self._follows(self._before, self._before_s, held, held, now_s, False, False):
                for name in held:
                    last = self._last.get(name, 0)
                    if held[name] < last:
                        self._told[name] = max(last, self._told.get(name, 0))
                guard.note("dropped")
            elif not may_start:
                return False
            else:
                self._begin()
                guard.note("swap")
        self._last.update(held)
        for name in held:
            self._at[name] = self._held_s
        self._last_s = self._held_s
        held.clear()
        return True

    def _begin(self):
        for series in (self._last, self._at, self._before, self._told):
            series.clear()

    def _hold(self, values, names, now_s, own_id):
        if self._last:
            self._guard.note("held")
        if self._held:
            self._guard.note("dropped")
        self._held.clear()
        for name in names:
            self._held[name] = values.pop(name)
        self._held_s, self._held_id = now_s, own_id


class Guard:
    """limit_w: what the connection lets through, W. `take` each Reading. `counts` are telegrams "held" back, "dropped"
    and "swap", and powers above the limit, "power"; `news` is what the last Reading brought, one of these or ""."""

    def __init__(self, limit_w):
        self._limit_w = limit_w
        self.counts = {"held": 0, "dropped": 0, "swap": 0, "power": 0}
        self.news = ""
        self._series = {"": _Series(self, limit_w)}  # "", and the channels of child meters
        self._clock_s = self._time_s = 0
        self._ticks = self._time = None  # the latest time of the meter's, and what the clock was then

    def note(self, kind):
        self.counts[kind] += 1
        if kind == "swap" or not self.news:
            self.news = kind

    def take(self, reading, now_ms, checked):
        """Take out of the Reading what cannot be. now_ms: ticks. checked: a checksum protects the telegram."""
        self.news = ""
        self._look_at_the_clock(reading.get("time"), now_ms, checked)
        names = []
        for name in list(reading):
            if name.endswith("h"):  # _wh, _varh, _vah; those of a day, a week, a month start anew by themselves
                if "_day_" not in name and "_week_" not in name and "_month_" not in name:
                    names.append(name)
            elif name.endswith("_w") or name.endswith("_var") or name.endswith("_va"):
                if reading[name] > self._limit_w and name != "limiter_w":
                    del reading[name]
                    self.note("power")
        self._judge("", reading, names, checked, reading.get("meter_id"), reading.get("time"))
        devices = reading.get("devices")
        if devices:
            for channel, device in devices.items():
                self._judge(channel, device, [name for name in _CHILD_RATES if name in device], checked,
                            device.get("id"), None)

    def _judge(self, channel, values, names, checked, own_id, stamp):
        if names and channel not in self._series and len(self._series) <= _CHILDREN:
            self._series[channel] = _Series(self, 0)
        if names and channel in self._series:
            self._series[channel].judge(values, names, checked, self._clock_s, own_id, stamp)

    def _look_at_the_clock(self, time, now_ms, checked):
        """Seconds since the start: by the ticks, which come round after twelve days, or more if the meter says so."""
        if self._ticks is None:
            self._ticks = now_ms
        passed_s = (now_ms - self._ticks & _TICKS) // 1000
        self._clock_s += passed_s
        self._ticks = self._ticks + passed_s * 1000 & _TICKS
        if not checked or time is None:
            return
        if self._time is None or time > self._time:  # a clock that was set back counts when it has caught up
            if self._time is not None:
                self._clock_s = max(self._clock_s, self._time_s + time - self._time)
            self._time, self._time_s = time, self._clock_s
