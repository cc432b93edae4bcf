# SPDX-License-Identifier: MIT
"""A release: an image for each board, a signed bundle for each family of chips, the web flasher, the list of parts, the
notes, and checksums of all that, signed too; in dist/release-VERSION.

    python -m tools.release [--images FOLDER] [--key keys/update.pem] [--skip-missing]

The same sources, images and key give the same bytes, wherever and whenever: nothing in them says where or when.
Python's zlib packs them, and another one may pack differently; the list of parts names it. docs/flashing.md says how a
release is checked.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tools import boards, bundle, changelog, flashed, image, npm, sbom, signing, stock, webflash
from tools.appimage import ImageError
from tools.compile import CompileError
from tools.paths import DIST, ROOT

from wattport.version import VERSION  # isort: skip  (tools.signing has made it importable)

SUMS, SIGNATURE, PUBLIC = "SHA256SUMS", "SHA256SUMS.sig", "update.pub.pem"
NOTES = "RELEASE_NOTES.md"
_CHECK = """## Is it what was released?

```
sha256sum --check --ignore-missing SHA256SUMS
openssl dgst -sha256 -verify update.pub.pem -signature SHA256SUMS.sig SHA256SUMS
```

The key's number is `%s`. It has to be that of the releases before: who can put another `update.pub.pem` here can sign
with it. How to put an image on a board, and how to update a dongle: docs/flashing.md and docs/update.md.
"""


class ReleaseError(Exception):
    """Why there is no release; the text is for the person who makes one."""


class Release:
    """Collects the files of a release: `files`, {path: bytes}."""

    def __init__(self, tell=print):
        self.files, self.tell = {}, tell

    def add(self, path, data):
        self.files[path] = data
        self.tell("  %-42s %9d bytes  %s" % (path, len(data), hashlib.sha256(data).hexdigest()))

    def sums(self):
        """In sha256sum's own form, in the order of the paths."""
        return "".join("%s  %s\n" % (hashlib.sha256(data).hexdigest(), path)
                       for path, data in sorted(self.files.items())).encode()

    def write(self, folder):
        """All of it or nothing; what was there before is gone. The modes don't follow the umask."""
        new = folder.with_name(folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        for path, data in sorted(self.files.items()):
            target = new / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o644)
        for path in (new, *new.rglob("*/")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)


def found(board, folder):
    """The path of the board's official image in a folder: the pinned one, or the only one of that name."""
    pinned = folder / stock.file_name(board)
    if pinned.exists():
        return pinned
    name = re.compile(re.escape(board.IMAGE) + r"(-\d{8}-v[\w.+-]+)?\.bin")
    there = sorted(path for path in folder.glob("*.bin") if name.fullmatch(path.name))
    if len(there) > 1:
        raise ImageError("%s has several images of %s (%s) and not the pinned one, %s" % (
            folder, board.IMAGE, ", ".join(path.name for path in there), pinned.name))
    if not there:
        raise ImageError("%s has no image %s" % (folder, pinned.name))
    return there[0]


def official(wanted, folder, skip, tell):
    """[(board, path of its official image), ...]; ReleaseError for those that are missing, unless they are skipped."""
    have, missing = [], []
    for board in wanted:
        try:
            path = found(board, folder) if folder else stock.fetch(board, image.check_official, tell)
            if not stock.is_pinned(path.read_bytes(), board) and path.name == stock.file_name(board):
                raise ImageError("%s has another SHA-256 than boards/images.json" % path)
            have.append((board, path))
        except ImageError as error:
            missing.append("%s: %s" % (board.NAME, error))
    for text in missing if skip else ():
        tell("left out      %s" % text)
    if missing and not skip:
        raise ReleaseError("images are missing; --skip-missing (SKIP_MISSING=1) makes the release without them.\n  "
                           + "\n  ".join(missing))
    if not have:
        raise ReleaseError("not one board has its image")
    return have


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def notes(version, date, body, made, key_number):
    """made: [(board, MicroPython's version), ...]."""
    rows = "".join("| `wattport-%s-%s.bin` | %s | %s | %s |\n" % (
        board.NAME, version, webflash.title(board), board.CHIP, micropython) for board, micropython in made)
    text = ("# Wattport %s\n\n%s\n\n%s\n\n## Images\n\n| file | board | chip | MicroPython |\n|---|---|---|---|\n%s\n"
            "They hold no password: each dongle makes one for its own Wi-Fi at its first start, and says it on the "
            "serial console.\nBundles (.wpb) update a dongle that runs: `xtensawin` is for ESP32, S2 and S3, `rv32imc` "
            "for C3 and C6.\n\n" % (version, date, body, rows))
    return (text + _CHECK % key_number).encode()


