# SPDX-License-Identifier: MIT
"""Opens general-glo- and general-ded-ciphering envelopes (layout in `envelope`), alone on the line or inside of others.

The IV is system title and frame counter; the additional data are security control and the authentication key (Green
Book 9.2.7.2.4). Security suites 0 and 1 encrypt alike; suite 2 takes keys of 32 bytes, which no consumer port uses.
"""

from micropython import const

from wattport.crypto.gcm import AesGcm
from wattport.errors import MeterError
from wattport.frame.envelope import length_at

# verdicts, see `verdict`
_NO_KEY = const(2)
_RIGHT = const(3)
_NO_TAG = const(4)
_UNPROVEN = const(5)
_WRONG_AUTH_KEY = const(6)
_DAMAGED = const(7)
_WRONG_KEY_AND_TAG = const(8)
_WRONG_KEY = const(9)

_TITLE_SIZE = const(8)
_TAG_SIZE = const(12)
_ENCRYPTED = const(0x20)
_AUTHENTICATED = const(0x10)
_COMPRESSED = const(0x80)
_SUITE = const(0x0F)
# Luxembourg's authentication key, the same for every meter (Smarty P1 specification 1.1.3, 3.2.5)
_LUXEMBOURG = b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"


class Decryptor:
    """Opens envelopes with one key. `auth_key` None: see `open`.

    `verdict`: what the last envelope tells of the key, a place in `verdict.TEXTS`. `stale`: 1 when the frame counter of
    the last opened one had not risen, which a repeated frame and a replaced meter have in common; otherwise 0.
    `iv`: of the last envelope; it begins with the meter's system title, and that with three letters for its maker.
    """

    def __init__(self, key, auth_key=None):
        self._gcm = AesGcm(key) if key else None
        self._aad = bytearray(17)
        self._auth_key = auth_key
        self.iv = bytearray(12)
        self._last = b""
        self._inner = None
        self._proven = False  # a tag fitted once, so it can be checked: from then on each has to
        self.stale = 0
        self.verdict = 0

    def open(self, buf, start, end):
        """Decrypt the envelope at buf[start:end] in place; (start, end, the tag was right) of the plain text.

        Without an authentication key Luxembourg's is tried; when the tag does not fit, the text's own checksum or head
        has to stand in for it.
        """
        self.stale = 0
        if end - start < 2 or buf[start + 1] != _TITLE_SIZE:
            raise MeterError("malformed", "the system title has not 8 bytes")
        size, at = length_at(buf, start + 2 + _TITLE_SIZE, end)
        if size < 5:
            raise MeterError("malformed", "the envelope is too short")
        if at + size > end:
            raise MeterError("truncated", "the envelope says %d bytes, %d are there" % (size, end - at))
        security = buf[at]
        stop = at + size
        if not security & _ENCRYPTED or security & _COMPRESSED or security & _SUITE > 1:
            raise MeterError("unsupported", "security control %02X" % security)
        text = at + 5
        self.iv[:_TITLE_SIZE] = memoryview(buf)[start + 2:start + 2 + _TITLE_SIZE]
        if not self._gcm:
            if self._plausible(buf, text, stop):  # a reader in between has decrypted it and kept the envelope
                return text, stop, False
            self._refuse("no_key", _NO_KEY)
        self.iv[_TITLE_SIZE:] = memoryview(buf)[at + 1:at + 5]
        verified = False
        if security & _AUTHENTICATED:
            stop -= _TAG_SIZE
            if stop < text:
                raise MeterError("malformed", "the envelope is too short for its tag")
            verified = self._open_tagged(buf, text, stop, security)
            if not verified and buf.find(bytes(buf[start:start + 2 + _TITLE_SIZE]), text, stop) > 0:
                raise MeterError("truncated", "a new envelope starts inside")
        if verified:
            self._proven = True
            self.verdict = _RIGHT
        else:
            self._open_untagged(buf, text, stop, security & _AUTHENTICATED)
        self._count()
        return text, stop, verified

    def _open_tagged(self, buf, text, stop, security):
        """Some meters leave the additional data out: then the tag proves the encryption key alone."""
        self._aad[0] = security
        self._aad[1:] = self._auth_key or _LUXEMBOURG
        return (self._gcm.open(buf, text, stop, self.iv, self._aad, _TAG_SIZE)
                or self._gcm.open(buf, text, stop, self.iv, b"", _TAG_SIZE))

    def _refuse(self, kind, verdict):
        from wattport.frame.verdict import TEXTS
        self.verdict = verdict
        raise MeterError(kind, TEXTS[verdict])

    def _open_untagged(self, buf, text, stop, tagged):
        self._gcm.crypt(buf, text, stop, self.iv)
        fits = self._plausible(buf, text, stop)
        if fits and not tagged:
            self.verdict = _NO_TAG
        elif fits and not self._auth_key and not self._proven:
            self.verdict = _UNPROVEN
        else:
            self._gcm.crypt(buf, text, stop, self.iv)  # back to what it was: another frame may start inside
            self._refuse("wrong_key", _DAMAGED if fits and self._proven else _WRONG_AUTH_KEY if fits
                         else _WRONG_KEY_AND_TAG if tagged and self._auth_key else _WRONG_KEY)

    def _count(self):
        counter = bytes(self.iv)
        self.stale = int(counter[:_TITLE_SIZE] == self._last[:_TITLE_SIZE] and counter <= self._last)
        self._last = counter

    def _plausible(self, buf, start, stop):
        """True when decrypted bytes can only be right: P1 text with its checksum, or the head of a notification."""
        if buf[start] == 0x2F:
            try:
                return self.text_size(buf, start, stop) > 0
            except MeterError:
                return False
        if stop - start < 22 or buf[start] != 0x0F:
            return False
        at = start + 5
        if buf[at] == 9:  # some write the date's type in front of its length
            at += 1
        return buf[at] in (0, 12) and buf[at + 1 + buf[at]] in (1, 2)

    def text_size(self, buf, at, stop):
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
