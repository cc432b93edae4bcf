# SPDX-License-Identifier: MIT
"""Text meters of Hungary, Lithuania, Poland and Switzerland: their lines, from what the grid companies' sheets and
published telegrams show."""

from dataclasses import dataclass

from tools.meters import dlms
from tools.meters.dsmr import PHASE_POWER, POWER, VOLTAGE, WHOLE_AMPERES, L, phases
from tools.meters.family import Line
from tools.meters.p1 import P1, Count, Fixed, Message, MeterId, Number, Row, Stamp, crc16, digits


@dataclass(frozen=True)
class Plate(Row):
    """A number in plain digits, not spelled in hex."""

    id: str = "plate"

    def value(self, household, state, reading):
        reading["meter_id"] = state.ids[self.id]
        return state.ids[self.id]


@dataclass(frozen=True)
class Words(Row):
    """Hungary's tariff."""

    def value(self, household, state, reading):
        reading["tariff"] = household["tariff"]
        return "TARIFF %d" % household["tariff"]


@dataclass(frozen=True)
class Sum(Row):
    """Import and export in one register, for which the vocabulary has no name."""

    def value(self, household, state, reading):
        return digits(household["import_wh"] + household["export_wh"], 6, 3)[0] + "*kWh"


@dataclass(frozen=True)
class LastMonth(Row):
    """Hungary's 0-0:98.1.0: registers as they stood at the last month's end, no peaks."""

    def write(self, household, state, reading):
        end = household.demand.history[-1][0]
        return "%s(%s)(000100.000*kWh)(000060.000*kWh)(000040.000*kWh)(12.212*kW)" % (
            self.obis, household.clock.stamp(end))


@dataclass(frozen=True)
class Net(Row):
    """One power with a sign."""

    unit: str = "kW"
    phase: str = ""

    def value(self, household, state, reading):
        name = self.phase + "_w" if self.phase else "w"
        net = household["power_import_" + name] - household["power_export_" + name]
        reading["power_import_" + name], reading["power_export_" + name] = max(net, 0), max(-net, 0)
        sign = "-" if net < 0 else ""
        return "%s%06d.00*W" % (sign, abs(net)) if self.unit == "W" else "%s%s*kW" % (sign, digits(abs(net), 2, 3)[0])

    @property
    def field(self):
        return "net_" + self.phase


def registers(way, code, whole=6):
    return (Number("1-0:%d.8.0" % code, way + "_wh", whole, 3, "kWh"),
            Number("1-0:%d.8.1" % code, way + "_t1_wh", whole, 3, "kWh"),
            Number("1-0:%d.8.2" % code, way + "_t2_wh", whole, 3, "kWh"),
            Fixed("1-0:%d.8.3" % code, "0" * whole + ".000*kWh", way + "_t3_wh", 0),
            Fixed("1-0:%d.8.4" % code, "0" * whole + ".000*kWh", way + "_t4_wh", 0))


REACTIVE = (Number("1-0:3.8.0", "reactive_import_varh", 6, 3, "kvarh"),
            Number("1-0:4.8.0", "reactive_export_varh", 6, 3, "kvarh"))
@dataclass(frozen=True)
class Factor(Number):
    """A number without a unit."""

    def value(self, household, state, reading):
        return super().value(household, state, reading).partition("*")[0]


FACTORS = tuple(Factor("1-0:%d.7.0" % (13 + 20 * p), "power_factor%s_milli" % line, 1, 3, "")
                for p, line in enumerate(("", "_l1", "_l2", "_l3")))

# E.ON and MVM, after Wasion's and Sanxing's telegrams
HU = P1(
    "hu", 10, Line(115200), zone="Europe/Budapest", ident="WSE5Wasion--Meter---",
    rows=(Stamp("0-0:1.0.0"), Fixed("0-0:42.0.0", "WSE1012403352978"), Plate("0-0:96.1.0"), Words("0-0:96.14.0"),
          Fixed("0-0:96.3.10", "ON", "breaker", 1), Fixed("0-0:17.0.0", "24000*W", "limiter_w", 24_000),
          *registers("import", 1), *registers("export", 2), Sum("1-0:15.8.0"), *REACTIVE,
          *(Fixed("1-0:%d.8.0" % code, "000000.449*kvarh") for code in (5, 6, 7, 8)), *VOLTAGE, *WHOLE_AMPERES,
          *FACTORS, Fixed("1-0:14.7.0", "49.99*Hz", "frequency_mhz", 49_990), *POWER,
          *(Fixed("1-0:%d.7.0" % code, "00.066*kvar") for code in (5, 6, 7, 8)),
          Fixed("1-0:31.4.0", "200*A", "fuse_ma", 200_000), LastMonth("0-0:98.1.0"), Message("0-0:96.13.0")))

