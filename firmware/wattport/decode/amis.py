# SPDX-License-Identifier: MIT
"""Siemens AMIS TD3511 (Netz OÖ, Austria): wired M-Bus application data under AES-128-CBC → Reading.

    C A 5B  id (4)  maker (2)  version  medium  access number  status  configuration (2)  ciphertext, 5 blocks

OMS security mode 5 (EN 13757-7): the IV is maker, id, version, medium, then the access number eight times; the plain
text starts with 2F 2F and holds EN 13757-3 records, four bytes each, least significant first. The layout is the
operator's, "Technische Beschreibung Kundenschnittstelle". Nothing but 2F 2F tells a right key from a wrong one.
"""

from wattport.errors import MeterError
from wattport.reading import settle

_HEAD = 15
_MARK = b"\x2f\x2f"
_CLOCK = b"\x06\x6d"
# how a record starts (DIF, VIF and their extensions) → name
_RECORDS = (
    (b"\x04\x03", "import_wh"), (b"\x04\x83\x3c", "export_wh"),
    (b"\x84\x10\xfb\x82\x73", "reactive_import_varh"), (b"\x84\x10\xfb\x82\xf3\x3c", "reactive_export_varh"),
    (b"\x04\x2b", "power_import_w"), (b"\x04\xab\x3c", "power_export_w"),
    (b"\x04\xfb\x14", "reactive_import_var"), (b"\x04\xfb\x94\x3c", "reactive_export_var"),
    (b"\x04\x83\xff\x04", ""))


class AmisDecoder:
    def __init__(self, zone, key):
        self._zone = zone
        self._key = key

    def decode(self, buf, start, end):
        at = start + _HEAD
        if end - at < 16 or (end - at) % 16:
            raise MeterError("malformed", "the encrypted data are no whole blocks")
        if not self._key:
            raise MeterError("no_key", "the meter encrypts, and no key is set")
        from cryptolib import aes
        head = bytes(buf[start + 3:at])
        iv = head[4:6] + head[:4] + head[6:8] + head[8:9] * 8
        plain = bytearray(end - at)
        aes(self._key, 2, iv).decrypt(bytes(buf[at:end]), plain)
        if not plain.startswith(_MARK):
            raise MeterError("wrong_key", "it decrypts to nothing known: the key is wrong")
        reading = {"meter_id": "%02X%02X%02X%02X" % tuple([head[i] for i in (3, 2, 1, 0)])}
        self._records(plain, reading)
        settle(reading)
        return reading

    def _records(self, plain, reading):
        at = 2
        while at < len(plain) and plain[at] != 0x2F:
            if plain.startswith(_CLOCK, at):
                self._clock(plain, at + 2, reading)
                at += 8
                continue
            found = [record for record in _RECORDS if plain.startswith(record[0], at)]
            if not found:
                raise MeterError("unsupported", "a record that starts with %02X" % plain[at])
            start, name = found[0]
            at += len(start)
            if at + 4 > len(plain):
                raise MeterError("truncated", "the data end inside of a record")
            if name:
                reading[name] = plain[at] | plain[at + 1] << 8 | plain[at + 2] << 16 | plain[at + 3] << 24
            at += 4

    def _clock(self, plain, at, reading):
        """EN 13757-3 type I: second, minute, hour, day and year, month and year; the summer bit is in the seconds."""
        if at + 6 > len(plain):
            raise MeterError("truncated", "the data end inside of the clock")
        second, minute, hour, day, month = plain[at:at + 5]
        try:
            reading["time"] = self._zone.utc(2000 + (day >> 5 | (month & 0xF0) >> 1), month & 15, day & 31, hour & 31,
                                             minute & 63, second & 63, None)
        except ValueError:  # a clock that is not set
            pass
