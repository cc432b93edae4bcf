# SPDX-License-Identifier: MIT
"""Before anything else: the application lives in a folder of its own, a slot."""

import sys

sys.path.insert(0, "/slot_a")
