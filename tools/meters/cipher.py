# SPDX-License-Identifier: MIT
"""DLMS general-glo-ciphering (tag 0xDB), security suite 0: AES-128-GCM, a tag of twelve bytes (Green Book 9.2.3)."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

AUTHENTICATED_ENCRYPTED = b"\x30"
TAG_LENGTH = 12


def seal(plain, key, auth_key, title, counter):
    """DB, system title, length, security control, frame counter, cipher text, tag.

    The nonce is title and counter; authenticated besides are the security control byte and the key for it."""
    invocation = (counter & 0xFFFFFFFF).to_bytes(4, "big")
    cipher = Cipher(algorithms.AES(key), modes.GCM(title + invocation)).encryptor()
    cipher.authenticate_additional_data(AUTHENTICATED_ENCRYPTED + auth_key)
    text = cipher.update(plain) + cipher.finalize()
    body = AUTHENTICATED_ENCRYPTED + invocation + text + cipher.tag[:TAG_LENGTH]
    return b"\xdb" + bytes((len(title),)) + title + b"\x82" + len(body).to_bytes(2, "big") + body
