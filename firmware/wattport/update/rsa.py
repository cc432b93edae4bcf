# SPDX-License-Identifier: MIT
"""RSA-3072 signatures, PKCS#1 v1.5 with SHA-256 (RFC 8017, 8.2.2). Pure; loaded to look at a bundle.

The block that a right signature gives is made anew and compared as a number: nothing of the signature is taken apart,
so there is nothing in it to be taken apart wrongly.
"""

from binascii import unhexlify

from micropython import const

SIZE = const(384)  # bytes of a modulus and of a signature
EXPONENT = const(65537)
# 00 01 FF … FF 00, then "SHA-256, 32 bytes" in DER (RFC 8017, 9.2, note 1)
_DER = "003031300d060960864801650304020105000420"


def verify(modulus, signature, digest):
    """Whether `signature` is that of a SHA-256 `digest` under `modulus`: bytes, big-endian."""
    if len(modulus) != SIZE or len(signature) != SIZE or len(digest) != 32:
        return False
    end = unhexlify(_DER) + digest
    block = b"\x00\x01" + b"\xff" * (SIZE - 2 - len(end)) + end
    number = int.from_bytes(modulus, "big")
    signed = int.from_bytes(signature, "big")
    return signed < number and pow(signed, EXPONENT, number) == int.from_bytes(block, "big")
