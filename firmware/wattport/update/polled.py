# SPDX-License-Identifier: MIT
"""Looks at the address of the settings every few hours, and where they say so installs what is newer. Loaded where
that is set."""

import asyncio
import random

from micropython import const

from wattport.modules import fetch
from wattport.update.refusal import BundleError

_FIRST_S = const(120)  # the meter, the time and the broker come first


async def _pause(seconds):
    """And up to an eighth more: the dongles of a town start together after a power cut."""
    for _ in range(seconds + seconds * random.getrandbits(6) // 512):
        await asyncio.sleep_ms(1000)


async def run(app):
    """For ever."""
    state = app.update
    await _pause(_FIRST_S)
    while True:
        while not app.connected() or app.trial:
            await asyncio.sleep_ms(1000)
        if app.supply:
            await app.supply.settle()
        await fetch("wattport.update.check", "look")(app)
        if state["auto"] and state["latest"]:
            _install(app, state["latest"])
        fetch("wattport.update.state", "let_go")()
        await _pause(3600 * state["interval_h"])


def _install(app, latest):
    """A version that did not prove itself, or was not taken, is not tried again by itself."""
    refused = fetch("wattport.update.job", "read")().get("version")
    failed = fetch("wattport.update.slots", "read")().get("failed")
    if latest in (refused, failed) or not fetch("wattport.update.check", "is_newer")(latest):
        return
    try:
        fetch("wattport.update.job", "begin")(app, kind="pull", url=app.update["url"])
    except (BundleError, OSError) as error:
        app.log("warning", "update: %s" % error)
