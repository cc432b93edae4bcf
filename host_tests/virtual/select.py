# SPDX-License-Identifier: MIT
"""`select` for MicroPython where nobody waits: what is there already comes first, then the clock goes on. Both ends of
a connection have to be in this process."""

import time

import uselect

POLLIN, POLLOUT, POLLERR, POLLHUP = uselect.POLLIN, uselect.POLLOUT, uselect.POLLERR, uselect.POLLHUP


class poll:
    def __init__(self):
        self._poll = uselect.poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def poll(self, ms=-1):
        found = self._poll.poll(0)
        if found:
            time.sleep_ms(1)  # else who looks again and again would stop the clock
        elif ms:
            if ms < 0:
                raise RuntimeError("everybody waits for ever")
            time.sleep_ms(ms)
            found = self._poll.poll(0)
        return found

    def ipoll(self, ms=-1, flags=0):
        return iter(self.poll(ms))
