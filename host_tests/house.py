# SPDX-License-Identifier: MIT
"""A dongle with the web server on, and what a browser does."""

import http.client
import json
import socket

from host_tests.brokers import eventually, free_port
from host_tests.firmware import Firmware
from tools import meters

START = 1_760_000_000
PATIENCE = 60  # seconds for one answer of a machine that is busy with other tests
JSON = {"Content-Type": "application/json"}


class House:
    """Has a meter on its wire. Ends with a look at the log: nothing of the web may have failed."""

    def __init__(self, folder, wire, family="dsmr5", **settings):
        self.port = free_port()
        self.patience = PATIENCE
        self.state = folder / "state"
        self._wire = wire
        self._meter = meters.make(family, seed=7, start=START)
        self.firmware = Firmware(folder, wire.uart, self.needed(settings))
        self.firmware.wait_for_log("dashboard on port")

    def telegram(self):
        """Send one; what its reading holds."""
        telegram, expected = self._meter.next()
        self._wire.send(telegram)
        return expected

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def ask(self, path, method="GET", body=None, headers=None):
        """(status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def post(self, path, document=None, headers=None):
        return self.ask(path, "POST", json.dumps(document or {}), {**JSON, **(headers or {})})

    def json(self, path, document=None, status=200, headers=None):
        """What comes back for a GET, or for a POST when there is a document, with this status."""
        found, _, body = self.ask(path, headers=headers) if document is None else self.post(path, document, headers)
        assert found == status, (found, body)
        return json.loads(body)

    def health(self):
        return self.json("/api/health")

    def needed(self, settings):
        """`settings` with what a test here needs: a port of its own, and nobody elsewhere asked for the time."""
        server = settings.get("time", {}).get("server", "")
        return {**settings, "web": {**settings.get("web", {}), "port": self.port},
                "time": {**settings.get("time", {}), "server": server if server.startswith("127.") else ""}}

    def kept(self):
        """The settings file, without what a test here needs."""
        kept = json.loads((self.state / "settings.json").read_text())
        assert kept["web"].pop("port") == self.port
        assert kept["time"].pop("server") == ""
        return {group: values for group, values in kept.items() if values}

    def restarted(self, count):
        """Wait for start number `count`, and until the web server is there again."""
        eventually(lambda: len(self.firmware.logged("dashboard on port")) >= count, "start %d" % count)

    def raw(self, data):
        """What comes back for some bytes, until the connection is closed."""
        with self.connect() as client:
            client.sendall(data)
            return everything(client)

    def wait_for(self, expected):
        """Until the reading of a telegram can be asked for."""
        def there():
            status, _, text = self.ask("/api/reading")
            reading = json.loads(text)
            return status == 200 and all(reading[name] == expected[name] for name in ("time", "import_wh"))
        eventually(there, "the reading")

    def idle(self):
        """Until all the connections that were left have been let go."""
        eventually(lambda: self.ask("/api/reading")[0] in (200, 404), "a free connection")

    def __enter__(self):
        self.firmware.__enter__()
        return self

    def __exit__(self, *trouble):
        self.firmware.__exit__(*trouble)
        for line in self.firmware.log:
            assert "Traceback" not in line and "task web" not in line, self.firmware.log


def everything(client):
    found = b""
    try:
        while more := client.recv(4096):
            found += more
    except ConnectionResetError:
        pass
    return found


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.0 ") else None
