# SPDX-License-Identifier: MIT
"""Bytes → whole, checked frames, of any protocol that may be on the line.

A protocol is an object with
    name       for people and counters
    START      the byte, as bytes, that a frame starts with
    measure(buf, start, end, last) → bytes of the frame that starts at `start`; 0: more bytes are needed; -1: no frame
               starts here; raises MeterError for a frame that is broken
    family     what the decoded telegrams of this protocol are called, unless their decoder knows better
    open(buf, start, end) → (buffer, start, end) of what a measured frame holds, or None when it is one part of several
    TAIL       bytes that may follow a frame and mean nothing: a line end, a closing flag
    sure       True once `measure` has recognised a start beyond doubt
    whole      True when a measured frame carries a checksum, so that nothing can hide inside of it

One buffer serves them all. Whatever goes wrong, hunting goes on at the next byte, so a good frame behind or inside of
a broken one is found; a broken stretch is reported once.
"""

from micropython import const

from wattport.errors import MeterError

_FIRST_SIZE = const(1536)


class Framer:
    """`feed` bytes in, `on_frame(protocol, buf, start, end)` comes out; it may raise MeterError to refuse the frame.

    `on_error(error, buf, start, end)` hears of each broken stretch. A frame longer than `size` is an error; the buffer
    starts smaller and grows to that when a frame needs it.
    Counters: `frames`, `garbage` (bytes that belonged to nothing).
    """

    def __init__(self, protocols, on_frame, on_error, size=4096):
        self.protocols = protocols
        self._on_frame = on_frame
        self._on_error = on_error
        self._size = size
        self._buf = bytearray(min(size, _FIRST_SIZE))
        self._view = memoryview(self._buf)
        self._start = self._end = 0
        self._blamed = 0  # errors before this place belong to a stretch already reported
        self._active = None
        self._tail = 0
        self.frames = 0
        self.garbage = 0

    def feed(self, buf, n):
        """Take buf[:n]; calls back for every frame that it completes."""
        source = memoryview(buf)
        at = 0
        while at < n:
            room = len(self._buf) - self._end
            if not room:
                self._make_room()
                room = len(self._buf) - self._end
            size = min(room, n - at)
            self._view[self._end:self._end + size] = source[at:at + size]
            self._end += size
            at += size
            self._scan(False)

    def flush(self, last=False):
        """The line has gone silent, or `last`: it has ended. What is half is not going to be whole."""
        self._scan(last)
        while self._start < self._end:
            if self._active and self._active.sure:
                self._report(MeterError("truncated", "the %s telegram ends too soon" % self._active.name),
                             self._end - self._start)
            self._skip()
            self._scan(last)
        self._blamed = 0

    @property
    def pending(self):
        """Bytes that wait for more."""
        return self._end - self._start

    def _make_room(self):
        if self._start == 0 and self._end < self._size:
            self._view = None  # CPython lets no buffer grow that is looked at
            self._buf.extend(bytes(min(self._end, self._size - self._end)))
            self._view = memoryview(self._buf)
            return
        if self._start == 0:  # a full buffer, and still no end
            self._report(MeterError("malformed", "no end within %d bytes" % self._end), self._end)
            self._skip()
            self._scan(False)
        if self._start:
            left = self._end - self._start
            self._view[:left] = self._view[self._start:self._end]
            self._blamed = max(0, self._blamed - self._start)
            self._start, self._end = 0, left

    def _report(self, error, size):
        start = self._start
        if start >= self._blamed:
            self._blamed = start + size
            self._on_error(error, self._buf, start, min(start + size, self._end))

    def _skip(self):
        """Give up the byte at the start."""
        self._pass_to(self._start + 1)
        self._active = None

    def _pass_to(self, place):
        """Leave bytes behind that are no frame's; those of a broken stretch or a frame's tail are no garbage."""
        size = max(0, place - max(self._start, self._blamed))
        tail = min(size, self._tail)
        self._tail -= tail
        self.garbage += size - tail
        self._start = place

    def _hunt(self):
        """Move to the next byte that a frame can start with; False when there is none."""
        buf, end = self._buf, self._end
        best = end
        for protocol in self.protocols:
            at = buf.find(protocol.START, self._start, best)
            if at >= 0:
                best = at
        self._pass_to(best)
        return best < end

    def _scan(self, last):
        while self._start < self._end:
            if not self._active:
                if not self._hunt():
                    break
                mark = self._buf[self._start]
                for protocol in self.protocols:
                    if protocol.START[0] == mark:
                        self._active = protocol
                        protocol.reset()
            if not self._step(self._active, last):
                return
        if self._start >= self._end:
            self._start = self._end = self._blamed = 0
            self._active = None

    def _step(self, protocol, last):
        """One try to get a frame at the start; False when more bytes are needed."""
        start = self._start
        try:
            size = protocol.measure(self._buf, start, self._end, last)
        except MeterError as error:
            self._report(error, protocol.reach)
            self._tail = protocol.TAIL
            self._skip()
            return True
        if size == 0:
            return False
        if size < 0:
            self._skip()
            return True
        self._active = None
        self._tail = protocol.TAIL
        self._start = start + size  # whatever happens now, the same frame must not come again
        try:
            self._on_frame(protocol, self._buf, start, start + size)
        except MeterError as error:
            self._start = start
            self._report(error, size)
            self._start = start + (size if protocol.whole else 1)
        else:
            self.frames += 1
        return True
