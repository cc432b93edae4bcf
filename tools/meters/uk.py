# SPDX-License-Identifier: MIT
"""British meters, which have no port: the LED's pulses, and what a Hildebrand Glow device publishes, in today's form
and in the older one. A telegram of Glow's is a line of JSON for each message, electricity first; gas follows when its
meter has spoken, every half hour.
"""

import json
from dataclasses import dataclass
from datetime import UTC

from tools.meters.family import Family, Line

WIFI = Line(115200)  # there is no line; tools.meter wants to name one
ELECTRICITY_PRICE = 245030, 600970  # millionths of a pound a kWh and a day
GAS_PRICE = 62880, 296200
WH_PER_M3 = 11221


def decimal(value, places):
    """An integer as JSON writes it with decimals: decimal(425, 3) is 0.425."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**places)
    return "%s%d.%0*d" % (sign, whole, places, fraction)


def periods(state, clock, time, name, register):
    """(day, week, month) so far of a register, which all begin at nought when the meter is first asked."""
    local = clock.local(time)
    marks = state.__dict__.setdefault("marks", {})
    found = []
    for period, key in (("day", local.date()), ("week", local.isocalendar()[:2]), ("month", (local.year, local.month))):
        if marks.get((name, period), (None, 0))[0] != key:
            marks[name, period] = key, register
        found.append(register - marks[name, period][1])
    return found


class Moment:
    """What both forms tell of one moment."""

    def __init__(self, household, state):
        self.time = household.time
        self.import_wh, self.export_wh = household["import_wh"], household["export_wh"]
        self.net_w = household["power_import_w"] - household["power_export_w"]
        self.mpan = "12%011d" % (state.serial % 10**11)
        self.mprn = "30%08d" % (state.serial % 10**8)
        self.gas_time, self.gas_l = household.child("gas_l")
        self.gas_wh = self.gas_l * WH_PER_M3 // 1000
        self.periods = periods(state, household.clock, self.time, "electricity", self.import_wh)
        self.gas_periods = periods(state, household.clock, self.time, "gas", self.gas_wh)

    def reading(self):
        reading = {"time": self.time, "meter_id": self.mpan, "import_wh": self.import_wh, "export_wh": self.export_wh,
                   "power_import_w": max(self.net_w, 0), "power_export_w": max(-self.net_w, 0)}
        reading.update(zip(("import_day_wh", "import_week_wh", "import_month_wh"), self.periods))
        return reading

    def device(self):
        device = {"channel": 1, "type": "gas", "id": self.mprn, "volume_l": self.gas_l}
        device.update(zip(("energy_day_wh", "energy_week_wh", "energy_month_wh"), self.gas_periods))
        return device


def stamp(clock, time):
    return clock.local(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Glow(Family):
    def parts(self, telegram):
        return telegram.splitlines(keepends=True)

    def spoil(self, telegram, chance):
        """There is no checksum: a brace is lost."""
        place = telegram.index(b"}")
        return telegram[:place] + telegram[place + 1:]

    def messages(self, telegram):
        """(topic, payload) of each."""
        for line in telegram.splitlines():
            name = next(iter(json.loads(line)))
            yield "glow/0123456789AB/SENSOR/" + name, line


@dataclass(frozen=True)
class Today(Glow):
    def compose(self, household, state):
        now = Moment(household, state)
        electricity = (
            '{"electricitymeter":{"timestamp":"%s","energy":{"export":{"cumulative":%s,"units":"kWh"},'
            '"import":{"cumulative":%s,"day":%s,"week":%s,"month":%s,"units":"kWh","mpan":"%s",'
            '"supplier":"Example Energy","price":{"unitrate":%s,"standingcharge":%s}}},'
            '"power":{"value":%s,"units":"kW"}}}\n' % (
                stamp(household.clock, now.time), decimal(now.export_wh, 3), decimal(now.import_wh, 3),
                *[decimal(value, 3) for value in now.periods], now.mpan,
                *[decimal(value // 10, 5) for value in ELECTRICITY_PRICE], decimal(now.net_w, 3)))
        reading = dict(now.reading(), unit_rate_micro=ELECTRICITY_PRICE[0], standing_charge_micro=ELECTRICITY_PRICE[1])
        if state.__dict__.get("gas_time") == now.gas_time:
            return electricity.encode(), reading
        state.gas_time = now.gas_time
        energy = [decimal(value, 3) for value in now.gas_periods]
        gas = (
            '{"gasmeter":{"timestamp":"%s","energy":{"import":{"cumulative":%s,"day":%s,"week":%s,"month":%s,'
            '"units":"kWh","cumulativevol":%s,"cumulativevolunits":"m3","dayvol":%s,"weekvol":%s,"monthvol":%s,'
            '"dayweekmonthvolunits":"kWh","mprn":"%s","supplier":"---",'
            '"price":{"unitrate":%s,"standingcharge":%s}}}}}\n' % (
                stamp(household.clock, now.gas_time), decimal(now.gas_wh, 3), *energy, decimal(now.gas_l, 3), *energy,
                now.mprn, *[decimal(value // 10, 5) for value in GAS_PRICE]))
        reading["devices"] = {"1": dict(now.device(), time=now.gas_time, energy_wh=now.gas_wh,
                                        unit_rate_micro=GAS_PRICE[0], standing_charge_micro=GAS_PRICE[1])}
        return (electricity + gas).encode(), reading


@dataclass(frozen=True)
class Clusters(Glow):
    def compose(self, household, state):
        now = Moment(household, state)
        day, week, month = now.periods
        document = {
            "elecMtr": {"0702": {
                "03": {"01": "00000001", "02": "000003E8", "07": now.mpan, "00": "00"},
                "00": {"00": "%012X" % now.import_wh, "01": "%012X" % now.export_wh},
                "04": {"00": "%06X" % (now.net_w & 0xFFFFFF), "01": "%06X" % day, "30": "%06X" % week,
                       "40": "%06X" % month}}},
            "gasMtr": {"0702": {
                "03": {"01": "00000001", "02": "000003E8", "07": now.mprn, "00": "01", "12": "00"},
                "00": {"00": "%012X" % now.gas_l},
                "0C": {name: "%06X" % value for name, value in zip(("01", "30", "40"), now.gas_periods)}}},
            "time": "%08X" % now.time, "gmtime": now.time}
        text = json.dumps(document, separators=(",", ":")) + "\n"
        return text.encode(), dict(now.reading(), devices={"1": now.device()})

    def messages(self, telegram):
        for line in telegram.splitlines():
            yield "SMART/HILD/0123456789AB", line


@dataclass(frozen=True)
class Led(Family):
    """A byte for each pulse of the second before; `tools.meter` spreads them over the second."""

    per_kwh: int = 1000
    spread: bool = True

    def compose(self, household, state):
        pulses = household["import_wh"] * self.per_kwh // 1000
        before, state.pulses = state.__dict__.get("pulses", pulses), pulses
        return bytes([1]) * (pulses - before), {"import_wh": household["import_wh"]}


GLOW = Today("glow", 10, WIFI, zone="Europe/London", child_stamp_s=1800)
GLOW_ZCL = Clusters("glow-zcl", 10, WIFI, zone="Europe/London", child_stamp_s=1800)
PULSE = Led("pulse", 1, WIFI, zone="Europe/London")
