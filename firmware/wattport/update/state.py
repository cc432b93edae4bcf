# SPDX-License-Identifier: MIT
"""How it stands with updates, for the dashboard and for Home Assistant. Loaded to be told, then forgotten."""

from wattport.modules import fetch, forget
from wattport.version import VERSION


def let_go():
    """What each of these works with goes, when it is done."""
    forget("wattport.update.slots", "wattport.update.bundle", "wattport.update.refusal")


def begin(app):
    """What `app.update` has besides the settings: how the last update ended. And whether this start is part of a trial:
    what decides that may find no heap to be loaded into."""
    record = fetch("wattport.update.slots", "read")()
    app.trial = record.get("trial") == app.slot or (
        "micropython" in record and fetch("wattport.update.micropython", "pending")(record))
    kept = fetch("wattport.update.job", "read")()
    app.update["error"], app.update["detail"] = str(kept.get("error", "")), str(kept.get("detail", ""))


def status(app):
    """GET /api/update, see docs/openapi.yaml."""
    about = fetch("wattport.update.running", "running")(VERSION)
    record = fetch("wattport.update.slots", "read")()
    state = app.update
    import board
    return {
        "version": VERSION, "chip": about["chip"], "board": board.NAME, "slot": app.slot, "trial": app.trial,
        "state": "restarting" if app.restart_s else "idle",
        "key": bool(app.slot) and bool(fetch("wattport.update.slots", "trusted")(record)), "url": bool(state["url"]),
        "latest": state["latest"], "newer": fetch("wattport.update.check", "is_newer")(state["latest"]),
        "error": state["error"], "detail": state["detail"], "why": record.get("why", ""),
        "failed": record.get("failed", "")}


def entity(app):
    """The payload of Home Assistant's MQTT update, and why the last one failed."""
    record = fetch("wattport.update.slots", "read")()
    return {"installed_version": VERSION, "latest_version": app.update["latest"] or VERSION, "in_progress": False,
            "update_percentage": None, "error": app.update["error"], "why": record.get("why", "")}
