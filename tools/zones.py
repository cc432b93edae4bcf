# SPDX-License-Identifier: MIT
"""Names of time zones ("Europe/Helsinki") → the POSIX text that the firmware uses."""

from importlib import resources

from wattport import posixzone


def posix(name):
    """POSIX text of a zone given by its IANA name or already as POSIX text; ValueError when it is neither."""
    if "/" in name and "," not in name:
        try:
            data = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
            # a version 2 file ends with the rule that holds from its last change on (RFC 9636, 3.3)
            return data.rstrip(b"\n").rsplit(b"\n", 1)[1].decode()
        except (OSError, IndexError):
            raise ValueError("no time zone is called %s" % name)
    posixzone.parse(name)
    return name
