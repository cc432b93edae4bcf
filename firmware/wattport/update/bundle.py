# SPDX-License-Identifier: MIT
"""The head of a bundle: what it is, who signed it, whether it fits here. Pure; docs/update.md describes the format.

    WATTPORT BUNDLE 1
    KEY <modulus> <signature>           0 to 4 lines: a key, signed by the key before it
    {"name": "wattport", …}             the manifest, one line of JSON
    <signature>                         of the manifest's line, without its end
    …                                   the payload, see `install`

Binary values are base64. Nothing of the manifest is looked at before its signature is found to be right.
"""

import hashlib
import json
from binascii import a2b_base64, hexlify

from micropython import const

from wattport.update.refusal import BundleError

_MAGIC = b"WATTPORT BUNDLE 1"
_KEYS = const(4)
_KEY = const(1040)  # most bytes of a line, with a key or with the manifest
_MANIFEST = const(2048)
_FILES = const(8)
_MOST = const(16777216)  # bytes of a file, more than any flash here has
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_.-"
_UNFIT = "This is no bundle of a kind that this version knows."


def key_id(modulus):
    """What a manifest calls the key that it is signed with."""
    return hexlify(hashlib.sha256(modulus).digest()[:8]).decode()


def version(text):
    """(1, 2, 3) of "1.2.3", so that versions can be compared; ValueError."""
    parts = text.split(".")
    if not 2 <= len(parts) <= 3 or not all([part.isdigit() and len(part) < 6 for part in parts]):
        raise ValueError
    return tuple([int(part) for part in parts] + [0] * (3 - len(parts)))


def _binary(text):
    try:
        return a2b_base64(text)
    except ValueError:
        raise BundleError("damaged", "The head of the bundle is damaged.")


class Head:
    """`feed` it until `manifest` is there. verify: that of `rsa`; modulus: the key that is trusted, bytes; when the
    head is read, `modulus` is the key that signed it, a successor of that one perhaps."""

    def __init__(self, verify, modulus):
        self._verify = verify
        self.modulus = modulus
        self.manifest = None
        self.line = None  # the manifest as it was signed
        self._keys = -1  # lines with keys so far; -1: the first line is still to come
        self._part = b""

    def feed(self, data):
        """Take bytes; how many of them belonged to the head. BundleError as soon as something is wrong."""
        used = 0
        while not self.manifest and used < len(data):
            end = data.find(b"\n", used)
            self._part += data[used:end if end >= 0 else len(data)]
            if len(self._part) > _MANIFEST or self._keys < 0 and not _MAGIC.startswith(self._part):
                raise BundleError("not_a_bundle", "This file is no bundle of Wattport.")
            if end < 0:
                return len(data)
            line, self._part = self._part, b""
            used = end + 1
            self._take(line)
        return used

    def _take(self, line):
        if self._keys < 0:
            if line != _MAGIC:
                raise BundleError("not_a_bundle", "This file is no bundle of Wattport.")
            self._keys = 0
        elif self.line:
            self._sign(line)
        elif line.startswith(b"KEY "):
            self._keys += 1
            words = line.split(b" ")
            if self._keys > _KEYS or len(line) > _KEY or len(words) != 3:
                raise BundleError("damaged", "The head of the bundle is damaged.")
            self._succeed(_binary(words[1]), _binary(words[2]))
        elif line.startswith(b"{"):
            self.line = line
        else:
            raise BundleError("damaged", "The head of the bundle is damaged.")

    def _succeed(self, modulus, signature):
        """A key that the trusted one has signed takes its place; others in the chain are from before it."""
        if modulus != self.modulus and self._verify(
                self.modulus, signature, hashlib.sha256(b"WATTPORT KEY " + modulus).digest()):
            self.modulus = modulus

    def _sign(self, line):
        if not self._verify(self.modulus, _binary(line), hashlib.sha256(self.line).digest()):
            if key_id(self.modulus).encode() not in self.line:
                raise BundleError("unknown_key", "The bundle is signed with a key that this dongle does not know.")
            raise BundleError("signature", "The signature of the bundle is wrong: it was changed after it was signed.")
        self.manifest = _checked(self.line)


def _checked(line):
    """The manifest, its shape as promised."""
    try:
        manifest = json.loads(line)
        fine = (manifest["name"] == "wattport" and manifest["kind"] in ("application", "micropython")
                and isinstance(manifest["chip"], str) and isinstance(manifest.get("settings", 1), int))
        version(manifest["version"])
        for least in manifest.get("micropython", ()):
            version(least)
        size, digest = manifest["payload"]
        files = manifest["files"]
        fine = fine and 0 < size < _MOST and len(digest) == 64 and 0 < len(files) <= _FILES
        names = []
        for name, size, digest in files:
            if not _is_plain(name) or name == "manifest" or name in names:
                raise BundleError("name", "The bundle has a file of an impossible name.")
            names.append(name)
            fine = fine and 0 <= size < _MOST and len(digest) == 64
    except (ValueError, KeyError, TypeError, AttributeError):
        fine = False
    if not fine:
        raise BundleError("not_a_bundle", _UNFIT)
    return manifest


def _is_plain(name):
    """A name that stays in its folder, and short enough for any file system."""
    return isinstance(name, str) and 0 < len(name) <= 32 and name[0] != "." and all(
        [letter in _LETTERS for letter in name])


def fit(manifest, running, downgrade=False):
    """BundleError unless a manifest is for what runs here: {"version", "chip", "cpu", "micropython"}, texts, see
    `running`. downgrade: an older version was asked for."""
    if manifest["kind"] == "micropython":
        chip, now, named = running["cpu"], running["micropython"], "MicroPython"
    else:
        chip, now, named = running["chip"], running["version"], "version"
        least, most = manifest.get("micropython", ("0.0", "99.0"))
        # the highest that is named stands for all of its patches
        if not version(least) <= version(running["micropython"]) or (
                version(running["micropython"])[:2] > version(most)[:2]):
            raise BundleError("micropython", "The bundle needs MicroPython %s to %s, not %s: update that first." % (
                least, most, running["micropython"]))
    if manifest["chip"] != chip:
        raise BundleError("chip", "The bundle is for %s, this is %s." % (manifest["chip"], chip))
    if version(manifest["version"]) < version(now) and not downgrade:
        raise BundleError("downgrade", "The bundle has %s %s, older than %s, which runs here." % (
            named, manifest["version"], now))
