# SPDX-License-Identifier: MIT
"""What DLMS data is wrapped in: HDLC frames, and general-glo-ciphering when the meter has keys."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FLAG = b"\x7e"
AUTHENTICATED_ENCRYPTED = b"\x30"
TAG_LENGTH = 12

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
    """An HDLC frame of type 3 (IEC 62056-46): 7E, type and length, addresses, control, HCS, data, FCS, 7E.

    It is not segmented; the length counts all between the flags and nothing is escaped."""
    length = 2 + len(addresses) + 1 + 2 + len(data) + 2
    head = (0xA000 | length).to_bytes(2, "big") + addresses + bytes((control,))
    body = head + crc_x25(head).to_bytes(2, "little") + data
    return FLAG + body + crc_x25(body).to_bytes(2, "little") + FLAG


def seal(plain, key, auth_key, title, counter):
    """General-glo-ciphering with security suite 0, AES-128-GCM and a tag of twelve bytes (Green Book 9.2.3).

    DB, system title, length, security control, frame counter, cipher text, tag. The nonce is title and
    counter; authenticated besides are the security control byte and the key for it."""
    invocation = (counter & 0xFFFFFFFF).to_bytes(4, "big")
    cipher = Cipher(algorithms.AES(key), modes.GCM(title + invocation)).encryptor()
    cipher.authenticate_additional_data(AUTHENTICATED_ENCRYPTED + auth_key)
    text = cipher.update(plain) + cipher.finalize()
    body = AUTHENTICATED_ENCRYPTED + invocation + text + cipher.tag[:TAG_LENGTH]
    return b"\xdb" + bytes((len(title),)) + title + b"\x82" + len(body).to_bytes(2, "big") + body
