# SPDX-License-Identifier: MIT
"""Bundles for dongles to fetch from this machine: GET with or without a Range, nothing else. For a house or a
laboratory; for more there are web servers and caches, see docs/fleet.md."""

import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 8478


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):
        data = self.server.files.get(self.path.lstrip("/"))
        if data is None:
            self._head(404, 0)
            return
        asked = re.fullmatch(r"bytes=(\d{1,10})-(\d{0,10})", self.headers.get("Range", ""))
        if not asked:
            self._head(200, len(data))
            self.wfile.write(data)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        if first > last:
            self._head(416, 0, "bytes */%d" % len(data))
            return
        self._head(206, last + 1 - first, "bytes %d-%d/%d" % (first, last, len(data)))
        self.wfile.write(data[first:last + 1])

    def _head(self, status, size, which=None):
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.send_header("Accept-Ranges", "bytes")
        if which:
            self.send_header("Content-Range", which)
        self.end_headers()

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Whoever breaks off may."""


class Server:
    """`url(path)` of each file, while it is open."""

    def __init__(self, paths, host, port=PORT):
        self._server = _Server(("", port), _Handler)
        self._server.files = {Path(path).name: Path(path).read_bytes() for path in paths}
        self._base = "http://%s:%d/" % (host, self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path):
        return self._base + Path(path).name

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def own_address(towards):
    """The address that this machine has in the network where `towards`, (host, port), is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(towards)
        return probe.getsockname()[0]
