# SPDX-License-Identifier: MIT
"""How meters write the time: the P1 stamp YYMMDDhhmmssX and the COSEM date-time of twelve bytes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


class Clock:
    """UTC seconds on the outside, the wall clock of one time zone in the telegrams."""

    def __init__(self, zone):
        self.zone = ZoneInfo(zone)

    def local(self, time):
        return datetime.fromtimestamp(time, self.zone)

    def bare_stamp(self, time):
        return self.local(time).strftime("%y%m%d%H%M%S")

    def stamp(self, time):
        """DSMR P1 5.0.2, table 6-2 (TST): S while summer time is in force, W otherwise."""
        local = self.local(time)
        return local.strftime("%y%m%d%H%M%S") + ("S" if local.dst() else "W")

    def cosem(self, time):
        """Blue Book 4.1.6.1 as Kamstrup fills it in: standard time all the year round, no hundredths, deviation
        "not specified", status 0."""
        local = self.local(time)
        local -= local.dst()
        return (local.year.to_bytes(2, "big")
                + bytes((local.month, local.day, local.isoweekday(), local.hour, local.minute, local.second))
                + b"\xff\x80\x00\x00")

    def ambiguous(self, time):
        """In the hour that comes twice nobody can tell from a stamp without S or W which of the two it is."""
        local = self.local(time)
        return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()

    def parse(self, text):
        """UTC seconds of an ISO time; the zone's own wall clock unless the text says otherwise."""
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        return int(moment.astimezone(UTC).timestamp())
