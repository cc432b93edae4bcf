# SPDX-License-Identifier: MIT
"""What a fleet costs a broker: Mosquitto and simulated dongles here, the broker's time and memory from /proc.

    python -m tools.fleet.measure --count 200 --seconds 60     one JSON object a line; docs/fleet.md reckons with them

Processor time is the kernel's count for the broker alone, so that it hardly depends on what else runs here.
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.fleet.mqtt import Client
from tools.fleet.simulated import Pace, fleet, run
from tools.paths import PROGRAMS
from tools.run import free_port

_TICK = os.sysconf("SC_CLK_TCK")
_SYS = {"$SYS/broker/publish/messages/received": "in", "$SYS/broker/publish/messages/sent": "out",
        "$SYS/broker/bytes/received": "bytes_in", "$SYS/broker/bytes/sent": "bytes_out"}


class Broker:
    def __init__(self, folder, certificate=None):
        self.port = free_port()
        lines = ["listener %d 127.0.0.1" % self.port, "allow_anonymous true", "user root", "log_type none",
                 "sys_interval 1", "max_connections -1"]
        if certificate:
            lines += ["certfile %s" % certificate[0], "keyfile %s" % certificate[1]]
        config = Path(folder) / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        self._words = [str(PROGRAMS / "mosquitto"), "-c", str(config)]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu_s(self):
        """User and system time so far."""
        words = Path("/proc/%d/stat" % self.process.pid).read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / _TICK

    def memory_kb(self):
        for line in Path("/proc/%d/status" % self.process.pid).read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])

    def stop(self):
        self.process.kill()
        self.process.wait()


def tell(name, **figures):
    print(json.dumps({"name": name, **{key: round(value, 3) for key, value in figures.items()}}), flush=True)


async def counters(broker, seconds, tls=None, also=()):
    """How the broker's own counts, and its processor time, rise in some seconds; `also`: topics to listen to, as what
    shows the data does."""
    found = {}

    def take(topic, payload, retained, size):
        if topic in _SYS:
            found.setdefault(_SYS[topic], []).append((time.monotonic(), int(payload)))
    client = Client("127.0.0.1", broker.port, "measure", take, tls=tls)
    await client.open()
    running = asyncio.ensure_future(client.run())
    await client.subscribe([*_SYS, *also])
    began, cpu = time.monotonic(), broker.cpu_s()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    cpu = broker.cpu_s() - cpu
    client.close()
    with contextlib.suppress(Exception):
        await running

    def rate(name):
        points = [point for point in found.get(name, ()) if point[0] > began + 0.5]
        return (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0]) if len(points) > 1 else 0
    return {"cpu_percent": 100 * cpu / took, "memory_kb": broker.memory_kb(),
            **{name + "_per_s": rate(name) for name in _SYS.values()}}


async def connected(dongles, patience=300):
    """Seconds until all of them are."""
    began = time.monotonic()
    while not all(dongle.connects for dongle in dongles):
        await asyncio.sleep(0.02)
        if time.monotonic() > began + patience:
            raise SystemExit("they did not all connect")
    return time.monotonic() - began


async def steady(folder, count, reading_s, seconds, also=()):
    broker = Broker(folder)
    await asyncio.sleep(1)
    empty = broker.memory_kb()
    dongles = fleet(("127.0.0.1", broker.port), count, Pace(reading_s=reading_s))
    running = asyncio.ensure_future(run(dongles, 200))
    await connected(dongles)
    await asyncio.sleep(reading_s)
    figures = await counters(broker, seconds, also=also)
    running.cancel()
    await asyncio.wait((running,))
    broker.stop()
    messages = figures["in_per_s"] + figures["out_per_s"]
    tell("steady.%d.every %d s%s" % (count, reading_s, ".one reads all" if also else ""), empty_kb=empty,
         kb_per_dongle=(figures["memory_kb"] - empty) / count,
         cpu_us_per_message=figures["cpu_percent"] * 1e4 / max(1, messages), **figures)


async def storm(folder, count, certificate=None):
    """All at once, as when a broker has restarted: connect, announce, subscribe."""
    broker = Broker(folder, certificate)
    await asyncio.sleep(1)
    tls = ssl.create_default_context(cafile=certificate[0]) if certificate else None
    if tls:
        tls.check_hostname = False
    dongles = fleet(("127.0.0.1", broker.port), count, Pace(reading_s=600, health_s=600), tls=tls)
    cpu, empty = broker.cpu_s(), broker.memory_kb()
    running = asyncio.ensure_future(run(dongles, 1e6))
    took = await connected(dongles)
    await asyncio.sleep(1)
    cpu = broker.cpu_s() - cpu
    tell("storm.%d%s" % (count, ".tls" if tls else ""), seconds=took, cpu_ms_per_connection=1000 * cpu / count,
         kb_per_dongle=(broker.memory_kb() - empty) / count)
    running.cancel()
    await asyncio.wait((running,))
    broker.stop()


def own_certificate(folder, kind):
    """Files of a certificate and its key, signed by itself."""
    key, pem = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
    how = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *how, "-nodes", "-keyout", key, "-out", pem, "-days", "2",
                    "-subj", "/CN=localhost"], check=True, capture_output=True)
    return pem, key


async def measure(count, seconds):
    with tempfile.TemporaryDirectory() as folder:
        await steady(folder, count, 10, seconds)
        await steady(folder, count, 1, seconds)
        await steady(folder, count, 1, seconds, ("wattport/#",))
        await storm(folder, count)
        for kind in ("ec", "rsa"):
            print(json.dumps({"certificate": kind}))
            await storm(folder, count, own_certificate(folder, kind))


def main():
    parser = argparse.ArgumentParser(prog="tools.fleet.measure", description="What a fleet costs a broker.")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    asyncio.run(measure(options.count, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
