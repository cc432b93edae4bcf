# SPDX-License-Identifier: MIT
"""German meters that push SML files: an eHZ as they came from 2009 on, and a three-phase meter of today with its
voltages and currents, PIN entered.

A file is three messages, open, list of values, close, inside of the transport (SML 1.04, 6 and 8)."""

import random
from dataclasses import dataclass

from tools.meters.dlms import crc_x25
from tools.meters.family import Family, Line, of_other_phase

ESCAPE = b"\x1b" * 4
NONE = b"\x01"
WH, W, V, A, HZ, DEGREES = 30, 27, 35, 33, 44, 8


def head(kind, size):
    """The TL bytes of a field of so many bytes, or of a list of so many fields."""
    count = 1
    while (total := size + (0 if kind == 0x70 else count)) >= 16 ** count:
        count += 1
    digits = [total >> 4 * place & 0xF for place in reversed(range(count))]
    return bytes((kind if not i else 0) | (0x80 if i < count - 1 else 0) | digit for i, digit in enumerate(digits))


def octets(data):
    return head(0, len(data)) + data


def unsigned(value, size):
    return head(0x60, size) + value.to_bytes(size, "big")


def signed(value, size):
    return head(0x50, size) + value.to_bytes(size, "big", signed=True)


def fields(*data):
    return head(0x70, len(data)) + b"".join(data)


