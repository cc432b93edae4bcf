# SPDX-License-Identifier: MIT
"""Raw deflate (RFC 1951) with a code and a history that are there already: what zlib can't write.

The modules of a slot are small and alike. Each for itself has to carry its own Huffman code, and begins with nothing
to refer to. Here they all go on where one block, the primer, left off: it brings the code and 2000 bytes of history,
ends on a byte, and whoever reads a module reads it first and goes on in the same block (`firmware/slot.py`). That such
a reader takes no byte before it needs it is a property of MicroPython's `deflate`: `host_tests/test_container.py`.
"""

from collections import defaultdict

WINDOW = 2048  # how far back a match may lie
_END = 256
_LENGTHS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
            227, 258)
_LENGTH_BITS = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0)
_DISTANCES = (1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537)
_DISTANCE_BITS = (0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9)
SYMBOLS, DISTANCES = _END + 1 + len(_LENGTHS), len(_DISTANCES)
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)  # of the lengths of the code of the code
_FAR = 1 << 30


def _classes(bases, most):
    """[the last base that is not above a number, for each number up to the most]"""
    found, at = [0] * (most + 1), 0
    for number in range(bases[0], most + 1):
        at += at + 1 < len(bases) and bases[at + 1] <= number
        found[number] = at
    return found


_LENGTH_CLASS, _DISTANCE_CLASS = _classes(_LENGTHS, 258), _classes(_DISTANCES, WINDOW)


def code_lengths(counts, longest):
    """Bits of each symbol in the best prefix code whose words are no longer than that (package-merge)."""
    symbols = sorted((count, (symbol,)) for symbol, count in enumerate(counts) if count)
    lengths = [0] * len(counts)
    if len(symbols) < 2:
        for _, inside in symbols:
            lengths[inside[0]] = 1
        return lengths
    packages = []
    for _ in range(longest):
        merged = sorted(symbols + packages)
        packages = [(one[0] + two[0], one[1] + two[1]) for one, two in zip(merged[::2], merged[1::2])]
    for _, inside in packages[:len(symbols) - 1]:
        for symbol in inside:
            lengths[symbol] += 1
    return lengths


def _words(lengths):
    """[(bits as they are written, how many), ...]: a word's first bit goes first."""
    words, word = [(0, 0)] * len(lengths), 0
    for size in range(1, 16):
        for symbol, length in enumerate(lengths):
            if length == size:
                words[symbol] = int(format(word, "0%db" % size)[::-1], 2), size
                word += 1
        word <<= 1
    return words


class Code:
    """`symbols`, `distances`: bits of each word, all of them above 0."""

    def __init__(self, symbols, distances):
        self.symbols, self.distances = symbols, distances
        self.symbol_words, self.distance_words = _words(symbols), _words(distances)
        self.length_cost = [0] * 3 + [symbols[_END + 1 + _LENGTH_CLASS[length]] + _LENGTH_BITS[_LENGTH_CLASS[length]]
                                      for length in range(3, 259)]
        self.distance_cost = [distances[kind] + _DISTANCE_BITS[kind] for kind in range(DISTANCES)]

    def header(self, bits):
        """The start of the one block: last, with a code of its own."""
        bits.write(0b101, 3)
        bits.write(SYMBOLS - 257, 5)
        bits.write(DISTANCES - 1, 5)
        bits.write(len(_ORDER) - 4, 4)
        runs = list(_runs(self.symbols + self.distances))
        counts = [0] * len(_ORDER)
        for symbol, _, _ in runs:
            counts[symbol] += 1
        lengths = code_lengths(counts, 7)
        for symbol in _ORDER:
            bits.write(lengths[symbol], 3)
        words = _words(lengths)
        for symbol, more, size in runs:
            bits.write(*words[symbol])
            bits.write(more, size)


