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

    def cosem(self, time, form="standard"):
        """Blue Book 4.1.6.1: year month day weekday hour minute second hundredths deviation status. As makers fill it
        in, `form`:

        standard  standard time all the year round, no deviation, status 0: Kamstrup
        zero      the same with a deviation of 0, which is wrong: Aidon in Norway
        unknown   the same without a deviation, and a status of FF: Aidon in Sweden
        fixed     the same with the deviation that makes it right: Kaifa in Sweden
        wall      wall time, no deviation, status 0: Kaifa in Norway, Landis+Gyr
        summer    the same with summer time in the status, and "invalid value" always: Landis+Gyr's clock object
        full      wall time, deviation, summer time in the status, hundredths: as the standard has it"""
        local = self.local(time)
        summer = bool(local.dst())
        if form in ("standard", "zero", "unknown", "fixed"):
            local -= local.dst()
            summer = False
        deviation = -0x8000
        if form in ("fixed", "full"):
            ahead = local.utcoffset() if form == "full" else local.utcoffset() - local.dst()
            deviation = -int(ahead.total_seconds()) // 60
        elif form == "zero":
            deviation = 0
        status = {"unknown": 0xFF, "summer": 0x81 if summer else 0x01, "full": 0x80 if summer else 0}.get(form, 0)
        return (local.year.to_bytes(2, "big")
                + bytes((local.month, local.day, local.isoweekday(), local.hour, local.minute, local.second))
                + (b"\0" if form == "full" else b"\xff") + deviation.to_bytes(2, "big", signed=True) + bytes((status,)))

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
