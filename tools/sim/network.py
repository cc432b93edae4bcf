# SPDX-License-Identifier: MIT
"""`network` for the MicroPython unix port: the network of this machine, which is simply there.

WATTPORT_AIR names a file with the networks that a simulated radio receives instead: see air.py.
"""

import os

STA_IF = 0
AP_IF = 1


def hostname(name=None):
    return name


class _Wired:
    def __init__(self, interface):
        pass

    def active(self, on=None):
        return True

    def config(self, *names, **settings):
        return None

    def connect(self, ssid, password):
        pass

    def disconnect(self):
        pass

    def isconnected(self):
        return True

    def scan(self):
        return []

    def status(self, name=None):
        return None

    def ifconfig(self, fixed=None):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")


if os.getenv("WATTPORT_AIR"):
    from air import wlan as WLAN  # here, as its names would cost the heap of every other run
else:
    WLAN = _Wired
