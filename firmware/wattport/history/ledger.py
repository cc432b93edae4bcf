# SPDX-License-Identifier: MIT
"""From registers at moments to rows of half-hours: loaded for each half-hour's end, then forgotten.

What a half-hour brought is the difference of the registers at its end and at its beginning, so that all rows of a
series add up to the registers. What they were at a boundary is what the first telegram behind it says, if that comes
within 20 s (meters that tell their registers once an hour do it then), or lies on the line between the telegrams
around it. Across a silence of more than five minutes that is an estimate, and so are the rows that it bounds.
"""

from micropython import const

from wattport.history import store
from wattport.history.halfhour import BACK, HALF_HOUR_S
from wattport.history.record import write
from wattport.history.rows import CLOCK, ESTIMATED, NEW, PART, Rows, is_gauge, spread

_SNAP_S = const(20)
_SILENT_S = const(300)
_WAITING = const(4)  # half-hours whose registers have not come yet
_GAUGES = ("power_import_max_w", "power_export_max_w", "voltage_min_mv", "voltage_max_mv")
_REGISTERS = ("import_wh export_wh import_t1_wh import_t2_wh import_t3_wh import_t4_wh export_t1_wh export_t2_wh "
              "export_t3_wh export_t4_wh reactive_import_varh reactive_export_varh")
_CHILD = ("volume_l", "energy_kj", "energy_wh")
_MOST = const(30)  # columns


def _seen(reading):
    """({name: register}, {channel: number of the child meter}) of a Reading."""
    found, ids = {}, {}
    for name in _REGISTERS.split():
        if name in reading:
            found[name] = reading[name]
    devices = reading.get("devices") or {}
    for channel in sorted(devices):
        device = devices[channel]
        for name in _CHILD:
            if name in device and len(found) < _MOST - 4:
                found["%s.%s" % (channel, name)] = device[name]
                if device.get("id"):
                    ids[str(channel)] = device["id"]
    return found, ids


def _channel(name):
    """Of a column: "1" of "1.volume_l", "" of the main meter's."""
    return name[:name.find(".") + 1].rstrip(".")


def _measured(reading):
    """Columns of gauges."""
    found = [_GAUGES[i] for i in range(2) if ("power_import_w", "power_export_w")[i] in reading]
    return found + list(_GAUGES[2:]) if "voltage_l1_mv" in reading else found


