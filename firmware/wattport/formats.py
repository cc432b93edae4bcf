# SPDX-License-Identifier: MIT
"""Which modules read what: imported to choose, then forgotten. The only place that knows every protocol and decoder.

The tables are texts: a name that stands in a module for itself stays in the heap for ever, whether it is used or not.
"""

from wattport.errors import MeterError
from wattport.modules import forget, load

# protocol → first byte of what it mostly holds
EXPECTED = {"P1": 0x2F, "encrypted": 0x2F, "HDLC": 0x0F, "M-Bus": 0x0F, "SML": 0x76, "TIC": 0x0A}
# protocol, module in frame/, its classes
_PROTOCOLS = "P1 p1 P1|HDLC hdlc Hdlc|encrypted envelope Envelope|M-Bus mbus Mbus Request|SML sml Sml|TIC tic Tic"
# first bytes of a payload, module in decode/, its class
_DECODERS = ("2F p1 P1Decoder|0F cosem CosemDecoder|76 sml SmlDecoder|0A tic TicDecoder|53 73 amis AmisDecoder|"
             "7B glow GlowDecoder")


def protocols(wanted):
    """The frame protocols that may be on the line: all, or the one of a name."""
    found = []
    for line in _PROTOCOLS.split("|"):
        words = line.split()
        if wanted in ("auto", words[0]):
            for name in words[2:]:
                make = load("wattport.frame." + words[1], name)
                found.append(make())
                if words[0] == "TIC":
                    found.append(make(True))  # its parity bits may still be there
    return found


def settle(protocols, name):
    """Of some protocols those of a name; what the others need is forgotten, 8 KB of it."""
    for line in _PROTOCOLS.split("|"):
        words = line.split()
        if words[0] not in (name, "encrypted"):  # whose module is everybody's
            forget("wattport.frame." + words[1])
    if name != "P1":
        forget("wattport.frame.p1body")
    return [one for one in protocols if one.name == name]


def decoder(first, zone, key, profile):
    """What decodes a payload with this first byte; MeterError when nothing does."""
    for line in _DECODERS.split("|"):
        words = line.split()
        if "%02X" % first in words[:-2]:
            make = load("wattport.decode." + words[-2], words[-1])
            return make(zone, profile) if first == 0x0F else make(zone, key) if words[-2] == "amis" else make(zone)
    raise MeterError("unsupported", "data of an unknown kind, first byte %02X" % first)
