# SPDX-License-Identifier: MIT
"""P1 text → Reading: DSMR 2.2 to 5, Luxembourg, Belgium, Sweden and whoever else writes OBIS lines.

    1-0:1.8.1(001234.567*kWh)                             a value
    0-1:24.2.1(230101120000W)(00012.345*m3)               a child meter's value with its time
    0-1:24.3.0(230101120000)(00)(60)(1)(0-1:24.2.1)(m3)   DSMR 2.2: the value stands on the next line
    (00012.345)

A meter repeats most of its lines word for word and all of them in the same order. So every line is remembered with
what it meant, and only a line that changed is read again.
"""

from micropython import const

from wattport.decode.p1line import end_of_line, reader_of
from wattport.errors import MalformedError
from wattport.reading import settle

_MOST_LINES = const(160)
# a remembered line is a list: key "1-0:1.8.1(", whole text, function that reads it, name, value.
# Without a name the value is None or (channel, {name: value}), channel None for the main meter.
_KEY = const(0)
_TEXT = const(1)
_READ = const(2)
_NAME = const(3)
_VALUE = const(4)


class P1Decoder:
    """Decodes one telegram after the other of one meter. `family` tells what the last one was."""

    def __init__(self, zone):
        self._zone = zone
        self._lines = []
        self.family = ""

    def decode(self, buf, start, end, strict):
        """Reading of the telegram buf[start:end], "/" to "!" or further. No checksum was there to trust when
        `strict`: then a line that is none is a MalformedError, otherwise it is passed over."""
        reading = {}
        devices = {}
        lines = self._lines
        at = self._identification(buf, start, end, reading)
        k = 0
        count = len(lines)
        while at < end:
            line = lines[k] if k < count else None
            if line and buf.startswith(line[1], at):
                k += 1
                at += len(line[1])
            else:
                first = buf[at]
                if first == 13 or first == 10:
                    at += 1
                    continue
                if first == 33:  # "!"
                    break
                stop = end_of_line(buf, at, end)
                k = self._changed(buf, at, stop, k, strict)
                count = len(lines)
                at = stop
                if not k:
                    continue
                line = lines[k - 1]
            value = line[4]
            if value is None:
                continue
            if line[3]:
                reading[line[3]] = value
            else:
                channel, values = value
                if channel:
                    devices.setdefault(channel, {}).update(values)
                else:
                    reading.update(values)
        self._finish(reading, devices, strict)
        return reading

    def _identification(self, buf, start, end, reading):
        """The first line is the meter's model; returns the place behind it."""
        stop = buf.find(b"\n", start, end)
        if stop < 0:
            raise MalformedError("the telegram has one line only")
        model = bytes(buf[start + 1:stop]).strip()
        try:
            reading["meter_model"] = model.decode()
        except UnicodeError:
            raise MalformedError("the identification is no text")
        return stop + 1

    def _changed(self, buf, at, stop, k, strict):
        """Read the line buf[at:stop], expected as the k-th; its number counted from 1, 0 when it is no line."""
        lines = self._lines
        bracket = buf.find(b"(", at, stop)
        if bracket < 0 or buf.find(b")", bracket, stop) < 0:
            if strict:
                raise MalformedError("a line without a value")
            return 0
        for place in range(k, len(lines)):
            if buf.startswith(lines[place][_KEY], at):
                break
        else:
            if len(lines) >= _MOST_LINES:
                lines.clear()
                k = 0
            place = k
            key = bytes(buf[at:bracket + 1])
            read, name = reader_of(key)
            lines.insert(place, [key, b"", read, name, None])
        line = lines[place]
        line[_TEXT] = b"\x00"  # matches nothing, should the reading fail
        line[_VALUE] = None
        if line[_READ]:
            try:
                line[_VALUE] = line[_READ](line[_NAME], buf, bracket, stop, self._zone)
            except ValueError as error:
                if strict:
                    raise MalformedError("%s: %s" % (line[_KEY].decode(), error))
        line[_TEXT] = bytes(buf[at:stop])
        return place + 1

    def _finish(self, reading, devices, strict):
        version = reading.pop("version", None)
        belgian = reading.pop("belgian", None)
        if belgian:
            self.family = "dsmr-be"
        elif version:
            self.family = "dsmr5" if version >= "50" else "dsmr4"
        elif strict:
            self.family = "dsmr2"
        else:
            self.family = "dsmr-se"
        living = {}
        for channel, device in devices.items():
            if "volume_l" in device or "energy_kj" in device or "energy_wh" in device:
                device["channel"] = int(channel)
                living[channel] = device
        if living:
            reading["devices"] = living
        if len(reading) == 1:
            raise MalformedError("nothing known is in the telegram")
        settle(reading)
