# SPDX-License-Identifier: MIT
"""The firmware as a process, and the wire in its meter port, for tests that look at it from outside."""

import json
import signal
import socket
import subprocess
import threading

from host_tests.brokers import PATIENCE, eventually
from tools import dongle


class Wire:
    """A meter's line: what `send` is given goes to the firmware, whenever it listens."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.uart = "tcp:127.0.0.1:%d" % self._server.getsockname()[1]
        self._client = None

    def send(self, data):
        if not self._client:
            self._server.settimeout(PATIENCE)
            self._client, _ = self._server.accept()
        self._client.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._client:
            self._client.close()
        self._server.close()


class Firmware:
    """Runs with `settings`; `log` grows with what it prints."""

    def __init__(self, folder, uart, settings, runtime="micropython32", line=None):
        state = folder / "state"
        state.mkdir(exist_ok=True)
        (state / "settings.json").write_text(json.dumps(settings))
        self.identity = dongle.prepare(state)
        words, environment = dongle.command(uart, state, self.identity, runtime, line=line)
        self.log = []
        self._process = subprocess.Popen(words, env=environment, cwd=state, text=True, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self._process.stdout:
            self.log.append(line.rstrip("\n"))

    def topic(self, name):
        return "wattport/%s/%s" % (self.identity, name)

    def logged(self, text):
        """Lines of the log that hold a text."""
        return [line for line in self.log if text in line]

    def wait_for_log(self, text):
        return eventually(lambda: self.logged(text), "the log line %r" % text)[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
