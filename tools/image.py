# SPDX-License-Identifier: MIT
"""A whole flash image: an official MicroPython image, and behind it a file system with the application.

    python -m tools.image --board esp32_generic --micropython ESP32_GENERIC-OTA-….bin [--settings settings.json]

The same inputs give the same bytes: nothing in the image says when or where it was made.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

from littlefs import LittleFS, LittleFSError

from tools import cpython, flashed, frozen, hashed, label, partitions, signing, stock
from tools.appimage import HASH_AT, ImageError, check_chip, check_version, check_whole
from tools.boards import board, check
from tools.compile import CompileError
from tools.paths import DIST, ROOT

cpython.install()

from wattport import settings as schema  # noqa: E402
from wattport.version import VERSION  # noqa: E402

ACCESS = "ap.txt"  # the password of the set-up's Wi-Fi, as firmware/wattport/net/access.py reads it

KEY_FILE = ROOT / "keys" / "update.pub.pem"  # where `make keys` puts it
FROZEN = object()
# what MicroPython's VfsLfs2 mounts with (extmod/vfs_lfs.c, and ESP32's block size)
BLOCK = 4096
LITTLEFS = {"block_size": BLOCK, "read_size": 32, "prog_size": 32, "lookahead_size": 32, "name_max": 255}


# ---- the MicroPython image


def check_micropython(data, board):
    """The version of the MicroPython image for this board; ImageError with what is wrong about it."""
    check_chip(data, board)
    room = board.FILES_OFFSET - board.IMAGE_OFFSET
    if len(data) > room:
        raise ImageError("it has %d bytes; there are %d in front of the file system" % (len(data), room))
    offset, size = partitions.application(partitions.plan(data, board))
    if check_whole(data, offset - board.IMAGE_OFFSET) > offset + size - board.IMAGE_OFFSET:
        raise ImageError("its application is larger than the partition of %d bytes" % size)
    return check_version(data)


def check_official(data, board):
    """The same of an image that was fetched, which has the SHA-256 of its application inside."""
    version = check_micropython(data, board)
    at = partitions.application(partitions.plan(data, board))[0] - board.IMAGE_OFFSET
    if not data[at + HASH_AT]:
        raise ImageError("it has no SHA-256 of its own, as the official ones have")
    return version


# ---- the file system


def load_settings(path):
    """The checked settings document of a file, the dashboard's password hashed, nothing added; ImageError names the
    key that is wrong."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ImageError("settings: %s: %s" % (path, error.strerror))
    except ValueError as error:
        raise ImageError("settings: %s is no JSON: %s" % (path, error))
    told = []
    document = schema.adopt(document, told)
    if told:
        raise ImageError("settings: %s: %s" % (path, told[0]))
    try:
        schema.check(document)
    except schema.SettingsError as error:
        raise ImageError("settings: %s: %s" % (path, error))
    return hashed.settings(document)


def contents(board, settings=None, password=None, key=None, program=None):
    """{path on the device: bytes} of everything that the file system starts with. key: the public key that updates are
    to be signed with, as tools.signing gives it, or None. program: what flashed.program gives, where it is known;
    FROZEN where MicroPython has it."""
    files = frozen.files() if program is FROZEN else flashed.start(board.FILE.read_bytes())
    if settings is not None:
        files[schema.PATH] = json.dumps(settings, ensure_ascii=False).encode()
    if password is not None:
        files[ACCESS] = password.encode()
    if key is not None:
        files[flashed.KEY] = key
    if program is FROZEN:
        return files
    try:
        program = program or flashed.program(board.ARCHITECTURE)
        files.update(flashed.first_slot(program, board.ARCHITECTURE))
    except CompileError as error:
        raise ImageError(str(error))
    return files


