# SPDX-License-Identifier: MIT
"""The search for a line's settings, from the first guess until what was found is kept. Imported for as long as that
takes: `detect` decides, this does it to an `uart.Line`."""

from wattport.link.detect import Detector


class Search:
    """`line`: what to set and to hear. What is kept of an earlier search is tried first, then anything, 115200 8N1 at
    first; `lost`: what is kept has just proved wrong."""

    def __init__(self, line, lost):
        self._line = line
        counters = line.meter.counters
        self._telegrams, self._frames = counters.telegrams, counters.frames
        first = 115200, "8N1", line.invert
        if line.kept and not lost:
            first = line.kept[:3]
        line.set(*first)
        line.found = False
        if lost:
            self._leave()
        self._detector = Detector(first, self._frames)

    def look(self, size, gap_ms):
        """Once a look at the line; True when the search is over."""
        line, detector = self._line, self._detector
        counters = line.meter.counters
        if detector:
            pin = line.pin
            if detector.look(line.buf, size, counters.frames, pin and pin.value(), gap_ms):
                if line.kept and (detector.baud, detector.format) != line.kept[:2]:
                    self._leave()
                line.set(detector.baud, detector.format, detector.invert)
                line.open()
            elif detector.found:
                self._detector = None
                self._frames = counters.frames
                line.found = True
                line.log("info", "the meter's line is %s, %s" % (line.text, line.meter.protocol))
            return False
        # one frame that nobody can read may be noise: what is kept has given two, or a telegram
        if counters.telegrams == self._telegrams and counters.frames == self._frames:
            return False
        self._keep()
        return True

    def _leave(self):
        """Any protocol may be on the line now, not only the one that was kept."""
        line = self._line
        if line.kept:
            line.log("info", "the meter's line is no longer %d %s, looking for another" % line.kept[:2])
            line.kept = None
            line.meter = line.renew()

    def _keep(self):
        line = self._line
        found = line.baud, line.format, line.invert, line.meter.protocol
        if found == line.kept:
            return
        line.kept = found
        from wattport.link import kept
        from wattport.modules import forget
        try:
            kept.keep(*found)
        except OSError as error:
            line.log("error", "the line can't be kept: %s" % error)
        forget("wattport.link.kept")
        forget("wattport.files")
