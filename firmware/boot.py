# SPDX-License-Identifier: MIT
"""Before anything else: the application lies in a slot, the folder /f, which is mounted as /a (see slot.py)."""

import sys

import vfs
from slot import Slot

# An import of a built-in module that could be extended looks through every folder first, each time; once known here,
# it does not. A start has hundreds of such looks, and each reads the flash a dozen times.
sys.path[:] = [".frozen"]
for name in ("array", "binascii", "cryptolib", "errno", "hashlib", "io", "json", "machine", "os", "random", "re",
             "select", "socket", "struct", "time"):
    sys.modules[name] = __import__(name)
vfs.mount(Slot("/f"), "/a")
# one letter: the heap keeps the path of every module
sys.path[:] = [".frozen", "/a", "", "/lib"]
