# SPDX-License-Identifier: MIT
"""The same broken telegrams on the 32-bit port, in a heap as small as a device's: what comes out must be what came out
on CPython, and the heap must stay as free as it was."""

import json
import random
import subprocess

from tools.compile import micropython
from tools.fuzz import player
from tools.fuzz.judge import Finding
from tools.paths import FIRMWARE

HEAP = "136k"
CASES = 12  # a round: its errors are a list in that heap
SILENCES = {False: b"S\n", True: b"E\n", None: b"K\n"}
SLACK = 2048  # bytes that rounds may differ by, as their meters' tables differ


def modules():
    """Those that stay when they have been imported once."""
    for folder in ("frame", "crypto", "decode"):
        for path in sorted((FIRMWARE / "wattport" / folder).glob("*.py")):
            if path.stem not in ("plan", "profile", "verdict"):
                yield "wattport.%s.%s" % (folder, path.stem)


def written(line, transcript):
    """A round in the form that `reader` takes."""
    keys = [key.hex() if key else "-" for key in (line.key, line.auth_key)]
    lines = [("M %s %s %s\n" % (*keys, line.zone or "CET-1CEST,M3.5.0,M10.5.0/3")).encode()]
    for piece in transcript:
        lines.append(b"F %d\n" % len(piece) + piece if isinstance(piece, bytes) else SILENCES[piece])
    return b"".join(lines) + b"X\n"


def run(lines, count, seed, folder, runtime="micropython32", heap=HEAP):
    """(frames, readings, bytes free early, bytes free late); Finding when the two differ."""
    stats, work = player.fresh_stats(), player.Work()
    some = [line for line in lines if not line.protocol]
    path = folder / "rounds.bin"
    played = []
    with path.open("wb") as file:
        file.write(" ".join(modules()).encode() + b"\n")
        while stats["frames"] < count:
            line = some[len(played) % len(some)]
            chance = random.Random("%s/chip/%d" % (seed, len(played)))
            done = player.play_round(line, lines, chance, CASES, work, 0, stats)
            file.write(written(line, done.transcript))
            played.append((line, done.readings, done.kinds))
    words, environment = micropython(runtime, heap=heap)
    reader = str(path.parent / "reader.py")
    with open(reader, "w") as file, open(__file__.replace("chip.py", "reader.py")) as source:
        file.write(source.read())
    done = subprocess.run([*words, reader, str(path)], env=environment, capture_output=True, text=True)
    told = done.stdout.splitlines()
    for number, (line, readings, kinds) in enumerate(played):
        where = "round %d, %s" % (number, line.name)
        if number >= len(told) or not told[number].endswith("]"):
            raise Finding("%s: it stopped: %s" % (where, (done.stderr or done.stdout)[-1500:]))
        theirs = json.loads(told[number])
        if theirs[0] != readings:
            raise Finding("%s: %r there, %r on CPython" % (where, theirs[0], readings))
        if theirs[1] != kinds:
            raise Finding("%s: errors %r there, %r on CPython" % (where, theirs[1], kinds))
    free = [json.loads(line)[2] for line in told]
    # what the stack still seems to point at stays, so that the best of some counts
    quarter = len(free) // 4
    early, late = max(free[quarter:2 * quarter]), max(free[-quarter:])
    if late < early - SLACK:
        raise Finding("%d bytes were free, then %d" % (early, late))
    return stats["frames"], stats["readings"], early, late
