# SPDX-License-Identifier: MIT
"""What the deflated modules of a slot share (tools/deflate.py): a code, and a history of what is often in them. It is
learnt from them now and then, by `python -m tools.primer`, and kept in primer.txt; what it says is in each slot itself,
so it may change at any time.
"""

import sys
from collections import Counter
from pathlib import Path

from tools import deflate

SIZE = 2000  # bytes of history; firmware/slot.py
_KEPT = Path(__file__).with_suffix(".txt")
_PIECE, _PART = 16, 5  # bytes that are taken at once, and those of them that are counted
_ROUNDS = 3


def _learnt_history(modules):
    """Piece after piece, the one whose parts are in most modules and not taken yet; the best ones last, where they are
    near."""
    counts = Counter()
    for data in modules:
        counts.update({data[at:at + _PART] for at in range(len(data) - _PART + 1)})
    worth = {part: count - 1 for part, count in counts.items() if count > 2}
    history = b""
    while len(history) < SIZE:
        best, piece = 0, None
        for data in modules:
            values = [worth.get(data[at:at + _PART], 0) for at in range(len(data) - _PART + 1)]
            total = sum(values[:_PIECE - _PART])
            for at in range(len(values) - _PIECE + _PART):
                total += values[at + _PIECE - _PART]
                if total > best:
                    best, piece = total, data[at:at + _PIECE]
                total -= values[at]
        while worth.get(piece[:_PART], 0) == 0:
            piece = piece[1:]
        while worth.get(piece[-_PART:], 0) == 0:
            piece = piece[:-1]
        for at in range(len(piece) - _PART + 1):
            worth.pop(piece[at:at + _PART], None)
        history = piece + history
    return history[-SIZE:]


def _learnt_code(history, modules):
    code = deflate.Code([8] * deflate.SYMBOLS, [5] * deflate.DISTANCES)
    found = [deflate.matches(history + data, len(history)) for data in modules]
    for _ in range(_ROUNDS):
        symbols, distances = [1] * deflate.SYMBOLS, [1] * deflate.DISTANCES
        for data, places in zip(modules, found):
            deflate.count(deflate.cheapest(history + data, len(history), places, code), symbols, distances)
        code = deflate.Code(deflate.code_lengths(symbols, 15), deflate.code_lengths(distances, 15))
    return code


def _load():
    history, *code = _KEPT.read_text().partition("\n")[2].split("\n\n")
    return bytes.fromhex(history), deflate.Code(*([int(digit, 16) for digit in digits.replace("\n", "")]
                                                  for digits in code))


def _lines(text):
    return "\n".join(text[at:at + 118] for at in range(0, len(text), 118)) + "\n"


def learn(modules):
    """Write primer.txt anew, for a slot's modules: [bytes, ...]."""
    history = _learnt_history(modules)
    code = _learnt_code(history, modules)
    _KEPT.write_text("# made by python -m tools.primer: the history, the bits of each symbol and of each distance\n"
                     + "\n".join(map(_lines, (history.hex(), "".join("%x" % bits for bits in code.symbols),
                                              "".join("%x" % bits for bits in code.distances)))))


if __name__ == "__main__":
    from tools.compile import shipped, slot_tree
    learn([path.read_bytes() for path in shipped(slot_tree("xtensawin")) if path.suffix == ".mpy"])
    sys.exit()

HISTORY, CODE = _load()
BLOCK = deflate.primer(HISTORY, CODE)
