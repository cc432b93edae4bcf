# SPDX-License-Identifier: MIT
"""Who is to be updated, in which order, and who is not, with the reason. Pure."""

import fnmatch
import hashlib

from wattport.update import bundle as device

SKIPPED = {
    "already": "runs that version",
    "newer": "runs a newer version",
    "offline": "its last will says so",
    "unheard": "only what the broker had kept of it is there",
    "updating": "is in the middle of an update, or on trial",
    "safe_mode": "neither of its programs starts: tools.bundle push gives it one",
    "unreadable": "sends what no dongle sends",
    "no_version": "does not tell its version",
    "no_chip": "does not tell its chip family",
    "no_bundle": "there is no bundle for its chip family",
}
MATCHES = ("id", "version", "chip", "board", "slot", "meter")


def number(version):
    """(1, 2, 3) of "1.2.3", as the firmware compares; () for anything else, which is older than everything."""
    try:
        return device.version(version)
    except ValueError:
        return ()


def match(text):
    """A test of one dongle from "version=0.1.*"; ValueError."""
    name, equals, pattern = text.partition("=")
    if name not in MATCHES or not equals or not pattern:
        raise ValueError("%r: --match takes %s=PATTERN" % (text, "|".join(MATCHES)))
    return lambda dongle: any(fnmatch.fnmatchcase(dongle.name if name == "id" else str(dongle.get(name, "")), one)
                              for one in pattern.split(","))


def reason(dongle, bundles):
    """Why a dongle is left out, a name of SKIPPED, or ""."""
    version = dongle.get("version")
    if dongle.online is False:
        return "offline"
    if dongle.heard is None and not dongle.odd:
        return "unheard"
    if dongle.get("safe"):
        return "safe_mode"
    if not version or dongle.odd and not dongle.get("chip"):
        return "unreadable" if dongle.odd else "no_version"
    if version == bundles.version and not dongle.get("trial"):
        return "already"
    if dongle.get("trial") or dongle.get("in_progress"):
        return "updating"
    if number(version) > number(bundles.version):
        return "newer"
    if not dongle.get("chip"):
        return "no_chip"
    return "" if dongle.get("chip") in bundles.places else "no_bundle"


def plan(dongles, bundles, matches=()):
    """(wanted, skipped): [(name, version, before)] as Stage takes it, and name → reason."""
    skipped, kinds = {}, {}
    for dongle in dongles:
        if not all(one(dongle) for one in matches):
            continue
        why = reason(dongle, bundles)
        if why:
            skipped[dongle.name] = why
        else:
            kind = tuple(str(dongle.get(name)) for name in ("chip", "board", "version", "meter"))
            kinds.setdefault(kind, []).append(dongle)
    wanted = []
    for dongle in _fairly(kinds, bundles.version):
        before = {name: dongle.get(name) for name in ("version", "chip", "meter")}
        if "in_progress" in dongle.facts:  # it has told of updates
            before.update(error=dongle.get("error"), why=dongle.get("why"))
        wanted.append((dongle.name, bundles.version, before))
    return wanted, skipped


def _fairly(kinds, version):
    """One of each kind first, so that the canaries have seen them all; not the same households each time."""
    def turn(dongle):
        return hashlib.sha256(("%s %s" % (version, dongle.name)).encode()).digest()
    rows = [sorted(kinds[kind], key=turn) for kind in sorted(kinds, key=lambda kind: (-len(kinds[kind]), kind))]
    for place in range(max(map(len, rows), default=0)):
        for row in rows:
            if place < len(row):
                yield row[place]