class Ledger:
    """kept: what an earlier one left in `kept()`, or None. `load` first, then `take` and `flush`.

    `at`, `last`: the latest moment and its registers; `next`, `registers`: the half-hour that runs and the registers at
    its beginning; `soft`: those are an estimate. `fresh`: the next row begins a new file."""

    def __init__(self, kept):
        self._records = []
        if kept:
            (self.name, self.size, names, self.next, self.columns, self.check, levels, registers, last, self.at,
             self.soft, self.meter, ids, self.flags, waiting, self.fresh) = kept
            # copies: when writing fails, what was kept has to be as it was
            self.names, self.levels, self.registers = names.split(), list(levels), list(registers)
            self.last, self.ids, self.waiting = list(last), dict(ids), dict(waiting)
            return
        self.name, self.size, self.names, self.next = "", 0, [], None
        self.columns = self.check = self.flags = 0
        self.levels, self.registers, self.last, self.waiting = [], [], [], {}
        self.at = self.meter = None
        self.soft, self.ids, self.fresh = False, {}, False

    def load(self):
        """Go on from what the flash holds, when nothing was kept; breaths."""
        found = None
        for told in store.newest("h") if self.next is None else ():
            found = told
            yield None
        if found:
            segment, self.registers, flags = found
            rows = segment.rows
            self.name, self.size, self.names = segment.path.rpartition("/")[2], segment.size, segment.names
            self.next, self.columns, self.check, self.levels = rows.next, rows.columns, rows.check, rows.levels
            self.meter, self.ids = segment.head["meter"], segment.head["ids"]
            self.last = list(self.registers)
            self.at = self.next * HALF_HOUR_S
            if flags is None:  # no row yet
                self.flags = segment.head["flags"]
            else:
                self.soft = bool(flags & ESTIMATED)

    def kept(self):
        """A tuple: small, and holds on to no code."""
        return (self.name, self.size, " ".join(self.names), self.next, self.columns, self.check, self.levels,
                self.registers, self.last, self.at, self.soft, self.meter, self.ids, self.flags, self.waiting,
                self.fresh)

    def take(self, mark):
        """A mark of HalfHour's."""
        if len(mark) == 2:
            self._measure(mark[0], mark[1])
            return
        utc, reading, other = mark
        found, ids = _seen(reading)
        meter = reading.get("meter_id")
        if self.next is None:
            self._begin(utc, found, NEW, _measured(reading), meter, ids)
            return
        others = self._others(found, meter, ids)
        if others or other:
            self._end(0, found, others or ("",))
            self._begin(utc, found, NEW, [name for name in self.names if is_gauge(name)], meter, ids)
        elif utc // HALF_HOUR_S < self.next - BACK:
            self._end(CLOCK, found, ())
            self._begin(utc, dict(zip(self.names, self._merged(found))), CLOCK, (), self.meter, self.ids)
        else:
            self._widen(found)
            self._advance(utc, self._merged(found))
        self.meter = meter or self.meter
        self.ids.update(ids)

    def _measure(self, number, gauges):
        if len(self.waiting) < _WAITING:
            self.waiting[number] = gauges
            names = [_GAUGES[i] for i in range(4) if gauges[i] is not None]
            self._widen({name: 0 for name in names})

    def _merged(self, found):
        """Registers by column: those that a telegram leaves out are as they were."""
        return [found.get(self.names[i], self.last[i]) for i in range(len(self.names))]

    def _others(self, found, meter, ids):
        """Which meters are not those of before: "" for the main one, and channels."""
        others = [channel for channel in ids if self.ids.get(channel, ids[channel]) != ids[channel]]
        if meter is not None and self.meter is not None and meter != self.meter:
            others.append("")
        for i in range(len(self.names)):
            if found.get(self.names[i], self.last[i]) < self.last[i]:
                others.append(_channel(self.names[i]))
        return others

    def _widen(self, found):
        """Columns that were not there yet: what they say counts from now on, in a new file."""
        names = [name for name in found if name not in self.names]
        if not names or self.next is None or len(self.names) + len(names) > _MOST:
            return
        self.flush()
        self.names = self.names + names
        for name in names:
            self.registers.append(found[name])
            self.last.append(found[name])
        self.fresh = True

    def _begin(self, utc, found, flags, gauges, meter, ids):
        """A new series; found: its registers by name."""
        self.flush()
        number = utc // HALF_HOUR_S
        self.meter, self.ids = meter, ids
        self.names = list(gauges) + [name for name in found if name not in gauges]
        registers = [found.get(name, 0) for name in self.names]
        part = utc - number * HALF_HOUR_S > _SNAP_S
        self.next, self.at = number, utc if part else number * HALF_HOUR_S
        self.last, self.registers, self.soft = registers, list(registers), False
        self.waiting = {number: self.waiting[number]} if number in self.waiting else {}
        self.flags = flags | PART if part else flags
        self.columns = self.check = 0
        self.levels = [0] * len(self.names)
        # at once: what the new meter showed is known from here on, whatever happens
        self.name, self.size = store.begin("h", self.meter, self.ids, self.names, number, registers, self.flags,
                                           b"", "b" if flags & CLOCK else "")
        self.fresh = False

    def _end(self, flags, found, others):
        """What the series brought since its last row; of meters that go on, until now."""
        for i in range(len(self.names)):
            if _channel(self.names[i]) not in others:
                self.last[i] = found.get(self.names[i], self.last[i])
        if self.last != self.registers:
            self.flags |= flags
            self._close(self.next + 1, self.last, PART)

    def _close(self, number, registers, flags):
        """The rows up to a boundary, where the registers were these."""
        count = number - self.next
        values = [after - before for after, before in zip(registers, self.registers)]
        gauges = self.waiting.pop(self.next, None) if count == 1 else None
        for i in range(len(values)):
            if is_gauge(self.names[i]):
                values[i] = gauges[_GAUGES.index(self.names[i])] if gauges else None
        self._records.append((flags | self.flags | (ESTIMATED if self.soft else 0), values, count))
        self.flags = 0
        self.next, self.registers = number, list(registers)

    def _advance(self, utc, registers):
        edge = utc // HALF_HOUR_S
        to = utc
        if utc < self.at:
            self.flags |= CLOCK
        elif edge > self.next:
            since, before = self.at, self.last
            to = edge * HALF_HOUR_S if utc - edge * HALF_HOUR_S <= _SNAP_S else utc
            silent = utc - since > _SILENT_S
            while self.next < edge:
                number = self.next + 1
                # the one that was running; those with something measured; and all the others together
                while number < edge and self.soft and self.next not in self.waiting and number not in self.waiting:
                    number += 1
                at = number * HALF_HOUR_S
                soft = silent and at < to
                between = registers if at == to else [
                    low + spread(high - low, at - since, to - since) for low, high in zip(before, registers)]
                self._close(number, between, ESTIMATED if soft else 0)
                self.soft = soft
            for number in list(self.waiting):
                if number < edge:
                    del self.waiting[number]
        self.at, self.last = to, registers

    def flush(self):
        """Write what there is to be written. OSError: begin anew from what the flash holds then."""
        if not self._records:
            return
        fresh = self.fresh or self.size >= store.FULL
        if fresh:
            self.columns = self.check = 0
            self.levels = [0] * len(self.names)
        rows = Rows(self.names, 0, self.columns, self.check, self.levels)
        data, count = b"", 0
        first = list(self.registers)
        for flags, values, number in self._records:
            data += write(rows, flags, values, 0, number)
            count += number
            for i in range(len(first)):
                if not is_gauge(self.names[i]):
                    first[i] -= values[i]
        self._records = []
        self.columns, self.check, self.levels = rows.columns, rows.check, rows.levels
        if fresh:
            self.name, self.size = store.begin("h", self.meter, self.ids, self.names, self.next - count, first, 0, data)
            self.fresh = False
        else:
            store.append("h", self.name, data)
            self.size += len(data)
