# SPDX-License-Identifier: MIT
"""How passwords are kept. The values are those of RFC 7914, clause 11, and what OpenSSL makes of the same."""

import asyncio
from binascii import unhexlify

from wattport.crypto.pbkdf2 import derive
from wattport.web import password
from wattport.web.gate import same

KNOWN = (
    (b"passwd", b"salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"),
    (b"password", b"salt", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"),
    (b"password", b"salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"),
    (b"password", b"salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"),
)


def test_keys_are_those_of_others():
    for text, salt, iterations, key in KNOWN:
        assert asyncio.run(derive(text, salt, iterations, 32)) == unhexlify(key)
    assert asyncio.run(derive(b"passwd", b"salt", 1, 16)) == unhexlify(KNOWN[0][3])[:16]


def test_a_password_longer_than_a_block_is_hashed_first():
    key = asyncio.run(derive(b"x" * 65, b"salt", 3, 32))
    assert key != asyncio.run(derive(b"x" * 64, b"salt", 3, 32)) and len(key) == 32


def test_others_run_while_a_key_is_made():
    turns = []

    async def other():
        while True:
            turns.append(0)
            await asyncio.sleep(0)

    async def both():
        task = asyncio.create_task(other())
        await derive(b"password", b"salt", 20000, 32)
        task.cancel()
    asyncio.run(both())
    assert len(turns) > 2


def test_a_password_is_known_again_by_what_is_kept_of_it():
    kept = asyncio.run(password.hashed("correct h\xf6rse"))
    kind, iterations, salt, key = kept.split(":")
    assert kind == "pbkdf2" and int(iterations) >= 1000 and len(salt) == 32 and len(key) == 64
    assert "correct" not in kept and asyncio.run(password.hashed("correct h\xf6rse")) != kept
    assert asyncio.run(password.matches("correct h\xf6rse", kept))
    for wrong in ("", "correct horse", "correct h\xf6rse ", "Correct h\xf6rse", kept):
        assert not asyncio.run(password.matches(wrong, kept))


def test_the_count_of_another_time_still_counts():
    kept = "pbkdf2:2:%s:%s" % ("73616c74", KNOWN[2][3])
    assert asyncio.run(password.matches("password", kept))
    assert not asyncio.run(password.matches("password", kept.replace(":2:", ":3:")))


def test_a_password_that_somebody_wrote_into_the_file_works_too():
    assert asyncio.run(password.matches("plain words", "plain words"))
    assert not asyncio.run(password.matches("plain word", "plain words"))


def test_bytes_are_the_same_only_when_all_are():
    assert same(b"", b"") and same(b"abc", b"abc")
    for other in (b"", b"ab", b"abd", b"bbc", b"abcd"):
        assert not same(b"abc", other) and not same(other, b"abc")
