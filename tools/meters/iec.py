# SPDX-License-Identifier: MIT
"""Optical heads (IEC 62056-21): EasyMeter's Q3D, which pushes (mode D), and a Landis+Gyr that wants to be asked
(mode C).

Mode C, clause 6: the reader sends "/?!" at 300 baud, the meter its identification with a letter for its highest baud;
the reader acknowledges with that letter, both change the baud, and the meter sends STX, the lines, "!", ETX and BCC."""

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor

from tools.meters.dsmr import L
from tools.meters.family import Line
from tools.meters.p1 import P1, Fixed, Number, Row
from tools.meters.text import Net, Plate

BAUDS = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
_WORDS = re.compile(rb"/\?[^!]{0,32}!\r\n|\x060(.)[01]\r\n")
_MOST = 64  # bytes of a word that is not whole yet


@dataclass(frozen=True)
class Fine(Number):
    """A register with seven decimals of a kWh, the last four below the vocabulary's base unit."""

    def value(self, household, state, reading):
        number, _, unit = super().value(household, state, reading).partition("*")
        return "%s%04d*%s" % (number, household.time % 10_000, unit)


@dataclass(frozen=True)
class Serial(Row):
    """The same number as `Plate`, which a later line overrules."""

    def value(self, household, state, reading):
        return state.ids["plate"]


@dataclass(frozen=True)
class Push(P1):
    """Mode D: no checksum, lines with group F written out."""

    checksum: bool = False


@dataclass(frozen=True)
class Asked(P1):
    """Mode C. `compose` gives identification and block in one, as a reader puts them together."""

    letter: str = "5"

    def parts(self, telegram):
        """(identification, block) of a telegram."""
        head = telegram.index(b"\n") + 1
        return telegram[:head], telegram[head:]

    def compose(self, household, state):
        reading = {}
        lines = [row.write(household, state, reading) for row in self.rows
                 if state.phases == 3 or "l2" not in row.obis and not row.obis.startswith(("5", "7"))]
        block = ("".join(line + "\r\n" for line in lines) + "!\r\n\x03").encode()
        check = reduce(xor, block)
        return b"/%s\r\n\x02%s%c" % (self.ident.encode(), block, check), reading

    def spoil(self, telegram, chance):
        return telegram[:-1] + bytes((telegram[-1] ^ chance.randrange(1, 128),))


Q3D = Push(
    "iec", 2, Line(9600, 7, "E"), zone="Europe/Berlin", ident="ESY5Q3DB1024 V3.04",
    rows=(Serial("1-0:0.0.0*255"), Fine("1-0:1.8.0*255", "import_wh", 8, 3, "kWh"),
          Fine("1-0:2.8.0*255", "export_wh", 8, 3, "kWh"), *(Net("1-0:%d.7.0*255" % (21 + 20 * p), "W", line)
                                                             for p, line in enumerate(L)),
          Net("1-0:1.7.0*255", "W"), Fixed("1-0:96.5.5*255", "80"), Plate("0-0:96.1.255*255")))

E350 = Asked(
    "iec-c", 10, Line(300, 7, "E"), zone="Europe/Berlin", ident="LGZ5\\2ZMF100AC.M27",
    rows=(Fixed("F.F", "00"), Serial("0.0"), Plate("C.1.0"), Fixed("C.1.1", "        "),
          Number("1.8.1", "import_t1_wh", 6, 3, "kWh"), Number("1.8.2", "import_t2_wh", 6, 3, "kWh"),
          Number("2.8.1", "export_t1_wh", 6, 3, "kWh"), Number("2.8.2", "export_t2_wh", 6, 3, "kWh"),
          Number("1.8.0", "import_wh", 6, 3, "kWh"), Fixed("1.8.0*01", "000000.001*kWh"),
          Number("2.8.0", "export_wh", 6, 3, "kWh"), Fixed("C.7.0", "0004"),
          *(Number("%d.7" % (32 + 20 * p), "voltage_%s_mv" % line, 3, 0, "V") for p, line in enumerate(L)),
          *(Number("%d.7" % (31 + 20 * p), "current_%s_ma" % line, 3, 2, "A") for p, line in enumerate(L)),
          Net("16.7"), Fixed("82.8.1", "0000"), Fixed("0.2.0", "M27"), Fixed("C.5.0", "1420")))


class Session:
    """What the meter says to one reader. `telegram()` gives what is to be sent next."""

    def __init__(self, family, telegram):
        self._family, self._telegram = family, telegram
        self._heard = b""
        self._block = None

    def hear(self, data):
        """[(bytes to be sent, baud), ...] in answer to what a reader said."""
        said = []
        self._heard += data
        while found := _WORDS.search(self._heard):
            self._heard = self._heard[found.end():]
            if found[1] is None:
                head, self._block = self._family.parts(self._telegram())
                said.append((head, BAUDS["0"]))
            else:
                said += self.late(BAUDS.get(found[1].decode("latin-1"), BAUDS["0"]))
        self._heard = self._heard[-_MOST:]
        return said

    def late(self, baud=BAUDS["0"]):
        """The same when no acknowledgement came: the block goes out at 300 baud."""
        block, self._block = self._block, None
        return [(block, baud)] if block else []
