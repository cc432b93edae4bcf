# SPDX-License-Identifier: MIT
"""AES-128-GCM in whole numbers, by the test cases of its authors (McGrew and Viega, cases 1 to 3)."""

import asyncio
from binascii import hexlify, unhexlify

from wattport.crypto import seal

KEY = "feffe9928665731c6d6a8f9467308308"
NONCE = "cafebabefacedbaddecaf888"
PLAIN = ("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255")
SEALED = ("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
          "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985")


def sealed(key, nonce, plain):
    async def run():
        buf = bytearray(unhexlify(plain))
        await seal.crypt(unhexlify(key), unhexlify(nonce), buf)
        return hexlify(buf).decode(), hexlify(await seal.tag(unhexlify(key), unhexlify(nonce), buf)).decode()
    return asyncio.run(run())


def test_the_published_cases_come_out():
    assert sealed("0" * 32, "0" * 24, "") == ("", "58e2fccefa7e3061367f1d57a4e7455a")
    assert sealed("0" * 32, "0" * 24, "0" * 32) == (
        "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf")
    assert sealed(KEY, NONCE, PLAIN) == (SEALED, "4d5c2af327cd64a62cf35abd2ba6fab4")


def test_encrypting_again_gives_the_text_back():
    assert sealed(KEY, NONCE, SEALED)[0] == PLAIN


def test_one_bit_anywhere_makes_another_tag():
    tag = sealed(KEY, NONCE, PLAIN)[1]
    for at in (0, 17, 63):
        plain = bytearray(unhexlify(PLAIN))
        plain[at] ^= 1
        assert sealed(KEY, NONCE, hexlify(plain).decode())[1] != tag
    assert sealed(KEY, NONCE, PLAIN[:-2])[1] != tag and sealed(KEY, NONCE, PLAIN + "00")[1] != tag
