# SPDX-License-Identifier: MIT
"""P1 and IEC 62056-21 text → Reading: DSMR 2.2 to 5, Luxembourg, Belgium, Sweden and whoever else writes OBIS lines.

    1-0:1.8.1(001234.567*kWh)                             a value
    0-1:24.2.1(230101120000W)(00012.345*m3)               a child meter's value with its time
    0-1:24.3.0(230101120000)(00)(60)(1)(0-1:24.2.1)(m3)   DSMR 2.2: the value stands on the next line
    (00012.345)
    1.8.0(001234.567*kWh)2.8.0(000012.345*kWh)            IEC 62056-21: groups A-B left out, several on a line

A meter sends the same lines in the same order, most of them word for word as before. So each line is remembered with
what it meant, and only a line that changed is read again; of a value that changes, the key and what follows the number
are remembered instead, so that no more than its digits are read.
"""

from micropython import const

from wattport.decode.p1line import VALUE, end_of_line, meaning, number, plain, read, scale_of
from wattport.errors import MeterError
from wattport.reading import settle

_MOST_LINES = const(160)
_MOST_BYTES = const(4096)  # of them together, as many as a telegram has at most; short lines may add to that
_SHORT = const(48)
_LONGEST_NUMBER = const(24)
_LINE_ENDS = b"\n)"  # a telegram that ends without is cut off
_LONGEST_KEPT = const(768)  # of a line that does not change: a text message of 2 KB is not worth its heap
_DAY_S = const(86400)
_MARKS = ("dsmr-be", "dsmr-hu", "dsmr-lt")


class P1Decoder:
    """Decodes one telegram after the other of one meter. `family` tells what the last one was."""

    def __init__(self, zone):
        self._zone = zone
        self.family = ""
        self._model = ("", b"")
        # a line each, side by side: four lists take less heap than an object a line
        self._texts = []  # the whole line, or of a value that changes its key b"1-0:1.7.0("
        self._tails = []  # None, or of a value that changes (what follows the number, exponent)
        self._names = []  # name of the value; channel of a child meter; None
        self._values = []  # value for that name; {name: value} for a channel, or for None; None: nothing to say

    def decode(self, buf, start, end, strict):
        """Reading of the telegram buf[start:end], "/" to "!" or further. No checksum was there to trust when
        `strict`: then a line that is none is an error, otherwise it is passed over."""
        reading = {}
        devices = {}
        texts, tails, names, values = self._texts, self._tails, self._names, self._values
        at = body = self._identification(buf, start, end, reading)
        k = 0
        known = False  # the line before is one that is remembered
        while at < end:
            if k < len(texts) and buf.startswith(texts[k], at):
                known = True
                value = values[k]
                tail = tails[k]
                if tail:
                    digits = at + len(texts[k])
                    stop = buf.find(tail[0], digits, digits + _LONGEST_NUMBER)
                    try:
                        if stop < 0:
                            raise ValueError
                        value = number(buf, digits, stop, tail[1])
                        at = stop + len(tail[0])
                    except ValueError:  # another tail, or no number in front of it
                        tails[k] = None
                        texts[k] += b"\x00"  # read it anew below
                        continue
                else:
                    at += len(texts[k])
            else:
                first = buf[at]
                if first == 13 or first == 10 or first == 2:  # IEC 62056-21 starts its block with STX
                    at += 1
                    continue
                if first == 33:  # "!"
                    break
                if first == 40 and known:  # "(": this time there is more of that line, so it is read anew, and all else
                    texts[k - 1] += b"\x00"
                    reading.clear()
                    devices.clear()
                    at = self._identification(buf, start, end, reading)
                    k = 0
                    known = False
                    continue
                known = False
                stop = end_of_line(buf, at, end)
                place = self._changed(buf, at, stop, k, strict)
                at = stop
                if place < 0:
                    continue
                k = place
                value = values[k]
            name = names[k]
            k += 1
            if value is None:
                continue
            if name is None:
                reading.update(value)
            elif len(name) == 1:
                devices.setdefault(name, {}).update(value)
            else:
                reading[name] = value
        self._finish(reading, devices)
        if not self.family:
            from wattport.decode import p1short
            self.family = p1short.family_of(reading, buf, body, end, strict)
        settle(reading)
        return reading

    def _identification(self, buf, start, end, reading):
        """The first line is the meter's model; returns the place behind it. Lines that were encrypted behind their
        identification come without."""
        if buf[start] != 47:
            return start
        model, line = self._model
        if not line or not buf.startswith(line, start):
            line = bytes(buf[start:buf.find(b"\n", start, end) + 1])
            try:
                model = plain(line[1:]).strip()
            except ValueError:
                model = ""
            if not model:
                raise MeterError("malformed", "the identification is no text")
            self._model = model, line
        reading["meter_model"] = model
        return start + len(line)

    def _changed(self, buf, at, stop, k, strict):
        """Read and remember the line buf[at:stop], expected as the k-th; its place, -1 when it is no line."""
        bracket = buf.find(b"(", at, stop)
        if bracket < 0 or buf.find(b")", bracket, stop) < 0:
            if strict:
                raise MeterError("malformed", "a line without a value")
            return -1
        texts = self._texts
        key = bytes(buf[at:bracket + 1])
        full = stop - at > _SHORT and sum(map(len, texts)) > _MOST_BYTES
        for place in range(k, 0 if full else len(texts)):
            if texts[place].startswith(key):
                known = texts[place] != key + b"\x00"
                break
        else:
            known = False
            lists = texts, self._tails, self._names, self._values
            if full or len(texts) >= _MOST_LINES:  # broken lines of a meter without checksums add up
                k = 0
                for kept in lists:
                    kept.clear()
            place = k
            for kept in lists:
                kept.insert(place, None)
        texts[place] = b"\x00"  # matches nothing, should the reading fail
        self._values[place] = self._tails[place] = None
        found = meaning(key)
        text = None
        if found:
            what, self._names[place] = found
            name = found[1]
            try:
                self._values[place] = read(what, name, buf, bracket, stop, self._zone)
                if what == VALUE and known and self._values[place] is not None:
                    scale = scale_of(name, buf, bracket + 1, buf.find(b")", bracket, stop))
                    if scale:  # no word
                        self._tails[place] = bytes(buf[scale[0]:stop]), scale[1]
                        text = key
                elif self._values[place] is None and key.endswith(b":24.3.0("):
                    text = key + b"\x00"  # read it each time: DSMR 2.2's value may come with the same line later
            except ValueError as error:
                if strict:
                    raise MeterError("malformed", "%s: %s" % (key.decode(), error))
        if not text and (stop - at > _LONGEST_KEPT or buf[stop - 1] not in _LINE_ENDS):
            text = key + b"\x00"
        texts[place] = text or bytes(buf[at:stop])
        return place

    def _finish(self, reading, devices):
        """Name the family if its lines tell it, and leave out what cannot be."""
        version = reading.pop("version", "")
        self.family = "dsmr5" if version >= "50" else "dsmr4" if version else ""
        for mark in _MARKS:
            if reading.pop(mark, None):
                self.family = mark
        code = reading.pop("message_code", None)
        if code:
            reading.setdefault("message", code)
        latest = reading.get("time", 0) + _DAY_S
        for channel in list(devices):
            device = devices[channel]
            if "time" in device and (device["time"] <= latest or "time" not in reading):
                device["channel"] = int(channel)
            else:
                del devices[channel]  # nothing hangs on it, or nothing any more
        if devices:
            reading["devices"] = devices
        if len(reading) < 2:
            raise MeterError("malformed", "nothing known is in the telegram")
