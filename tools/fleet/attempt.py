# SPDX-License-Identifier: MIT
"""One dongle's update, judged by what it says after it was told to. Pure: the time is given.

A success needs proof: a report that is newer than the command, as its uptime shows (a dongle restarts into a new
version), of the new version, no longer on trial, and in no worse health than before. Everything else is either not over
yet, or a failure with a name.
"""

from tools.fleet.dongle import METER_STATES

UPDATED = "updated"
FAILURES = {
    "refused": "the dongle did not take the bundle",
    "not_fetched": "the dongle could not get the bundle, to its end",
    "rolled_back": "the new version did not prove itself and the old one came back",
    "unhealthy": "runs the new version, but in worse health than before",
    "unconfirmed": "runs the new version, but still on trial when the wait was over",
    "stuck": "is there, but not at the new version when the wait was over",
    "safe_mode": "neither the new version nor the old one starts: it waits for a bundle",
    "silent": "nothing was heard of it until the wait was over",
    "unreadable": "only messages that no dongle sends, until the wait was over",
    "unreachable": "could not be told to update",
}
# what a dongle says of a bundle that it has looked at; other errors are of the way to it, and may pass
VERDICTS = {"not_a_bundle", "damaged", "signature", "unknown_key", "no_key", "name", "chip", "micropython", "downgrade",
            "too_large", "flash_full"}
HEAP_FLOOR = 10240  # bytes; below it the firmware itself does not call a new version well
SLACK_S = 2  # between a dongle's seconds and ours
SENDS = 3
RESUMED_S = 3  # in which a broker tells what it has kept of who is in the middle of it
_KEPT = ("sent", "sends", "outcome", "detail", "ended", "begun", "restarted", "tried")


def verdict(error):
    return error.partition(":")[0].strip() in VERDICTS


