# SPDX-License-Identifier: MIT
"""What DLMS data is wrapped in: HDLC or wired M-Bus frames, whole or in parts, general block transfer, ciphering."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tools.meters import axdr
from tools.meters.crc import Crc16

FLAG = b"\x7e"
LLC = b"\xe6\xe7\x00"
TAG_LENGTH = 12

_CRC = Crc16(0x8408, 0xFFFF)


def crc_x25(data):
    """CRC-16/X-25: x¹⁶+x¹²+x⁵+1, least significant bit first, from all ones, complemented."""
    return _CRC(data) ^ 0xFFFF


def frame(addresses, control, data, more=False):
    """An HDLC frame of type 3 (IEC 62056-46): 7E, type and length, addresses, control, HCS, data, FCS, 7E.

    `more`: it is a segment and not the last; the length counts all between the flags and nothing is escaped."""
    length = 2 + len(addresses) + 1 + 2 + len(data) + 2
    head = ((0xA800 if more else 0xA000) | length).to_bytes(2, "big") + addresses + bytes((control,))
    body = head + crc_x25(head).to_bytes(2, "little") + data
    return FLAG + body + crc_x25(body).to_bytes(2, "little") + FLAG


def cut(data, first, then):
    """`data` in pieces: one of `first` bytes, the others of `then`."""
    return [data[:first]] + [data[at:at + then] for at in range(first, len(data), then)]


def whole(data, addresses, control=0x13):
    """One HDLC frame behind an LLC header."""
    return frame(addresses, control, LLC + data)


def segments(data, addresses, size, control=0x13):
    """HDLC segmentation (IEC 62056-46, 6.4.3.3): only the first segment has the LLC header; `control` is that of all
    but the last, 13 (UI, final)."""
    *rest, last = cut(LLC + data, size, size)
    return b"".join(frame(addresses, control, part, True) for part in rest) + frame(addresses, 0x13, last)


def blocks(data, addresses, size, first=None):
    """General block transfer (Green Book 9.4.6.13, tag E0), streamed, each block in a frame of its own:
    E0, control (40; the last one C0), block number, number acknowledged, length, data. `size` and, for the first block
    with its LLC header, `first` are the bytes of data in one."""
    pieces = cut(data, first or size - len(LLC), size)
    telegram = b""
    for number, piece in enumerate(pieces, 1):
        control = b"\xc0" if number == len(pieces) else b"\x40"
        block = b"\xe0" + control + number.to_bytes(2, "big") + b"\0\0" + axdr.length(len(piece)) + piece
        telegram += frame(addresses, 0x13, LLC * (number == 1) + block)
    return telegram


def mbus(data, size):
    """Wired M-Bus long frames (EN 13757-2, 5.5.2, and -3): 68 L L 68 53 FF CI 01 67 data sum 16.

    CI counts the frames in its low four bits and marks the last with 10. L has one byte: when `size` fills a frame
    with 257 bytes, it says 1, as Sagemcom's does."""
    pieces = cut(data, size, size)
    telegram = b""
    for number, piece in enumerate(pieces):
        last = 0x10 if number == len(pieces) - 1 else 0
        body = b"\x53\xff" + bytes((number & 0x0F | last,)) + b"\x01\x67" + piece
        length = bytes((len(body) & 0xFF,))
        telegram += b"\x68" + length * 2 + b"\x68" + body + bytes((sum(body) & 0xFF,)) + b"\x16"
    return telegram


def split(telegram):
    """The frames that a telegram is sent in, by the lengths that they say."""
    parts, at = [], 0
    while at < len(telegram):
        if telegram[at:at + 1] == FLAG:
            size = int.from_bytes(telegram[at + 1:at + 3], "big") % 0x800 + 2
        else:
            size = (telegram[at + 1] if telegram[at + 1] > 3 else telegram[at + 1] + 256) + 6
        parts.append(telegram[at:at + size])
        at += size
    return parts


def spoil(part, chance):
    """The same frame with a wrong checksum."""
    if part[:1] == FLAG:
        wrong = int.from_bytes(part[-3:-1], "little") ^ chance.randrange(1, 0x10000)
        return part[:-3] + wrong.to_bytes(2, "little") + FLAG
    return part[:-2] + bytes((part[-2] ^ chance.randrange(1, 256),)) + part[-1:]


def seal(plain, key, auth_key, title, counter, security=0x30, tag=0xDB, wide=True):
    """General-glo-ciphering (tag DB) or general-ded-ciphering (DC), AES-128-GCM (Green Book 9.2.3 and 9.2.7).

    Tag, system title, length, security control, frame counter, cipher text, authentication tag of twelve bytes when
    security has 10. The nonce is title and counter; authenticated besides are security control and the key for it.
    `wide`: a length of two bytes even where fewer do."""
    invocation = (counter & 0xFFFFFFFF).to_bytes(4, "big")
    control = bytes((security,))
    cipher = Cipher(algorithms.AES(key), modes.GCM(title + invocation)).encryptor()
    cipher.authenticate_additional_data(control + (auth_key or b""))
    text = cipher.update(plain) + cipher.finalize()
    body = control + invocation + text + (cipher.tag[:TAG_LENGTH] if security & 0x10 else b"")
    size = b"\x82" + len(body).to_bytes(2, "big") if wide else axdr.length(len(body))
    return bytes((tag, len(title))) + title + size + body
