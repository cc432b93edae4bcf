# SPDX-License-Identifier: MIT
"""The page: one gzipped file as tools.compile made it, and beside it the policy that lets its own script run."""

from binascii import hexlify

from micropython import const

_PAGE = __file__.rpartition("/")[0] + "/index.html"
_PIECE = const(1000)
_HEADERS = ("Content-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n"
            "Cache-Control: no-cache\r\nETag: %s\r\nContent-Security-Policy: %s\r\n")


def _pieces():
    with open(_PAGE + ".gz", "rb") as file:
        while True:
            piece = file.read(_PIECE)
            if not piece:
                break
            yield piece


def answer(request):
    with open(_PAGE + ".gz", "rb") as file:
        size = file.seek(0, 2)
        file.seek(-8, 2)
        tag = '"%s"' % hexlify(file.read()).decode()  # gzip ends with a CRC-32 and the size
    with open(_PAGE + ".csp") as policy:
        headers = _HEADERS % (size, tag, policy.read())
    if request.headers.get("If-None-Match") == tag:
        return (), 304, headers
    return _pieces(), 200, headers
