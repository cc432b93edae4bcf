# SPDX-License-Identifier: MIT
"""How far a download has come, so that a power cut need not begin it anew: the file update.part, for people without
meaning:

    of        SHA-256 of the manifest's line and the slot that runs, hexadecimal digits: what goes on has to be the same
    payload   bytes of the payload that are in the flash, whole blocks of it
    written   bytes of the files that they gave

What they gave is in the flash before this says so, and is read back with all the rest before the switch.
"""

import hashlib
import json
import os
from binascii import hexlify

from wattport.modules import fetch

PATH = "update.part"


def read():
    """(of, payload, written); ("", 0, 0) where there is none."""
    try:
        with open(PATH) as file:
            found = json.load(file)
        payload, written = found["payload"], found["written"]
        if isinstance(payload, int) and isinstance(written, int) and payload > 0 and written > 0:
            return found["of"], payload, written
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return "", 0, 0


def forget():
    try:
        os.remove(PATH)
    except OSError:
        pass


class Progress:
    """runs: the slot that does."""

    def __init__(self, runs):
        self._runs = runs
        self._of = ""

    def there(self):
        """Whether there is something to go on from."""
        return read()[1] > 0

    def begin(self, line):
        """(payload, written) of a bundle with this manifest, the line that was signed."""
        self._of = hexlify(hashlib.sha256(line + self._runs.encode()).digest()).decode()
        of, payload, written = read()
        return (payload, written) if of == self._of else (0, 0)

    def keep(self, payload, written):
        """OSError when the flash is full."""
        fetch("wattport.files", "replace")(PATH, json.dumps(
            {"of": self._of, "payload": payload, "written": written}), False)

    def end(self):
        forget()
