# SPDX-License-Identifier: MIT
"""An SML file → Reading (Smart Message Language 1.04, 5 and 6; BSI TR-03109-1, annex IV b).

    message  76  transaction  group  abort on error  72 (kind, body)  CRC  00
    body 0701, the answer "list of values"
             77  client  server  name  time  7x (entries)  signature  time
    entry    77  OBIS code (6)  status  time  unit  scaler  value  signature

Every field starts with TL bytes: 80 one more TL byte follows, 70 the type, 0F the length, four bits a byte; the length
counts the TL bytes too, but that of a list its fields. 01, a text of no bytes, stands for a field that is left out.
The checksums of single messages are not looked at: that of the transport covers them.

What is irregular about makers, none of it told by the meter itself:
- DZG DVS74 with serial numbers 42000000 to 48999999 and 55000000 to 58999999 send powers from 327.68 W to 655.35 W
  (and 1.28 W to 2.55 W) with the sign bit of too short a number: such a number is positive.
- EMH meters with 15.7.0, which has no sign, tell the direction by bit 5 of the first register's status of two bytes.
- Holley's DTZ541 sends bare seconds where a list of kind and value should be. They count its uptime anyway.
- Meters before EDL 21 send 1.7.0 or 1.7.1 with a sign, EasyMeter's Q3C 21.7.0, 41.7.0 and 61.7.0 too.
"""

from micropython import const

from wattport.decode.units import UNITS
from wattport.errors import MeterError
from wattport.reading import name_of, settle, unit_of

_LIST = const(0x70)
_UNSIGNED = const(0x60)
_SIGNED = const(0x50)
_BOOLEAN = const(0x40)
_TEXT = const(0x00)
_MOST_TL = const(3)
_LONGEST_NUMBER = const(8)
_LIST_OF_VALUES = const(0x0701)
_GREATEST_EXPONENT = const(12)
_YEAR_2015 = const(1420070400)
_ABSOLUTE = "absolute_w"  # 15.7.0, until its direction is known
_OTHERS = {0x0F0700: _ABSOLUTE, 0x010701: "net_w"}
_IMPORT = "power_import_"
_EXPORTS = const(0x20)


