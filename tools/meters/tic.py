# SPDX-License-Identifier: MIT
"""France: the meters before Linky, which speak "historique" only (Enedis-NOI-CPT_02E), with day and night tariff, and
Linky in standard mode with a solar roof (Enedis-NOI-CPT_54E). Both send without a pause."""

from dataclasses import dataclass

from tools.meters.dsmr import L
from tools.meters.family import Family, Line

SUBSCRIBED_KVA = 9
NO_MESSAGE = "PAS DE          MESSAGE         "


def check(text):
    """The character that proves the text of a group."""
    return chr((sum(text.encode()) & 0x3F) + 0x20)


@dataclass(frozen=True)
class Tic(Family):
    def spoil(self, telegram, chance):
        groups = telegram.split(b"\r")
        which = chance.randrange(len(groups) - 1)
        sent = groups[which][-1]
        groups[which] = groups[which][:-1] + bytes(((sent - 0x20 + chance.randrange(1, 64)) % 64 + 0x20,))
        return b"\r".join(groups)

    def compose(self, household, state):
        """Registers have nine digits of Wh, currents and voltages are whole A and V, power is in VA."""
        groups, reading = [], {}
        self._groups(household, state, groups, reading, L[:state.phases])
        return b"\x02" + "".join("\n%s\r" % group for group in groups).encode() + b"\x03", reading

    def _register(self, household, reading, name):
        reading[name] = household[name] % 10**9
        return "%09d" % reading[name]

    def _whole(self, household, reading, name):
        reading[name] = household[name] // 1000 * 1000
        return "%03d" % (household[name] // 1000)

    def _power(self, household, reading, name):
        reading[name] = household[name] % 10**5
        return "%05d" % reading[name]


class Historique(Tic):
    """Spaces between label, data and checksum, which leaves the last of them out."""

    def _groups(self, household, state, groups, reading, lines):
        def group(label, data):
            text = "%s %s" % (label, data)
            groups.append("%s %s" % (text, check(text)))

        group("ADCO", state.ids["linky"])
        group("OPTARIF", "HC..")
        amperes = SUBSCRIBED_KVA * 5 if len(lines) == 1 else SUBSCRIBED_KVA * 5 // 3
        group("ISOUSC", "%02d" % amperes)
        group("HCHC", self._register(household, reading, "import_t1_wh"))
        group("HCHP", self._register(household, reading, "import_t2_wh"))
        group("PTEC", "HC.." if household["tariff"] == 1 else "HP..")
        # one phase is not counted
        ends = [""] if len(lines) == 1 else ["1", "2", "3"]
        for end, line in zip(ends, lines):
            group("IINST" + end, self._whole(household, reading, "current_%s_ma" % line))
        for end in ends:
            group("IMAX" + end, "060")
        if len(lines) == 3:
            group("PMAX", "08120")
        group("PAPP", self._power(household, reading, "apparent_import_va"))
        group("HHPHC", "A")
        group("MOTDETAT", "000000")
        if len(lines) == 3:
            group("PPOT", "00")
        reading.update(meter_id=state.ids["linky"], fuse_ma=amperes * 1000, tariff=household["tariff"],
                       import_wh=reading["import_t1_wh"] + reading["import_t2_wh"])


class Standard(Tic):
    """Tabs, a stamp in front of some data, and a checksum over all in front of it."""

    def _groups(self, household, state, groups, reading, lines):
        def group(label, data, time=None):
            text = "%s\t%s%s\t" % (label, "" if time is None else self._stamp(household, time) + "\t", data)
            groups.append(text + check(text))

        now = household.time
        today = household.clock.local(now).replace(hour=0, minute=0, second=0, fold=0).timestamp()
        half_hour = now // 1800 * 1800
        group("ADSC", state.ids["linky"])
        group("VTIC", "02")
        group("DATE", "", now)
        group("NGTF", "H PLEINE/CREUSE ")
        group("LTARF", " HEURE  CREUSE  " if household["tariff"] == 1 else " HEURE  PLEINE  ")
        group("EAST", self._register(household, reading, "import_wh"))
        tariffs = [self._register(household, reading, "import_t%d_wh" % number) for number in (1, 2)]
        for number in range(1, 11):
            group("EASF%02d" % number, tariffs[number - 1] if number <= 2 else "0" * 9)
        for number in range(1, 5):
            group("EASD%02d" % number, tariffs[number - 1] if number <= 2 else "0" * 9)
        group("EAIT", self._register(household, reading, "export_wh"))
        for first, name in ((1, "reactive_import_varh"), (3, "reactive_export_varh")):
            whole = reading[name] = household[name] % 10**9
            group("ERQ%d" % first, "%09d" % (whole - whole // 5))
            group("ERQ%d" % (first + 1), "%09d" % (whole // 5))
        for quantity, name in (("IRMS", "current_%s_ma"), ("URMS", "voltage_%s_mv")):
            for i, line in enumerate(lines, 1):
                group("%s%d" % (quantity, i), self._whole(household, reading, name % line))
        group("PREF", "%02d" % SUBSCRIBED_KVA)
        group("PCOUP", "%02d" % SUBSCRIBED_KVA)
        group("SINSTS", self._power(household, reading, "apparent_import_va"))
        if len(lines) == 3:
            for i, line in enumerate(lines, 1):
                # what a phase takes, from its current and voltage
                watts = household["power_import_%s_w" % line]
                volt_amperes = household["current_%s_ma" % line] * household["voltage_%s_mv" % line] // 10**6
                reading["apparent_import_%s_va" % line] = volt_amperes if watts else 0
                group("SINSTS%d" % i, "%05d" % reading["apparent_import_%s_va" % line])
        for end in ("", "1", "2", "3")[:1 if len(lines) == 1 else 4]:
            group("SMAXSN" + end, "06310", int(today) + 7 * 3600)
            group("SMAXSN%s-1" % end, "05822", int(today) - 4 * 3600)
        group("SINSTI", self._power(household, reading, "apparent_export_va"))
        group("SMAXIN", "03120", int(today))
        group("SMAXIN-1", "04017", int(today) - 10 * 3600)
        # the house does not keep half-hours; any number will do that holds for as long
        reading["average_import_w"] = half_hour // 1800 * 37 % 3000
        group("CCASN", "%05d" % reading["average_import_w"], half_hour)
        group("CCASN-1", "%05d" % ((half_hour // 1800 - 1) * 37 % 3000), half_hour - 1800)
        reading["average_export_w"] = half_hour // 1800 * 13 % 2000
        group("CCAIN", "%05d" % reading["average_export_w"], half_hour)
        group("CCAIN-1", "%05d" % ((half_hour // 1800 - 1) * 13 % 2000), half_hour - 1800)
        for i, line in enumerate(lines, 1):
            group("UMOY%d" % i, "%03d" % (household["voltage_%s_mv" % line] // 1000), now // 600 * 600)
        group("STGE", "%08X" % (0x013A0001 | (household["tariff"] - 1) << 10 | (household["power_export_w"] > 0) << 9))
        message = household.message[:32]
        group("MSG1", "%-32s" % message if message else NO_MESSAGE)
        if message:
            reading["message"] = message
        group("PRM", "%014d" % state.serial)
        group("RELAIS", "001")
        group("NTARF", "%02d" % household["tariff"])
        group("NJOURF", "00")
        group("NJOURF+1", "00")
        group("PJOURF+1", "00008001 06008002 22308001" + " NONUTILE" * 8)
        reading.update(meter_id=state.ids["linky"], time=now, tariff=household["tariff"], breaker=1,
                       limiter_va=SUBSCRIBED_KVA * 1000)

    def _stamp(self, household, time):
        """H in winter (hiver), E in summer (été)."""
        stamp = household.clock.stamp(time)
        return ("E" if stamp[-1] == "S" else "H") + stamp[:-1]


HISTORIQUE = Historique("tic", 3, Line(1200, 7, "E"), zone="Europe/Paris")
STANDARD = Standard("tic-standard", 2, Line(9600, 7, "E"), zone="Europe/Paris")