def make(options, tell=print):
    """The folder of the release. ReleaseError, or the errors of its parts."""
    text = Path(options.changelog).read_text()
    date, body = changelog.section(text, VERSION)
    if options.version and options.version != VERSION:
        raise ReleaseError("firmware/wattport/version.py says %s, not %s" % (VERSION, options.version))
    if changelog.is_pending(text):
        tell("note          CHANGELOG.md has entries under [Unreleased]; they are not in this release's notes")
    private = options.key or (bundle.KEYS / "update.pem" if (bundle.KEYS / "update.pem").exists() else None)
    key, chain = signing.private(private), bundle.chain_beside(private)
    number = signing.modulus(key)
    names = sorted(options.board or boards.names())
    tell("Wattport %s of %s, signed with the key %s" % (VERSION, date, signing.key_id(number)))
    wanted = official([image.board(name) for name in names], options.images, options.skip_missing, tell)
    families = sorted({board.ARCHITECTURE for board, _ in wanted})
    programs = {family: flashed.program(family) for family in families}
    release, images, made = Release(tell), {}, []
    for board, path in wanted:
        tell("%s, on %s" % (board.NAME, path.name))
        release.add("wattport-%s-%s.bin" % (board.NAME, VERSION), image.make(
            board, path, tell=lambda line: tell("  " + line), key=number, program=programs[board.ARCHITECTURE]))
        data = path.read_bytes()
        known = images.setdefault(hashlib.sha256(data).hexdigest(), {
            "name": board.IMAGE, "version": image.check_micropython(data, board),
            "sha256": hashlib.sha256(data).hexdigest(), "idf": sbom.idf_version(data, board.IMAGE_OFFSET),
            "boards": []})
        known["boards"].append(board.NAME)
        made.append((board, known["version"]))
    tell("bundles")
    for family in families:
        files = programs[family]
        release.add("wattport-%s-%s%s" % (family, VERSION, bundle.ENDING),
                    bundle.make(flashed.manifest(files, family), files, key, chain))
    tell("web flasher")
    for path, data in sorted(webflash.files([board for board, _ in wanted], VERSION).items()):
        release.add("web/" + path, data)
    tell("papers")
    release.add("wattport-%s.cdx.json" % VERSION, sbom.document(VERSION, date, list(images.values()), True))
    release.add(NOTES, notes(VERSION, date, body, made, signing.key_id(number)))
    release.add("LICENSE", (ROOT / "LICENSE").read_bytes())
    release.add(PUBLIC, public_pem(key))
    sums = release.sums()
    release.add(SUMS, sums)
    # begins with a digit or a-f, never as what bundles have signed: a manifest begins with {, a successor with W
    release.add(SIGNATURE, signing.sign(key, sums))
    folder = (options.output or DIST) / ("release-%s" % VERSION)
    release.write(folder)
    tell("%s: %d files, %d bytes" % (os.path.relpath(folder), len(release.files),
                                     sum(map(len, release.files.values()))))
    return folder


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools.release", description="Make a release.")
    parser.add_argument("--images", metavar="FOLDER", type=Path, help="of official MicroPython images; without, they "
                        "are fetched")
    parser.add_argument("--skip-missing", action="store_true", help="leave boards out whose image is missing")
    parser.add_argument("--board", action="append", metavar="NAME", help="this board alone; may be repeated")
    parser.add_argument("--key", metavar="FILE", help="private, PEM; keys/update.pem, or the variable "
                        + signing.VARIABLE)
    parser.add_argument("--version", metavar="X.Y.Z", help="refuse to make any other")
    parser.add_argument("--changelog", metavar="FILE", type=Path, default=ROOT / "CHANGELOG.md", help="%(default)s")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="dist")
    try:
        make(parser.parse_args(argv))
    except (ReleaseError, ImageError, changelog.ChangelogError, signing.KeyProblem, bundle.BundleProblem,
            CompileError, npm.NpmError, OSError) as error:
        print("release: %s" % error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
