# SPDX-License-Identifier: MIT
"""An update of many dongles in stages: a few canaries first, then batches, no further when too many fail. Pure: the
time and what is heard are given, `tick` tells whom to send to.
"""

import math

from tools.fleet.attempt import FAILURES, UPDATED, Attempt

FORMAT = 1


class Share:
    """"5" or "5%": of how many, is said when it is asked for."""

    def __init__(self, text):
        self.text = text.strip()
        digits = self.text.removesuffix("%")
        if not digits.isdecimal() or len(digits) > 7 or self.text.endswith("%") and int(digits) > 100:
            raise ValueError("%r is neither a number nor a percentage" % text)
        self.number, self.percent = int(digits), self.text.endswith("%")

    def size(self, total):
        """So many of them, one at least."""
        return max(1, math.ceil(self.number * total / 100) if self.percent else self.number)

    def passed(self, failed, tried):
        """More failures than that: a percentage is of those tried so far."""
        return failed * 100 > self.number * tried if self.percent else failed > self.number


class Stage:
    """wanted: [(name, version, before)] in the order of their turn, see `plan`. first, batch, limit: Share."""

    def __init__(self, wanted, first, batch, limit, wait_s, resend_s=45):
        self.first, self.batch, self.limit = first, batch, limit
        self.wait_s, self.resend_s = wait_s, resend_s
        self.attempts = {name: Attempt(name, version, before) for name, version, before in wanted}
        self.number = 0  # of the stage; 1: the canaries
        self.stopped = ""  # why
        self.absent = {}  # whose last will says offline, before their turn
        self._waiting_since = None

    # ---- who is where

    def pending(self):
        return [attempt for attempt in self.attempts.values() if attempt.sent is None]

    def flying(self):
        return [attempt for attempt in self.attempts.values() if attempt.sent is not None and not attempt.outcome]

    def failures(self):
        return [attempt for attempt in self.attempts.values() if attempt.failed]

    def updated(self):
        return [attempt for attempt in self.attempts.values() if attempt.outcome == UPDATED]

    def tried(self):
        return sum(attempt.sent is not None for attempt in self.attempts.values())

    # ---- what happens

    def heard(self, name, report, now):
        """A report that was not kept by a broker. The attempt when it is settled by it."""
        attempt = self.attempts.get(name)
        return attempt if attempt and attempt.take(report, now) else None

    def kept(self, name, report):
        """A report that a broker had kept: while we were away from it, it may have come."""
        attempt = self.attempts.get(name)
        if attempt and attempt.sent is not None and "in_progress" in report:
            attempt.kept = report

    def known(self, name, online, report):
        """What a broker had kept, of a dongle in a stage that is gone on with."""
        if online is not None:
            self.state(name, online)
        self.kept(name, report)

    def state(self, name, online):
        attempt = self.attempts.get(name)
        if attempt:
            attempt.online = online
            self.absent.pop(name, None)
            if not online:
                self.absent[name] = True

    def odd(self, name, kind):
        if name in self.attempts:
            self.attempts[name].odd = kind

    def failed(self, name, outcome, detail, now):
        """What sends has failed for good."""
        self.attempts[name].end(outcome, detail, now)
        return self.attempts[name]

    def tick(self, now):
        """(attempts whose wait is over, attempts to send to now); to be called every now and then."""
        flying = self.flying()
        over = [attempt for attempt in flying if attempt.look(now)]
        self._judge()
        again = [attempt for attempt in flying if attempt.wants_again(now, self.resend_s)]
        sends = again + (self._next(now) if not self.flying() and not self.stopped else [])
        for attempt in sends:
            attempt.send(now, self.wait_s)
        return over, sends

    def _judge(self):
        failed, tried = len(self.failures()), self.tried()
        if self.stopped or not failed:
            return
        if self.limit.passed(failed, tried):
            self.stopped = "%d of %d failed, the limit is %s" % (failed, tried, self.limit.text)
        elif self.number == 1 and failed == tried:
            self.stopped = "every canary failed"

    def _next(self, now):
        """The next batch, of those that are there."""
        ready = [attempt for attempt in self.pending() if attempt.name not in self.absent]
        if not ready:
            if self._waiting_since is None:
                self._waiting_since = now
            return []
        self._waiting_since = None
        share = self.batch if self.number else self.first
        self.number += 1
        return ready[:share.size(len(self.attempts))]

    def finished(self, now):
        """Nothing is under way, and nothing more will be."""
        if self.flying():
            return False
        if self.stopped or not self.pending():
            return True
        return self._waiting_since is not None and now - self._waiting_since >= self.wait_s

    def succeeded(self):
        return len(self.updated()) == len(self.attempts)

    def counts(self):
        """Outcome → how many, in the order of the names."""
        counts = {UPDATED: len(self.updated())}
        for name in FAILURES:
            counts[name] = sum(attempt.outcome == name for attempt in self.attempts.values())
        counts["under_way"], counts["untouched"] = len(self.flying()), len(self.pending())
        return {name: count for name, count in counts.items() if count}

    def renew(self, attempts):
        """These are untouched again."""
        for attempt in attempts:
            self.attempts[attempt.name] = Attempt(attempt.name, attempt.version, attempt.before)

    # ---- kept in the state file

    def document(self):
        return {
            "wattport_fleet": FORMAT, "first": self.first.text, "batch": self.batch.text, "limit": self.limit.text,
            "wait_s": self.wait_s, "stage": self.number, "stopped": self.stopped,
            "dongles": {name: attempt.document() for name, attempt in self.attempts.items()}}

    @classmethod
    def restored(cls, document, now):
        """ValueError, KeyError or TypeError for what is no such document."""
        if document.get("wattport_fleet") != FORMAT:
            raise ValueError("no state of a fleet")
        stage = cls([], Share(document["first"]), Share(document["batch"]), Share(document["limit"]),
                    float(document["wait_s"]))
        stage.number = int(document["stage"])
        stage.attempts = {name: Attempt.restored(name, kept, now, stage.wait_s)
                          for name, kept in document["dongles"].items()}
        return stage
