# SPDX-License-Identifier: MIT
"""Says, without the firmware's frames and ciphers, whether a reading that came out of broken bytes may be.

A reading is right when the whole frames that the meter told of carry it: each of them stands in the bytes that were fed
and has its checksum, together they make a payload, its tag fits when it was sealed, and a decoder that has never seen
anything else reads the same from it.
"""

import binascii
import json
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tools import cpython
from tools.meters.dlms import LLC
from tools.meters.p1 import crc16

cpython.install()

from wattport.decode.amis import AmisDecoder  # noqa: E402
from wattport.decode.cosem import CosemDecoder  # noqa: E402
from wattport.decode.glow import GlowDecoder  # noqa: E402
from wattport.decode.p1 import P1Decoder  # noqa: E402
from wattport.decode.sml import SmlDecoder  # noqa: E402
from wattport.decode.tic import TicDecoder  # noqa: E402
from wattport.errors import MeterError  # noqa: E402

LUXEMBOURG = bytes.fromhex("00112233445566778899aabbccddeeff")
MOST_PARTS = 4096
LONGEST_READING = 16_384
WINDOW = 32_768
_MIRROR = bytes(int(bin(byte)[2:].zfill(8)[::-1], 2) for byte in range(256))
_ESCAPE = b"\x1b\x1b\x1b\x1b"
_NAME = re.compile("[a-z][a-z0-9_]*")


class Finding(Exception):
    """The firmware did what it must never do."""


def _mirrored(data, start):
    crc = binascii.crc_hqx(data.translate(_MIRROR), start)
    return _MIRROR[crc & 0xFF] << 8 | _MIRROR[crc >> 8]


def crc_x25(data):
    return _mirrored(data, 0xFFFF) ^ 0xFFFF


def crc_kermit(data):
    return _mirrored(data, 0)


def tic_is_whole(frame):
    """The groups of a TIC telegram, or None."""
    groups = frame[1:-1].split(b"\r")
    if frame[-1] != 3 or groups.pop() or not groups:
        return None
    for group in groups:
        # the separator in front of the checksum counts or does not
        if len(group) < 5 or group[0] != 10 or group[-1] not in [
                (sum(part) & 63) + 32 for part in (group[1:-2], group[1:-1])]:
            return None
    return frame[1:-1]


def ber(data, at):
    """(length, place behind it), or None."""
    if at >= len(data):
        return None
    if data[at] < 0x80:
        return data[at], at + 1
    size = data[at] & 0x7F
    if not size or at + 1 + size > len(data):
        return None
    return int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size


def text_is_whole(text):
    """Has P1 text a checksum that fits at its first end mark? None: it has none at all."""
    mark = re.search(rb"[\r\n]!", text)
    if not mark:
        return None
    at = mark.end()
    sent = text[at:at + 4]
    if not sent[:1].strip(b"\r\n"):
        return None
    try:
        sent = int(sent, 16)
    except ValueError:
        return False
    return sent == crc16(text[:at]) or b"-0:15.8.0(" in text and sent == crc_x25(text[:at])


def hdlc_is_whole(frame):
    """(control of format, information) of a frame without its closing flag, or None."""
    if len(frame) < 8 or frame[1] & 0xF0 != 0xA0 or int.from_bytes(frame[1:3], "big") & 0x7FF != len(frame) - 1:
        return None
    at = 3
    for _ in range(2):
        while at < len(frame) and not frame[at] & 1:
            at += 1
        at += 1
    if crc_x25(frame[1:-2]) != int.from_bytes(frame[-2:], "little"):
        return None
    if at + 3 > len(frame) or crc_x25(frame[1:at + 1]) != int.from_bytes(frame[at + 1:at + 3], "little"):
        return None
    return frame[1], frame[at + 3:-2]


def mbus_is_whole(frame):
    if len(frame) < 8:
        return False
    size = frame[1] if frame[1] > 2 else frame[1] + 256
    return (len(frame) == size + 6 and frame[1] == frame[2] and frame[3] == 0x68 and frame[-1] == 0x16
            and sum(frame[4:-2]) & 0xFF == frame[-2])


def sml_is_whole(frame):
    """The messages, their escapes taken out, or None."""
    if len(frame) < 16 or frame[:8] != _ESCAPE + b"\1\1\1\1" or frame[-8:-3] != _ESCAPE + b"\x1a" or frame[-3] > 3:
        return None
    sent = frame[-2:]
    if (crc_x25(frame[:-2]) != int.from_bytes(sent, "little")
            and crc_kermit(frame[:-2]) != int.from_bytes(sent, "big")):
        return None
    return frame[8:len(frame) - 8 - frame[-3]].replace(_ESCAPE * 2, _ESCAPE)


