# SPDX-License-Identifier: MIT
"""Prices of the market as they are kept: twice the price of each half-hour (what its quarters cost together), in micro-
units a kWh, 32 bits each with the lowest byte first. A file holds 21 days, which a block of the flash has room for:
prices/EUR00972, currency and the number of 21 days since 1970. What changes them is in `feed`.
"""

from array import array

from micropython import const

FOLDER = "prices"
COUNT = 1008  # half-hours in a file
_STEP_S = const(1800)


def path(currency, number):
    return "%s/%s%05d" % (FOLDER, currency, number)


class Market:
    """What a contract asks: `fill(currency, start, count, into)`, see `Day.spot`."""

    def fill(self, currency, start, count, into):
        at = start // _STEP_S
        done = 0
        while done < count:
            number, first = (at + done) // COUNT, (at + done) % COUNT
            size = min(count - done, COUNT - first)
            try:
                with open(path(currency, number), "rb") as file:
                    file.seek(4 * first)
                    found = array("i", file.read(4 * size))
                for i in range(len(found)):
                    into[done + i] = found[i]
            except (OSError, ValueError):
                pass
            done += size
