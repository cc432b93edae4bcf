# SPDX-License-Identifier: MIT
"""A simulated radio: what `network.WLAN` of MicroPython's ESP32 port does (ports/esp32/network_wlan.c, 1.22 to 1.29).

WATTPORT_AIR names a JSON file that a test may write anew at any time (and then rename into place):

    {"networks": [{"ssid", "password", "channel", "rssi", "address", "netmask", "gateway", "dns", "dhcp": true,
                   "refusal": 15, "turns_away": false}],
     "stuck": false, "ap": {"address", "netmask"}}

`password` of "" is an open network, `ssid` may be a list of bytes, `refusal` is the code for a wrong password (it
differs between access points), `dhcp` false gives no address, `turns_away` ends association. `stuck`: a driver that
connects no more until it is stopped and started. Addresses stay within 127.0.0.0/8.

What of the driver is easily forgotten, and so is here:
- the reason of the last disconnection stays in status() until there is an address, even while it connects again;
- connect() while connecting or connected is an OSError, scan() while connecting an empty list;
- status("rssi") without an access point is an OSError; `scan` holds everything up while it listens;
- after disconnect() status() says idle, even while it connects again.
"""

import json
import os
import time

_READ_MS = 200
_JOIN_MS = 300  # from connect() to the access point's answer
_LEASE_MS = 200  # and from there to the address
_SCAN_MS = 300
_IDLE, _CONNECTING, _GOT_IP = 1000, 1001, 1010
_BEACON_TIMEOUT, _NO_AP, _WRONG_PASSWORD, _ASSOC_FAIL, _CONNECTION_FAIL = 200, 201, 202, 203, 205
_NO_SECURITY = 210
_LEFT, _HANDSHAKE, _STUCK = 8, 15, 39

_air = {}
_read = None


def air():
    """What the file says now; what it said before while somebody writes it."""
    global _air, _read
    now = time.ticks_ms()
    if _read is None or time.ticks_diff(now, _read) >= _READ_MS:
        _read = now
        try:
            with open(os.getenv("WATTPORT_AIR")) as file:
                _air = json.load(file)
        except (OSError, ValueError):
            pass
    return _air


def _name(network):
    ssid = network["ssid"]
    return ssid.encode() if isinstance(ssid, str) else bytes(ssid)