def unsealed(envelope, key, auth_key):
    """(plain text, True when the tag proves it, was there a tag), or None for what is no envelope."""
    if len(envelope) < 2 or envelope[1] != 8:
        return None
    found = ber(envelope, 10)
    if not found:
        return None
    size, at = found
    body = envelope[at:at + size]
    if len(body) < size or size < 5:
        return None
    security, nonce, text = body[0], envelope[2:10] + body[1:5], body[5:]
    if not security & 0x20 or security & 0x80 or security & 0x0F > 1:
        return None  # not encrypted, compressed, keys of 32 bytes
    if security & 0x10:
        if len(text) < 12:
            return None
        for aad in (bytes((security,)) + (auth_key or LUXEMBOURG), b""):
            opener = Cipher(algorithms.AES(key), modes.GCM(nonce, text[-12:], min_tag_length=12)).decryptor()
            opener.authenticate_additional_data(aad)
            try:
                return opener.update(text[:-12]) + opener.finalize(), True, True
            except InvalidTag:
                pass
        text = text[:-12]
    return Cipher(algorithms.AES(key), modes.CTR(nonce + b"\0\0\0\2")).decryptor().update(text), False, security & 0x10


def check_reading(reading):
    """JSON of bounded integers, texts, lists and dicts with text keys, and nothing else."""
    if type(reading) is not dict or not reading:
        raise Finding("a reading that is %r" % (reading,))
    text = json.dumps(reading)
    if json.loads(text) != reading or len(text) > LONGEST_READING:
        raise Finding("JSON of a reading does not come back, or has %d bytes" % len(text))

    def look(value, deep):
        if type(value) is dict:
            for name, inner in value.items():
                if type(name) is not str or not (_NAME.fullmatch(name) or deep and name in "1234"):
                    raise Finding("a field called %r" % (name,))
                look(inner, deep + 1)
        elif type(value) is list:
            for inner in value:
                look(inner, deep + 1)
        elif type(value) is not str and type(value) is not int or type(value) is int and abs(value) > 10 ** 30:
            raise Finding("a value that is %r" % (value,))

    look(reading, 0)


