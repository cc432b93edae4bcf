# SPDX-License-Identifier: MIT
"""Before anything else: the application lives in a folder of its own, a slot."""

import sys

# An import of a built-in module that could be extended looks through every folder first, each time; once known here,
# it does not. A start has hundreds of such looks, and each reads the flash a dozen times.
sys.path[:] = [".frozen"]
for name in ("array", "binascii", "cryptolib", "errno", "hashlib", "io", "json", "machine", "os", "random", "re",
             "select", "socket", "struct", "time"):
    sys.modules[name] = __import__(name)
# one letter: the heap keeps the path of every module
sys.path[:] = [".frozen", "/a", "", "/lib"]
