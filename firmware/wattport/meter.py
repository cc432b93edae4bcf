# SPDX-License-Identifier: MIT
"""The pure way through the house: bytes of one meter → Readings. Frames are found, opened and decoded here.

What a frame holds is told by its first byte, layer by layer and in any order: an LLC header (E6 E7 00), a block of a
general block transfer (E0), an encrypted envelope (DB, DC), then P1 text ("/"), a COSEM notification (0F), SML (76),
TIC (0A).
Only the protocols that the settings leave possible are imported, and a decoder when the first telegram needs it.
"""

from micropython import const

from wattport.errors import KINDS, MeterError
from wattport.frame.framer import Framer
from wattport.modules import forget

_LLC = b"\xe6\xe7\x00"
_BLOCK = const(0xE0)
_ENVELOPES = (0xDB, 0xDC)  # general-glo-ciphering, general-ded-ciphering
_NOTIFICATION = const(0x0F)
_TEXT = const(0x2F)
_DIGITS = b"01"
_AMIS = (0x53, 0x73)  # M-Bus SND_UD
_ENCRYPTED_TEXTS = ("dsmr-lu-encrypted", "dsmr-pl-encrypted")
_MOST_LAYERS = const(8)


class Counters:
    """What has been seen of the meter; `errors` by kind."""

    def __init__(self):
        self.frames = 0  # whole ones, whether they could be read or not
        self.telegrams = 0
        self.errors = {kind: 0 for kind in KINDS}
        self.key_unused = 0  # telegrams that came in the clear although a key is set
        self.stale = 0  # telegrams whose frame counter had not risen


