# SPDX-License-Identifier: MIT
"""What an update is to do after the restart, and how the last one ended: the file update.json. Loaded for its moment.

The heap has no room for an update beside the meter, the broker and the dashboard, so the dongle starts into the
`receiver` for it. What that is told:

    kind       "upload", from whoever has the ticket, or "pull", from an address
    left       starts that are left for it: a power cut ends an upload; a pull goes on, see `progress`
    payload    how far that had come at the start before
    alive      what works now and has to work again after the update, words, see `trial`
    portal     the set-up's own Wi-Fi is what runs
    ticket     SHA-256 of it, hexadecimal digits; url, downgrade: of a pull

and, once it is over without a new version: `error` and `detail` as BundleError has them, `version` where it is known.
"""

import hashlib
import json
import os
from binascii import hexlify

import machine
from micropython import const

from wattport.modules import fetch
from wattport.update import slots
from wattport.update.refusal import BundleError

PATH = "update.json"
_STARTS = const(2)  # fewer than what makes a slot give way


def read():
    try:
        with open(PATH) as file:
            found = json.load(file)
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _write(job):
    fetch("wattport.files", "replace")(PATH, job)


def _alive(app):
    words = []
    state = app.health.meter_state()
    if state != "silent":
        words.append("meter" if state == "ok" else "bytes")
    if app.publisher and app.publisher.status["connected"]:
        words.append("mqtt")
    return " ".join(words)


def check(app):
    """BundleError when no update can be taken at all."""
    if not app.slot:
        raise BundleError("busy", "This program does not run from a slot: it is updated as it was installed.")
    fetch("wattport.update.trust", "key")()
    record = slots.read()
    if record.get("trial") or record.get("micropython"):
        raise BundleError("busy", "A new version is being tried out: wait until that is decided.")


def begin(app, **job):
    """Restart for an update. BundleError, OSError."""
    check(app)
    job.update({"alive": _alive(app), "portal": app.portal})
    job["left"] = 1 if job["kind"] == "upload" else _STARTS
    _write(job)
    app.restart()


def begin_upload(app):
    """The ticket for it, hexadecimal digits."""
    ticket = hexlify(os.urandom(16))
    begin(app, kind="upload", ticket=hexlify(hashlib.sha256(ticket).digest()).decode())
    return ticket.decode()


def take():
    """The job that this start is for, or None; it counts."""
    job = read()
    if "kind" not in job:
        return None
    if job["kind"] == "pull" and machine.reset_cause() != machine.WDT_RESET:
        _, payload, _ = fetch("wattport.update.progress", "read")()
        if payload > job.get("payload", 0):  # what comes nearer may take as many starts as it needs
            job.update({"left": _STARTS, "payload": payload})
    if not isinstance(job.get("left"), int) or job["left"] < 1:
        end("interrupted", "The update was interrupted." if job["kind"] == "upload" else
            "The update was interrupted %d times." % _STARTS)
        return None
    job["left"] -= 1
    _write(job)
    return job


def end(error="", detail="", version=""):
    """It is over: by a new version that is to be tried, or by an error."""
    try:
        if error:
            _write({"error": error, "detail": detail, "version": version})
        else:
            os.remove(PATH)
    except OSError:  # it ends all the same: the starts are counted
        pass
