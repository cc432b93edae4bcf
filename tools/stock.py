# SPDX-License-Identifier: MIT
"""The official MicroPython image of a board: which one, where it is, and fetched into .build/micropython.

    python -m tools.stock esp32_generic        fetch it; its path, and its SHA-256 for boards/images.json

boards/images.json says version, date and, where it is known, the SHA-256 of each image. One whose SHA-256 is not known
comes over HTTPS from the project's own address, and is checked by the digests that are inside of it (tools.image).
"""

import argparse
import hashlib
import http.client
import json
import os
import sys
import urllib.error
import urllib.request

from tools.appimage import ImageError
from tools.paths import BOARDS, BUILD

ADDRESS = "https://micropython.org/resources/firmware"
VARIABLE = "WATTPORT_IMAGES"  # another address with the same files: a mirror
PINS = BOARDS / "images.json"
CACHE = BUILD / "micropython"
_TIMEOUT_S = 20
_MOST = 16 << 20


def pinned(board):
    """{"version", "date", "sha256"} of the board's image; ImageError."""
    known = json.loads(PINS.read_text())
    if board.IMAGE not in known:
        raise ImageError("boards/images.json has no version of %s: %s" % (board.IMAGE, _by_hand(board)))
    return known[board.IMAGE]


def _by_hand(board):
    return ("download the newest .bin of %s from micropython.org/download/%s%s, then name it with BOARD=%s "
            "MICROPYTHON=path/to/it.bin" % (board.IMAGE, board.IMAGE.partition("-")[0], " (variant \"Support for OTA\")"
                                            if board.IMAGE.endswith("-OTA") else "", board.NAME))


def file_name(board):
    pin = pinned(board)
    return "%s-%s-v%s.bin" % (board.IMAGE, pin["date"], pin["version"])


def url(board):
    return "%s/%s" % (os.environ.get(VARIABLE, ADDRESS).rstrip("/"), file_name(board))


def is_pinned(data, board):
    """False: another SHA-256 than the known one."""
    wanted = pinned(board)["sha256"]
    return wanted is None or hashlib.sha256(data).hexdigest() == wanted


def _why(error):
    reason = getattr(error, "reason", error)
    if isinstance(error, urllib.error.HTTPError):
        return "the server says %d %s" % (error.code, error.reason)
    return "%s" % (reason or type(error).__name__)


def _download(address, board):
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
            length = answer.headers.get("Content-Length")
            data = answer.read(_MOST + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ImageError(
            "the official MicroPython image cannot be fetched (%s): %s. Is this machine online? Otherwise %s" % (
                _why(error), address, _by_hand(board)))
    if len(data) > _MOST:
        raise ImageError("%s is larger than any image: %d bytes and more" % (address, _MOST))
    if length and int(length) != len(data):
        raise ImageError("%s broke off after %d of %s bytes: try again" % (address, len(data), length))
    return data


def _check(data, board, check, where):
    if not is_pinned(data, board):
        raise ImageError("%s is not the image that was pinned: its SHA-256 is %s, and boards/images.json has %s" % (
            where, hashlib.sha256(data).hexdigest(), pinned(board)["sha256"]))
    try:
        check(data, board)
    except ImageError as error:
        raise ImageError("MicroPython image %s: %s" % (where, error))


def fetch(board, check, tell=lambda line: None):
    """The path of the board's image, fetched unless it is here already. check(data, board) raises ImageError where it
    is no image for the board."""
    kept = CACHE / file_name(board)
    if kept.exists():
        try:
            _check(kept.read_bytes(), board, check, kept)
            return kept
        except ImageError:
            tell("MicroPython   what was kept of %s is not right; fetched anew" % kept.name)
    address = url(board)
    tell("MicroPython   fetching %s" % address)
    data = _download(address, board)
    _check(data, board, check, address)
    kept.parent.mkdir(parents=True, exist_ok=True)
    new = kept.with_name("%s.%d.new" % (kept.name, os.getpid()))
    new.write_bytes(data)
    new.replace(kept)
    if pinned(board)["sha256"] is None:
        tell("MicroPython   SHA-256 %s (none is pinned; the digests inside are right)" %
             hashlib.sha256(data).hexdigest())
    return kept


def main(argv=None):
    from tools import image
    parser = argparse.ArgumentParser(prog="tools.stock", description="Fetch a board's official MicroPython image.")
    parser.add_argument("board", nargs="?", default="esp32_generic", help="a folder of boards/")
    options = parser.parse_args(argv)
    try:
        board = image.board(options.board)
        path = fetch(board, image.check_micropython, print)
    except ImageError as error:
        print("stock: %s" % error, file=sys.stderr)
        return 2
    print(path)
    print('"%s": %s' % (board.IMAGE, json.dumps({**pinned(board), "sha256": hashlib.sha256(
        path.read_bytes()).hexdigest()})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
