# SPDX-License-Identifier: MIT
"""What is to be done at the end of a half-hour, beside the meter's task: rows, then the totals of days that are over.
Loaded for it, then forgotten, and so are the rooms that it uses: never two of them at a time."""

import asyncio
import gc

from wattport.history.place import HALF_HOUR_S, let_go
from wattport.modules import load


async def run(half, zone, log):
    """half: a HalfHour with marks. What cannot be written is made up for later, as the registers go on."""
    marks, half.marks = half.marks, []
    kept, half.kept = half.kept, None
    gc.collect()
    try:
        ledger = load("wattport.history.ledger", "Ledger")(kept)
        for _ in ledger.load():
            await asyncio.sleep(0)
        for mark in marks:
            ledger.take(mark)
            await asyncio.sleep(0)
        ledger.flush()
        half.kept = ledger.kept()
        marks = ()
        closed = None if ledger.next is None else ledger.next * HALF_HOUR_S
        del ledger
        let_go()
        if closed is not None and (closed + zone.offset(closed)) // 86400 != half.day:
            gc.collect()
            for told in load("wattport.history.rollup", "catch_up")(zone, closed):
                due = told
                await asyncio.sleep(0)
            half.day = due
    except OSError as error:
        marks = ()
        log.limited("history", "error", "the history can't be written: %s" % error)
    except (ValueError, KeyError, TypeError) as error:  # a file that is none of ours
        marks = ()
        log.limited("history", "error", "the history can't be read: %r" % error)
    finally:
        half.marks[:0] = marks  # no heap: later
        let_go()
