# SPDX-License-Identifier: MIT
"""The receiver's page and its way in: a bundle as the body of a POST. A few clients, one upload; whoever has the
ticket, which the dashboard gives to the owner.

    GET /api/update             how it stands
    POST /api/update            the bundle; ?downgrade=1: an older version is meant
    POST /api/update/cancel     back to the application
"""

import asyncio
import hashlib
import json
import socket
from binascii import hexlify

from micropython import const

from wattport.modules import fetch
from wattport.update.refusal import BundleError

_PIECE = const(512)
_HEAD = const(2048)
_HEAD_MS = const(10000)  # for all of it
_SILENT_MS = const(20000)
_DRAIN_MS = const(2000)
_CLIENTS = const(3)
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>Wattport: update</title>
<style>body{font:1.1em/1.5 sans-serif;max-width:34em;margin:2em auto;padding:0 1em}</style>
<h1>Update</h1><p role="status">The dongle is taking an update. This page comes back by itself.</html>"""
_LINES = ("HTTP/1.0 %s\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
          "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
          "Content-Type: %s\r\nContent-Length: %d\r\n\r\n")


class Door:
    """receiver: has `status()`, a dict; `state`; `touch()`, when somebody came; `open(downgrade)`, which gives an
    Install; `finish(install)`, to be awaited; `leave()`. ticket: SHA-256, hexadecimal digits; "": nobody has one."""

    def __init__(self, receiver, port, ticket):
        self._receiver = receiver
        self._port = port
        self._ticket = ticket
        self._clients = 0

    async def run(self):
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(socket.getaddrinfo("0.0.0.0", self._port)[0][-1])
            listener.listen(_CLIENTS)
            listener.setblocking(False)
            self._receiver.log("info", "update: waits on port %d" % self._port)
            while True:
                await asyncio.sleep_ms(50)
                if self._clients < _CLIENTS:
                    try:
                        client = listener.accept()[0]
                    except OSError:
                        continue
                    client.setblocking(False)
                    self._clients += 1
                    asyncio.create_task(self._serve(asyncio.StreamReader(client)))
        finally:
            listener.close()

    async def _serve(self, client):
        try:
            lines, rest = await asyncio.wait_for_ms(
                fetch("wattport.net.head", "read")(client, _HEAD, _as_it_comes), _HEAD_MS)
            await self._answer(client, lines, rest)
        except (OSError, ValueError, EOFError, MemoryError, asyncio.TimeoutError):
            pass  # whoever it was has gone, or is no browser
        finally:
            self._clients -= 1
            client.s.close()

    async def _answer(self, client, lines, rest):
        method, path, _ = lines[0].split(" ")
        path, _, query = path.partition("?")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        if method in ("GET", "HEAD"):
            if path == "/api/update":
                return await _send(client, "200 OK", self._receiver.status())
            if path.startswith("/api/"):
                return await _say(client, "503 Busy", "updating", "The dongle is taking an update.")
            return await _send(client, "200 OK", _PAGE)
        if method != "POST" or path not in ("/api/update", "/api/update/cancel"):
            return await _say(client, "404 Not Found", "not_found", "There is nothing at this address.")
        kind, _, given = fields.get("authorization", "").partition(" ")
        if not self._ticket or kind.lower() != "bearer" or (
                hexlify(hashlib.sha256(given.strip().encode()).digest()).decode() != self._ticket):
            return await _say(client, "401 Unauthorized", "login_needed", "The ticket for this update is needed.")
        self._receiver.touch()
        if path != "/api/update":
            await _send(client, "200 OK", {"restart_s": 2})
            return self._receiver.leave()
        size = int(fields.get("content-length", "0"))
        if self._receiver.state != "ready":
            return await _say(client, "409 Conflict", "busy", "Another upload is running.")
        try:
            manifest = await self._take(client, size, rest, "downgrade=1" in query.split("&"))
        except BundleError as error:
            await _say(client, "422 Unprocessable", error.kind, str(error))
            return await _drain(client)
        await _send(client, "200 OK", {"version": manifest["version"], "restart_s": 2})
        self._receiver.restart()

    async def _take(self, client, size, rest, downgrade):
        """The manifest of a bundle of `size` bytes that has been installed; BundleError."""
        install = self._receiver.open(downgrade)
        done = False
        try:
            for at in range(0, len(rest), _PIECE):
                install.feed(rest[at:at + _PIECE])
            size -= len(rest)
            buf = bytearray(_PIECE)
            view = memoryview(buf)
            while size > 0:
                try:
                    got = await asyncio.wait_for_ms(client.readinto(view[:min(size, _PIECE)]), _SILENT_MS)
                except (OSError, asyncio.TimeoutError):
                    got = 0
                if not got:
                    raise BundleError("truncated", "The upload broke off.")
                size -= got
                install.feed(bytes(view[:got]))
                self._receiver.touch()
            await self._receiver.finish(install)
            done = True
            return install.manifest
        except BundleError as error:
            self._receiver.refused(error)
            raise
        finally:
            if not done:
                install.abort()
                self._receiver.state = "ready"


async def _as_it_comes(reading):
    return await reading


async def _drain(client):
    """What it still sends: a reset could overtake the answer."""
    buf = bytearray(_PIECE)
    try:
        for _ in range(2048):
            if not await asyncio.wait_for_ms(client.readinto(buf), _DRAIN_MS):
                break
    except asyncio.TimeoutError:
        pass


async def _send(client, status, body):
    kind = "text/html; charset=utf-8"
    if isinstance(body, dict):
        body, kind = json.dumps(body), "application/json"
    body = body.encode()
    client.write((_LINES % (status, kind, len(body))).encode() + body)
    await asyncio.wait_for_ms(client.drain(), _SILENT_MS)


async def _say(client, status, error, detail):
    await _send(client, status, {"error": error, "detail": detail})
