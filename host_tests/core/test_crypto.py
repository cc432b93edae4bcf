# SPDX-License-Identifier: MIT
"""Known answers: the CRC catalogue's check values, FIPS 197 appendix B and C.1, NIST's GCM cases 1 to 4."""

from binascii import unhexlify

from wattport.crypto.aes import Aes
from wattport.crypto.crc import crc16_arc, crc16_x25
from wattport.crypto.gcm import AesGcm, block_cipher
from wattport.crypto.ghash import Ghash

CIPHERS = (block_cipher, Aes)

# NIST SP 800-38D, the cases of the original GCM proposal with a 96-bit IV: key, iv, aad, plain, cipher, tag
GCM = (
    ("00000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "58e2fccefa7e3061367f1d57a4e7455a"),
    ("00000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"),
    ("feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
     "4d5c2af327cd64a62cf35abd2ba6fab4"),
    ("feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"),
)


def frames(case, tag_size, lead):
    key, iv, aad, plain, cipher, tag = [unhexlify(part) for part in case]
    buf = bytearray(bytes(lead) + cipher + tag[:tag_size] + b"\xee")
    return key, iv, aad, plain, buf, lead, lead + len(cipher)


def test_crc_16_arc_has_its_check_value():
    assert crc16_arc(b"123456789", 0, 9) == 0xBB3D
    assert crc16_arc(b"xx123456789yy", 2, 11) == 0xBB3D


def test_crc_16_x25_has_its_check_value_and_residue():
    assert crc16_x25(b"123456789", 0, 9) == 0x906E
    assert crc16_x25(b"123456789\x6e\x90", 0, 11) == 0x0F47


def test_crc_of_nothing_is_the_start_value():
    assert crc16_arc(b"", 0, 0) == 0
    assert crc16_x25(b"", 0, 0) == 0


def test_aes_gives_the_answers_of_fips_197():
    for cipher in CIPHERS:
        out = bytearray(16)
        cipher(unhexlify("2b7e151628aed2a6abf7158809cf4f3c"), 1).encrypt(
            unhexlify("3243f6a8885a308d313198a2e0370734"), out)
        assert out == unhexlify("3925841d02dc09fbdc118597196a0b32")
        out = bytearray(unhexlify("00112233445566778899aabbccddeeff") * 3)
        cipher(unhexlify("000102030405060708090a0b0c0d0e0f"), 1).encrypt(out, out)
        assert out == unhexlify("69c4e0d86a7b0430d8cdb78070b4c55a") * 3


def test_own_aes_refuses_what_is_not_whole_blocks_of_aes_128():
    for key, mode, size in ((bytes(15), 1, 16), (bytes(32), 1, 16), (bytes(16), 2, 16), (bytes(16), 1, 15)):
        try:
            Aes(key, mode).encrypt(bytes(size), bytearray(16))
        except ValueError:
            continue
        raise AssertionError("accepted")


def test_gcm_decrypts_and_verifies_the_nist_cases_in_place():
    for case in GCM:
        for cipher in CIPHERS:
            for tag_size in (12, 16):
                for lead in (0, 3):
                    key, iv, aad, plain, buf, start, end = frames(case, tag_size, lead)
                    assert AesGcm(key, cipher).open(buf, start, end, iv, aad, tag_size)
                    assert buf[start:end] == plain
                    assert buf[-1] == 0xEE


def test_gcm_refuses_every_flipped_bit_and_leaves_the_frame_alone():
    key, iv, aad, _, buf, start, end = frames(GCM[3], 12, 0)
    gcm = AesGcm(key)
    for i in range(end + 12):
        for bit in (1, 0x80):
            buf[i] ^= bit
            before = bytes(buf)
            assert not gcm.open(buf, start, end, iv, aad, 12)
            assert buf == before
            buf[i] ^= bit
    assert not gcm.open(buf, start, end, iv, aad[:-1], 12)
    assert not gcm.open(buf, start, end, bytes(12), aad, 12)
    assert gcm.open(buf, start, end, iv, aad, 12)


def test_gcm_with_a_wrong_key_refuses():
    key, iv, aad, _, buf, start, end = frames(GCM[3], 12, 0)
    wrong = bytearray(key)
    wrong[15] ^= 1
    assert not AesGcm(bytes(wrong)).open(buf, start, end, iv, aad, 12)


def test_one_gcm_object_serves_many_frames_of_any_length():
    gcm = AesGcm(unhexlify(GCM[2][0]))
    iv = unhexlify(GCM[2][1])
    for size in (0, 1, 15, 16, 17, 511, 512, 513, 1024, 1700):
        buf = bytearray(i * 7 & 0xFF for i in range(size))
        plain = bytes(buf)
        gcm.crypt(buf, 0, size, iv)
        assert size < 8 or buf != plain
        gcm.crypt(buf, 0, size, iv)
        assert buf == plain


def test_ghash_pads_each_part_to_a_whole_block():
    one, two = Ghash(bytes(range(16))), Ghash(bytes(range(16)))
    one.update(b"abc", 0, 3)
    two.update(b"abc" + bytes(13), 0, 16)
    assert one.y == two.y != bytes(16)
    one.reset()
    assert one.y == bytes(16)
