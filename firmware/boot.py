# SPDX-License-Identifier: MIT
"""Before anything else: the application lives in a folder of its own, a slot."""

import sys

# one letter: the heap keeps the path of every module
sys.path.insert(0, "/a")
