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

    def unplug(self):
        """What is sent next goes to whoever listens then: the firmware may have started again."""
        if self._client:
            self._client.close()
            self._client = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unplug()
        self._server.close()


class Firmware:
    """Runs with `settings`; `log` grows with what it prints. Starts again after machine.reset() and after a
    power cut, which `starts` counts.

    environment: more of it, WATTPORT_AIR say. settings: None leaves what an earlier run has kept.
    flash: it starts as a chip does, from slots; {"key": ..., "program": ...} as tools.dongle.flash takes them.
    """

    def __init__(self, folder, uart, settings, runtime="micropython32", line=None, environment=None,
                 flash=None):
        state = folder / "state"
        state.mkdir(exist_ok=True)
        if settings is not None:
            (state / "settings.json").write_text(json.dumps(settings))
        self.identity = dongle.prepare(state)
        if flash is not None:
            dongle.flash(state, runtime, **flash)
        self._words, base = dongle.command(uart, state, self.identity, runtime, line=line,
                                           slot=True if flash is None else "flash")
        self._how = {"env": {**base, **(environment or {})}, "cwd": state}
        self.log = []
        self.starts = 0
        self._lock = threading.Lock()  # nothing starts again behind the back of who stops it
        self._stopped = False
        self._start()
        threading.Thread(target=self._listen, daemon=True).start()

    def _start(self):
        self.starts += 1
        dongle.boot(self._how["cwd"])
        self._process = subprocess.Popen(self._words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         **self._how)

    def _listen(self):
        while True:
            for line in self._process.stdout:
                self.log.append(line.rstrip("\n"))
            status = self._process.wait()
            with self._lock:
                if self._stopped or status not in (dongle.RESET_STATUS, dongle.BITTEN_STATUS, -signal.SIGKILL):
                    return
                self._how["env"]["WATTPORT_BITTEN"] = "1" if status == dongle.BITTEN_STATUS else ""
                self._start()

    def cut_power(self):
        """In the middle of whatever it does; it starts again."""
        self._process.kill()

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
        with self._lock:
            self._stopped = True
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
