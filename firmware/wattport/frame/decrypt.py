# SPDX-License-Identifier: MIT
"""Opens general-glo-ciphering envelopes (layout in `envelope`), alone on the line or inside of HDLC.

The IV is system title and frame counter; the additional data are security control and the authentication key.
"""

from micropython import const

from wattport.crypto.gcm import AesGcm
from wattport.errors import MeterError
from wattport.frame.envelope import length_at

_TITLE_SIZE = const(8)
_TAG_SIZE = const(12)
_ENCRYPTED = const(0x20)
_AUTHENTICATED = const(0x10)
# compression and a key other than the global unicast one
_UNKNOWN = const(0xC0)
# Luxembourg's authentication key, the same for every meter (Smarty P1 specification 1.1.3, 3.2.5)
_LUXEMBOURG = b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"


class Decryptor:
    """Opens envelopes with one key. `auth_key` None: see `open`."""

    def __init__(self, key, auth_key=None):
        self._gcm = AesGcm(key) if key else None
        self._aad = bytearray(17)
        self._auth_key = auth_key
        self._iv = bytearray(12)

    def open(self, buf, start, end, plausible):
        """Decrypt the envelope at buf[start:end] in place; (start, end, the tag was right) of the plain text.

        Without an authentication key Luxembourg's is tried; when the tag does not fit, `plausible(buf, start, end)`
        decides whether the text is one: its own checksum or tag then stands in for the tag.
        """
        if end - start < 2 or buf[start + 1] != _TITLE_SIZE:
            raise MeterError("malformed", "the system title has not 8 bytes")
        size, at = length_at(buf, start + 2 + _TITLE_SIZE, end)
        if size < 5:
            raise MeterError("malformed", "the envelope is too short")
        if at + size > end:
            raise MeterError("truncated", "the envelope says %d bytes, %d are there" % (size, end - at))
        security = buf[at]
        stop = at + size
        if not security & _ENCRYPTED or security & _UNKNOWN:
            raise MeterError("unsupported", "security control %02X" % security)
        if not self._gcm:
            raise MeterError("no_key", "the meter encrypts, no key is set")
        self._iv[:_TITLE_SIZE] = memoryview(buf)[start + 2:start + 2 + _TITLE_SIZE]
        self._iv[_TITLE_SIZE:] = memoryview(buf)[at + 1:at + 5]
        text = at + 5
        verified = False
        if not security & _AUTHENTICATED:
            self._gcm.crypt(buf, text, stop, self._iv)
            self._accept(buf, text, stop, plausible)
        else:
            stop -= _TAG_SIZE
            if stop < text:
                raise MeterError("malformed", "the envelope is too short for its tag")
            verified = self._open_tagged(buf, text, stop, security)
            if not verified:
                if buf.find(bytes(buf[start:start + 2 + _TITLE_SIZE]), text, stop) > 0:
                    raise MeterError("truncated", "a new envelope starts inside")
                if self._auth_key:
                    raise MeterError("wrong_key", "the tag does not fit")
                self._gcm.crypt(buf, text, stop, self._iv)
                self._accept(buf, text, stop, plausible)
        return text, stop, verified

    def _open_tagged(self, buf, text, stop, security):
        """Some meters leave the additional data out: then the tag proves the encryption key alone."""
        self._aad[0] = security
        self._aad[1:] = self._auth_key or _LUXEMBOURG
        return (self._gcm.open(buf, text, stop, self._iv, self._aad, _TAG_SIZE)
                or self._gcm.open(buf, text, stop, self._iv, b"", _TAG_SIZE))

    def _accept(self, buf, start, stop, plausible):
        if not plausible(buf, start, stop):
            self._gcm.crypt(buf, start, stop, self._iv)  # back to what it was: another frame may start inside
            raise MeterError("wrong_key", "it decrypts to nothing known")
