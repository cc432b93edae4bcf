# SPDX-License-Identifier: MIT
"""What is left of the heaps, and what happens when Python has taken what Wi-Fi lives on."""

import json
import subprocess

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Firmware, Wire
from tools.compile import micropython

CHIP = """
import gc, json, sys

class Esp32:
    HEAP_DATA = 4

    def idf_heap_info(capabilities):
        return [(7288, 4, 0, 4), (113840, 22484, 21504, 16980)]

sys.modules["esp32"] = Esp32
from wattport import spare
free, system = spare.left()
print(json.dumps([gc.mem_free() - free, system]))
"""


def test_what_python_could_take_from_the_system_is_not_counted_as_free():
    words, environment = micropython("micropython32")
    done = subprocess.run([*words, "-c", CHIP], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    difference, system = json.loads(done.stdout)
    assert abs(difference - 21504) < 1000 and system == 22488


def test_a_dongle_whose_python_has_taken_what_wifi_lives_on_restarts_and_another_one_does_not(tmp_path):
    def dongle(name, broker, wire, **environment):
        (tmp_path / name).mkdir()
        settings = {"web": {"port": 0}, "time": {"server": ""},
                    "mqtt": {"host": "127.0.0.1", "port": broker.port, "discovery": False}}
        return Firmware(tmp_path / name, wire.uart, settings, environment=environment)

    with Mosquitto(tmp_path) as broker, Listener(broker.port, ["wattport/#"]) as listener, Wire() as one, \
            Wire() as two, dongle("well", broker, one) as well, \
            dongle("starved", broker, two, WATTPORT_SYSTEM_FREE="980") as starved:
        assert json.loads(listener.wait(starved.topic("health"), patience=60))["system_free"] == 980
        eventually(lambda: starved.starts > 1, "a restart", 120)
        assert starved.logged("taken what Wi-Fi lives on")
        eventually(lambda: len(listener.payloads(well.topic("health"))) > 2, "three healths of the other one", 200)
        assert well.starts == 1
