# SPDX-License-Identifier: MIT
"""`make run`: the whole house on this machine. Simulated meters, a dongle on each (the very firmware), an MQTT broker,
and here what comes back from the broker.

The first meter speaks plain DSMR 5, the second encrypts as Luxembourg's do: its dongle has the key and decrypts.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import secrets
import signal
import socket
import sys
import tempfile
from pathlib import Path

from amqtt.broker import Broker
from amqtt.client import MQTTClient

from tools import dongle

SHUTDOWN_S = 5  # for the broker
METERS = (("dsmr5", False), ("lu", True))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def told(reading):
    """One line for a person: "1.234 kW from the grid, 4567.890 kWh so far, 230.1 V, gas 12.345 m³"."""
    net = reading.get("power_import_w", 0) - reading.get("power_export_w", 0)
    parts = ["%7.3f kW %s" % (abs(net) / 1000, "from the grid" if net >= 0 else "to the grid  ")]
    if "import_wh" in reading:
        parts.append("%.3f kWh in" % (reading["import_wh"] / 1000))
    if "export_wh" in reading:
        parts.append("%.3f kWh out" % (reading["export_wh"] / 1000))
    if "voltage_l1_mv" in reading:
        parts.append("%.1f V" % (reading["voltage_l1_mv"] / 1000))
    for device in reading.get("devices", {}).values():
        if "volume_l" in device:
            parts.append("%s %.3f m³" % (device.get("type", "meter"), device["volume_l"] / 1000))
    return ", ".join(parts)


async def relay(stream, name):
    """What a dongle or a meter says about itself, with its name before it."""
    while line := await stream.readline():
        print("%-6s | %s" % (name, line.decode(errors="replace").rstrip()), flush=True)


async def start(name, words, processes, tasks, **how):
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **how)
    processes.append(process)
    tasks.append(asyncio.create_task(relay(process.stdout, name)))


async def show(port, names, counts):
    client = MQTTClient(config={"auto_reconnect": False})
    await client.connect("mqtt://127.0.0.1:%d/" % port)
    await client.subscribe([("wattport/#", 0)])
    while True:
        message = await client.deliver_message()
        _, identity, topic = message.topic.split("/", 2)
        name = names.get(identity, identity)
        if topic == "reading":
            counts[name] += 1
            print("%-6s < %s" % (name, told(json.loads(message.data))), flush=True)
        elif topic == "health":
            health = json.loads(message.data)
            print("%-6s < health: meter %s, %d telegrams, errors %s, heap free %d bytes" % (
                name, health["meter"], health["telegrams"], health["errors"], health["heap_free"]), flush=True)
        elif topic == "state":
            print("%-6s < %s" % (name, message.data.decode()), flush=True)


async def house(folder, mqtt_port, seconds):
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:%d" % mqtt_port}},
                     "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}})
    await broker.start()
    processes, tasks, names, dashboards = [], [], {}, []
    counts = {name: 0 for name, _ in METERS}
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        for seed, (family, encrypted) in enumerate(METERS, 1):
            port = free_port()
            words = [sys.executable, "-m", "tools.meter", "--family", family, "--seed", str(seed), "tcp:%d" % port]
            settings = {"mqtt": {"host": "127.0.0.1", "port": mqtt_port}, "meter": {}}
            if encrypted:
                settings["meter"]["key"] = secrets.token_hex(16)
                words += ["--key", settings["meter"]["key"]]
            await start("meter", words, processes, tasks)
            state = folder / family
            state.mkdir()
            (state / "settings.json").write_text(json.dumps(settings))
            http_port = free_port()
            identity = dongle.prepare(state, http=http_port)
            dashboards.append("dashboard of %s: http://127.0.0.1:%d/" % (family, http_port))
            names[identity] = family
            words, environment = dongle.command("tcp:127.0.0.1:%d" % port, state, identity)
            await start(family, words, processes, tasks, env=environment, cwd=state)
        print("broker at 127.0.0.1:%d, topics wattport/#; %s" % (
            mqtt_port, "for %g seconds" % seconds if seconds else "stop with Ctrl-C"), flush=True)
        print("\n".join(dashboards), flush=True)
        tasks.append(asyncio.create_task(show(mqtt_port, names, counts)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in processes:
            await process.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # its readers may miss being cancelled once, and would be waited for; the loop's end cancels them again
        await asyncio.wait({asyncio.create_task(broker.shutdown())}, timeout=SHUTDOWN_S)
    print("readings received: %s" % ", ".join("%s %d" % item for item in counts.items()))
    return all(counts.values()) or stop.is_set()


def main():
    parser = argparse.ArgumentParser(prog="tools.run", description=__doc__)
    parser.add_argument("--seconds", type=float, help="stop by itself after so long")
    parser.add_argument("--mqtt", type=int, default=0, metavar="PORT", help="port of the broker; any free one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="wattport-") as folder:
        good = asyncio.run(house(Path(folder), options.mqtt or free_port(), options.seconds))
    if not good:
        print("not every meter was heard", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
