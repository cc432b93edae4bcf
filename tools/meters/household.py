# SPDX-License-Identifier: MIT
"""One connection and its meter: registers that are the exact integral of the power, counters, child meters.

Everything is an integer in base units under the names of the product's vocabulary: `household["import_wh"]`.
Energy is kept in watt-seconds, so that no fraction is lost between two telegrams."""

import math
import random

from tools.meters.clock import Clock
from tools.meters.demand import Demand
from tools.meters.life import Life

PHASES = ("l1", "l2", "l3")
LONG_FAILURE_S = 180  # NTA 8130: longer than three minutes is a long power failure
FAILURES_KEPT = 10  # DSMR P1 5.0.2, table 6-5: the log holds up to ten
NORMAL_MV = (220_000, 240_000)

REGISTERS = (
    ("import_wh", "export_wh", "import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh",
     "reactive_import_varh", "reactive_export_varh")
    + tuple("%s_%s_wh" % (way, phase) for way in ("import", "export") for phase in PHASES))
COUNTERS = (("power_failures", "long_power_failures")
            + tuple("voltage_%s_%s" % (kind, phase) for kind in ("sags", "swells") for phase in PHASES))
CHILDREN = ("gas_l", "water_l")


def split(signed):
    """A signed flow as (in, out), neither of them negative."""
    return (signed, 0) if signed >= 0 else (0, -signed)


def power_factor(watts, apparent_mva):
    return abs(watts) * 1_000_000 // apparent_mva if apparent_mva else 1000


