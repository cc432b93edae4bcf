# SPDX-License-Identifier: MIT
"""Many dongles at once: found, shown, and updated in stages. See docs/fleet.md."""

from tools import cpython

cpython.install()