def file_system(files, size):
    """(bytes of a LittleFS, bytes free in it)."""
    # Each file written leaves entries in its folder's log, which every look at the folder reads. Written as version
    # 2.0, the logs lack the mark of erased space that 2.1 asks for, so 2.1 makes each anew in its shortest form: an
    # import on the device then reads half as much.
    volume = LittleFS(block_count=size // BLOCK, disk_version=0x20000, **LITTLEFS)
    try:
        for name, data in files.items():
            folder = os.path.dirname(name)
            if folder:
                volume.makedirs(folder, exist_ok=True)
            with volume.open(name, "wb") as file:
                file.write(data)
    except LittleFSError as error:
        raise ImageError("the application does not fit into the file system of %d bytes: %s" % (size, error))
    volume.unmount()
    volume = LittleFS(context=volume.context, block_count=size // BLOCK, **LITTLEFS)
    volume.fs_gc()
    return bytes(volume.context.buffer), (size // BLOCK - volume.used_block_count) * BLOCK


# ---- both


def make(board, micropython, settings=None, tell=lambda line: None, password=None, key=None, program=None):
    """The bytes of the whole flash. `settings`: a document or None; `tell` gets lines about sizes; `password`: of the
    Wi-Fi that the set-up opens, None for one that the device makes itself; `key`, `program`: see contents."""
    try:
        data = Path(micropython).read_bytes()
    except OSError as error:
        raise ImageError("MicroPython image %s: %s" % (micropython, error.strerror))
    odd = check(board)
    try:
        version, rows = check_micropython(data, board), partitions.plan(data, board)
    except ImageError as error:
        raise ImageError("MicroPython image %s: %s" % (micropython, error))
    files = contents(board, settings, password, key, program)
    volume, free = file_system(files, board.FILES_SIZE)
    slot = [len(text) for name, text in files.items() if name.startswith(flashed.SLOT + "/")]
    for text in odd:
        tell("board         %s" % text)
    tell("MicroPython   %s, %d bytes at 0x%X%s" % (version, len(data), board.IMAGE_OFFSET, "" if board.OTA else
                                                   "; no update over the air for it, this flash has room for one"))
    tell("application   %s, %s" % (VERSION, "frozen into MicroPython" if program is FROZEN else
                                   "%d files, %d bytes" % (len(slot), sum(slot))))
    tell("settings      %s" % ("in the image, with their passwords" if settings is not None
                               else "none; the dongle opens a Wi-Fi of its own for the set-up"))
    tell("updates       %s" % ("taken when signed with the key %s" % signing.key_id(key) if key else
                               "none: there is no key to check them with (make keys)"))
    tell("file system   %d bytes at 0x%X, %d free" % (len(volume), board.FILES_OFFSET, free))
    flash = bytearray(b"\xff" * board.FLASH_SIZE)
    flash[board.IMAGE_OFFSET:board.IMAGE_OFFSET + len(data)] = data
    if getattr(board, "PARTITIONS", None):
        flash[0x9000:0x10000] = b"\xff" * 0x7000  # what the partitions in there start with
        table = partitions.binary(rows)
        flash[partitions.TABLE:partitions.TABLE + len(table)] = table
    flash[board.FILES_OFFSET:board.FILES_OFFSET + len(volume)] = volume
    return bytes(flash)


def write(path, data, private):
    """Whole or not at all; `private`: nobody else on this machine may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644), "wb") as file:
        file.write(data)
    new.replace(path)


def add_arguments(parser):
    parser.add_argument("--board", default="esp32_generic", metavar="NAME", help="a folder of boards/")
    parser.add_argument("--micropython", metavar="PATH", help="the official MicroPython image for the board; "
                        "fetched without")
    parser.add_argument("--settings", metavar="FILE", help="settings to start with, JSON")
    parser.add_argument("--ap", metavar="PASSWORD", help="of the set-up's own Wi-Fi; a new one is made without")
    parser.add_argument("--key", metavar="FILE", help="the public key for updates, PEM; keys/update.pub.pem if there")
    parser.add_argument("--frozen", action="store_true", help="the application is in that MicroPython, by manifest.py")
    parser.add_argument("--output", metavar="FILE", type=Path, help="dist/wattport-BOARD-VERSION.bin")


def build(options, tell=print):
    """Make the image that the arguments ask for; (its path, the board, the settings or None, the password of the
    set-up's Wi-Fi). Raises ImageError."""
    target = board(options.board)
    settings = load_settings(options.settings) if options.settings else None
    password = options.ap or label.password()
    if label.problem(password):
        raise ImageError("--ap: %s" % label.problem(password))
    if options.frozen and (options.key or not options.micropython):
        raise ImageError("--frozen: name the MicroPython that has the application in it, and no key: it is updated as "
                         "a whole")
    key = Path(options.key) if options.key else KEY_FILE
    try:
        key = None if options.frozen else signing.public(key) if options.key or key.exists() else None
    except signing.KeyProblem as error:
        raise ImageError("--key: %s" % error)
    micropython = options.micropython or stock.fetch(target, check_official, tell)
    data = make(target, micropython, settings, tell, password, key, FROZEN if options.frozen else None)
    path = options.output or DIST / ("wattport-%s-%s.bin" % (target.NAME, VERSION))
    try:
        write(path, data, private=True)
    except OSError as error:
        raise ImageError("%s: %s" % (path, error.strerror))
    tell("image         %s, %d bytes" % (os.path.relpath(path), len(data)))
    tell("SHA-256       %s" % hashlib.sha256(data).hexdigest())
    return path, target, settings, password


def sticker(password):
    """What can be said of the label before anybody knows the chip."""
    return ("set-up Wi-Fi  Wattport-XXXX, where XXXX ends the chip's MAC address; password %s\n"
            "              The image has passwords in it: it is for one dongle. Its label, with a QR code:\n"
            "              .venv/bin/python -m tools.label --mac MAC --password %s" % (password, password))


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools.image", description="Make a whole flash image for a board.")
    add_arguments(parser)
    try:
        print(sticker(build(parser.parse_args(argv))[-1]))
    except ImageError as error:
        print("image: %s" % error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
