# SPDX-License-Identifier: MIT
"""Names made short on the way to the device, where every distinct one costs the heap eight bytes and its letters, for
ever. Two kinds of names are nobody else's business and are renamed, to the same few in every module:

- private names (one leading underscore), which belong to one module; to _a, _b, …
- parameters without a default, which are passed by position; to a, b, …

Lines stay where they are. What must not happen, and `python -m tools.lint` sees to it: a private name used from another
module, or in a text. A parameter passed by its name all the same is a TypeError in the first test that does it.
"""

import ast
import io
import itertools
import keyword
import string
import tokenize

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name != "_" and not keyword.iskeyword(name)


def _letters():
    for size in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=size):
            yield "".join(letters)


def _by_frequency(counts, taken, prefix=""):
    """{name: short name}, the most frequent names first in line; none of `taken` is used."""
    short = (prefix + letters for letters in _letters() if prefix + letters not in taken)
    return {name: next(short) for name in sorted(counts, key=lambda name: (-counts[name], name))}


def _outermost(tree):
    """Functions and methods, but no functions inside of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _FUNCTIONS):
            yield node
        elif not isinstance(node, ast.expr):
            yield from _outermost(node)


def _positional(function):
    """Parameters of a function, and of those inside of it, that can be renamed."""
    found, kept = set(), {"self", "cls"}
    for node in ast.walk(function):
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            names = [argument.arg for argument in node.args.args]
            optional = len(node.args.defaults)
            found.update(names[:len(names) - optional])
            kept.update(names[len(names) - optional:])
            kept.update(argument.arg for argument in (node.args.vararg, node.args.kwarg) if argument)
        elif isinstance(node, ast.keyword):
            kept.add(node.arg)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            kept.update(node.names)
        elif isinstance(node, ast.JoinedStr):
            kept.update(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    return {name for name in found - kept if not is_private(name) and len(name) > 1}


def shorten(source, parameters=True):
    """The source text with its private names and, if wanted, its positional parameters renamed."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    # neither an attribute nor a function's name is a parameter, whatever it is called
    names = [(token, before.string in (".", "def")) for before, token in zip([tokens[0], *tokens], tokens)
             if token.type == tokenize.NAME]
    counts = {}
    for token, _ in names:
        if is_private(token.string):
            counts[token.string] = counts.get(token.string, 0) + 1
    private = _by_frequency(counts, (), "_")
    spans = []
    for function in _outermost(ast.parse(source)) if parameters else ():
        inside = [token.string for token, other in names
                  if not other and function.lineno <= token.start[0] <= function.end_lineno]
        wanted = _positional(function)
        counts = {name: inside.count(name) for name in wanted}
        spans.append((function.lineno, function.end_lineno, _by_frequency(counts, set(inside) - wanted)))
    lines = source.splitlines(keepends=True)
    for token, other in reversed(names):
        short = private.get(token.string)
        if not short and not other:
            for first, last, mapping in spans:
                if first <= token.start[0] <= last:
                    short = mapping.get(token.string)
        if short:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + short + line[column + len(token.string):]
    return "".join(lines)
