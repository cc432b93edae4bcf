# SPDX-License-Identifier: MIT
"""A bundle with MicroPython itself, made of an official image: its application alone goes into the idle partition of a
dongle.

    python -m tools.firmware_image --board esp32_generic ESP32_GENERIC-OTA-….bin [--key keys/update.pem] [--output FILE]
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

from tools import bundle, image, partitions, signing
from tools.appimage import HASH_AT, ImageError, check_whole
from tools.boards import board as board_named

FILE = "micropython.bin"
DESCRIPTION, DESCRIPTION_AT = 0xABCD5432, 32  # ESP-IDF, "Application Description": in front of what an application is


def application(data, board):
    """(version, bytes) of the application in the whole image of a board; ImageError."""
    if not board.OTA:
        raise ImageError("the flash of the board %s has room for one MicroPython: it is updated with a cable "
                         "(make flash)" % board.NAME)
    text = image.check_micropython(data, board)
    first = partitions.application(partitions.plan(data, board))[0] - board.IMAGE_OFFSET
    found = data[first:check_whole(data, first)]
    if int.from_bytes(found[DESCRIPTION_AT:DESCRIPTION_AT + 4], "little") != DESCRIPTION:
        raise ImageError("it holds no application of ESP-IDF")
    if not found[HASH_AT]:
        raise ImageError("it has no SHA-256 of its own, and a chip could not check it")
    number = re.match(r"\d+\.\d+\.\d+$", text)
    if not number:
        raise ImageError("it is MicroPython %s, which is no release" % text)
    return text, found


def manifest(version, data, board):
    """Without what only a bundle has: its payload and its key."""
    return {"name": "wattport", "kind": "micropython", "version": version, "chip": board.CHIP,
            "files": [[FILE, len(data), hashlib.sha256(data).hexdigest()]]}


def make(path, board, key, chain=()):
    """(manifest, bytes of the bundle)."""
    try:
        version, data = application(Path(path).read_bytes(), board)
    except OSError as error:
        raise ImageError("MicroPython image %s: %s" % (path, error.strerror))
    except ImageError as error:
        raise ImageError("MicroPython image %s: %s" % (path, error))
    made = manifest(version, data, board)
    return made, bundle.make(made, {FILE: data}, key, chain)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools.firmware_image", description="Make a bundle with MicroPython itself.")
    parser.add_argument("image", help="the official image for the board, whole")
    parser.add_argument("--board", default="esp32_generic", metavar="NAME", help="a folder of boards/")
    parser.add_argument("--key", metavar="FILE", help="private, PEM; or the variable " + signing.VARIABLE)
    parser.add_argument("--output", metavar="FILE", type=Path)
    options = parser.parse_args(argv)
    try:
        path = options.key or (bundle.KEYS / "update.pem" if (bundle.KEYS / "update.pem").exists() else None)
        made, data = make(options.image, board_named(options.board), signing.private(path), bundle.chain_beside(path))
        target = options.output or bundle.DIST / (
            "micropython-%s-%s%s" % (made["chip"], made["version"], bundle.ENDING))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except (ImageError, signing.KeyProblem) as error:
        print("firmware_image: %s" % error, file=sys.stderr)
        return 2
    except OSError as error:
        print("firmware_image: %s: %s" % (error.filename, error.strerror), file=sys.stderr)
        return 2
    print("%s  %d bytes, SHA-256 %s" % (target, len(data), hashlib.sha256(data).hexdigest()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
