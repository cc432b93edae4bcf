# SPDX-License-Identifier: MIT
"""The idle partition for MicroPython itself, as what an update is written to, see `install`.

The chip's own bootloader tries the new one: if it is not confirmed by the next start, for whatever reason, the
bootloader goes back to the old one by itself (ESP-IDF, "App Rollback"). What is being tried stands in the record, see
`micropython`.
"""

from binascii import b2a_base64

import esp32
from micropython import const

from wattport.update import slots
from wattport.update.bundle import version
from wattport.update.refusal import BundleError

_BLOCK = const(4096)
_ERASE = const(6)  # of a partition's ioctl
_ONE_PLACE = "This board can't update MicroPython over the air: its flash has room for one."


class Partition:
    """Made for a manifest. runs: the slot that does; now: the MicroPython that runs, a text; alive: what works before
    the update, see `trial`; trusted: the key that is; written: bytes of the image that are there, whole blocks."""

    def __init__(self, manifest, runs, now, alive, trusted, written=0):
        record = slots.read()
        if record.get("trial") or record.get("micropython"):
            raise BundleError("busy", "A new version is being tried out: wait until that is decided.")
        if len(manifest["files"]) != 1:
            raise BundleError("not_a_bundle", "A bundle with MicroPython holds one file, its image.")
        self._manifest = manifest
        self._now, self._alive, self._trusted = now, alive, trusted
        self._running = esp32.Partition(esp32.Partition.RUNNING)
        try:
            self._idle = self._running.get_next_update()
        except OSError:
            raise BundleError("chip", _ONE_PLACE)
        kind, _, _, room, label, _ = self._idle.info()
        if kind != esp32.Partition.TYPE_APP or label == self._running.info()[4]:
            raise BundleError("chip", _ONE_PLACE)
        size = manifest["files"][0][1]
        if size > room:
            raise BundleError("too_large", "This MicroPython is too large for the partition: %d KB, of %d." % (
                size // 1024, room // 1024))
        _fit(version(manifest["version"]), slots.manifest(runs))
        self._buf = bytearray(_BLOCK)
        self.written = written

    def open(self, name, size, at):
        self._at = at

    def write(self, data):
        """Each block is erased when the first bytes of it come; what stays erased behind the last is ones."""
        view = memoryview(data)
        while len(view):
            block, offset = divmod(self._at, _BLOCK)
            if not offset:
                self._idle.ioctl(_ERASE, block)
            size = min(len(view), _BLOCK - offset)
            self._idle.writeblocks(block, view[:size], offset)
            self._at += size
            view = view[size:]

    def sync(self):
        pass  # each block is there when it is written

    def close(self):
        pass

    def read(self, name, at, size):
        view = memoryview(self._buf)[:size]
        self._idle.readblocks(at // _BLOCK, view, at % _BLOCK)
        return view

    def commit(self, head):
        """The record first: who finds it, and the old one running, knows that the new one did not come up."""
        record = slots.read()
        for name in ("why", "detail", "failed"):
            record.pop(name, None)
        tried = {"from": self._running.info()[4], "to": self._idle.info()[4], "version": self._manifest["version"],
                 "before": self._now, "alive": self._alive}
        if head.modulus != self._trusted:
            tried["successor"] = b2a_base64(head.modulus).decode().strip()
        record["micropython"] = tried
        slots.write(record)
        try:
            self._idle.set_boot()  # looks through the whole image first
        except OSError as error:
            del record["micropython"]
            slots.write(record)
            raise BundleError("damaged", "The chip does not take what was written for an image of its own: %s." % error)

    def abort(self):
        pass  # nothing starts what was not committed


def _fit(number, program):
    """BundleError when the program that runs is not for that MicroPython."""
    least, most = (program or {}).get("micropython") or ("0.0", "99.0")
    if not version(least)[:2] <= number[:2] <= version(most)[:2]:
        raise BundleError("micropython", "The program here is for MicroPython %s to %s: update that first." % (
            least, most))
