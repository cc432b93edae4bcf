# SPDX-License-Identifier: MIT
"""The firmware's cryptography against `cryptography`, on CPython; `core/test_crypto.py` runs everywhere."""

import binascii

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import cpython

cpython.install()

from wattport.crypto.aes import Aes  # noqa: E402
from wattport.crypto.crc import crc16_arc, crc16_x25  # noqa: E402
from wattport.crypto.gcm import AesGcm, block_cipher  # noqa: E402
from wattport.crypto.ghash import Ghash  # noqa: E402

FEW = settings(max_examples=20, deadline=None)
SOME = settings(max_examples=60, deadline=None)
KEYS = st.binary(min_size=16, max_size=16)
IVS = st.binary(min_size=12, max_size=12)
TAGS = st.sampled_from((12, 16))
# around a block of the cipher and a bulk call, and anything else
SIZES = st.one_of(st.sampled_from((0, 1, 15, 16, 17, 255, 256, 257, 511, 512, 513)), st.integers(0, 1100))


def seal(key, iv, aad, plain):
    """(ciphertext, tag of 16 bytes)."""
    encryptor = Cipher(algorithms.AES(key), modes.GCM(iv)).encryptor()
    encryptor.authenticate_additional_data(aad)
    text = encryptor.update(plain) + encryptor.finalize()
    return text, encryptor.tag


def ecb(key, blocks):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(blocks)


@FEW
@given(KEYS, st.integers(1, 8), st.data())
def test_both_block_ciphers_encrypt_like_cryptography(key, count, data):
    blocks = data.draw(st.binary(min_size=16 * count, max_size=16 * count))
    for cipher in (Aes, block_cipher):
        out = bytearray(len(blocks))
        cipher(key, 1).encrypt(blocks, out)
        assert out == ecb(key, blocks)
        out = bytearray(blocks)
        cipher(key, 1).encrypt(out, out)
        assert out == ecb(key, blocks)


@SOME
@given(KEYS, IVS, st.binary(max_size=40), SIZES, TAGS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_gcm_opens_what_cryptography_seals(key, iv, aad, size, tag_size, lead, chance):
    plain = chance.randbytes(size)
    text, tag = seal(key, iv, aad, plain)
    buf = bytearray(b"\xaa" * lead + text + tag[:tag_size] + b"\xee")
    assert AesGcm(key).open(buf, lead, lead + size, iv, aad, tag_size)
    assert buf[lead:lead + size] == plain
    assert buf[:lead] == b"\xaa" * lead and buf[lead + size:] == tag[:tag_size] + b"\xee"


@FEW
@given(KEYS, IVS, st.sampled_from((0, 1, 17, 40)), TAGS, st.integers(0, 70), st.randoms(use_true_random=False))
def test_gcm_opens_it_with_the_firmwares_own_cipher_too(key, iv, aad_size, tag_size, size, chance):
    plain, aad = chance.randbytes(size), chance.randbytes(aad_size)
    text, tag = seal(key, iv, aad, plain)
    buf = bytearray(text + tag[:tag_size])
    assert AesGcm(key, Aes).open(buf, 0, size, iv, aad, tag_size)
    assert buf[:size] == plain


@SOME
@given(KEYS, IVS, st.binary(max_size=20), st.integers(1, 300), TAGS, st.data())
def test_gcm_refuses_what_was_changed_in_one_bit_anywhere_and_leaves_it(key, iv, aad, size, tag_size, data):
    text, tag = seal(key, iv, aad, bytes(size))
    parts = [bytearray(key), bytearray(iv), bytearray(aad), bytearray(text + tag[:tag_size])]
    part = data.draw(st.sampled_from([part for part in parts if part]))
    bit = data.draw(st.integers(0, len(part) * 8 - 1))
    part[bit >> 3] ^= 1 << (bit & 7)
    key, iv, aad, buf = parts
    before = bytes(buf)
    assert not AesGcm(bytes(key)).open(buf, 0, size, bytes(iv), bytes(aad), tag_size)
    assert buf == before


@FEW
@given(KEYS, st.lists(st.tuples(IVS, st.integers(0, 600)), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_one_object_opens_many_messages_one_after_the_other(key, messages, chance):
    gcm = AesGcm(key)
    for iv, size in messages:
        plain = chance.randbytes(size)
        text, tag = seal(key, iv, b"aad", plain)
        buf = bytearray(text + tag)
        assert not gcm.open(buf, 0, size, iv, b"AAD", 16)
        assert gcm.open(buf, 0, size, iv, b"aad", 16) and buf[:size] == plain


@SOME
@given(KEYS, st.lists(st.integers(0, 50), max_size=4), st.randoms(use_true_random=False))
def test_ghash_is_the_polynomial_of_the_standard(hash_key, sizes, chance):
    """SP 800-38D, algorithm 1 and 2, bit by bit."""
    ghash, y = Ghash(hash_key), 0
    h = int.from_bytes(hash_key, "big")
    for size in sizes:
        part = chance.randbytes(size)
        ghash.update(part, 0, size)
        for at in range(0, size, 16):
            x = y ^ int.from_bytes(part[at:at + 16].ljust(16, b"\0"), "big")
            y, v = 0, h
            for bit in range(127, -1, -1):
                if x >> bit & 1:
                    y ^= v
                v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
    assert ghash.y == y.to_bytes(16, "big")


@SOME
@given(st.binary(max_size=300), st.integers(0, 10), st.integers(0, 10))
def test_crcs_are_those_of_the_catalogue_bit_by_bit(data, lead, trail):
    def slow(crc, polynomial):
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
        return crc
    buf = b"\x55" * lead + data + b"\xaa" * trail
    assert crc16_arc(buf, lead, lead + len(data)) == slow(0, 0xA001)
    assert crc16_x25(buf, lead, lead + len(data)) == slow(0xFFFF, 0x8408) ^ 0xFFFF
    # X-25 is the bit-reversed sister of CCITT, which the standard library has
    flip = bytes(int("%d" % int("{:08b}".format(byte)[::-1], 2)) for byte in data)
    assert int("{:016b}".format(crc16_x25(data, 0, len(data)))[::-1], 2) == binascii.crc_hqx(flip, 0xFFFF) ^ 0xFFFF
