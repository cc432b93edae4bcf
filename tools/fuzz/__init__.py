# SPDX-License-Identifier: MIT
"""Broken telegrams of every family, fed to the firmware by the million: see `__main__`."""