def shortest(value, make):
    """As few bytes as will hold it, which meters of today send and those of 2009 do not."""
    bits = value.bit_length() + (make is signed) if value >= 0 else (~value).bit_length() + 1
    return make(value, max(1, (bits + 7) // 8))


def transport(messages):
    """Beginning, messages with doubled escapes, fill bytes, end, CRC-16/X-25."""
    fill = -len(messages) % 4
    file = (ESCAPE + b"\x01" * 4 + messages.replace(ESCAPE, ESCAPE * 2) + bytes(fill)
            + ESCAPE + bytes((0x1A, fill)))
    return file + crc_x25(file).to_bytes(2, "little")


class Files:
    """The file of one moment: entries put in, then `file`."""

    def __init__(self, household, state, server):
        self.household, self.state, self.server = household, state, server
        self.entries = []
        self.reading = {}

    @property
    def uptime(self):
        """secIndex: seconds since some power-on, no time of day."""
        return fields(unsigned(1, 1), unsigned(self.household.time % 10**8, 4))

    def entry(self, code, value, unit=None, scaler=None, status=NONE, time=NONE):
        self.entries.append(fields(
            octets(bytes(code)), status, time, NONE if unit is None else unsigned(unit, 1),
            NONE if scaler is None else signed(scaler, 1), value, NONE))

    def message(self, kind, body):
        data = b"\x76" + octets((self.state.counter * 3 + kind // 0x300 & 0xFFFFFFFF).to_bytes(4, "big"))
        data += unsigned(0, 1) + unsigned(0, 1) + fields(unsigned(kind, 2), body)
        return data + b"\x63" + crc_x25(data).to_bytes(2, "little") + b"\x00"

    def file(self):
        opened = fields(NONE, NONE, octets(self.state.counter.to_bytes(4, "big")), octets(self.server), NONE, NONE)
        listed = fields(NONE, octets(self.server), octets(b"\x01\x00\x62\x0a\xff\xff"), self.uptime,
                        fields(*self.entries), NONE, NONE)
        return transport(self.message(0x0101, opened) + self.message(0x0701, listed)
                         + self.message(0x0201, fields(NONE)))


@dataclass(frozen=True)
class Sml(Family):
    maker: bytes = b"EMH"

    def _server(self, state):
        return b"\x0a\x01" + self.maker + b"\x00" + (state.serial % 10**8).to_bytes(4, "big")

    def compose(self, household, state):
        files = Files(household, state, self._server(state))
        files.reading["meter_model"] = self.maker.decode()
        files.reading["meter_id"] = "1%s00%08d" % (self.maker.decode(), state.serial % 10**8)
        self._list(files)
        return files.file(), files.reading

    def _register(self, files, code, field, make, status=NONE, time=NONE):
        """In tenths of a Wh, the last of which a reader cuts off."""
        wh = files.reading[field] = files.household[field]
        files.entry((1, 0, *code, 255), make(wh * 10 + wh % 10), WH, -1, status, time)

    def _power(self, files, group, line, places, make):
        """One signed number for both directions; a fraction goes away from nought, to be cut off again."""
        way_in, way_out = "power_import_%sw" % line, "power_export_%sw" % line
        net = files.household[way_in] - files.household[way_out]
        files.reading[way_in], files.reading[way_out] = files.household[way_in], files.household[way_out]
        fraction = abs(net) % 10 ** places
        shown = net * 10 ** places + (fraction if net >= 0 else -fraction)
        files.entry((1, 0, group, 7, 0, 255), make(shown), W, -places)

    def spoil(self, telegram, chance):
        wrong = int.from_bytes(telegram[-2:], "little") ^ chance.randrange(1, 0x10000)
        return telegram[:-2] + wrong.to_bytes(2, "little")


class Ehz(Sml):
    """EMH eHZ: eight-byte registers in two tariffs, one power, and a public key of 48 bytes."""

    def _list(self, files):
        files.entry((129, 129, 199, 130, 3, 255), octets(self.maker))
        files.entry((1, 0, 0, 0, 9, 255), octets(files.server))
        status = unsigned(0x01A2 if files.household["power_export_w"] else 0x0182, 2)
        for code, field, told in (((1, 8, 0), "import_wh", status), ((2, 8, 0), "export_wh", status),
                                  ((1, 8, 1), "import_t1_wh", NONE), ((1, 8, 2), "import_t2_wh", NONE)):
            self._register(files, code, field, lambda value: signed(value, 8), told)
        self._power(files, 16, "", 1, lambda value: signed(value, 4))
        files.entry((129, 129, 199, 130, 5, 255), octets(self._key(files.state)), time=files.uptime)

    def _key(self, state):
        """With a run of escape bytes in it, at a place and of a length that are the meter's own."""
        chance = random.Random("%d/key" % state.serial)
        key = bytearray(chance.randbytes(48))
        place = chance.randrange(40)
        key[place:place + 8] = b"\x1b" * chance.randint(4, 8)
        return bytes(key[:48])


class Modern(Sml):
    """A basic meter as FNN describes it, with PIN and full data set: numbers as short as they can be."""

    def _list(self, files):
        state, household = files.state, files.household
        files.entry((1, 0, 96, 50, 1, 1), octets(self.maker))
        files.entry((1, 0, 96, 1, 0, 255), octets(files.server))
        status = unsigned(0x1C1904 if household["power_export_w"] else 0x1C0104, 3)
        for group, field in ((1, "import_wh"), (2, "export_wh")):
            self._register(files, (group, 8, 0), field, lambda value: shortest(value, unsigned), status, files.uptime)
        self._power(files, 16, "", 2, lambda value: shortest(value, signed))
        lines = ("l1_", "l2_", "l3_") if state.phases == 3 else ("l1_",)
        for i, line in enumerate(lines):
            self._power(files, 36 + 20 * i, line, 2, lambda value: shortest(value, signed))
        for group, field, base, unit, scaler in (
                (32, "voltage_%s_mv", 100, V, -1), (31, "current_%s_ma", 10, A, -2)):
            for i, line in enumerate(("l1", "l2", "l3")):
                name = field % line
                if state.phases == 1 and of_other_phase(name):
                    continue
                shown = household[name] // base
                files.reading[name] = shown * base
                files.entry((1, 0, group + 20 * i, 7, 0, 255), shortest(shown, unsigned), unit, scaler)
        files.entry((1, 0, 81, 7, 1, 255), unsigned(120, 1), DEGREES, 0)
        files.entry((1, 0, 14, 7, 0, 255), unsigned(500, 2), HZ, -1)
        files.reading["frequency_mhz"] = 50_000
        files.entry((1, 0, 0, 2, 0, 0), octets(b"01.07"))
        files.entry((1, 0, 97, 97, 0, 0), octets(b"\x00\x00"))


EHZ = Ehz("sml", 2, Line(9600), zone="Europe/Berlin")
MODERN = Modern("sml3", 1, Line(9600), zone="Europe/Berlin", maker=b"EBZ")
