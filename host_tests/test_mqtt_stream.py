# SPDX-License-Identifier: MIT
"""Connections under MicroPython leave nothing behind, however they end."""

import json
import subprocess

from host_tests.brokers import Authority, BadBroker, free_port
from tools.compile import micropython

SCRIPT = """
import asyncio, gc, json, os
from wattport.net import stream

def open_files():
    return len(list(os.ilistdir("/proc/self/fd")))

async def attempt(port, ca, timeout_ms):
    try:
        connection = await stream.connect("127.0.0.1", port, ca, timeout_ms)
    except stream.StreamError as error:
        return str(error)
    connection.close()
    connection.close()
    return "connected"

async def cancelled(port, ca):
    task = asyncio.create_task(attempt(port, ca, 10000))
    await asyncio.sleep_ms(50)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"

async def main():
    gc.disable()  # nothing is closed by chance
    PEM = %(pem)r
    await attempt(%(refused)d, None, 100)
    before = open_files()
    found = set()
    for _ in range(10):
        found.add(await attempt(%(refused)d, None, 1000))
        found.add(await attempt(%(silent)d, PEM, 40))
        found.add(await attempt(%(babbling)d, PEM, 1000))
        found.add(await attempt(%(silent)d, None, 1000))
        found.add(await cancelled(%(silent)d, PEM))
    print(json.dumps({"found": sorted(found), "left open": open_files() - before}))

asyncio.run(main())
"""


def silent(connection):
    while connection.recv(4096):
        pass


def babbling(connection):
    connection.sendall(b"220 hello\r\n" * 10)
    silent(connection)


def test_no_socket_stays_open_after_refusal_time_out_nonsense_closing_or_cancelling(tmp_path):
    with BadBroker(silent) as quiet, BadBroker(babbling) as loud:
        script = tmp_path / "stream.py"
        script.write_text(SCRIPT % {"pem": Authority().pem, "refused": free_port(), "silent": quiet.port,
                                    "babbling": loud.port})
        command, environment = micropython("micropython")
        done = subprocess.run(command + [str(script)], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["left open"] == 0
    texts = " / ".join(result["found"])
    for wanted in ("ECONNREFUSED", "TLS: no answer", "connected", "cancelled"):
        assert wanted in texts, texts
    assert len(result["found"]) == 5, texts
