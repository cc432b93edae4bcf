# SPDX-License-Identifier: MIT
"""An Install for what runs here: its slot, its version, its key."""

from wattport.modules import fetch, forget, load
from wattport.version import VERSION


def install(runs, alive, downgrade=False, goes_on=False):
    """runs: the slot that does; alive: what worked before, see `job`; goes_on: where a power cut has ended the same
    before. BundleError when no update can be taken."""
    key = fetch("wattport.update.trust", "key")()
    about = fetch("wattport.update.running", "running")(VERSION)

    def folder(manifest, written):
        return load("wattport.update.folder", "Folder")(manifest, runs, alive, key, ready, written)

    def partition(manifest, written):
        return load("wattport.update.partition", "Partition")(
            manifest, runs, about["micropython"], alive, key, written)

    progress = load("wattport.update.progress", "Progress")(runs) if goes_on else None
    if not goes_on:
        fetch("wattport.update.progress", "forget")()
    targets = {"application": folder, "micropython": partition}
    return load("wattport.update.install", "Install")(
        key, fetch("wattport.update.rsa", "verify"), about, targets, downgrade, progress)


def ready(manifest):
    """Before another program takes over: settings in its form, where that is an older one."""
    from wattport import settings
    forget("wattport.settings")
    if manifest.get("settings", 1) < settings.SCHEMA:
        fetch("wattport.migrate", "hand_down")(settings.read(), manifest.get("settings", 1), settings.SCHEMA,
                                               settings.PATH)
