# SPDX-License-Identifier: MIT
"""The dashboard's password as the dongle keeps it, wattport/web/password.py: so that one that stands in a settings file
in the clear does not get into a flash image."""

import hashlib
import secrets

from tools import cpython

cpython.install()

from wattport import settings as schema  # noqa: E402

ITERATIONS = 5000  # about a second of the chip for each log-in


def password(text):
    """pbkdf2:iterations:salt:hash."""
    salt = secrets.token_bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", text.encode(), salt, ITERATIONS)
    return "pbkdf2:%d:%s:%s" % (ITERATIONS, salt.hex(), key.hex())


def settings(document):
    """A checked settings document as it is kept: the password hashed, and with the number of its form."""
    if schema.SCHEMA > 1:
        document["schema"] = schema.SCHEMA
    text = document.get("web", {}).get("password")
    if not text or text.startswith("pbkdf2:"):
        return document
    return {**document, "web": {**document["web"], "password": password(text)}}
