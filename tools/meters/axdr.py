# SPDX-License-Identifier: MIT
"""COSEM data in A-XDR (IEC 61334-6; tags of Blue Book 4.1.5), each function the bytes of one value."""

NULL = b"\x00"


def length(size):
    """A BER length, as short as it can be: one byte up to 127, then 81 xx, then 82 xx xx."""
    if size < 0x80:
        return bytes((size,))
    body = size.to_bytes(1 if size < 0x100 else 2, "big")
    return bytes((0x80 | len(body),)) + body


def _number(tag, size, signed=False):
    head = bytes((tag,))

    def encode(value):
        return head + value.to_bytes(size, "big", signed=signed)

    encode.size, encode.signed = size, signed
    return encode


boolean = _number(0x03, 1)
u32 = _number(0x06, 4)
i8 = _number(0x0F, 1, signed=True)
i16 = _number(0x10, 2, signed=True)
u16 = _number(0x12, 2)
enum = _number(0x16, 1)


def octets(data):
    return b"\x09" + length(len(data)) + data


def text(characters):
    """visible-string"""
    return b"\x0a" + length(len(characters)) + characters.encode()


def array(items):
    return b"\x01" + length(len(items)) + b"".join(items)


def structure(items):
    return b"\x02" + length(len(items)) + b"".join(items)


def code(*groups):
    """An OBIS code A.B.C.D.E as the octet string that names an object."""
    return octets(bytes((*groups, 255)))


def scaler_unit(scaler, unit):
    """Blue Book 4.3.2: the value is to be multiplied by ten to this power, and is in this unit."""
    return structure((i8(scaler), enum(unit)))
