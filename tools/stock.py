# SPDX-License-Identifier: MIT
"""The official MicroPython image of a board: which one, where it is, and fetched into .build/micropython.

    python -m tools.stock esp32_generic        fetch it; its path, and its SHA-256 for boards/images.json

boards/images.json says version, date and, where it is known, the SHA-256 of each image. One whose SHA-256 is not known
has to come over HTTPS, to be of that version and whole by the digests that are inside of it (tools.image); its SHA-256
is kept beside it, and from then on it has to be that one.
"""

import argparse
import hashlib
import http.client
import json
import os
import sys
import urllib.error
import urllib.parse
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


def _first(board):
    """The file with the SHA-256 of the first one that was fetched here."""
    return CACHE / (file_name(board) + ".sha256")


def _wanted(board):
    """(the SHA-256 that it has to have or None, who says so)."""
    known = pinned(board)["sha256"]
    if known is None and _first(board).exists():
        return _first(board).read_text().strip(), _first(board)
    return known, "boards/images.json"


def _is_safe(address):
    """Whether what comes from there comes from whom it says, or from this very machine."""
    place = urllib.parse.urlsplit(address)
    return place.scheme == "https" or place.hostname in ("127.0.0.1", "localhost", "::1")


def _why(error):
    reason = getattr(error, "reason", error)
    if isinstance(error, urllib.error.HTTPError):
        return "the server says %d %s" % (error.code, error.reason)
    return "%s" % (reason or type(error).__name__)


def _download(address, board):
    if _wanted(board)[0] is None and not _is_safe(address):
        raise ImageError("%s: no SHA-256 of this image is known, and over plain http anybody on the way could change "
                         "it. Give %s an https address, or %s" % (address, VARIABLE, _by_hand(board)))
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
            if _is_safe(address) and not _is_safe(answer.geturl()):
                raise ImageError("%s leads to plain http, %s, which is refused" % (address, answer.geturl()))
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
    found, (wanted, who) = hashlib.sha256(data).hexdigest(), _wanted(board)
    if wanted not in (None, found):
        raise ImageError("%s is not the image that was pinned: its SHA-256 is %s, and %s has %s" % (
            where, found, who, wanted))
    try:
        version = check(data, board)
    except ImageError as error:
        raise ImageError("MicroPython image %s: %s" % (where, error))
    if version != pinned(board)["version"]:
        raise ImageError("MicroPython image %s: it is MicroPython %s, and not %s" % (
            where, version, pinned(board)["version"]))


def fetch(board, check, tell=lambda line: None):
    """The path of the board's image, fetched unless it is here already. check(data, board) gives its version, and
    raises ImageError where it is no image for the board."""
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
    _write(kept, data)
    if pinned(board)["sha256"] is None and not _first(board).exists():
        digest = hashlib.sha256(data).hexdigest()
        _write(_first(board), digest.encode() + b"\n")
        tell("MicroPython   SHA-256 %s: nobody has confirmed it, so its address and the digests inside are what speaks "
             "for it; from now on it has to be this one" % digest)
    return kept


def _write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name("%s.%d.new" % (path.name, os.getpid()))
    new.write_bytes(data)
    new.replace(path)


def main(argv=None):
    from tools import image
    parser = argparse.ArgumentParser(prog="tools.stock", description="Fetch a board's official MicroPython image.")
    parser.add_argument("board", nargs="?", default="esp32_generic", help="a folder of boards/")
    options = parser.parse_args(argv)
    try:
        board = image.board(options.board)
        path = fetch(board, image.check_official, print)
    except ImageError as error:
        print("stock: %s" % error, file=sys.stderr)
        return 2
    print(path)
    print('"%s": %s' % (board.IMAGE, json.dumps({**pinned(board), "sha256": hashlib.sha256(
        path.read_bytes()).hexdigest()})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
