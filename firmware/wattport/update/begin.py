# SPDX-License-Identifier: MIT
"""An Install for what runs here: its slot, its version, its key. Loaded when a bundle comes, then forgotten."""

from wattport.modules import fetch, forget, load
from wattport.update.bundle import BundleError
from wattport.version import VERSION


def alive(app):
    """What works now, and has to work again after the update: words, see `trial`."""
    words = []
    state = app.health.meter_state()
    if state != "silent":
        words.append("meter" if state == "ok" else "bytes")
    if app.publisher and app.publisher.status["connected"]:
        words.append("mqtt")
    return " ".join(words)


def install(app, downgrade=False):
    """BundleError when no update can be taken at all."""
    runs = app.slot
    if not runs:
        raise BundleError("busy", "This program does not run from a slot: it is updated as it was installed.")
    from wattport.update import slots
    key = slots.trusted(slots.read())
    del slots
    forget("wattport.update.slots")
    if not key:
        raise BundleError("no_key", "This dongle has no key to check an update with: it was flashed without one.")
    works = alive(app)
    about = fetch("wattport.update.running", "running")(VERSION)

    def folder(manifest):
        return load("wattport.update.folder", "Folder")(manifest, runs, works, key, ready)

    def partition(manifest):
        return load("wattport.update.partition", "Partition")(manifest, runs, about["micropython"], works, key)

    targets = {"application": folder, "micropython": partition}
    return fetch("wattport.update.install", "Install")(
        key, fetch("wattport.update.rsa", "verify"), about, targets, downgrade)


def ready(manifest):
    """Before another program takes over: settings in its form, where that is an older one."""
    from wattport import settings
    forget("wattport.settings")
    if manifest.get("settings", 1) < settings.SCHEMA:
        fetch("wattport.migrate", "hand_down")(settings.read(), manifest.get("settings", 1), settings.SCHEMA,
                                               settings.PATH)


def done():
    """Let go of what an Install, gone by now, has loaded."""
    for name in "bundle folder install partition slots".split():
        forget("wattport.update." + name)
