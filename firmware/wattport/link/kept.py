# SPDX-License-Identifier: MIT
"""The line that was found, kept in a small file of four words: "2400 8E1 plain HDLC". Needed at the start and when
another line has been found, so it is forgotten in between."""

_PATH = "line.txt"


def load():
    """(baud, format, invert, protocol), or None when nothing usable is kept."""
    try:
        with open(_PATH) as file:
            baud, form, polarity, protocol = file.read(64).split()
        baud = int(baud)
    except (OSError, ValueError):
        return None
    if (baud not in (300, 1200, 2400, 9600, 115200) or form not in ("8N1", "8E1", "7E1")
            or polarity not in ("inverted", "plain")
            or protocol not in ("P1", "HDLC", "encrypted", "M-Bus", "SML", "TIC", "auto")):
        return None
    return baud, form, polarity == "inverted", protocol


def keep(baud, form, invert, protocol):
    """OSError when the flash is full."""
    from wattport.files import replace
    replace(_PATH, "%d %s %s %s\n" % (baud, form, "inverted" if invert else "plain", protocol))
