# SPDX-License-Identifier: MIT
"""`network` for the MicroPython unix port: the network of this machine, which is simply there."""

STA_IF = 0
AP_IF = 1


def hostname(name=None):
    return name


class WLAN:
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

    def status(self, name=None):
        return None

    def ifconfig(self):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
