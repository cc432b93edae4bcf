# SPDX-License-Identifier: MIT
"""The pure way through the house: bytes of one meter → Readings. Frames are found, opened and decoded here.

What a frame holds is told by its first byte, layer by layer: an LLC header (E6 E7 00), an encrypted envelope (DB),
P1 text ("/"), a COSEM data-notification (0F). Only the protocols that the settings leave possible are imported, and a
decoder when the first telegram needs it.
"""

from micropython import const

from wattport.errors import KINDS, MeterError
from wattport.frame.framer import Framer
from wattport.modules import forget

_LLC = b"\xe6\xe7\x00"
_ENVELOPE = const(0xDB)
_NOTIFICATION = const(0x0F)


def _protocols(wanted):
    found = []
    if wanted in ("auto", "P1"):
        from wattport.frame.p1 import P1
        found.append(P1())
    if wanted in ("auto", "HDLC"):
        from wattport.frame.hdlc import Hdlc
        found.append(Hdlc())
    if wanted in ("auto", "encrypted"):
        from wattport.frame.envelope import Envelope
        found.append(Envelope())
    return found


class Counters:
    """What has been seen of the meter; `errors` by kind."""

    def __init__(self):
        self.telegrams = 0
        self.errors = {kind: 0 for kind in KINDS}
        self.key_unused = 0  # telegrams that came in the clear although a key is set


class Meter:
    """`feed` bytes in; `on_reading(reading, family)` and `on_error(error, frame)` come out; `frame` holds only until
    `on_error` returns.

    key, auth_key: 16 bytes or None. zone: POSIX text. protocol: "auto", or the one on the line, "P1", "HDLC" or
    "encrypted". `on_frame(bytes)`, if given, hears every whole frame as it came.
    With `obis` a Reading's "obis" holds every code: {"1-0:1.8.1": [integer, scale, "unit"]}.
    """

    def __init__(self, on_reading, on_error, key=None, auth_key=None, zone=None, on_frame=None, obis=False, size=4096,
                 protocol="auto"):
        from wattport import posixzone
        self._on_reading = on_reading
        self._on_error = on_error
        self._on_frame = on_frame
        self._key, self._auth_key = key, auth_key
        self._zone = posixzone.parse(zone or posixzone.CENTRAL_EUROPE)
        forget("wattport.posixzone")
        self._obis = obis
        self._decryptor = self._p1 = self._cosem = self._inner = None
        self.counters = Counters()
        self._framer = Framer(_protocols(protocol), self._frame, self._error, size)
        self.feed = self._framer.feed
        self.flush = self._framer.flush

    @property
    def garbage(self):
        return self._framer.garbage

    @property
    def pending(self):
        return self._framer.pending

    def _error(self, error, buf, start, end):
        self.counters.errors[error.kind] += 1
        self._on_error(error, memoryview(buf)[start:end])

    def _frame(self, protocol, buf, start, end):
        if self._on_frame:
            self._on_frame(bytes(memoryview(buf)[start:end]))
        at, stop = start, end
        family, text_family = "dlms", ""
        if protocol.name == "HDLC":
            family = "dlms-hdlc"
            at, stop = start + protocol.body, start + protocol.body_end
        encrypted = verified = False
        while True:
            if at >= stop:
                raise MeterError("unsupported", "the frame is empty")
            first = buf[at]
            if first == _ENVELOPE and not encrypted:
                encrypted = True
                at, stop, verified = self._open(buf, at, stop)
            elif buf.startswith(_LLC, at):
                at += 3
            else:
                break
        if first == 0x2F:
            if encrypted and not verified:  # a right tag says more than the checksum inside
                stop = at + self._text_size(buf, at, stop)
            reading, text_family = self._text(buf, at, stop, not protocol.whole and not encrypted)
        elif first == _NOTIFICATION:
            reading = self._notification(buf, at, stop)
        else:
            raise MeterError("unsupported", "data of an unknown kind, first byte %02X" % first)
        if text_family:
            family = text_family if not encrypted else "dsmr-lu-encrypted"
        elif encrypted:
            family += "-encrypted"
        if self._key and not encrypted:
            self.counters.key_unused += 1
        self.counters.telegrams += 1
        self._on_reading(reading, family)

    def _open(self, buf, at, stop):
        """Decrypt the envelope in place; (start, end, the tag was right) of what was inside."""
        if not self._decryptor:
            from wattport.frame.decrypt import Decryptor
            self._decryptor = Decryptor(self._key, self._auth_key)
        return self._decryptor.open(buf, at, stop, self._plausible)

    def _plausible(self, buf, start, stop):
        """True when decrypted bytes can only be right: P1 text with its checksum, or the head of a notification."""
        if buf[start] == 0x2F:
            try:
                return self._text_size(buf, start, stop) > 0
            except MeterError:
                return False
        return (stop - start > 18 and buf[start] == _NOTIFICATION and buf[start + 5] in (0, 12)
                and buf[start + 6 + buf[start + 5]] in (1, 2))

    def _text_size(self, buf, at, stop):
        """Check P1 text that came out of an envelope; its size."""
        if not self._inner:
            from wattport.frame.p1 import P1
            self._inner = P1()
        self._inner.reset()
        size = self._inner.measure(buf, at, stop, True)
        if size <= 0:
            raise MeterError("malformed", "the decrypted text is no whole telegram")
        if not self._inner.whole:
            raise MeterError("checksum", "the decrypted text has no checksum")
        return size

    def _text(self, buf, at, stop, strict):
        if not self._p1:
            from wattport.decode.p1 import P1Decoder
            self._p1 = P1Decoder(self._zone)
        reading = self._p1.decode(buf, at, stop, strict)
        if self._obis:
            from wattport.decode import codes
            reading["obis"] = codes.of_text(buf, at, stop)
        return reading, self._p1.family

    def _notification(self, buf, at, stop):
        if not self._cosem:
            from wattport.decode.cosem import CosemDecoder
            self._cosem = CosemDecoder(self._zone)
        reading = self._cosem.decode(buf, at, stop)
        if self._obis:
            from wattport.decode import codes
            reading["obis"] = codes.of_notification(buf, at, stop)
        return reading