class Judge:
    """Hears what a Meter hears and tells. `feed` what goes in, `frame` and `reading` what comes out."""

    def __init__(self, zone, key, auth_key, profile=None):
        self._zone, self._key, self._auth_key, self._profile = zone, key, auth_key, profile
        self._window = b""
        self._segments = self._mbus = self._blocks = None
        self._frame = self._payload = None
        self._checked = True
        self._saps = 2
        self._proven = False
        self._known = {}
        self.readings = 0

    def feed(self, data):
        self._window = (self._window + data)[-WINDOW:]

    def drop(self):
        """Silence, or something that was wrong: parts of a telegram belong together no longer."""
        self.blind()
        self._segments = self._mbus = self._blocks = None

    def frame(self, frame):
        """A whole frame as it came; kept until its reading comes, if one does."""
        # what an envelope held that was opened and then refused is searched too, and that was not sent as it is
        if frame not in self._window and not self._key:
            raise Finding("a frame that was never sent: %s" % frame.hex())
        self._frame, self._payload, self._checked = frame, None, True
        first = frame[0]
        if first == 0x2F:
            self._text(frame)
        elif first == 0xDB:
            self._checked = False
            self._payload = frame
        elif first == 0x7E:
            found = hdlc_is_whole(frame)
            if not found:
                raise Finding("an HDLC frame with a wrong checksum was taken: %s" % frame.hex())
            self._segment(*found)
        elif first == 0x68:
            if not mbus_is_whole(frame):
                raise Finding("an M-Bus frame with a wrong checksum was taken: %s" % frame.hex())
            self._mbus_part(frame)
        elif first == 0x1B:
            self._payload = sml_is_whole(frame)
            if self._payload is None:
                raise Finding("an SML file with a wrong checksum was taken: %s" % frame.hex())
        elif first == 0x7B:
            self._checked, self._payload = False, frame
        elif first & 0x7F == 2:
            self._payload = tic_is_whole(bytes([byte & 0x7F for byte in frame]) if first & 0x80 else frame)
            if not self._payload:
                raise Finding("a TIC telegram with a wrong checksum was taken: %s" % frame.hex())
        elif first != 0x10:
            raise Finding("a frame of an unknown kind: %s" % frame.hex())

    def _text(self, frame):
        body = re.match(rb"[^\n]*[\r\n]+(.?)", frame, re.DOTALL)
        kind = body.group(1)[:1] if body else b""
        if kind == b"\x02":
            etx = frame.find(b"\x03", body.end())
            self._checked = etx >= 0
            if etx >= 0:
                check = 0
                for byte in frame[body.end():etx + 1]:
                    check ^= byte
                if etx + 2 > len(frame) or (check ^ frame[etx + 1]) & 0x7F:
                    raise Finding("a block with a wrong check was taken: %s" % frame.hex())
            self._payload = frame
        elif kind and kind in b"\x00\x08\xdb":
            self._checked = False
            inner = frame[body.end() - 1:]
            inner = inner[1:] if inner[0] == 0xDB else inner
            self._payload = b"\xdb" + (b"\x08" + bytes(8) + inner[1:] if not inner[0] else inner)
        else:
            whole = text_is_whole(frame)
            if whole is False or whole is None and b"-3:0.2.8(" in frame:
                raise Finding("text with a wrong checksum was taken: %r" % frame)
            self._checked = bool(whole)
            self._payload = frame

    def _segment(self, head, data):
        starts = data.startswith(LLC)
        if not head & 0x08 and (starts or self._segments is None):
            self._segments = None
            self._payload = data
            return
        if starts:
            self._segments = b""
        elif self._segments is None:
            return
        self._segments += data
        if len(self._segments) > MOST_PARTS:
            self._segments = None
        elif not head & 0x08:
            self._payload, self._segments = self._segments, None

    def _mbus_part(self, frame):
        control, data = frame[6], frame[7:-2]
        if control == 0x5B:
            self._payload = frame[4:-2]
            return
        number = control & 0x0F
        if not number:
            self._saps = 2 if len(data) > 2 and data[2] in (0xE6, 0xDB, 0xDC, 0xE0, 0x0F) else 0
        data = data[self._saps:]
        if not data:
            return
        self._mbus, self._payload = self._added(self._mbus, number, data, control & 0x10)

    def _added(self, parts, number, data, last):
        """([number awaited, bytes] or None, the payload or None)"""
        if not number:
            parts = [0, b""]
        elif not parts or parts[0] != number:
            return None, None
        if len(parts[1]) + len(data) > MOST_PARTS:
            return None, None
        if last:
            return None, parts[1] + data
        return [number + 1, parts[1] + data], None

    def _block(self, data):
        if len(data) < 7:
            return None
        number = int.from_bytes(data[2:4], "big")
        found = ber(data, 6)
        if not number or not found or found[1] + found[0] > len(data):
            return None
        size, at = found
        self._blocks, payload = self._added(self._blocks, number - 1, data[at:at + size], data[1] & 0x80)
        return payload

    def opened(self):
        """(what the last frames carry, was it sealed, is it checked); Finding when there is nothing that may be."""
        data, checked = self._payload, self._checked
        sealed = False
        for _ in range(8):
            if not data:
                return None
            if data.startswith(LLC):
                data = data[3:]
            elif data[0] == 0xE0 and not sealed:
                data = self._block(data)
            elif data[0] in (0xDB, 0xDC) and not sealed:
                sealed = True
                data, checked = self._unsealed(data, checked)
            else:
                break
        return data, sealed, checked

    def _unsealed(self, data, checked):
        if not self._key:
            found = ber(data, 10)  # whoever has opened it left the envelope as it was
            if not found:
                raise Finding("what is no envelope was opened: %s" % data.hex())
            size, at = found
            return data[at + 5:at + size], checked
        found = unsealed(data, self._key, self._auth_key)
        if not found:
            raise Finding("what is no envelope was opened: %s" % data.hex())
        plain, proven, tagged = found
        if tagged and not proven and (self._auth_key or self._proven):
            raise Finding("an envelope whose tag does not fit was taken: %s" % data.hex())
        self._proven |= proven
        return plain, checked or proven

    def blind(self):
        """The last frame gave no reading: blocks count on all the same."""
        if self._payload:
            try:
                self.opened()
            except Finding:
                pass
        self._frame = self._payload = None

    def reading(self, reading):
        """The Meter told this reading; was it right?"""
        check_reading(reading)
        self.readings += 1
        frame = self._frame
        if frame is None:
            raise Finding("a reading without a frame")
        opened = self.opened()
        self._frame = self._payload = None
        if not opened or not opened[0]:
            raise Finding("the frames so far carry no whole telegram; the last is %s" % frame.hex())
        data, sealed, checked = opened
        if sealed and not checked and not text_is_whole(data):
            raise Finding("neither tag nor checksum proves %s" % frame.hex())
        strict = not sealed and not checked
        known = self._known.get((data, strict))
        if known is None:
            try:
                known = self._fresh(data, strict)
            except MeterError as error:
                raise Finding("%r, but a fresh decoder says %s" % (reading, error))
            if len(self._known) > 64:
                self._known.clear()
            self._known[data, strict] = known
        # P1Decoder marks lines that are to be read anew by a byte 0, which no meter sends
        if known != reading and (data[0] in b"\x0f\x76\x0a\x53\x73{" or b"\0" not in data):
            raise Finding("%r, but a fresh decoder reads %r from %s" % (reading, known, data.hex()))

    def _fresh(self, data, strict):
        first = data[0]
        if first == 0x0F:
            return CosemDecoder(self._zone, self._profile).decode(data, 0, len(data))
        if first == 0x76:
            return SmlDecoder(self._zone).decode(data, 0, len(data))
        if first == 0x7B:
            return GlowDecoder(self._zone).decode(data, 0, len(data))
        if first == 0x0A:
            return TicDecoder(self._zone).decode(data, 0, len(data))
        if first in (0x53, 0x73):
            return AmisDecoder(self._zone, self._key).decode(data, 0, len(data))
        return P1Decoder(self._zone).decode(data, 0, len(data), strict)
