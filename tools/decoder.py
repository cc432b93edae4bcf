# SPDX-License-Identifier: MIT
"""The part of `tools.decode` that runs in every runtime: CPython, and MicroPython in 64 and 32 bits.

    micropython decoder.py '{"key": "…", "auth_key": "…", "zone": "…", "obis": false}' FILE...

prints one JSON object for each telegram and each error, then, on standard error, what else there is to say.
Exit 0: all good; 1: at least one error.
"""

import json
import sys
from binascii import unhexlify

from wattport import posixzone
from wattport.decode.cosem import CosemDecoder, open_list, text_of
from wattport.errors import MeterError
from wattport.frame.envelope import length_at as envelope_length
from wattport.meter import Meter

CHUNK = 512


def _protocols(start):
    """Data without a frame around them are told by how the input starts, and by nothing else."""
    if start[0] in (0xE6, 0x0F) or start[0] == 0xDB and not _has_tag(start):
        from wattport.frame.bare import Bare
        return [Bare(bytes(start[:1]))]
    if start[0] == 0x7B:
        from wattport.frame.json import Json
        return [Json()]
    return "auto"


def _has_tag(envelope):
    try:
        return envelope[envelope_length(envelope, 10, len(envelope))[1]] & 0x10
    except (MeterError, IndexError):
        return True


class _Lister(CosemDecoder):
    """Shows what a list holds, readable or not."""

    def decode(self, buf, start, end):
        walker = open_list(buf, start, end, True)[0]
        values = [text_of(buf, item[0], item[1]) if isinstance(item, tuple) else item for item in walker.items]
        self.write(json.dumps({"shape": walker.shape, "items": values}))
        return CosemDecoder.decode(self, buf, start, end)


class Decoder:
    """Feed bytes, get lines: `write` is called with one JSON text each."""

    def __init__(self, options, write, start=b"/"):
        """`start`: the first bytes of what is going to be fed."""
        self.failed = False
        self._write = write
        key, auth_key = options.get("key"), options.get("auth_key")
        self.meter = Meter(self._reading, self._error, unhexlify(key) if key else None,
                           unhexlify(auth_key) if auth_key else None, options.get("zone"),
                           obis=bool(options.get("obis")), size=8192, protocol=_protocols(start),
                           profile=options.get("profile"))
        if options.get("items"):
            lister = _Lister(posixzone.parse(options.get("zone") or posixzone.CENTRAL_EUROPE), options.get("profile"))
            lister.write = write
            self.meter.decoders[0x0F] = lister

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
        decoder = decoder or Decoder(options, write, chunk)
        if not size:
            break
        decoder.meter.feed(chunk, size)
    decoder.finish()
    for text in decoder.remarks():
        remark(text)
    return not decoder.failed


def main(options, names):
    """`names` of files; options["batch"] instead: a file of [name, options] a line, to decode many in one process. Then
    each line that comes out is {"file": …, "lines": [...], "remarks": [...]}."""
    if options.get("batch"):
        with open(options["batch"]) as file:
            for name, own in json.load(file):
                lines, remarks = [], []
                with open(name, "rb") as stream:
                    decode_file(stream, own, lines.append, remarks.append)
                print(json.dumps({"file": name, "lines": lines, "remarks": remarks}))
        return 0
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
