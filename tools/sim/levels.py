# SPDX-License-Identifier: MIT
"""What board.py has of a supply, where capacitor.py simulates one; the levels are those of boards/mbus."""

SUPPLY = 34
SUPPLY_DIVIDER = 2000
SUPPLY_LOW_MV, SUPPLY_OK_MV, SUPPLY_START_MV, SUPPLY_AP_MV = 3900, 4200, 4600, 4750
