# SPDX-License-Identifier: MIT
"""Private names made short on the way to the device.

Every distinct name costs the heap about eight bytes and its letters, for ever, and a fifth of ours are private. A
private name (one leading underscore) belongs to one module, so each module's are renamed to _a, _b, …: the same few
names in all of them. Lines stay where they are. What must not happen, and `python -m tools.lint` sees to it: a private
name used from another module, or in a text.
"""

import io
import itertools
import keyword
import string
import tokenize


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name != "_" and not keyword.iskeyword(name)


def _short_names():
    for size in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=size):
            yield "_" + "".join(letters)


def shorten(source):
    """The source text with its private names renamed, the most frequent ones shortest."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    counts = {}
    for token in tokens:
        if token.type == tokenize.NAME and is_private(token.string):
            counts[token.string] = counts.get(token.string, 0) + 1
    names = dict(zip(sorted(counts, key=lambda name: (-counts[name], name)), _short_names()))
    lines = source.splitlines(keepends=True)
    for token in reversed(tokens):
        if token.type == tokenize.NAME and token.string in names:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + names[token.string] + line[column + len(token.string):]
    return "".join(lines)