# ESO: a hundred objects, among them averages, times and levels of sags and swells, programs
LT = P1(
    "lt", 10, Line(115200), zone="Europe/Vilnius", ident="ESO5\\253600026_A",
    rows=(Stamp("0-0:1.0.0"), *registers("import", 1), *registers("export", 2), *REACTIVE, *PHASE_POWER,
          *phases(23, "reactive_import_%s_var", 2, 3, "kvar"), *phases(24, "reactive_export_%s_var", 2, 3, "kvar"),
          *(row for p in range(3) for row in (VOLTAGE[p], Fixed("1-0:%d.24.0" % (32 + 20 * p), "234.6*V"),
                                              WHOLE_AMPERES[p])),
          Fixed("1-0:12.7.0", "235.6*V"), Fixed("1-0:11.7.0", "000*A"), Fixed("1-0:91.7.0", "000*A"),
          Fixed("1-0:90.7.0", "000*A"), Fixed("1-0:14.7.0", "50.0*Hz", "frequency_mhz", 50_000), *POWER,
          Fixed("1-0:15.7.0", "00.024*kW"), Number("1-0:9.7.0", "apparent_import_va", 2, 3, "kVA"),
          Number("1-0:10.7.0", "apparent_export_va", 2, 3, "kVA"), Fixed("1-0:1.24.0", "00.000*kW"),
          Fixed("1-0:16.24.0", "-00.024*kW"), Fixed("1-0:15.24.0", "00.008*kW"), *FACTORS,
          Fixed("1-0:13.3.0", "0.000"), Fixed("1-0:0.8.2", "00900*s"),
          Fixed("1-0:2.4.0", "000000.024*kW", "demand_export_w", 24), Fixed("1-0:3.4.0", "000000.000*kvar"),
          Fixed("1-0:9.4.0", "000000.000*kVA"), Count("0-0:96.7.21", "power_failures"),
          *(Fixed("1-0:%d.%d.0" % (32 + 20 * p, group), text) for group, text in (
              (33, "03042*s"), (34, "0000*V"), (37, "00000*s"), (38, "000*V")) for p in range(3)),
          Fixed("1-0:0.2.0", "02.21"), Fixed("1-0:0.2.8", "1EA43311"), Fixed("1-1:0.2.0", "02.13"),
          Fixed("1-1:0.2.8", "047C71F1"), Message("0-0:96.13.0"),
          *(Count("1-0:%d.32.0" % (32 + 20 * p), "voltage_sags_" + line) for p, line in enumerate(L)),
          *(Count("1-0:%d.36.0" % (32 + 20 * p), "voltage_swells_" + line) for p, line in enumerate(L)),
          MeterId("0-0:96.1.1", "plate")))

# group B is 1 here, and the only power that all makers send is signed
CH = P1(
    "ch", 5, Line(115200), zone="Europe/Zurich", ident="ISK5\\2M550T-CH",
    rows=(Fixed("1-3:0.2.8", "50"), Stamp("0-0:1.0.0"), MeterId("0-0:96.1.1", "plate"),
          Number("1-1:1.8.0", "import_wh", 6, 3, "kWh"), Number("1-1:1.8.1", "import_t1_wh", 6, 3, "kWh"),
          Number("1-1:1.8.2", "import_t2_wh", 6, 3, "kWh"), Number("1-1:2.8.0", "export_wh", 6, 3, "kWh"),
          Number("1-1:2.8.1", "export_t1_wh", 6, 3, "kWh"), Number("1-1:2.8.2", "export_t2_wh", 6, 3, "kWh"),
          Net("1-1:16.7.0"), *(Number("1-1:%d.7.0" % (32 + 20 * p), "voltage_%s_mv" % line, 3, 1, "V")
                               for p, line in enumerate(L)),
          *(Number("1-1:%d.7.0" % (31 + 20 * p), "current_%s_ma" % line, 3, 0, "A") for p, line in enumerate(L))))


@dataclass(frozen=True)
class Sealed(P1):
    """Stoen: the identification in the clear, the lines in an envelope without tag and title, then "!" and CRC."""

    def compose(self, household, state):
        text, reading = super().compose(household, state)
        head = text.index(b"\r\n\r\n") + 4
        lines = text[head:text.rindex(b"!")]
        title = bytes(8)
        sealed = dlms.seal(lines, state.key, state.auth_key, title, state.counter)
        body = text[:head] + b"\0" + sealed[10:] + b"!"
        return body + b"%04X\r\n" % crc16(body), reading

    def spoil(self, telegram, chance):
        """What proves this one is the tag, in front of the end mark."""
        place = len(telegram) - 8
        return telegram[:place] + bytes((telegram[place] ^ chance.randrange(1, 256),)) + telegram[place + 1:]

    def check_keys(self, key, auth_key):
        return key or self.default_key, auth_key or self.default_auth_key


PL = Sealed(
    "pl", 10, Line(115200), zone="Europe/Warsaw", ident="KFM5KAIFA-METER",
    default_key=bytes.fromhex("5A4B3C2D1E0F00112233445566778899"),
    default_auth_key=bytes.fromhex("A0A1A2A3A4A5A6A7A8A9AAABACADAEAF"),
    rows=(Stamp("0-0:1.0.0"), MeterId("0-0:96.1.0", "plate"), *registers("import", 1), *registers("export", 2), *POWER,
          Number("1-0:3.7.0", "reactive_import_var", 2, 3, "kvar"),
          Number("1-0:4.7.0", "reactive_export_var", 2, 3, "kvar"), *VOLTAGE, Fixed("0-0:17.0.0", "00000"),
          Fixed("0-0:94.98.31", "00000"), Fixed("0-0:96.13.0", "")))
