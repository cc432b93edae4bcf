# SPDX-License-Identifier: MIT
"""The idle slot as what an update is written to, see `install`."""

import os
from binascii import b2a_base64

from micropython import const

from wattport.update import slots
from wattport.update.refusal import BundleError

_MOST = const(327680)  # bytes of a slot: two of them and 13 months of history share the flash
_BLOCK = const(4096)
_SPARE = const(6)  # blocks that stay free: the record, folders


class Folder:
    """Made for a manifest: the idle slot is emptied, unless it holds the first `written` bytes of the files. runs: the
    slot that does not; alive: what works before the update, see `trial`; trusted: the key that is; ready: called with
    the manifest before the switch."""

    def __init__(self, manifest, runs, alive, trusted, ready=None, written=0):
        self._manifest, self._ready = manifest, ready
        self._alive = alive
        self._trusted = trusted
        self._file = None
        record = slots.read()
        if record.get("trial") or record.get("micropython"):
            raise BundleError("busy", "A new version is being tried out: wait until that is decided.")
        self._slot = slots.other(runs)
        self._path = slots.folder(self._slot)
        size = 0
        for _, length, _ in manifest["files"]:
            size += (length + _BLOCK - 1) // _BLOCK
        if size * _BLOCK > _MOST:
            raise BundleError("too_large", "The bundle is too large for a slot: %d KB, of %d." % (
                size * _BLOCK // 1024, _MOST // 1024))
        self.written = written if self._holds(written) else 0
        if not self.written:
            self._empty()
        size -= self.written // _BLOCK
        about = os.statvfs(self._path)
        if (size + _SPARE) * _BLOCK > about[0] * about[3]:
            raise BundleError("flash_full", "There is no room in the flash: %d KB are needed, %d KB are free." % (
                (size + _SPARE) * _BLOCK // 1024, about[0] * about[3] // 1024))

    def _holds(self, written):
        """Whether a beginning of so many bytes is there; that it is the right one is found out by reading it back."""
        for name, size, _ in self._manifest["files"]:
            size = min(size, written)
            written -= size
            try:
                if os.stat("%s/%s" % (self._path, name))[6] < size:
                    return False
            except OSError:
                if size:
                    return False
        return True

    def _empty(self):
        """The manifest first: without it a slot is none."""
        try:
            os.mkdir(self._path)
        except OSError:
            pass
        for name in ["manifest"] + os.listdir(self._path):
            try:
                os.remove("%s/%s" % (self._path, name))
            except OSError:
                pass

    def open(self, name, size, at):
        self._file = open("%s/%s" % (self._path, name), "r+b" if at else "wb")
        self._file.seek(at)

    def write(self, data):
        self._file.write(data)

    def sync(self):
        """So that a power cut leaves what was written until now."""
        if self._file:
            self._file.flush()

    def close(self):
        self._file.close()
        self._file = None

    def read(self, name, at, size):
        if at == 0:
            if self._file:
                self.close()
            self._file = open("%s/%s" % (self._path, name), "rb")
        return self._file.read(size)

    def commit(self, head):
        """The one write that matters is the last: the record's rename."""
        if self._file:
            self.close()
        if self._ready:
            self._ready(self._manifest)
        with open(self._path + "/manifest.new", "wb") as file:
            file.write(head.line)
        os.rename(self._path + "/manifest.new", self._path + "/manifest")
        record = slots.read()
        for name in ("why", "detail", "failed", "successor"):
            record.pop(name, None)
        record.update({"trial": self._slot, "left": slots.STARTS, "alive": self._alive})
        if head.modulus != self._trusted:
            record["successor"] = b2a_base64(head.modulus).decode().strip()
        slots.write(record)

    def abort(self):
        if self._file:
            self._file.close()
        self._empty()
