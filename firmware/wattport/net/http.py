# SPDX-License-Identifier: MIT
"""A file from an http or https address, from any byte of it on (RFC 9110, 14). Loaded for that, then forgotten.

https needs the certificate of the server's CA. Every wait has a time-out; an answer's head is bounded.
"""

import asyncio

from micropython import const

from wattport.modules import fetch
from wattport.net import stream
from wattport.net.stream import StreamError

_CONNECT_MS = const(15000)
_SILENT_MS = const(20000)
_HEAD = const(6144)  # some redirect to addresses of a kilobyte
_REDIRECTS = const(4)


class Missing(OSError):
    """The server is there, and has not got it: to ask again would be of no use."""


class File:
    """What a server sends: `start`, the first byte of it; `total`, bytes of the whole file; `tag`, which tells this
    file from another at the same address, "" where the server has none. `readinto` a buffer; `close` it."""

    def __init__(self, source, rest, start, total, tag):
        self._stream = source
        self._rest = rest
        self.start, self.total, self.tag = start, total, tag

    async def readinto(self, buf):
        """How many bytes; 0 at the end. StreamError."""
        if self._rest:
            size = min(len(buf), len(self._rest))
            buf[:size] = self._rest[:size]
            self._rest = self._rest[size:]
            return size
        while True:
            got = await _within(self._stream.readinto(buf))
            if got is not None:  # TLS had something of its own to read
                return got

    def close(self):
        self._stream.close()


async def _within(reading):
    try:
        return await asyncio.wait_for_ms(reading, _SILENT_MS)
    except asyncio.TimeoutError:
        raise StreamError("the server went silent")
    except (OSError, ValueError) as error:
        raise StreamError("the connection broke off: %s" % error)


def _next(place, location, secure):
    """The address that an answer leads to, absolute."""
    if location.startswith("/"):
        location = "%s://%s:%d%s" % ("https" if secure else "http", place[1], place[2], location)
    if secure and not location.startswith("https:"):
        raise Missing("the server leads from https to http, which is refused")
    return location


async def get(url, ca="", start=0, most=0, tag=""):
    """A File from its byte `start` on. ca: PEM, for https. most: bytes that are wanted, 0: all the rest. tag: of what
    came before, so that it goes on with the same file: another one comes from its first byte on.

    StreamError, in words; Missing when to ask again is of no use.
    """
    for _ in range(_REDIRECTS + 1):
        try:
            place = secure, host, port, path = fetch("wattport.url", "split")(url)
        except ValueError:
            raise Missing("this is no address of a file: %s" % url[:60])
        if secure and not ca:
            raise Missing("https needs the certificate of the server's CA: set update.ca")
        source = await stream.connect(host, port, ca if secure else None, _CONNECT_MS)
        try:
            request = "GET %s HTTP/1.1\r\nHost: %s%s\r\nUser-Agent: Wattport\r\nAccept-Encoding: identity\r\n" \
                "Connection: close\r\n" % (path, host, "" if port in (80, 443) else ":%d" % port)
            if start or most:
                request += "Range: bytes=%d-%s\r\n" % (start, start + most - 1 if most else "")
                if tag:
                    request += "If-Range: %s\r\n" % tag
            source.write((request + "\r\n").encode())
            await _within(source.drain())
            lines, rest = await fetch("wattport.net.head", "read")(source, _HEAD, _within)
            found = _answer(source, lines, rest)
            if not isinstance(found, str):
                source = None
                return found
            url = _next(place, found, secure)
        except EOFError:
            raise StreamError("the server closed the connection without an answer")
        except ValueError:
            raise StreamError("the server's answer is no HTTP")
        finally:
            if source:
                source.close()
    raise Missing("the server leads from one address to the next")


def _answer(source, lines, rest):
    """A File, or the address that it is at."""
    words = lines[0].split(" ", 2)
    if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise StreamError("the server's answer is no HTTP")
    status = int(words[1])
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    if status in (301, 302, 303, 307, 308):
        return fields.get("location", "")
    if status not in (200, 206):
        text = "the server answers %d %s" % (status, words[2][:40] if len(words) > 2 else "")
        raise (StreamError if status >= 500 or status in (408, 429) else Missing)(text.strip())
    if "transfer-encoding" in fields or fields.get("content-encoding", "identity") != "identity":
        raise Missing("the server packs or cuts the file: it has to be sent as it is")
    try:
        if status == 206:  # bytes 0-4095/230000
            span, _, total = fields["content-range"].partition(" ")[2].partition("/")
            return File(source, rest, int(span.partition("-")[0]), int(total), fields.get("etag", ""))
        return File(source, rest, 0, int(fields["content-length"]), fields.get("etag", ""))
    except (KeyError, ValueError):
        raise Missing("the server does not say how long the file is")
