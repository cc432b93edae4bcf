# SPDX-License-Identifier: MIT
"""P1 telegrams (DSMR P1 5.0.2, clause 6): `/XXX5ident`, an empty line, one COSEM object a line, `!`, CRC-16.

A telegram is a table of rows; each row knows how to write its line and what a reader must find in it."""

from dataclasses import dataclass

from tools.meters.crc import Crc16
from tools.meters.family import Family, of_other_phase

# CRC-16/ARC: x¹⁶+x¹⁵+x²+1, from 0, `/` to `!` included (clause 6.2)
crc16 = Crc16(0xA001, 0)


def digits(milli, whole, decimals):
    """(the number as it is written, what is left of the value), from thousandths of the printed unit."""
    step = 10 ** (3 - decimals)
    # a register starts again at nought when its digits are used up
    shown = milli // step * step % 10 ** (whole + 3)
    text = "%0*d" % (whole, shown // 1000)
    return (text + ".%0*d" % (decimals, shown % 1000 // step) if decimals else text), shown


def device(reading, channel):
    return reading.setdefault("devices", {}).setdefault(str(channel), {"channel": channel})


@dataclass(frozen=True)
class Row:
    obis: str

    def write(self, household, state, reading):
        """The line's text; puts what it says into `reading`."""
        return "%s(%s)" % (self.obis, self.value(household, state, reading))


@dataclass(frozen=True)
class Number(Row):
    field: str
    whole: int
    decimals: int
    unit: str

    def value(self, household, state, reading):
        text, reading[self.field] = digits(household[self.field], self.whole, self.decimals)
        return text + "*" + self.unit


@dataclass(frozen=True)
class Count(Row):
    field: str
    width: int = 5

    def value(self, household, state, reading):
        reading[self.field] = household[self.field] % 10 ** self.width
        return "%0*d" % (self.width, reading[self.field])


@dataclass(frozen=True)
class Fixed(Row):
    """A line that never changes, and the field it stands for, if any."""

    text: str
    field: str = None
    is_: int = None

    def value(self, household, state, reading):
        if self.field:
            reading[self.field] = self.is_
        return self.text


@dataclass(frozen=True)
class Stamp(Row):
    def value(self, household, state, reading):
        reading["time"] = household.time
        return household.clock.stamp(household.time)


@dataclass(frozen=True)
class MeterId(Row):
    id: str

    def value(self, household, state, reading):
        reading["meter_id"] = state.ids[self.id]
        return state.ids[self.id].encode().hex().upper()


@dataclass(frozen=True)
class ExtraId(Row):
    """A number that the vocabulary has no name for, such as the EAN of the connection."""

    id: str

    def value(self, household, state, reading):
        return state.ids[self.id].encode().hex().upper()


@dataclass(frozen=True)
class Message(Row):
    def value(self, household, state, reading):
        if household.message:
            reading["message"] = household.message
        return household.message.encode().hex().upper()


@dataclass(frozen=True)
class FailureLog(Row):
    def write(self, household, state, reading):
        log = reading["power_failure_log"] = [list(entry) for entry in household.power_failure_log]
        entries = ["(%s)(%010d*s)" % (household.clock.stamp(end), seconds) for end, seconds in log]
        return "%s(%d)(0-0:96.7.19)%s" % (self.obis, len(log), "".join(entries))


@dataclass(frozen=True)
class RunningDemand(Row):
    def value(self, household, state, reading):
        text, reading["demand_import_w"] = digits(household.demand.running_w, 2, 3)
        return text + "*kW"


@dataclass(frozen=True)
class MonthPeak(Row):
    def write(self, household, state, reading):
        demand = household.demand
        text, reading["peak_month_w"] = digits(demand.peak_w, 2, 3)
        reading["peak_month_time"] = demand.peak_time
        return "%s(%s)(%s*kW)" % (self.obis, household.clock.stamp(demand.peak_time), text)


@dataclass(frozen=True)
class PeakHistory(Row):
    def write(self, household, state, reading):
        history, stamp = household.demand.history, household.clock.stamp
        reading["peak_history"] = [[time, watts] for _, time, watts in history]
        months = ["(%s)(%s)(%s*kW)" % (stamp(end), stamp(time), digits(watts, 2, 3)[0])
                  for end, time, watts in history]
        return "%s(%d)(1-0:1.6.0)(1-0:1.6.0)%s" % (self.obis, len(history), "".join(months))


@dataclass(frozen=True)
class ChildType(Row):
    channel: int
    text: str
    type: str

    def value(self, household, state, reading):
        device(reading, self.channel)["type"] = self.type
        return self.text


@dataclass(frozen=True)
class ChildId(Row):
    channel: int
    id: str

    def value(self, household, state, reading):
        device(reading, self.channel)["id"] = state.ids[self.id]
        return state.ids[self.id].encode().hex().upper()


@dataclass(frozen=True)
class ChildVolume(Row):
    channel: int
    source: str

    def write(self, household, state, reading):
        time, litres = household.child(self.source)
        text, litres = digits(litres, 5, 3)
        device(reading, self.channel).update(time=time, volume_l=litres)
        return "%s(%s)(%s*m3)" % (self.obis, household.clock.stamp(time), text)


@dataclass(frozen=True)
class OldChildVolume(ChildVolume):
    """DSMR 2.2: a profile with one entry, the value in a line of its own, a stamp without S or W."""

    def write(self, household, state, reading):
        time, litres = household.child(self.source)
        text, litres = digits(litres, 5, 3)
        device(reading, self.channel)["volume_l"] = litres
        if not household.clock.ambiguous(time):
            device(reading, self.channel)["time"] = time
        return "%s(%s)(00)(60)(1)(0-%d:24.2.1)(m3)\r\n(%s)" % (
            self.obis, household.clock.bare_stamp(time), self.channel, text)


@dataclass(frozen=True)
class P1(Family):
    ident: str = ""
    rows: tuple = ()
    checksum: bool = True

    def compose(self, household, state):
        reading = {}
        lines = [row.write(household, state, reading) for row in self.rows
                 if state.phases == 3 or not of_other_phase(getattr(row, "field", None))]
        for way in ("import", "export"):
            if way + "_t1_wh" in reading and way + "_wh" not in reading:
                # a meter that sends no total beside its tariffs: a reader adds them up
                reading[way + "_wh"] = reading[way + "_t1_wh"] + reading[way + "_t2_wh"]
        text = ("/%s\r\n\r\n%s\r\n!" % (self.ident, "\r\n".join(lines))).encode()
        if self.checksum:
            text += b"%04X" % crc16(text)
        return text + b"\r\n", reading

    def spoil(self, telegram, chance):
        if not self.checksum:
            raise ValueError("%s telegrams have no checksum" % self.name)
        end = telegram.rindex(b"!") + 1
        wrong = int(telegram[end:end + 4], 16) ^ chance.randrange(1, 0x10000)
        return b"%s%04X\r\n" % (telegram[:end], wrong)