class Station:
    def __init__(self):
        self._active = False
        self._reason = 0
        self._reset()
        self._again = -1  # reconnects
        self._fixed = None
        self._restarted = False

    def _reset(self):
        self._goal = None  # (ssid, password) while connecting or connected
        self._requested = False
        self._network = None  # the access point, when associated
        self._address = None
        self._since = 0

    def active(self, on=None):
        if on is not None:
            if not on:
                self._restarted = True
                self._reset()
            self._active = bool(on)
        return self._active

    def config(self, *names, **settings):
        if settings:
            if not self._active:
                raise OSError("Wifi Not Started")
            self._again = settings.pop("reconnects", self._again)
            if settings:
                raise ValueError("unknown config param")
        return self._again if names == ("reconnects",) else None

    def connect(self, ssid, password=""):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._step()
        if self._goal:
            raise OSError("Wifi Internal Error")
        self._goal = ssid.encode(), password
        self._requested = True
        self._since = time.ticks_ms()

    def disconnect(self):
        if not self._active:
            raise OSError("Wifi Not Started")
        if self._goal:
            self._reason = _LEFT
        self._reset()

    def _lost(self, reason):
        self._reason = reason
        goal = self._goal
        self._reset()
        self._requested = True
        if self._again < 0:  # the driver's own way: at once, for ever
            self._goal, self._since = goal, time.ticks_ms()

    def _find(self):
        best = None
        for network in air().get("networks", ()):
            if _name(network) == self._goal[0] and (best is None or network.get("rssi", -60) > best.get("rssi", -60)):
                best = network
        return best

    def _refusal(self, network):
        """The code with which the access point and the driver part, or 0."""
        if air().get("stuck") and not self._restarted:
            return _STUCK
        if network is None:
            return _NO_AP
        password = network.get("password", "")
        if password and not self._goal[1]:
            return _NO_SECURITY
        if password and password != self._goal[1]:
            return network.get("refusal", _HANDSHAKE)
        return _ASSOC_FAIL if network.get("turns_away") else 0

    def _step(self):
        """What has happened since somebody looked last."""
        if not self._goal:
            return
        network = self._find()
        passed = time.ticks_diff(time.ticks_ms(), self._since)
        if self._network is None:
            if passed < _JOIN_MS:
                return
            refusal = self._refusal(network)
            if refusal:
                self._lost(refusal)
                return
            self._network = network
        elif network is None or network.get("channel") != self._network.get("channel") or self._refusal(network):
            self._lost(_BEACON_TIMEOUT)
            return
        if self._address is None and passed >= _JOIN_MS + _LEASE_MS:
            if self._fixed:
                self._address = self._fixed
            elif self._network.get("dhcp", True):
                self._address = tuple([self._network.get(name, "127.0.0.1" if name != "netmask" else "255.0.0.0")
                                       for name in ("address", "netmask", "gateway", "dns")])
            if self._address:
                self._reason = 0

    def isconnected(self):
        self._step()
        return self._address is not None

    def status(self, what=None):
        self._step()
        if what == "rssi":
            if self._network is None:
                raise OSError("Wifi Not Connected")
            return self._network.get("rssi", -60)
        if what is not None:
            raise ValueError("unknown status param")
        if self._address:
            return _GOT_IP
        if self._reason == _CONNECTION_FAIL:
            return _WRONG_PASSWORD
        if self._reason in (_NO_AP, _WRONG_PASSWORD, 210, 211, 212):
            return self._reason
        if self._reason == _LEFT:
            return _IDLE
        if self._requested and self._goal:
            return _CONNECTING
        return self._reason or _IDLE

    def ifconfig(self, fixed=None):
        if fixed == "dhcp":
            if not self._fixed:
                raise RuntimeError("Wifi Unknown Error 0x5003")
            self._fixed = None
        elif fixed is not None:
            self._fixed = tuple(fixed)
        return self._address or ("0.0.0.0",) * 4

    def scan(self):
        if not self._active:
            raise OSError("STA must be active")
        self._step()
        if self._goal and not self._address:
            return []
        time.sleep_ms(_SCAN_MS)
        return [(_name(network), b"\x02\x00\x00\x00\x00" + bytes([place & 255]), network.get("channel", 1),
                 network.get("rssi", -60), 3 if network.get("password") else 0, False)
                for place, network in enumerate(air().get("networks", ()))]


class AccessPoint:
    """What it is set to stands in the file access_point.json, for who plays the phone."""

    def __init__(self):
        self._active = False
        self._settings = {}

    def active(self, on=None):
        if on is not None:
            self._active = bool(on)
            self._tell()
        return self._active

    def config(self, *names, **settings):
        for name in settings:
            if name not in ("ssid", "password", "key", "security", "channel", "hidden", "max_clients"):
                raise ValueError("unknown config param")
        if settings and not self._active:
            raise OSError("Wifi Invalid Mode")
        self._settings.update(settings)
        self._tell()
        return self._settings.get(names[0]) if names else None

    def _tell(self):
        with open("access_point.json.new", "w") as file:
            json.dump(dict(self._settings, active=self._active), file)
        os.rename("access_point.json.new", "access_point.json")

    def isconnected(self):
        return False

    def status(self, what=None):
        return [] if what == "stations" else None

    def ifconfig(self, fixed=None):
        own = air().get("ap", {})
        address = own.get("address", "127.0.0.1")
        return address, own.get("netmask", "255.0.0.0"), address, address


_interfaces = Station(), AccessPoint()  # one of each, as in the driver


def wlan(interface=0):
    return _interfaces[interface]
