# SPDX-License-Identifier: MIT
"""The heap while somebody sets the dongle up: portal, an encrypted meter found by itself, its key tried."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request

from tools import dongle, meters
from tools.bench.show import show
from tools.run import free_port

TELEGRAMS = 20
PAUSE_S = 0.2
PATIENCE_S = 20
AUTH_KEY = bytes(range(0xD0, 0xE0))


class Portal:
    """A dongle that nobody has set up, with a meter on its wire."""

    def __init__(self, folder):
        self.page = "http://127.0.0.1:%d" % free_port()
        air = folder / "air.json"
        air.write_text(json.dumps({"networks": [{"ssid": "Home", "password": "correct horse", "channel": 6}]}))
        state = folder / "state-portal"
        state.mkdir()
        (state / "settings.json").write_text(json.dumps({"web": {"port": int(self.page.rpartition(":")[2])}}))
        identity = dongle.prepare(state)
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(PATIENCE_S)
        words, environment = dongle.on_a_chip("tcp:127.0.0.1:%d" % server.getsockname()[1], state, identity)
        self.process = subprocess.Popen(words, env={**environment, "WATTPORT_AIR": str(air)}, cwd=state,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wire, _ = server.accept()
        server.close()

    def ask(self, path, document=None):
        """Asks again while the server is not there yet."""
        data = None if document is None else json.dumps(document).encode()
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                request = urllib.request.Request(self.page + path, data, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                    return json.loads(answer.read())
            except urllib.error.URLError as error:
                if isinstance(error, urllib.error.HTTPError) or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def close(self):
        self.wire.close()
        self.process.kill()
        self.process.wait()


def measure(folder, key, start, budget):
    meter = meters.make("kamstrup", seed=1, start=start, key=key, auth_key=AUTH_KEY)
    house = Portal(folder)
    try:
        house.ask("/api/health")
        for count in range(TELEGRAMS):
            house.wire.sendall(meter.next()[0])
            time.sleep(PAUSE_S)
            if count == TELEGRAMS // 2:
                house.ask("/api/try/key", {"key": key.hex(), "auth_key": AUTH_KEY.hex()})
        good = house.ask("/api/try")["key"]["state"] == "ok"
        health = house.ask("/api/health")
    finally:
        house.close()
    show("heap.app_portal.micropython32", health["heap_free"] if good else 0, "bytes", budget, more=True)
    show("stall.portal.micropython32", health["stall_ms"], "ms", 50)
