# SPDX-License-Identifier: MIT
"""`select` for MicroPython where nobody waits: what is there already comes first, then the clock goes on. Both ends of
a connection have to be in this process. On some machines what was sent takes a moment to arrive: an answer that is on
its way must not be missed because the clock went on, so behind whatever came or was `sent` the next looks wait for
real."""

import time

import uselect

POLLIN, POLLOUT, POLLERR, POLLHUP = uselect.POLLIN, uselect.POLLOUT, uselect.POLLERR, uselect.POLLHUP


_LOOKS = 8  # of a millisecond each, at most
_left = 0


def sent():
    """To be told by who sends something that is answered."""
    global _left
    _left = _LOOKS


class poll:
    def __init__(self):
        self._poll = uselect.poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def poll(self, ms=-1):
        global _left
        found = self._poll.poll(0)
        if not found and ms and _left:
            _left -= 1
            found = self._poll.poll(1)
        if found:
            _left = _LOOKS
            time.sleep_ms(1)  # else who looks again and again would stop the clock
        elif ms:
            if ms < 0:
                raise RuntimeError("everybody waits for ever")
            time.sleep_ms(ms)
            found = self._poll.poll(0)
        return found

    def ipoll(self, ms=-1, flags=0):
        return iter(self.poll(ms))