class Household:
    def __init__(self, seed, start, *, zone="Europe/Amsterdam", phases=3, low_tariff=1, child_stamp_s=300):
        self.life = Life(seed, phases)
        self.clock = Clock(zone)
        self.phases = PHASES[:phases]
        self.time = start
        self.message = ""
        self.net_w = None  # a test's own (l1, l2, l3) instead of what life brings; negative is export
        self.low_tariff = low_tariff
        self.child_stamp_s = child_stamp_s
        self.power_failure_log = []  # [end, seconds], the newest first

        chance = random.Random("%s/history" % seed)
        self._work = {name: chance.randrange(3600) for name in REGISTERS}  # watt-seconds, var-seconds
        self._counters = dict.fromkeys(COUNTERS, 0)
        # litres an hour, times seconds
        self._flow = {name: chance.randint(500_000, 9_000_000) * 3600 for name in CHILDREN}
        self._flowing = dict.fromkeys(CHILDREN, 0)
        stamp = start // child_stamp_s * child_stamp_s
        self._stamped = {name: (stamp, flow // 3600) for name, flow in self._flow.items()}
        self.demand = Demand(self.clock, start, chance)
        self._invent_history(start, chance)
        self._look()

    def _invent_history(self, start, chance):
        for way, most_wh in (("import", 12_000_000), ("export", 6_000_000)):
            parts = [chance.randint(most_wh // 6, most_wh) for _ in range(2)]
            self[way + "_t1_wh"], self[way + "_t2_wh"] = parts
            self[way + "_wh"] = sum(parts)
            for phase in self.phases:
                self["%s_%s_wh" % (way, phase)] = sum(parts) // len(self.phases) + chance.randrange(100_000)
        self["reactive_import_varh"] = chance.randint(10_000, 900_000)
        self["reactive_export_varh"] = chance.randint(100_000, 4_000_000)
        for days in sorted(chance.sample(range(20, 900), 2), reverse=True):
            self._count_failure(start - days * 86400 - chance.randrange(80_000), chance.randint(240, 9000))
        for phase in self.phases:
            self["voltage_sags_" + phase] = chance.randrange(20)

    # reading and setting

    def __getitem__(self, field):
        if field in self._work:
            return self._work[field] // 3600
        if field in self._counters:
            return self._counters[field]
        return self._now[field]

    def __setitem__(self, field, value):
        """Registers, counters and child meters can be set; what flows follows from `net_w` or from life."""
        if field in self._work:
            self._work[field] = value * 3600
        elif field in self._counters:
            self._counters[field] = value
        elif field in self._flow:
            self._flow[field] = value * 3600
            self._stamped[field] = self._stamped[field][0], value
        else:
            raise KeyError(field)

    def child(self, field):
        """(time of the stamp, litres): what a child meter last handed over, `gas_l` or `water_l`."""
        return self._stamped[field]

    # time

    def advance(self, seconds):
        """What the meter shows afterwards is what flowed for all of those seconds."""
        begin, tariff = self.time, self["tariff"]
        self.time += seconds
        self._count_dips(begin)
        self._look()
        for way in ("import", "export"):
            power = self["power_%s_w" % way]
            self._work[way + "_wh"] += power * seconds
            self._work["%s_t%d_wh" % (way, tariff)] += power * seconds
            self._work["reactive_%s_varh" % way] += self["reactive_%s_var" % way] * seconds
            for phase in self.phases:
                self._work["%s_%s_wh" % (way, phase)] += self["power_%s_%s_w" % (way, phase)] * seconds
        self._let_flow(begin)
        self.demand.add(begin, self.time, self["power_import_w"])

    def fail(self, seconds):
        """The power is off; the meter's clock runs on and it counts when the power is back."""
        begin = self.time
        self.time += seconds
        self._flowing = dict.fromkeys(CHILDREN, 0)
        self._let_flow(begin)
        self.demand.add(begin, self.time, 0)
        self._count_failure(self.time, seconds)
        self._look()

    def _count_failure(self, end, seconds):
        self._counters["power_failures"] += 1
        if seconds > LONG_FAILURE_S:
            self._counters["long_power_failures"] += 1
            self.power_failure_log = [[end, seconds], *self.power_failure_log][:FAILURES_KEPT]

    def _count_dips(self, begin):
        for dip in self.life.dips(self.time):
            if begin < dip.start <= self.time:
                kind = "sags" if dip.level_mv < NORMAL_MV[0] else "swells"
                self._counters["voltage_%s_%s" % (kind, PHASES[dip.phase])] += 1

    def _let_flow(self, begin):
        """A child meter is read at its own full intervals, so its stamp is older than the telegram's."""
        stamp = self.time // self.child_stamp_s * self.child_stamp_s
        for name, per_hour in self._flowing.items():
            if stamp > begin:
                self._stamped[name] = stamp, (self._flow[name] + per_hour * (stamp - begin)) // 3600
            elif stamp == begin:
                self._stamped[name] = stamp, self._flow[name] // 3600
            self._flow[name] += per_hour * (self.time - begin)

    # this moment

    def _tariff(self):
        local = self.clock.local(self.time)
        low = local.isoweekday() > 5 or not 7 <= local.hour < 23
        return self.low_tariff if low else 3 - self.low_tariff

    def _look(self):
        """Power, voltage and current of this moment."""
        moment = self.life.at(self.time)
        self._flowing = {"gas_l": moment.gas_lph, "water_l": moment.water_lph}
        self._now = now = {"tariff": self._tariff()}
        dipped = {dip.phase: dip.level_mv for dip in self.life.dips(self.time)
                  if dip.start <= self.time < dip.end}
        nets = self.net_w or [load - sun for load, sun in zip(moment.load_w, moment.sun_w)]
        total = total_var = 0
        for p, phase in enumerate(self.phases):
            net, var = nets[p], moment.reactive_var[p]
            total += net
            total_var += var
            now["power_import_%s_w" % phase], now["power_export_%s_w" % phase] = split(net)
            now["reactive_import_%s_var" % phase], now["reactive_export_%s_var" % phase] = split(var)
            apparent_mva = math.isqrt((net * net + var * var) * 1_000_000)
            # some 0.3 ohm of cable between the transformer and the house
            volts = moment.grid_mv[p] - net * 300 // 230
            volts = dipped.get(p) or max(NORMAL_MV[0], min(NORMAL_MV[1], volts))
            now["voltage_%s_mv" % phase] = volts
            now["current_%s_ma" % phase] = apparent_mva * 1000 // volts
            now["power_factor_%s_milli" % phase] = power_factor(net, apparent_mva)
        # the sum with signs, as the meters of these countries count: a phase that exports serves another
        now["power_import_w"], now["power_export_w"] = split(total)
        now["reactive_import_var"], now["reactive_export_var"] = split(total_var)
        apparent_mva = math.isqrt((total * total + total_var * total_var) * 1_000_000)
        apparent = apparent_mva // 1000
        now["apparent_import_va"], now["apparent_export_va"] = split(apparent if total >= 0 else -apparent)
        now["power_factor_milli"] = power_factor(total, apparent_mva)
