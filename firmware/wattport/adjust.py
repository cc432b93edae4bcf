# SPDX-License-Identifier: MIT
"""How `wall.Wall`, where the rules stand, is set: loaded for an answer from the network, at the end of a window of
telegrams, and when the meter's clock is odd."""

import time

from micropython import const

from wattport.wall import NONE, SINCE, STEP_S, UNTIL, WINDOW_S

_AGREE_S = const(5)
_PROOF_S = const(60)  # a meter's step has to last so long: a clock that stands still agrees with itself for a moment
_SLEW_S = const(2)
_FRESH_S = const(86400)  # a day by the ticks alone is some 2 s off, a bad crystal's 9


def network(wall, seconds, ms, state, sure):
    """As Wall.network."""
    if wall.source == "meter" or not SINCE <= seconds < UNTIL:
        return True
    wall.run()
    error_s = seconds - wall.second
    if wall.state != NONE and abs(error_s) > STEP_S:
        if wall.doubt_s is None or abs(error_s - wall.doubt_s) > _AGREE_S:
            wall.doubt_s = error_s
            return False
        _step(wall, error_s)
        if wall.offset_s is not None:
            wall.offset_s -= error_s
    _begin(wall, state, seconds)
    wall.at = time.ticks_add(wall.ticks(), -ms)
    if sure:
        wall.proven = wall.passed
    return True


def _step(wall, error_s):
    wall.steps += 1
    wall.told = 0
    wall.log("warning", "the clock was %d s %s: set" % (abs(error_s), "slow" if error_s > 0 else "fast"))


def _begin(wall, state, second):
    if state != wall.state:
        wall.state = state
        wall.log("info", "time is from: " + state)
    wall.second = second
    wall.doubt_s = wall.odd_at = wall.best_s = None


def meter(wall, seconds, checked, known):
    """As Wall.meter, which looks at what needs no more than a look. known: there was network time."""
    ahead_s = seconds - wall.second
    mine = wall.source != "ntp" and wall.passed >= wall.waits_s  # otherwise it is only compared
    if wall.state == NONE:
        if checked or _agrees(wall, ahead_s):
            _begin(wall, "meter", seconds)
        return
    usual_s = wall.offset_s if known else 0
    if usual_s is None:
        wall.offset_s = wall.best_s = ahead_s
        wall.window = wall.passed
        return
    if abs(ahead_s - usual_s) > STEP_S:
        if not _agrees(wall, ahead_s) or wall.passed - wall.odd_at < _PROOF_S:
            return
        if known:
            wall.offset_s = ahead_s
        else:
            _step(wall, ahead_s)
            _begin(wall, "meter", seconds)
        wall.odd_at = wall.best_s = None
        return
    wall.odd_at = None
    if wall.best_s is None:
        wall.best_s = ahead_s
        wall.window = wall.passed
    wall.best_s = max(wall.best_s, ahead_s)
    if wall.passed - wall.window >= WINDOW_S:
        _judge(wall, known, mine)


def _agrees(wall, ahead_s):
    """Whether a telegram says the same step as the one before."""
    if wall.odd_at is not None and abs(ahead_s - wall.odd_s) <= _AGREE_S:
        return True
    wall.odd_s, wall.odd_at = ahead_s, wall.passed
    return False


def _judge(wall, known, mine):
    """The end of a window."""
    best_s, wall.best_s = wall.best_s, None
    if known and wall.passed - wall.proven < _FRESH_S:
        wall.offset_s = best_s
    elif mine:
        if known:
            best_s -= wall.offset_s
        _begin(wall, "meter", wall.second + max(-_SLEW_S, min(_SLEW_S, best_s)))
