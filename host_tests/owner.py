# SPDX-License-Identifier: MIT
"""The owner of a dongle, for tests: a running firmware with its web server, and requests to it."""

import http.client
import json

from host_tests.brokers import eventually, free_port
from host_tests.firmware import Firmware

PATIENCE = 60  # seconds for one answer of a machine that is busy with other tests


class Owner:
    """`settings` as the firmware finds them at its start."""

    def __init__(self, folder, wire, settings=None, environment=None):
        self.state = folder / "state"
        self.port = free_port()
        self.firmware = Firmware(folder, wire.uart, self.needed(settings or {}), environment=environment)
        self.firmware.wait_for_log("dashboard on port")

    def ask(self, path, document=None, headers=None):
        """(status, headers, body) of a GET, or of a POST when there is a document."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = None if document is None else json.dumps(document)
        connection.request("GET" if document is None else "POST", path, body,
                           {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def json(self, path, document=None, status=200):
        found, _, body = self.ask(path, document)
        assert found == status, (found, body)
        return json.loads(body)

    def kept(self):
        """The settings file, without what a test here needs."""
        kept = json.loads((self.state / "settings.json").read_text())
        assert kept["web"].pop("port") == self.port
        assert kept["time"].pop("server") == ""
        return {group: values for group, values in kept.items() if values}

    def needed(self, settings):
        """`settings` with what a test here needs: a port of its own, and nobody asked for the time."""
        return {**settings, "web": {**settings.get("web", {}), "port": self.port},
                "time": {**settings.get("time", {}), "server": ""}}

    def restarted(self, count):
        """Wait for start number `count`, and until the web server is there again."""
        eventually(lambda: len(self.firmware.logged("dashboard on port")) >= count, "start %d" % count)

    def __enter__(self):
        self.firmware.__enter__()
        return self

    def __exit__(self, *_):
        self.firmware.__exit__()
