# SPDX-License-Identifier: MIT
"""The part of `tools.decode` that runs in every runtime: CPython, and MicroPython in 64 and 32 bits.

    micropython decoder.py '{"key": "…", "auth_key": "…", "zone": "…", "obis": false}' FILE...

prints one JSON object for each telegram and each error, then, on standard error, what else there is to say.
Exit 0: all good; 1: at least one error.
"""

import json
import sys
from binascii import unhexlify

from wattport.meter import Meter

CHUNK = 512


def _protocols(first):
    if first in (0xE6, 0x0F):
        from wattport.frame.bare import Bare
        return [Bare(bytes([first]))]
    return "auto"


class Decoder:
    """Feed bytes, get lines: `write` is called with one JSON text each."""

    def __init__(self, options, write, first=0):
        """`first`: the first byte of what is going to be fed, as data without a frame can be told by nothing else."""
        self.failed = False
        self._write = write
        key, auth_key = options.get("key"), options.get("auth_key")
        self.meter = Meter(self._reading, self._error, unhexlify(key) if key else None,
                           unhexlify(auth_key) if auth_key else None, options.get("zone"),
                           obis=bool(options.get("obis")), size=8192, protocol=_protocols(first),
                           profile=options.get("profile"))

    def _reading(self, reading, family):
        line = {"family": family}
        codes = reading.pop("obis", None)
        line["reading"] = reading
        if codes is not None:
            line["obis"] = codes
        self._write(json.dumps(line))

    def _error(self, error, frame):
        self.failed = True
        self._write(json.dumps({"error": error.kind, "detail": error.detail}))

    def finish(self):
        """The input has ended: what is half is an error, and so is an input with nothing in it."""
        self.meter.flush(True)
        counters = self.meter.counters
        if not counters.telegrams and not self.failed:
            self.failed = True
            self._write(json.dumps({"error": "malformed", "detail": "no telegram in the input"}))

    def remarks(self):
        """What a person should know besides."""
        if self.meter.garbage:
            yield "%d bytes between telegrams skipped" % self.meter.garbage
        if self.meter.counters.key_unused:
            yield "%d telegrams were not encrypted, the key was not needed" % self.meter.counters.key_unused
        if self.meter.counters.stale:
            yield "the frame counter of %d telegrams had not risen" % self.meter.counters.stale
        if self.meter.key_verdict:
            yield self.meter.key_verdict


def decode_file(stream, options, write, remark):
    """Decode a binary stream to its end; True when all of it was good."""
    decoder = None
    chunk = bytearray(CHUNK)
    while True:
        size = stream.readinto(chunk)
        decoder = decoder or Decoder(options, write, chunk[0])
        if not size:
            break
        decoder.meter.feed(chunk, size)
    decoder.finish()
    for text in decoder.remarks():
        remark(text)
    return not decoder.failed


def main(options, names):
    good = True
    for name in names:
        def remark(text, name=name):
            print(name + ": " + text, file=sys.stderr)
        stream = sys.stdin.buffer if name == "-" else open(name, "rb")
        try:
            good = decode_file(stream, options, print, remark) and good
        finally:
            if name != "-":
                stream.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
