# SPDX-License-Identifier: MIT
"""A dongle that is started as a chip is, from slots, with a meter in its port."""

from host_tests.brokers import free_port
from host_tests.firmware import Firmware
from host_tests.keys import modulus, program

QUICK = {"WATTPORT_SETTLE_S": "2", "WATTPORT_TRIAL_S": "20"}


class Slots:
    """It has a port for its dashboard and reads its meter. groups: of the settings."""

    def __init__(self, folder, meter, environment=None, **groups):
        self.port = free_port()
        self.host = "127.0.0.1:%d" % self.port
        self.state = folder / "state"
        self.firmware = Firmware(
            folder, meter, {"time": {"server": ""}, **groups, "web": {"port": self.port, **groups.get("web", {})}},
            flash={"key": modulus(), "program": program()}, environment={**QUICK, **(environment or {})})
        self.firmware.wait_for_log("dashboard on port")
        self.firmware.wait_for_log("reading dsmr5")

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.firmware.__exit__(*what)