class Walker:
    """The entries of all lists of values in a file, one after the other: `next` finds one and tells it by

    at          place of its OBIS code, six bytes
    status      number or None, and `status_size` bytes of it
    unit, scaler, value   numbers or None
    signed      bytes of a value with sign, else 0
    text, text_end   place of the value when it is a text
    and, of the list,
    server, server_end   place of the server's identification, time (seconds of UTC, or 0)
    lists       so many have been found
    """

    def __init__(self, buf, start, end):
        self._buf = buf
        self._place = start
        self._end = end
        self._left = 0  # entries of this list that are still to come
        self._open = False  # behind the entries the list's message goes on
        self._kind = self._size = 0
        self.lists = self.time = self.server = self.server_end = 0

    def _head(self):
        """Read TL bytes: the kind of field, and its size in bytes or, of a list, in fields."""
        first = self._place
        byte = self._byte(first)
        kind, size, place = byte & 0x70, byte & 0x0F, first + 1
        while byte & 0x80:
            if place - first == _MOST_TL:
                raise MeterError("malformed", "a length of more than %d bytes" % _MOST_TL)
            byte = self._byte(place)
            size = size << 4 | byte & 0x0F
            place += 1
        if kind != _LIST:
            size -= place - first
            if size < 0:
                raise MeterError("malformed", "a field of no length")
            if place + size > self._end:
                self._byte(self._end)  # there is none
        self._kind, self._size, self._place = kind, size, place

    def _byte(self, place):
        if place >= self._end:
            raise MeterError("truncated", "the messages end inside of a field")
        return self._buf[place]

    def _absent(self):
        """Is the next field left out? Most are."""
        if self._place < self._end and self._buf[self._place] == 1:
            self._place += 1
            return True
        return False

    def _skip(self, count=1):
        """Leave out so many fields, with all that is in them."""
        while count:
            count -= 1
            self._head()
            if self._kind == _LIST:
                count += self._size
            else:
                self._place += self._size

    def _pass(self):
        """Leave out a field whose head has been read."""
        if self._kind == _LIST:
            self._skip(self._size)
        else:
            self._place += self._size

    def _number(self):
        """The next field if it is a number; None, and nothing read but its head, for everything else."""
        self._head()
        kind, size, place = self._kind, self._size, self._place
        if kind != _UNSIGNED and kind != _SIGNED:
            return None
        if not 0 < size <= _LONGEST_NUMBER:
            raise MeterError("malformed", "a number of %d bytes" % size)
        buf = self._buf
        self._place = end = place + size
        value = -1 if kind == _SIGNED and buf[place] & 0x80 else 0
        while place < end:
            value = value << 8 | buf[place]
            place += 1
        return value

    def _field(self):
        """A number, or None for a field of another kind, which is passed over."""
        if self._place < self._end and self._buf[self._place] == 1:  # _absent, in line
            self._place += 1
            return None
        value = self._number()
        if value is None:
            self._pass()
        return value

    def _list(self, size):
        self._head()
        if self._kind != _LIST or self._size != size:
            raise MeterError("malformed", "no list of %d fields" % size)

    def _moment(self):
        """UTC seconds of a time that is one, else 0: secIndex (1) counts from anywhere, timestamp (2) and
        localTimestamp (3), which has its zone behind it, from 1970."""
        if self._absent():
            return 0
        self._head()
        if self._kind != _LIST or self._size != 2:
            self._pass()
            return 0
        kind = self._field()
        more = 0
        if kind == 3:
            self._head()
            if self._kind != _LIST or not self._size:
                self._pass()
                return 0
            more = self._size - 1
        moment = self._field()
        self._skip(more)
        return moment if (kind == 2 or kind == 3) and moment and moment >= _YEAR_2015 else 0

    def _text(self):
        """The next field, a text: its place."""
        self._head()
        if self._kind != _TEXT:
            raise MeterError("malformed", "a field that should be text")
        place = self._place
        self._place += self._size
        return place

    def _message(self):
        """Read a message, or the start of one with a list of values; False at the end of the file."""
        buf = self._buf
        if self._open:
            self._open = False
            self._skip(2)
            self._close()
        while self._place < self._end and not buf[self._place]:
            self._place += 1  # some meters fill up and count the fill bytes wrong
        if self._place >= self._end:
            return False
        self._list(6)
        self._skip(3)
        self._list(2)
        if self._field() != _LIST_OF_VALUES:
            self._skip()
            self._close()
            return True
        self._list(7)
        self._skip()
        self.server = self._text()
        self.server_end = self._place
        self._skip()
        self.time = self._moment() or self.time
        self._head()
        if self._kind != _LIST:
            raise MeterError("malformed", "no list of values")
        self._left = self._size
        self._open = True
        self.lists += 1
        return True

    def _close(self):
        """Read a message's checksum and its end."""
        self._skip()
        if self._place >= self._end:
            raise MeterError("truncated", "the last message has no end")
        if self._buf[self._place]:
            raise MeterError("malformed", "a message does not end where it should")
        self._place += 1

    def next(self):
        """Go to the next entry; False when there is none."""
        while not self._left:
            if not self._message():
                return False
        self._left -= 1
        self._list(7)
        self.at = self._text()
        if self._place - self.at != 6:
            raise MeterError("malformed", "an OBIS code of %d bytes" % (self._place - self.at))
        self.status = self._field()
        self.status_size = self._size
        moment = self._moment()
        if not self.time:
            self.time = moment
        self.unit = self._field()
        self.scaler = self._field()
        self.value = self._number()
        self.signed = self._size if self._kind == _SIGNED else 0
        self.text = self.text_end = self._place
        if self.value is None:
            if self._kind == _TEXT:
                self.text_end += self._size
            elif self._kind == _BOOLEAN and self._size == 1:
                self.value = int(self._buf[self._place] > 0)
            self._pass()
        if not self._absent():
            self._skip()
        return True


def plain(buf, at, end):
    """A text as it is when all of it can be printed, else in hex digits."""
    raw = bytes(buf[at:end])
    if raw and min(raw) >= 32 and max(raw) <= 126:
        return raw.decode()
    return "".join(["%02X" % byte for byte in raw])


