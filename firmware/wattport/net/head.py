# SPDX-License-Identifier: MIT
"""The head of an HTTP message, within bounds. Loaded for one, then forgotten."""

from micropython import const

_PIECE = const(512)


async def read(source, most, within):
    """(lines of the head, what came of the body with it). within(reading): to be awaited, keeps its time-out. EOFError
    at the end of what comes; ValueError: longer than `most` bytes, or no text."""
    head = b""
    while True:
        end = head.find(b"\r\n\r\n")
        if end >= 0:
            return str(head[:end], "utf-8").split("\r\n"), head[end + 4:]
        if len(head) > most:
            raise ValueError
        more = await within(source.read(_PIECE))
        if more is None:  # TLS had something of its own to read
            continue
        if not more:
            raise EOFError
        head += more
