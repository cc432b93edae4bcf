# SPDX-License-Identifier: MIT
"""Physical units of the Blue Book, 4.3.2, by their codes: those that a Reading has, as `reading.unit_of` has them."""

UNITS = {27: "W", 28: "VA", 29: "VAR", 30: "WH", 31: "VAH", 32: "VARH", 33: "A", 35: "V", 44: "HZ"}
