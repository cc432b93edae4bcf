# SPDX-License-Identifier: MIT
"""Runs under MicroPython: plays the rounds of a file and tells what came out.

    modules                 the first line, names of what is imported at once
    M key auth_key zone     a new meter; "-" for none
    F n, then n bytes       feed
    S, E, K                 silence, the end, a pause

For each round one JSON line: [readings, kinds of errors, bytes free behind it]. Few names of its own: each would count.
"""

import gc
import json
import sys
from binascii import unhexlify

from wattport.meter import Meter

gc.threshold(8192)  # as main.py


def play(source, chunk):
    """One round; False at the end of the file."""
    head = source.readline().split()
    if not head:
        return False
    kinds = []
    write = sys.stdout.write
    write("[[")
    first = [""]

    def reading(what, family):
        write(first[0] + json.dumps(what))
        first[0] = ", "

    def error(what, frame):
        kinds.append(what.kind)

    keys = [None if text == b"-" else unhexlify(text) for text in head[1:3]]
    meter = Meter(reading, error, keys[0], keys[1], head[3].decode())
    while True:
        line = source.readline()
        if line == b"X\n":
            break
        if line[0] != 70:
            meter.flush(line[0] == 69, line[0] == 75)
            continue
        size = int(line[2:])
        while size:
            part = source.readinto(chunk, min(size, len(chunk)))
            meter.feed(chunk, part)
            size -= part
    del meter
    gc.collect()
    write("], %s, %d]\n" % (json.dumps(kinds), gc.mem_free()))
    return True


def main():
    chunk = bytearray(512)
    with open(sys.argv[1], "rb") as source:
        for name in source.readline().decode().split():  # what is imported late would look like a leak
            __import__(name)
        while play(source, chunk):
            pass


main()