def identity(buf, at, end):
    """A meter's identification as its plate and the bill have it: the 14 characters of DIN 43863-5 where it is one
    ("1EMH0012345678": 1 electricity, maker, block, number), else hex digits, the plate's "server-ID".

    0A 01 45 4D 48 00 00 BC 61 4E: 09 or 0A, then the parts, the number in four bytes."""
    if end - at == 10 and buf[at] in (9, 10) and buf[at + 1] <= 9 and plain(buf, at + 2, at + 5).isalpha():
        number = serial(buf, at)
        if number <= 99999999:
            return "%d%s%02X%08d" % (buf[at + 1], plain(buf, at + 2, at + 5), buf[at + 5], number)
    return plain(buf, at, end)


def serial(buf, at):
    number = 0
    for i in range(at + 6, at + 10):
        number = number << 8 | buf[i]
    return number


def _dzg(buf, at, end):
    """Is this a DZG DVS74 that forgets a byte? See above."""
    if end - at != 10 or buf.find(b"DZG", at, end) != at + 2:
        return False
    number = serial(buf, at)
    return 42000000 <= number <= 48999999 or 55000000 <= number <= 58999999


def scaled(value, exponent):
    """value * 10 ** exponent, cut off."""
    if exponent >= 0:
        return value * 10 ** exponent
    return value // 10 ** -exponent if value >= 0 else -(-value // 10 ** -exponent)


class SmlDecoder:
    """Decodes the files of any meter: an entry tells its unit and its scale itself. `zone` is not needed, times are
    in UTC."""

    def __init__(self, zone):
        pass

    def decode(self, buf, start, end):
        """Reading of the messages buf[start:end]."""
        walker = Walker(buf, start, end)
        reading = {}
        direction = None
        while walker.next():
            at = walker.at
            if walker.status is not None and direction is None and walker.status_size == 2:
                direction = walker.status & _EXPORTS
            code = buf[at + 2] << 16 | buf[at + 3] << 8 | buf[at + 4]
            if buf[at] == 1 and buf[at + 5] == 0xFF and walker.value is not None:
                self._quantity(walker, code, reading, buf)
            elif walker.text_end > walker.text:
                self._identify(walker, code, reading, buf)
        if not walker.lists:
            raise MeterError("unsupported", "no list of values is in the file")
        if "meter_id" not in reading and walker.server_end > walker.server:
            reading["meter_id"] = identity(buf, walker.server, walker.server_end)
        if not reading:
            raise MeterError("unsupported", "nothing known is in the list")
        if walker.time:
            reading["time"] = walker.time
        power = reading.pop(_ABSOLUTE, None)
        if power is not None and direction is not None and reading.get("meter_model") == "EMH":
            reading.setdefault("net_w", -power if direction else power)
        settle(reading)
        return reading

    def _quantity(self, walker, code, reading, buf):
        name = _OTHERS.get(code) or name_of(code)
        if not name or buf[walker.at + 1] and name in reading:  # some number channels, others number ways from 1 on
            return
        unit, exponent = unit_of(name)
        exponent += walker.scaler or 0
        if UNITS.get(walker.unit, "") != unit or abs(exponent) > _GREATEST_EXPONENT:
            return
        value = walker.value
        if value < 0 and unit == "W":
            if walker.signed < 4 and walker.scaler == -2 and _dzg(buf, walker.server, walker.server_end):
                value += 1 << 8 * walker.signed
            elif name.startswith(_IMPORT):
                name = "net_" + name[len(_IMPORT):]
        reading[name] = scaled(value, exponent)

    def _identify(self, walker, code, reading, buf):
        """Manufacturer: 129-129:199.130.3, later 96.50.1*1. Meter: 0.0.9, later 96.1.0, before both 0-0:96.1.255."""
        if code == 0xC78203 or code == 0x603201 and buf[walker.at + 5] == 1:
            reading["meter_model"] = plain(buf, walker.text, walker.text_end)
        elif code in (0x000009, 0x600100, 0x6001FF):
            reading["meter_id"] = identity(buf, walker.text, walker.text_end)
