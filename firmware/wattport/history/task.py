# SPDX-License-Identifier: MIT
"""What is to be done at the end of a half-hour, beside the meter's task: rows, then the totals of days that are over.
Loaded for it, then forgotten."""

import asyncio

from wattport.history import days, store
from wattport.history.ledger import Ledger

store.let_go()


async def run(half, zone, log):
    """half: a HalfHour with marks. What cannot be written is made up for later, as the registers go on."""
    marks, half.marks = half.marks, []
    try:
        ledger = Ledger(half.kept)
        half.kept = None
        for mark in marks:
            ledger.take(mark)
            await asyncio.sleep(0)
        ledger.flush()
        half.kept = ledger.kept()
        closed = None if ledger.next is None else ledger.next * store.HALF_HOUR_S
        del ledger
        if closed is not None and days.number(zone, closed) != half.day:
            for told in days.catch_up(zone, closed):
                due = told
                await asyncio.sleep(0)
            half.day = due
    except OSError as error:
        log.limited("history", "error", "the history can't be written: %s" % error)
    except (ValueError, KeyError, TypeError) as error:  # a file that is none of ours
        log.limited("history", "error", "the history can't be read: %r" % error)
        half.kept = None
