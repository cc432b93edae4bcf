# SPDX-License-Identifier: MIT
"""Keys and bundles of the tests: made once for each run, as a key of 3072 bits takes a while to find."""

import functools
import tempfile

from tools import bundle, flashed, signing


@functools.cache
def _key(name):
    with tempfile.TemporaryDirectory() as folder:
        return signing.private(signing.make(folder, name)[0])


def key(name="update"):
    """A private key."""
    return _key(name)


def modulus(name="update"):
    """What a dongle that trusts it has."""
    return signing.modulus(key(name))


def small(files=None, name="update", chain=(), **manifest):
    """A bundle of a few bytes; `manifest`: what of it is different."""
    files = {"program": b"a program" * 700} if files is None else files
    return bundle.make(flashed.manifest(files, "x86", **{"version": "9.9.9", **manifest}), files, key(name), chain)


@functools.cache
def program(*changed):
    """{name: bytes} of this checkout's program for the 32-bit port; changed: (module, text) pairs."""
    return flashed.program("x86", dict(changed))


def whole(*changed, version="9.9.9", name="update", **manifest):
    """A bundle of the program, with modules changed."""
    files = program(*changed)
    return bundle.make(flashed.manifest(files, "x86", version=version, **manifest), files, key(name))
