# SPDX-License-Identifier: MIT
"""Dongles as a table for people, and as JSON for programs."""

import time
from collections import Counter

_HEAD = ("id", "version", "slot", "trial", "board", "chip", "state", "meter", "telegram", "heap", "rssi", "up",
         "errors", "update")
_RIGHT = {"telegram", "heap", "rssi", "up", "errors"}
_FACTS = ("version", "slot", "trial", "chip", "board", "meter", "family", "telegram_age_s", "errors", "heap_free",
          "rssi", "uptime_s", "latest_version", "in_progress", "update_percentage", "error", "why")


def ago(seconds):
    """"12 s", "5 min", "3 h", "9 d"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return "%d %s" % (seconds // size, unit)
    return "%d s" % seconds


def _update(dongle):
    if dongle.get("in_progress"):
        return "%s %%" % dongle.get("update_percentage", "?")
    for name in ("error", "why"):
        if dongle.get(name):
            return "%s: %s" % ({"error": "refused", "why": "rolled back"}[name], dongle.get(name)[:48])
    latest = dongle.get("latest_version")
    return "" if latest in (None, "", dongle.get("version")) else "%s is there" % latest


def _state(dongle):
    if dongle.get("safe"):
        return "safe mode"
    if dongle.online and dongle.get("in_progress"):
        return "updating"
    return {True: "online", False: "offline", None: "?"}[dongle.online]


def _row(dongle):
    age, heap, rssi, up, trial = (dongle.get(name) for name in (
        "telegram_age_s", "heap_free", "rssi", "uptime_s", "trial"))
    return (
        dongle.name, dongle.get("version", "?"), dongle.get("slot", ""),
        "" if trial is None else "trial" if trial else "no", dongle.get("board", ""), dongle.get("chip", ""),
        _state(dongle),
        dongle.get("meter", ""), "" if age is None else ago(age), "" if heap is None else "%d KB" % (heap >> 10),
        "" if rssi is None else str(rssi), "" if up is None else ago(up), str(dongle.get("errors", "")),
        _update(dongle))


def table(dongles):
    """Lines; columns that nobody fills are left out."""
    rows = [_row(dongle) for dongle in sorted(dongles, key=lambda dongle: dongle.name)]
    columns = [(title, [row[at] for row in rows]) for at, title in enumerate(_HEAD)]
    columns = [(title, cells, max(map(len, cells + [title]))) for title, cells in columns if any(cells)]
    lines = ["  ".join(title.ljust(width) for title, _, width in columns).rstrip()] if rows else []
    for at in range(len(rows)):
        lines.append("  ".join(cells[at].rjust(width) if title in _RIGHT else cells[at].ljust(width)
                               for title, cells, width in columns).rstrip())
    return lines


def summary(dongles, odd):
    """Lines below the table: how many of what, and what was odd."""
    dongles = list(dongles)
    versions = Counter(dongle.get("version", "unknown") for dongle in dongles)
    lines = ["%d dongles, %d online: %s" % (
        len(dongles), sum(dongle.online is True for dongle in dongles),
        ", ".join("%d × %s" % (count, version) for version, count in versions.most_common()) or "none")]
    for dongle in sorted(dongles, key=lambda dongle: dongle.name):
        if dongle.odd:
            lines.append("%s sent %s; the last: %s" % (
                dongle.name, ", ".join("%d × %s" % (count, kind) for kind, count in sorted(dongle.odd.items())),
                dongle.oddity))
        if dongle.private:
            lines.append("%s tells its health to its owner only: give the password" % dongle.name)
    if odd:
        lines.append("messages of no dongle: " + ", ".join("%d × %s" % (n, kind) for kind, n in sorted(odd.items())))
    return lines


def record(dongle, now=None):
    """One dongle for programs."""
    now = time.time() if now is None else now
    found = {"id": dongle.name, "online": dongle.online}
    found.update({name: dongle.get(name) for name in _FACTS})
    found["heard_s"] = None if dongle.heard is None else int(now - dongle.heard)
    found["host"] = dongle.host
    found["odd"] = dict(dongle.odd)
    return found
