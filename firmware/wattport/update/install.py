# SPDX-License-Identifier: MIT
"""A bundle on its way into the flash: fed piece by piece, from wherever it comes, and the next start tries it.

The payload is blocks: two bytes, little-endian, that are the length of what follows, bit 15 set if it is stored as it
is; otherwise it is raw deflate (RFC 1951) with a window of 4 KiB. Each block gives 4096 bytes of the files, which
follow each other in the manifest's order; the last one of the payload gives fewer.

What runs is not touched: everything goes to a `target`, the idle slot (`folder`) or the idle partition (`partition`),
and only when all of it has been read back does one write to the record make it the next to be started. Where a
`progress` is kept, a power cut does not begin it anew.
"""

import gc
import hashlib
import io
from binascii import hexlify

from micropython import const

from wattport.update.bundle import BundleError, Head, fit

_BLOCK = const(4096)
_STORED = const(0x8000)
_WINDOW = const(12)  # log2 of it
_EVERY = const(16384)  # bytes of the files: so much comes again after a power cut, at most


class Install:
    """`feed`, then `finish`; after an error, or instead, `abort`. Uses some 20 KB of heap meanwhile.

    modulus: the trusted key; verify: that of `rsa`; running: see `bundle.fit`; targets: {kind: function of a manifest
    and how many bytes of the files may be there already, that gives a target with `written`, how many are, open(name,
    size, at), write(data), sync(), close(), read(name, at, size), commit(head) and abort()}; progress: see there.

    manifest: a dict as soon as it is verified; done, total: bytes of the payload; offset: bytes of the whole bundle,
    which may be far behind what was fed when its head is through.
    """

    def __init__(self, modulus, verify, running, targets, downgrade=False, progress=None):
        self._head = Head(verify, modulus)
        self._running = running
        self._targets = targets
        self._downgrade = downgrade
        self._progress = progress
        self._target = None
        self.manifest = None
        self.done = self.total = self.offset = 0
        self._length = 0  # of the block that is coming, as it was sent; 0: that itself is coming

    def feed(self, data):
        """Bytes, some 512 at a time: at most one block is written. BundleError, at once, for what is wrong."""
        at = 0
        self.offset += len(data)
        if not self.manifest:
            at = self._head.feed(data)
            if not self._head.manifest:
                return
            self._begin()
            if self.done:  # what follows here is in the flash already
                self.offset += self.done + at - len(data)
                return
        view = memoryview(data)
        if self.done + len(data) - at > self.total:
            raise BundleError("damaged", "The bundle goes on where it should have ended.")
        if self._sha256:
            self._sha256.update(view[at:])
        self.done += len(data) - at
        while at < len(data):
            size = min(self._wanted - self._got, len(data) - at)
            self._in.write(view[at:at + size])
            self._got += size
            self._taken += size
            at += size
            if self._got == self._wanted:
                self._piece()

    def may_go_on(self):
        """Whether some bundle was interrupted; which one is known behind the head."""
        return bool(self._progress and self._progress.there())

    def _begin(self):
        manifest = self._head.manifest
        fit(manifest, self._running, self._downgrade)
        make = self._targets.get(manifest["kind"])
        if not make:
            raise BundleError("chip", "MicroPython itself can't be updated over the air on this board.")
        self._files = list(manifest["files"])
        self._left = 0  # bytes of the file that is open
        self._all = sum([size for _, size, _ in self._files])
        self.total = manifest["payload"][0]
        self._sha256 = hashlib.sha256()
        gc.collect()
        self._out = bytearray(_BLOCK)
        self._in = io.BytesIO()
        self._in.write(self._out)  # it never has to grow again
        self._next(2)
        payload, written = self._progress.begin(self._head.line) if self._progress else (0, 0)
        self._target = make(manifest, written)
        self._kept = self._taken = 0
        if 0 < written == self._target.written < self._all and payload < self.total:
            self._go_on(payload, written)
        self.manifest = manifest

    def _go_on(self, payload, written):
        """Behind what is in the flash. Its SHA-256 is not known any more; that of each file is looked at in the end."""
        self._sha256 = None
        self._all -= written
        self._kept = written
        self.done = self._taken = payload
        while written:
            name, size, _ = self._files.pop(0)
            if written < size:
                self._target.open(name, size, written)
                self._left = size - written
            written -= min(size, written)

    def _next(self, wanted):
        """Collect so many bytes: 2, the length of a block, or a block."""
        self._wanted, self._got = wanted, 0
        self._in.seek(0)

    def _piece(self):
        """Two bytes of length, or a whole block, are here."""
        self._in.seek(0)
        if not self._length:
            self._length = int.from_bytes(self._in.read(2), "little")
            size = self._length & ~_STORED
            if not 0 < size <= _BLOCK:
                raise BundleError("damaged", "The bundle is damaged.")
            self._next(size)
            return
        size = min(_BLOCK, self._all)
        view = memoryview(self._out)[:size]
        if self._length & _STORED:
            fine = self._wanted == size and self._in.readinto(view) == size
        else:
            fine = _inflate(self._in, view)
        if not fine:
            raise BundleError("damaged", "The bundle is damaged.")
        self._length = 0
        self._all -= size
        try:
            self._write(view)
            self._keep()
        except OSError as error:
            raise BundleError("flash_full", "The flash did not take it: %s." % error)
        self._next(2)

    def _keep(self):
        written = sum([size for _, size, _ in self.manifest["files"]]) - self._all
        if self._progress and written - self._kept >= _EVERY:
            self._target.sync()
            self._progress.keep(self._taken, written)
            self._kept = written

    def _write(self, view):
        """To the files that these bytes belong to."""
        at = 0
        while at < len(view) or self._files and not self._left:
            if not self._left:
                name, self._left, _ = self._files.pop(0)
                self._target.open(name, self._left, 0)
            size = min(self._left, len(view) - at)
            self._target.write(view[at:at + size])
            self._left -= size
            at += size
            if not self._left:
                self._target.close()

    def finish(self):
        """Verify what was written, step by step: a generator. Then the next start tries it."""
        if not self.manifest or self.done < self.total or self._all:
            raise BundleError("truncated", "The bundle ends too early.")
        if self._sha256 and hexlify(self._sha256.digest()).decode() != self.manifest["payload"][1]:
            raise BundleError("damaged", "The bundle is damaged.")
        self._in = self._out = None
        for name, size, digest in self.manifest["files"]:
            sha256 = hashlib.sha256()
            for at in range(0, size, _BLOCK):
                try:
                    sha256.update(self._target.read(name, at, min(_BLOCK, size - at)))
                except OSError as error:
                    raise BundleError("damaged", "What was written can't be read back: %s." % error)
                yield
            if hexlify(sha256.digest()).decode() != digest:
                raise BundleError("damaged", "What was written is not what was read back.")
        try:
            self._target.commit(self._head)
        except OSError as error:
            raise BundleError("flash_full", "The flash did not take it: %s." % error)
        if self._progress:
            self._progress.end()

    def abort(self, keep=False):
        """What was written so far is of no use; keep: the same bundle may go on from there later."""
        if self._target and not (keep and self._progress):
            self._target.abort()
            if self._progress:
                self._progress.end()
        self._target = self._in = self._out = None


def _inflate(stream, view):
    """Whether the raw deflate in a stream gives exactly as many bytes as there is room for in `view`."""
    import deflate
    try:
        inflated = deflate.DeflateIO(stream, deflate.RAW, _WINDOW)
        at = 0
        while at < len(view):
            got = inflated.readinto(view[at:])
            if not got:
                return False
            at += got
        return True
    except (OSError, EOFError, ValueError):
        return False