class Attempt:
    """before: {"version", "chip", "meter", "error", "why"}, as far as known, before the command was sent; no "why" when
    the dongle had not told of updates at all."""

    def __init__(self, name, version, before):
        self.name, self.version, self.before = name, version, before
        self.sent = self.deadline = self.ended = None  # sent: for the first time
        self.last_sent = None
        self.sends = 0
        self._patience_s = float("inf")
        self.outcome = None
        self.detail = ""
        self.begun = False  # it has told of receiving
        self.restarted = False
        self.tried = None  # when it was seen to run the new version
        self.heard = self.told_old = None  # when; told_old: that it still runs what it ran
        self.online = None
        self.stale = 0  # reports from before the command
        self.odd = None  # the last kind of message that could not be read
        self.seen = {}
        self.kept = {}  # what a broker had kept of an update, of after the command: may name a failure, never a success

    def send(self, now, wait_s):
        if self.sent is None:
            self.sent, self.deadline = now, now + wait_s
        self.last_sent = now
        self.sends += 1

    def wants_again(self, now, after_s):
        """The command seems lost, with a broker that went down say: the dongle is there and does not know of it."""
        return (self.outcome is None and self.sent is not None and self.sends < SENDS and not self.begun
                and not self.restarted and not self.tried and self.online is not False
                and not self.kept.get("in_progress")
                and self.told_old is not None and self.told_old > self.last_sent + min(after_s, self._patience_s))

    # ---- what is heard; each returns True when that settles it, or settles it anew

    def take(self, report, now):
        """A report that was sent while we listened."""
        if self.sent is None:
            return False
        uptime, version = report.get("uptime_s"), report.get("version")
        if uptime is not None and version is not None:
            since = self.sent if version == self.version else self.tried
            young = since is None or uptime <= now - since + SLACK_S
            if not young:
                self.stale += 1
                return False
            self.restarted = self.restarted or uptime <= now - self.sent + SLACK_S
        self.heard = now
        self.seen.update(report)
        self.begun = self.begun or bool(report.get("in_progress"))
        if "in_progress" in report:
            self.kept = {}
        found = self._verdict(report, now)
        if found is None or found[0] == self.outcome and found[1] == self.detail or (
                self.outcome == UPDATED and found[0] not in (UPDATED, "rolled_back")):
            return False
        return self.end(*found, now)

    def _verdict(self, report, now):
        version = report.get("version")
        proof = "trial" in report or "uptime_s" in report
        if version is None:
            return None
        if version == self.version:
            if not proof:
                return None
            self.tried = self.tried or now
            if report.get("trial") is not False or self._ailments():
                return None
            return UPDATED, ""
        if report.get("in_progress"):
            return None
        self.told_old = now
        if "why" not in self.before and "in_progress" in report and not self.begun and not self.restarted:
            self.before.update(why=report.get("why"), error=report.get("error"))  # it had told nothing of it yet
        error, why = report.get("error"), report.get("why")
        if error and (self.begun or error != self.before.get("error")):
            if verdict(error):
                return "refused", error
            self.begun = False  # it may be told again
        if self.restarted and proof and self._news("why"):
            return "rolled_back", self.kept["why"]
        if self._news("error") and verdict(self.kept["error"]) and not self.restarted:
            return "refused", self.kept["error"]
        if self.tried and proof or why and not error and (
                why != self.before.get("why") or self.restarted and self.begun):
            return "rolled_back", self.seen.get("why") or self.kept.get("why") or "it did not say why"
        return None

    def _news(self, name):
        """Whether what was kept tells of something that was not there before the command."""
        return name in self.before and self.kept.get(name) not in (None, "", self.before[name])

    def _ailments(self):
        """What is worse than it was, in words."""
        meter, before = self.seen.get("meter"), self.before.get("meter")
        if meter and before and METER_STATES.index(meter) < METER_STATES.index(before):
            return "the meter was %s, now it is %s" % (before, meter)
        heap = self.seen.get("heap_free")
        return "%d bytes of heap free" % heap if heap is not None and heap < HEAP_FLOOR else ""

    def look(self, now):
        """True when the wait is over, which settles it."""
        if self.outcome is not None or self.deadline is None or now < self.deadline:
            return False
        return self.end(*self._leftover(now), now)

    def _leftover(self, now):
        version = self.seen.get("version")
        if self.heard is None and self.stale and self.online is not False:
            return "stuck", "%d reports of the new version, all from before the command" % self.stale
        if self.heard is None or self.online is False:
            if self.odd and self.heard is None:
                return "unreadable", "the last one: %s" % self.odd
            return "silent", "%s%s" % (
                "nothing since the command" if self.heard is None else "nothing for %d s" % (now - self.heard),
                ", its last will says offline" if self.online is False else "")
        if version == self.version and self.tried:
            ailments = self._ailments()
            if self.seen.get("trial") is False and ailments:
                return "unhealthy", ailments
            return "unconfirmed", ailments or "on trial for %d s" % (now - self.tried)
        error = self.seen.get("error")
        if error:
            return "refused" if verdict(error) else "not_fetched", error
        if self.restarted and self.kept.get("why"):
            return "rolled_back", self.kept["why"]
        if self.seen.get("in_progress"):
            return "stuck", "still receiving, at %s %%" % self.seen.get("update_percentage", "?")
        if self.restarted:
            return "stuck", "restarted, and runs %s" % version
        if self.begun:
            return "stuck", "began to receive, and runs %s" % (version or "an unknown version")
        return "stuck", "did not begin"

    def end(self, outcome, detail, now):
        self.outcome, self.detail, self.ended = outcome, detail, now
        return True

    @property
    def failed(self):
        return self.outcome in FAILURES

    # ---- kept in the state file

    def document(self):
        kept = {name: getattr(self, name) for name in _KEPT}
        kept = {name: value for name, value in kept.items() if value is not None and value is not False}
        return {"version": self.version, "before": self.before, **kept}

    @classmethod
    def restored(cls, name, document, now, wait_s):
        """What was under way is waited for anew: what it said meanwhile was not heard."""
        attempt = cls(name, document["version"], document["before"])
        for key in _KEPT:
            if key in document:
                setattr(attempt, key, document[key])
        if attempt.sent is not None:
            attempt.last_sent, attempt.deadline = now, now + wait_s
            attempt.begun, attempt._patience_s = False, RESUMED_S
        return attempt
