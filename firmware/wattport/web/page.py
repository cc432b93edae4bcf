# SPDX-License-Identifier: MIT
"""The pages and what they load: gzipped files as tools.pages made them, in the header of a page the policy that lets
its own script run. Every browser takes gzip, so nothing else is kept.
"""

import os
from binascii import hexlify

from micropython import const

from wattport.modules import fetch
from wattport.web.refused import Refused

_FOLDER = __file__.rpartition("/")[0] + "/static"
_PAGES = "/ index|/wall index|/setup setup|/settings settings|/history history"
_TYPES = "js text/javascript|json application/json|svg image/svg+xml"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_./"
_HEAD = const(523)  # of a page: ten bytes, and the policy in the comment of gzip's header, RFC 1952, 2.3.1
_PIECE = const(512)
_HEADERS = ("Content-Type: %s; charset=utf-8\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\nCache-Control: %s\r\n"
            "ETag: %s\r\n")


def _place(path):
    """(file without .gz, type), or None. A page has an address of its own; what it loads has an ending."""
    for page in _PAGES.split("|"):
        page, name = page.split()
        if page == path:
            return "/%s.html" % name, "text/html"
    for letter in path:
        if letter not in _LETTERS:
            return None
    for kind in _TYPES.split("|"):
        kind, words = kind.split()
        if path.endswith("." + kind) and "/." not in path and "//" not in path:
            return path, words
    return None


def _pieces(path, size):
    """In a dongle's slot the file goes on behind its end (firmware/slot.py)."""
    with open(path, "rb") as file:
        while size > 0:
            piece = file.read(min(size, _PIECE))
            if not piece:
                break
            size -= len(piece)
            yield piece


def get(web, request):
    found = _place(request.path)
    if web.app.portal and web.app.access and (not found or request.path == "/"):
        raise fetch("wattport.web.gate", "away")(web)
    try:
        path = _FOLDER + found[0] + ".gz"
        size = os.stat(path)[6]
        with open(path, "rb") as file:
            head = file.read(_HEAD)
            file.seek(size - len(head) - 8, 1)
            tag = '"%s"' % hexlify(file.read(8)).decode()  # gzip ends with a CRC-32 and the size
    except (OSError, TypeError):
        raise Refused(404, "not_found", "There is nothing at this address.")
    is_page = path.endswith("l.gz")
    headers = _HEADERS % (found[1], size, "no-cache" if is_page else "max-age=86400", tag)
    if is_page:
        headers += "Content-Security-Policy: %s\r\n" % head[10:head.find(b"\0", 10)].decode()
    if request.headers.get("If-None-Match") == tag:
        return (), 304, headers
    return _pieces(path, size), 200, headers
