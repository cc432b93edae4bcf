# SPDX-License-Identifier: MIT
"""A meter without a checksum on a bad line, through the whole firmware: no wrong register reaches the broker."""

import json

import pytest

from host_tests.brokers import Listener, Mosquitto, eventually
from host_tests.firmware import Firmware, Wire
from host_tests.test_dongle import health_of, meter_of, settings_for
from tools.meters.faults import Faulty

REGISTERS = ("import_wh", "export_wh", "import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh")
UNSEEN_WH = 80000 * 5 // 3600 + 10 + 1  # a rise so small is possible at once, in this test without a pause; 10: iec's


def published(folder, family, count, **settings):
    """[(the Reading at the broker, the meter's own, the fault)] of a meter whose digits flip; the health; the log."""
    faulty = Faulty(meter_of(family), [("flip", 0.25)], seed=3)
    out = []
    with Mosquitto(folder) as broker, Listener(broker.port) as listener, Wire() as wire:
        with Firmware(folder, wire.uart, settings_for(broker.port, **settings)) as firmware:
            listener.wait(firmware.topic("state"), lambda text: text == b"online")
            topic = firmware.topic("reading")
            for k in range(count):
                delivery = faulty.next()
                wire.send(delivery.data)
                eventually(lambda wanted=k + 1: len(listener.payloads(topic)) >= wanted, "a reading")
                out.append((json.loads(listener.payloads(topic)[k]), delivery.expected, delivery.kinds))
            health = health_of(listener, firmware, lambda health: health["telegrams"] == count)
            return out, health, list(firmware.log)


def wrong_ones(out):
    """Registers at the broker that fell, or that are further from the truth than can be told."""
    told, wrong = {}, []
    for k, (reading, truth, _) in enumerate(out):
        for name in REGISTERS:
            if name in reading:
                value = reading[name]
                if value < told.get(name, 0) or not 0 <= value - truth[name] <= UNSEEN_WH:
                    wrong.append((k, name, value, truth[name]))
                told[name] = value
    return wrong


@pytest.mark.parametrize("family", ["dsmr2", "iec"])
def test_no_flipped_digit_of_a_register_reaches_the_broker(tmp_path, family):
    out, health, log = published(tmp_path, family, 60)
    assert sum(bool(kinds) for _, _, kinds in out) > 8
    assert not wrong_ones(out)
    assert health["held"] >= 5 and health["dropped"] >= 5 and health["swaps"] == 0, health
    assert len([line for line in log if "held back until the next telegram" in line]) == 1, log
    # powers never wait, and of two good telegrams in a row the second brings its registers, unless one was too high
    assert all("power_import_w" in reading for reading, _, _ in out)
    late = [k for k in range(1, len(out)) if not out[k - 1][2] and not out[k][2] and "export_wh" not in out[k][0]]
    assert len(late) < 5, late


def test_without_the_guard_they_do(tmp_path):
    out, health, _ = published(tmp_path, "dsmr2", 25, limit_w=0)
    assert wrong_ones(out)
    assert health["held"] == 0
