# SPDX-License-Identifier: MIT
"""Looks at the address of the settings: what version is there. Loaded for that, then forgotten.

The head of the bundle is all that is read, and its signature is checked as that of an update is.
"""

from wattport.modules import fetch
from wattport.update.bundle import Head, fit, version
from wattport.update.refusal import BundleError
from wattport.version import VERSION


async def manifest(url, ca, key):
    """The manifest of the bundle at an address, verified. BundleError; OSError, in words, of the way to it."""
    head = Head(fetch("wattport.update.rsa", "verify"), key)
    file = await fetch("wattport.net.http", "get")(url, ca, 0, 8192)
    try:
        buf = bytearray(512)
        while not head.manifest:
            size = await file.readinto(buf)
            if not size:
                raise BundleError("truncated", "The bundle ends too early.")
            head.feed(bytes(memoryview(buf)[:size]))
        return head.manifest
    finally:
        file.close()


async def look(app):
    """What is there goes into `app.update`: `latest`, or `error` and `detail`."""
    state = app.update
    about = fetch("wattport.update.running", "running")(VERSION)
    error = detail = ""
    try:
        key = fetch("wattport.update.trust", "key")()
        if not state["url"]:
            raise BundleError("address", "No address is set to look at: update.url.")
        found = await manifest(fetch("wattport.url", "expand")(state["url"], about["chip"]), state["ca"], key)
        fit(found, about, True)
        if found["kind"] == "application":
            state["latest"] = found["version"]
    except BundleError as wrong:
        error, detail = wrong.kind, str(wrong)
    except OSError as wrong:
        error, detail = "network", "%s" % wrong
    if error and error != state["error"]:
        app.log("warning", "update: %s: %s" % (error, detail))
    state["error"], state["detail"] = error, detail
    app.tell_update()


def is_newer(text):
    """Whether a version, or None, is newer than the one that runs."""
    return bool(text) and version(text) > version(VERSION)
