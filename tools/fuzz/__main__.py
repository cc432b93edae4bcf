# SPDX-License-Identifier: MIT
"""`make fuzz COUNT=1000000 SEED=1`: broken telegrams of every family, real and simulated, and random bytes, fed to the
firmware on CPython, with everything checked that must always be so (`player`, `judge`). The same seed plays the same.

What is wrong is written to .build/fuzz/ as a transcript, which `python -m tools.fuzz --replay FILE` plays again.
Exit 0: nothing found; 1: something.
"""

import argparse
import json
import random
import sys
import time
import traceback

from tools.fuzz import lines, player
from tools.paths import BUILD

MOST_FINDINGS = 20


def shorter(document):
    """The transcript with whatever left out that is not needed for the same kind of failure."""
    def fails(transcript):
        try:
            player.replay({**document, "transcript": transcript})
        except Exception as wrong:
            return type(wrong).__name__ == document["error"].partition(":")[0]
        return False
    transcript = document["transcript"]
    if not fails(transcript):
        return document  # a good telegram that was lost, say: nothing in the transcript alone says so
    size = len(transcript) // 2
    tries = 400
    while size and tries:
        at = 0
        while at < len(transcript) and tries:
            tries -= 1
            less = transcript[:at] + transcript[at + size:]
            if fails(less):
                transcript = less
            else:
                at += size
        size //= 2
    return {**document, "transcript": transcript}


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="broken frames (default: a million)")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", default="", help="lines whose name contains this")
    parser.add_argument("--traced", type=float, default=0.02, help="share of cases whose steps are counted")
    parser.add_argument("--replay", metavar="FILE", help="play a transcript again")
    options = parser.parse_args()
    if options.replay:
        with open(options.replay) as file:
            player.replay(json.load(file))
        print("nothing wrong any more")
        return 0
    every = [line for line in lines.every() if options.only in line.name]
    stats, work = player.fresh_stats(), player.Work()
    folder = BUILD / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    begin = time.monotonic()
    told = [begin]

    def on_finding(number, line, wrong):
        document = shorter(player.kept(line, wrong.transcript, wrong))
        path = folder / ("%s-%d.json" % (options.seed, number))
        path.write_text(json.dumps(document))
        found.append(path)
        where = traceback.extract_tb(wrong.__traceback__)[-1]
        print("%s round %d %s: %s (%s:%d)" % (path, number, line.name, document["error"][:500], where.filename,
                                              where.lineno), flush=True)
        if len(found) >= MOST_FINDINGS:
            sys.exit("too much is wrong")

    def chance_of(text):
        if time.monotonic() - told[0] > 30:
            told[0] = time.monotonic()
            print("%d s: %s" % (told[0] - begin, player.summary(stats, work)), file=sys.stderr, flush=True)
        return random.Random(text)

    player.rounds(every, options.count, options.seed, chance_of, options.traced, stats, work, on_finding)
    print(player.summary(stats, work))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
