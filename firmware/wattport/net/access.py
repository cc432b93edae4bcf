# SPDX-License-Identifier: MIT
"""The access point of the set-up: loaded when it is opened, then forgotten.

Every device has a password of its own for it, in the file ap.txt, made where the flash was written (tools.label); a
device without one, as the image of a release is, makes it at its first start. The console tells it whenever the access
point opens: only who has the device in hand reads there, and that one could read the flash too.
"""

import os

import network
from micropython import const

from wattport.files import replace
from wattport.modules import forget, load

PATH = "ap.txt"
# 32 of them, so that any byte gives one; none that looks like another: no 0 or O, no 1, I or l
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_LENGTH = const(12)
_WPA2 = const(3)
_CHANNEL = const(6)
_LAST_CHANNEL = const(11)  # those above are not allowed everywhere
_CLIENTS = const(4)
# not 192.168.4.1, which others take: the home network of some routers is that, and the station will be in both
_ADDRESS = "192.168.71.1"


def name(device_id):
    """The access point's name, by the end of the device id (hex digits)."""
    return "Wattport-" + device_id[-4:]


def password():
    """The one of this device, 8 to 63 characters; a new one where there is none that can be used."""
    try:
        with open(PATH) as file:
            kept = file.read(80).strip()
        if 8 <= len(kept) <= 63:
            return kept
    except (OSError, UnicodeError):
        pass
    made = "".join([LETTERS[byte & 31] for byte in os.urandom(_LENGTH)])
    try:
        replace(PATH, made)
    except OSError:  # a flash that is full: a new one at each start, better than none
        pass
    forget("wattport.files")
    return made


async def likely_channel(station):
    """The channel of the strongest network, which will be the household's own more often than not.

    The radio has one channel for both: when the station joins a network of another one, the access point moves there
    too. A phone then has to look for it, and iOS shuts the page.
    """
    received = load("wattport.net.join", "received")
    forget("wattport.net.join")
    strongest = max([(row[3], row[2]) for row in await received(station)] or [(0, 0)])[1]
    return strongest if 0 < strongest <= _LAST_CHANNEL else _CHANNEL


def open_network(device_id, channel=_CHANNEL):
    """Open the access point: (its name, password, address, mask)."""
    point = network.WLAN(network.AP_IF)
    ssid, secret = name(device_id), password()
    print("the Wi-Fi of the set-up has the password %s" % secret)  # never in the log, which others may get to see
    # by texts: a keyword that a parameter of ours is called like would get a shorter name with it
    wanted = dict(zip("ssid password security channel max_clients".split(), (ssid, secret, _WPA2, channel, _CLIENTS)))
    for _ in range(2):
        try:
            point.config(**wanted)
            point.active(True)
            break
        except (OSError, RuntimeError):  # once the station was on, the driver wants the access point on first
            point.active(True)
    else:
        point.active(False)  # as it stands it would be open to everybody
        raise OSError("the access point can't be set up")
    point.ifconfig((_ADDRESS, "255.255.255.0", _ADDRESS, _ADDRESS))
    address, mask = point.ifconfig()[:2]
    return ssid, secret, address, mask
