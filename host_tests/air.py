# SPDX-License-Identifier: MIT
"""Access points of a simulated radio (tools/sim/air.py) and a dongle that receives them, for tests of Wi-Fi."""

import contextlib
import json

from host_tests.brokers import eventually
from host_tests.firmware import Firmware, Wire

HOME = {"ssid": "home", "password": "geheim99", "channel": 6, "rssi": -55, "address": "127.0.0.9"}
SHED = {"ssid": "shed", "password": "schuur-77", "channel": 1, "rssi": -80, "address": "127.0.0.8"}
BOTH = {"ssid": "home", "password": "geheim99", "ssid2": "shed", "password2": "schuur-77"}
ONE = {"ssid": "home", "password": "geheim99"}


class Air:
    """The file that a simulated radio receives."""

    def __init__(self, folder):
        self._path = folder / "air.json"
        self.environment = {"WATTPORT_AIR": str(self._path), "WATTPORT_BUTTON": "button"}

    def set(self, *networks, **more):
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"networks": networks, **more}))
        new.replace(self._path)


@contextlib.contextmanager
def dongle_in(folder, air, wifi, environment=None, **groups):
    with Wire() as wire, Firmware(folder, wire.uart, {"wifi": wifi, "web": {"port": 0}, **groups},
                                  environment={**air.environment, **(environment or {})}) as firmware:
        firmware.state = folder / "state"
        yield firmware


def connections(firmware):
    """The addresses that it has had so far."""
    return [line.rpartition(" ")[2] for line in firmware.logged("Wi-Fi connected")]


def wait_for_connections(firmware, count):
    return eventually(lambda: len(connections(firmware)) >= count and connections(firmware),
                      "connection number %d" % count, 60)
