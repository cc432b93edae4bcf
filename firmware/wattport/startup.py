# SPDX-License-Identifier: MIT
"""What runs: the application, or the receiver of an update that somebody restarted for. Loaded at the start, and gone
when that runs."""

import os

from wattport.log import Log
from wattport.modules import fetch, forget, load


def _document(log):
    """The settings. Those that are wrong are named, and what is right is used: the meter is read all the same."""
    from wattport import settings
    wrong = []
    document = settings.load(settings.PATH, wrong)
    for text in wrong:
        log("error", "setting refused: %s" % text)
    del settings
    forget("wattport.settings")
    return document


def begin(make):
    """What is to be awaited, for ever. make: App."""
    log = Log()
    job = None
    try:
        os.stat("update.json")
        job = fetch("wattport.update.job", "take")()
        fetch("wattport.update.state", "let_go")()
    except OSError:
        pass
    if job:
        return load("wattport.update.receiver", "run")(_document(log), log, job)
    asked = load("wattport.button", "asked")()
    forget("wattport.button")
    return make(_document(log), log, asked).run()
