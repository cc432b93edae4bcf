# SPDX-License-Identifier: MIT
"""Before main.py, in an image that has the application frozen in: there are no slots, so only the imports are put in
order. See boards/README.md."""

import sys

# what is frozen comes first: the pages lie in a folder of the flash that is called like the package
sys.path[:] = [".frozen", "", "/lib"]
# an import of these looks through every folder first, each time; once known here, it does not
for name in ("array", "binascii", "cryptolib", "errno", "hashlib", "io", "json", "machine", "os", "random", "re",
             "select", "socket", "struct", "time"):
    sys.modules[name] = __import__(name)
