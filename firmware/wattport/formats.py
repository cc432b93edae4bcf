# SPDX-License-Identifier: MIT
"""Which modules read what: imported to choose, then forgotten. The only place that knows every protocol and decoder."""

from wattport.errors import MeterError

# protocol → first byte of what it mostly holds
EXPECTED = {"P1": 0x2F, "encrypted": 0x2F, "HDLC": 0x0F, "M-Bus": 0x0F, "SML": 0x76, "TIC": 0x0A}


def protocols(wanted):
    """The frame protocols that may be on the line: all, or the one of a name."""
    found = []
    if wanted in ("auto", "P1"):
        from wattport.frame.p1 import P1
        found.append(P1())
    if wanted in ("auto", "HDLC"):
        from wattport.frame.hdlc import Hdlc
        found.append(Hdlc())
    if wanted in ("auto", "encrypted"):
        from wattport.frame.envelope import Envelope
        found.append(Envelope())
    if wanted in ("auto", "M-Bus"):
        from wattport.frame.mbus import Mbus, Request
        found += [Mbus(), Request()]
    if wanted in ("auto", "SML"):
        from wattport.frame.sml import Sml
        found.append(Sml())
    if wanted in ("auto", "TIC"):
        from wattport.frame.tic import Tic
        found += [Tic(), Tic(True)]
    return found


def decoder(first, zone, key, profile):
    """What decodes a payload with this first byte; MeterError when nothing does."""
    if first == 0x2F:
        from wattport.decode.p1 import P1Decoder
        return P1Decoder(zone)
    if first == 0x0F:
        from wattport.decode.cosem import CosemDecoder
        return CosemDecoder(zone, profile)
    if first == 0x76:
        from wattport.decode.sml import SmlDecoder
        return SmlDecoder(zone)
    if first in (0x53, 0x73):  # M-Bus SND_UD
        from wattport.decode.amis import AmisDecoder
        return AmisDecoder(zone, key)
    if first == 0x0A:
        from wattport.decode.tic import TicDecoder
        return TicDecoder(zone)
    if first == 0x7B:
        from wattport.decode.glow import GlowDecoder
        return GlowDecoder(zone)
    raise MeterError("unsupported", "data of an unknown kind, first byte %02X" % first)