class Meter:
    """`feed` bytes in; `on_reading(reading, family)` and `on_error(error, frame)` come out; `frame` holds only until
    `on_error` returns.

    key, auth_key: 16 bytes or None. zone: POSIX text. protocol: "auto", or the one on the line, "P1", "HDLC",
    "encrypted", "M-Bus", "SML" or "TIC"; or a list of protocol objects. profile: a household's own layout, as
    `decode.profile` takes it. `on_frame(bytes)`, if given, hears every whole frame as it came; it may be changed.
    With `obis` a Reading's "obis" holds every code: {"1-0:1.8.1": [integer, scale, "unit"]}.
    `protocol` tells the last whole frame's; `answer` is what its meter waits for, to be sent and emptied by who holds
    the line.
    """

    def __init__(self, on_reading, on_error, key=None, auth_key=None, zone=None, on_frame=None, obis=False, size=4096,
                 protocol="auto", profile=None):
        from wattport import posixzone
        self._on_reading = on_reading
        self._on_error = on_error
        self.on_frame = on_frame
        self._key, self._auth_key = key, auth_key
        self._zone = posixzone.parse(zone or posixzone.CENTRAL_EUROPE)
        forget("wattport.posixzone")
        self._obis = obis
        self._profile = profile
        self._decryptor = self._blocks = None
        self.decoders = {}  # first byte of a payload → what decodes it; tools put in their own
        self._garbage = 0
        self._clear = False  # the last telegram came in the clear
        self._verdict = 0, ""
        self.protocol = ""
        self.answer = b""
        self.counters = Counters()
        if isinstance(protocol, str):
            from wattport import formats
            first = formats.EXPECTED.get(protocol)
            if first:  # now, as no byte waits for it yet: a telegram's time is too short for an import from flash
                self._decoder(first)
            if first and key:
                self._make_decryptor()
            protocol = formats.protocols(protocol)
            forget("wattport.formats")
        self._parts = [one.parts for one in protocol if hasattr(one, "parts")]
        self._framer = Framer(protocol, self._frame, self._error, size)
        self.feed = self._framer.feed

    @property
    def garbage(self):
        return self._framer.garbage

    def settle(self):
        """What came last is what there is: let go of the protocols that are not on this line."""
        from wattport import formats
        forget("wattport.formats")
        self._framer.protocols = formats.settle(self._framer.protocols, self.protocol)

    def use_key(self, key, auth_key):
        """Go on with another key. What is known of the line and of the telegrams stays."""
        self._key, self._auth_key = key, auth_key
        self._decryptor = None
        for first in _AMIS:  # its decoder decrypts by itself
            self.decoders.pop(first, None)

    @property
    def pending(self):
        """Bytes that wait for more."""
        size = self._framer.pending
        for parts in self._parts:
            size += parts.pending
        return size

    def flush(self, last=False, keep=False):
        """The line has gone silent, or `last`: it has ended. What is half is not going to be whole; with `keep`, parts
        of a telegram that came in whole frames wait on."""
        self._framer.flush(last)
        if not keep:
            self._drop()

    def _drop(self):
        for parts in self._parts:
            parts.drop()
            self._mourn(parts)

    @property
    def maker(self):
        """Three letters for who made a meter that encrypts, as the FLAG association gives them; "" when none is known.
        No telegram has to be opened for that."""
        letters = bytes(self._decryptor.iv[:3]) if self._decryptor else b""
        return letters.decode() if letters.isalpha() else ""

    @property
    def key_verdict(self):
        """What is known of the key, a sentence for a person; "" before the first telegram that can tell."""
        code = self._decryptor.verdict if self._decryptor else 0
        if self._clear:
            code = 1 if self._key else 0
        if code != self._verdict[0]:  # the words are in the flash, and this may be asked at each telegram
            from wattport.frame.verdict import TEXTS
            forget("wattport.frame.verdict")
            self._verdict = code, TEXTS[code]
        return self._verdict[1]

    def _error(self, error, buf, start, end):
        self._tell(error, buf, start, end)
        self._drop()  # parts belong together only when nothing went wrong in between: HDLC does not even number them

    def _tell(self, error, buf, start, end):
        self.counters.errors[error.kind] += 1
        self._on_error(error, memoryview(buf)[start:end])

    def _mourn(self, parts):
        """Tell of the parts that were given up."""
        lost = parts.lost
        if lost is not None:
            parts.lost = None
            self._tell(MeterError("truncated", "the last parts of a telegram are missing"), lost, 0, len(lost))

    def _frame(self, protocol, buf, start, end):
        if self.on_frame:
            try:
                self.on_frame(bytes(memoryview(buf)[start:end]))
            except MemoryError:  # whoever listens misses one; the telegram itself is not lost
                pass
        if self._framer.garbage != self._garbage:
            self._garbage = self._framer.garbage
            self._drop()
        self.counters.frames += 1
        self.protocol = protocol.name
        family = protocol.family
        opened = protocol.open(buf, start, end)
        if hasattr(protocol, "parts"):
            self._mourn(protocol.parts)
        self.answer = getattr(protocol, "answer", b"")
        encrypted = verified = False
        for _ in range(_MOST_LAYERS):
            if not opened:
                return  # one part of several
            buf, at, stop = opened
            if at >= stop:
                raise MeterError("unsupported", "the frame is empty")
            first = buf[at]
            if first in _ENVELOPES and not encrypted:
                encrypted = True
                at, stop, verified = self._open(protocol, buf, at, stop)
                opened = buf, at, stop
            elif first == _BLOCK and not encrypted:
                family = "dlms-gbt"
                opened = self._block(buf, at, stop)
            elif buf.startswith(_LLC, at):
                opened = buf, at + 3, stop
            else:
                break
        if encrypted and first in _DIGITS:
            first = _TEXT  # Poland's lines have their identification outside
        if encrypted and not verified:  # a right tag says more than the checksum inside
            if first == _TEXT:
                stop = at + self._decryptor.text_size(buf, at, stop)
            elif not protocol.whole:
                raise MeterError("wrong_key", "neither a checksum nor a tag that fits proves the telegram")
        decoder = self._decoder(first)
        if first == _TEXT:
            reading = decoder.decode(buf, at, stop, not protocol.whole and not encrypted)
            family = decoder.family if not encrypted else _ENCRYPTED_TEXTS[protocol.name == "P1"]
        else:
            reading = decoder.decode(buf, at, stop)
            if first in _AMIS:
                encrypted, family = True, "amis"
            elif encrypted and family != "dlms-gbt":
                family += "-encrypted"
        if self._obis:
            from wattport.decode import codes
            reading["obis"] = codes.of(first, buf, at, stop)
        self._clear = not encrypted
        if self._key and not encrypted:
            self.counters.key_unused += 1
        self.counters.telegrams += 1
        self._on_reading(reading, family)

    def _make_decryptor(self):
        from wattport.frame.decrypt import Decryptor
        self._decryptor = Decryptor(self._key, self._auth_key)

    def _open(self, protocol, buf, at, stop):
        """Decrypt the envelope in place; (start, end, the tag was right) of what was inside."""
        self._clear = False
        if not self._decryptor:
            self._make_decryptor()
        opened = self._decryptor.open(buf, at, stop)
        if opened[2]:
            protocol.whole = True  # the tag is a checksum too: nothing else hides in there
        self.counters.stale += self._decryptor.stale
        return opened

    def _block(self, buf, at, stop):
        from wattport.frame import blocks
        if not self._blocks:
            from wattport.frame.parts import Parts
            self._blocks = Parts()
            self._parts.append(self._blocks)
        opened = blocks.add(self._blocks, buf, at, stop)
        self._mourn(self._blocks)
        return opened

    def _decoder(self, first):
        decoder = self.decoders.get(first)
        if not decoder:
            from wattport import formats
            decoder = self.decoders[first] = formats.decoder(first, self._zone, self._key, self._profile)
            forget("wattport.formats")
        return decoder