def _runs(lengths):
    """[(symbol, extra bits, how many)]: a length, or that the last one comes 3 to 6 times more."""
    at = 0
    while at < len(lengths):
        end = at
        while end < len(lengths) and lengths[end] == lengths[at]:
            end += 1
        yield lengths[at], 0, 0
        at += 1
        while end - at >= 3:
            more = min(end - at, 6)
            yield 16, more - 3, 2
            at += more


class _Bits:
    def __init__(self):
        self.value = self.size = 0

    def write(self, value, size):
        self.value |= value << self.size
        self.size += size

    def bytes(self):
        return self.value.to_bytes((self.size + 7) // 8, "little")


def matches(data, start):
    """For each place from `start` on [(length, distance), ...]: longer and longer ones, each as near as can be."""
    seen, found = defaultdict(list), []
    for at in range(len(data)):
        key, best, here = data[at:at + 3], 2, []
        if at >= start and len(key) == 3:
            most = min(258, len(data) - at)
            for before in reversed(seen[key]):
                if at - before > WINDOW:
                    break
                if best < most and data[before + best] == data[at + best]:
                    length = 3
                    while length < most and data[before + length] == data[at + length]:
                        length += 1
                    if length > best:
                        here.append((length, at - before))
                        best = length
                        if best == most:
                            break
        if at >= start:
            found.append(here)
        seen[key].append(at)
    return found


def cheapest(data, start, found, code):
    """[(literal, 0) or (length, distance), ...]: of all ways to write data[start:] the one with the fewest bits."""
    size = len(data) - start
    cost, step = [_FAR] * (size + 1), [None] * (size + 1)
    cost[0] = 0
    symbols, length_cost, distance_cost = code.symbols, code.length_cost, code.distance_cost
    for at, places in enumerate(found):
        here = cost[at]
        price = here + symbols[data[start + at]]
        if price < cost[at + 1]:
            cost[at + 1], step[at + 1] = price, (1, 0)
        shortest = 3
        for longest, distance in places:
            there = here + distance_cost[_DISTANCE_CLASS[distance]]
            for length in range(shortest, longest + 1):
                price = there + length_cost[length]
                if price < cost[at + length]:
                    cost[at + length], step[at + length] = price, (length, distance)
            shortest = longest + 1
    tokens, at = [], size
    while at:
        length, distance = step[at]
        at -= length
        tokens.append((length, distance) if distance else (data[start + at], 0))
    return tokens[::-1]


def count(tokens, symbols, distances):
    """Adds to both how often each is needed."""
    symbols[_END] += 1
    for value, distance in tokens:
        symbols[_END + 1 + _LENGTH_CLASS[value] if distance else value] += 1
        if distance:
            distances[_DISTANCE_CLASS[distance]] += 1


def _write(bits, tokens, code):
    for value, distance in tokens:
        if distance:
            kind = _LENGTH_CLASS[value]
            bits.write(*code.symbol_words[_END + 1 + kind])
            bits.write(value - _LENGTHS[kind], _LENGTH_BITS[kind])
            kind = _DISTANCE_CLASS[distance]
            bits.write(*code.distance_words[kind])
            bits.write(distance - _DISTANCES[kind], _DISTANCE_BITS[kind])
        else:
            bits.write(*code.symbol_words[value])


def primer(history, code):
    """The block that is read first: it gives `history`, ends on a byte, and does not end the block."""
    tokens = cheapest(history, 0, matches(history, 0), code)
    at = len(history)
    while tokens:  # of the last bytes as many as it takes are written one by one
        bits = _Bits()
        code.header(bits)
        _write(bits, tokens, code)
        _write(bits, [(byte, 0) for byte in history[at:]], code)
        if bits.size % 8 == 0:
            return bits.bytes()
        value, distance = tokens.pop()
        at -= value if distance else 1
    raise ValueError("this history never ends on a byte")


def behind(history, code, data):
    """`data` as it goes on behind the primer of the same history and code."""
    whole = history + data
    bits = _Bits()
    _write(bits, cheapest(whole, len(history), matches(whole, len(history)), code), code)
    bits.write(*code.symbol_words[_END])
    return bits.bytes()
