# SPDX-License-Identifier: MIT
"""How the password is kept: "pbkdf2:iterations:salt:hash", the last two as hex digits. Slow to try, for whoever reads
the flash; the count stands in the text, so that another one can be chosen later."""

import os
from binascii import hexlify, unhexlify

from micropython import const

from wattport.crypto import pbkdf2

_ITERATIONS = const(5000)  # about a second of the chip
_SALT = const(16)
_SIZE = const(32)


async def hashed(text):
    salt = os.urandom(_SALT)
    key = await pbkdf2.derive(text.encode(), salt, _ITERATIONS, _SIZE)
    return "pbkdf2:%d:%s:%s" % (_ITERATIONS, hexlify(salt).decode(), hexlify(key).decode())


async def matches(text, kept):
    """Whether `text` is the password that is kept, hashed or, from a file that somebody wrote, as it is."""
    if not kept.startswith("pbkdf2:"):
        kept = await hashed(kept)
    _, iterations, salt, key = kept.split(":")
    key = unhexlify(key)
    differ = 0
    for one, other in zip(key, await pbkdf2.derive(text.encode(), unhexlify(salt), int(iterations), _SIZE)):
        differ |= one ^ other
    return not differ and len(key) == _SIZE
