# SPDX-License-Identifier: MIT
"""The names of the sources in a traceback from a device: tools/slot.py has given the functions others.

    python -m tools.trace < console.txt

It has to be the program of these very sources. A name that several functions of a module have gives them all.
"""

import json
import re
import sys

from tools.compile import slot_tree

_LINE = re.compile(r'File "(\w+)", line \d+, in (\w+)')


def told(text, trace):
    """The text, with what was meant behind each place. trace: {file: {new: [old, ...]}}."""
    def old(match):
        module, name = match.groups()
        found = trace.get(module, {}).get(name)
        return match.group() + (" = " + " or ".join(found) if found else "")

    return _LINE.sub(old, text)


class Names:
    """The same, line by line; the program is compiled for it with the first line that needs it."""

    def __init__(self, trace=None):
        self._trace = trace

    def told(self, line):
        if not _LINE.search(line):
            return line
        if self._trace is None:
            self._trace = json.loads((slot_tree("xtensawin") / "names.json").read_text())
        return told(line, self._trace)


if __name__ == "__main__":
    sys.stdout.write(Names().told(sys.stdin.read()))
