# SPDX-License-Identifier: MIT
"""GET /api/diagnostics: one JSON document to attach to a question, sent in pieces:

{"wattport", "made", "board", "micropython", "device", "health", "settings", "heap", "log": [...], "failing": [{"error",
"detail", "age_s", "size", "frame"}], "frames": [{"size", "frame"}]}

`failing`: the last frames that were errors; `frames`: the next two that the meter sends, in hexadecimal digits. Secrets
are left out; names of networks, hosts and users, and the numbers of meters are replaced by zeros (`wattport.redact`),
so checksums in the frames fit no more: what they said stands in `error`.
"""

import asyncio
import gc
import json
import sys
import time
from binascii import hexlify

import board
from micropython import const

from wattport.modules import forget

_WAIT_MS = const(30000)  # most meters send every 1 to 10 s
_LOOK_MS = const(250)
_WANTED = const(2)
_MOST = const(1024)  # bytes of a frame
_PIECE = const(128)
_HEADERS = ("Content-Type: application/json\r\n"
            "Content-Disposition: attachment; filename=\"wattport-diagnostics.json\"\r\n")
# settings that are texts and tell nobody whose dongle it is; of others only that they are set. Numbers are shown, but
# for those that somebody may have written into the file for a secret
_SHOWN = "format protocol source pulse_edge zone currency discovery_prefix"
_SECRET = "pass key token ssid user host"


def _settings():
    """(the settings file without what is secret or somebody's, texts that are to be wiped out everywhere)."""
    texts = []
    try:
        with open("settings.json") as file:
            document = json.load(file)
        for values in document.values():
            for key in values:
                value = values[key]
                secret = any([word in key for word in _SECRET.split()])
                if isinstance(value, str) and key not in _SHOWN.split():
                    if 1 < len(value) < 100:
                        texts.append(value)
                    secret = True
                if secret or not isinstance(value, (str, int)):
                    values[key] = None if value else ""
    except (OSError, ValueError, AttributeError, TypeError):  # none, or none of ours
        document = {}
    return document, texts


def _heap():
    told = {"free": gc.mem_free(), "used": gc.mem_alloc()}
    try:
        import esp32
        told["idf"] = esp32.idf_heap_info(esp32.HEAP_DATA)  # (total, free, largest block, least free ever) of each
    except ImportError:
        pass
    return told


class _Bundle:
    def __init__(self, web):
        self._app = web.app
        self._web = web

    def _clean(self, value):
        """The same with every text in it cleaned."""
        if isinstance(value, str):
            for text in self._texts:
                value = value.replace(text, "***")
            buf = bytearray(value.encode())
            self._known(buf, self._numbers)
            self._figures(buf)
            return str(buf, "utf-8")
        if isinstance(value, dict):
            return {name: self._clean(value[name]) for name in value}
        if isinstance(value, (list, tuple)):
            return [self._clean(one) for one in value]
        return value

    async def _put(self, name, value):
        """A member; of an object or a list each part on its own: there is no piece of heap for all of it."""
        await self._client.awrite((', "%s": ' % name).encode())
        if isinstance(value, dict):
            opening, closing = b"{", b"}"
            parts = [json.dumps(key) + ": " for key in value]
            values = list(value.values())
        elif isinstance(value, list):
            opening, closing, values = b"[", b"]", value
            parts = [""] * len(value)
        else:
            opening = closing = b""
            parts, values = [""], [value]
        comma = opening
        for part, one in zip(parts, values):
            await self._client.awrite(comma + (part + json.dumps(self._clean(one))).encode())
            comma = b", "
            await asyncio.sleep(0)
        await self._client.awrite(closing if values else opening + closing)

    async def send(self, client):
        self._client = client
        app = self._app
        document, self._texts = _settings()
        from wattport import redact
        forget("wattport.redact")
        self._known, self._figures, self._steps = redact.known, redact.numbers, redact.STEPS
        newest = self._web.newest or {}
        self._numbers = [app.device_id]
        for one in [newest] + list(newest.get("devices", {}).values()):
            self._numbers += [one[name] for name in ("meter_id", "id", "message") if one.get(name)]
        await client.awrite(b'{"wattport": 1')
        await self._put("made", app.wall.utc())
        await self._put("board", board.NAME)
        await self._put("micropython", [sys.version, str(sys.implementation)])
        await self._put("health", self._web.report())
        await self._put("settings", document)
        del document
        await self._put("heap", _heap())
        await self._put("log", app.log.lines)
        await client.awrite(b', "failing": [')
        comma = b""
        now = app.log.uptime_s()
        for kind, detail, size, at, frame in app.kept.frames() if app.kept else ():
            told = {"error": kind, "detail": self._clean(detail), "age_s": now - at, "size": size}
            await client.awrite(comma + json.dumps(told).encode()[:-1])
            await self._frame(frame)
            comma = b", "
        await client.awrite(b'], "frames": [')
        await self._listen()
        await client.awrite(b"]}")

    async def _frame(self, frame):
        """The last member of an object: a frame, a bytearray that is ours."""
        self._known(frame, self._numbers)
        for step in self._steps:
            await asyncio.sleep(0)
            step(frame)
        for at in range(0, len(frame), _PIECE):
            await asyncio.sleep(0)
            self._figures(frame, at, at + _PIECE)
        await self._client.awrite(b', "frame": "')
        for at in range(0, len(frame), _PIECE):
            await self._client.awrite(hexlify(frame[at:at + _PIECE]))
        await self._client.awrite(b'"}')

    async def _listen(self):
        """The next frames that come in, or as many of them as come in time."""
        meter = self._app.meter
        if meter is self._app.line:  # nothing that has frames
            return
        found, before = [], meter.on_frame

        def heard(frame):
            if not found:
                found.append((len(frame), bytearray(frame[:_MOST])))
            if before:
                before(frame)
        meter.on_frame = heard
        try:
            began = time.ticks_ms()
            sent = 0
            while sent < _WANTED:
                if found:
                    size, frame = found.pop()
                    await self._client.awrite(b", " if sent else b"")
                    await self._client.awrite(('{"size": %d' % size).encode())
                    await self._frame(frame)
                    del frame
                    sent += 1
                elif time.ticks_diff(time.ticks_ms(), began) >= _WAIT_MS:
                    break
                else:
                    await self._client.flush()
                    self._client.send()  # it is we who are slow
                    await asyncio.sleep_ms(_LOOK_MS)
        finally:
            meter.on_frame = before


def get(web, request):
    return _Bundle(web).send, 200, _HEADERS
