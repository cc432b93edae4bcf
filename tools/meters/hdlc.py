# SPDX-License-Identifier: MIT
"""HDLC frames of format type 3 (IEC 62056-46): 7E, type and length, addresses, control, HCS, data, FCS, 7E."""

FLAG = b"\x7e"

_CRC = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x8408 if _byte & 1 else 0)
    _CRC.append(_byte)


def crc_x25(data):
    """CRC-16/X-25: x¹⁶+x¹²+x⁵+1, least significant bit first, from all ones, complemented."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFF


def frame(addresses, control, data):
    """One frame, not segmented; the length counts all between the flags and nothing is escaped."""
    length = 2 + len(addresses) + 1 + 2 + len(data) + 2
    head = (0xA000 | length).to_bytes(2, "big") + addresses + bytes((control,))
    body = head + crc_x25(head).to_bytes(2, "little") + data
    return FLAG + body + crc_x25(body).to_bytes(2, "little") + FLAG
