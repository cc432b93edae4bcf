# SPDX-License-Identifier: MIT
"""Bundles: what a dongle is updated with, one signed file. docs/update.md describes it.

    python -m tools.bundle keys [FOLDER]                 make a pair of keys
    python -m tools.bundle make --chip xtensawin         the program of this checkout, into dist/
    python -m tools.bundle inspect FILE                  what is in it, and who signed it
    python -m tools.bundle verify FILE --key PUBLIC      as a dongle does
    python -m tools.bundle succeed NEW-PUBLIC            sign the key that comes next, with the one of now
    python -m tools.bundle push HOST [FILE...]           bring one to a dongle; the newest in dist/ without FILE
"""

import argparse
import hashlib
import json
import sys
import zlib
from base64 import b64decode, b64encode
from pathlib import Path

from tools import delivery, flashed, signing
from tools.compile import CompileError
from tools.paths import DIST, ROOT

from wattport.update import bundle as device, rsa  # isort: skip  (tools.signing has made it importable)

ENDING = ".wpb"
MAGIC = b"WATTPORT BUNDLE 1\n"
CHIPS = ("xtensawin", "rv32imc", "x64", "x86", "bytecode")
KEYS = ROOT / "keys"
CHAIN = "successors"  # beside the private key: KEY lines, from the first key to this one
_BLOCK = 4096
_STORED = 0x8000


class BundleProblem(Exception):
    """Why there is no bundle; the text is for the person who wanted one."""


def packed(data):
    """The payload of these bytes, see firmware/wattport/update/install.py."""
    blocks = []
    for at in range(0, len(data), _BLOCK):
        plain = data[at:at + _BLOCK]
        deflate = zlib.compressobj(9, zlib.DEFLATED, -12)
        small = deflate.compress(plain) + deflate.flush()
        length, block = (len(small), small) if len(small) < len(plain) else (len(plain) | _STORED, plain)
        blocks.append(length.to_bytes(2, "little") + block)
    return b"".join(blocks)


def unpacked(payload):
    """What `packed` was given; BundleProblem."""
    plain, at = [], 0
    try:
        while at < len(payload):
            length = int.from_bytes(payload[at:at + 2], "little")
            size = length & ~_STORED
            block = payload[at + 2:at + 2 + size]
            plain.append(block if length & _STORED else zlib.decompress(block, -12))
            at += 2 + size
    except zlib.error as error:
        raise BundleProblem("the payload is damaged: %s" % error)
    return b"".join(plain)


def make(manifest, files, key, chain=()):
    """The bytes of a bundle. manifest: without payload and key; files: {name: bytes}; key: a private one; chain: KEY
    lines, see `successor`."""
    payload = packed(b"".join(files[name] for name, _, _ in manifest["files"]))
    line = json.dumps({**manifest, "payload": [len(payload), hashlib.sha256(payload).hexdigest()],
                       "key": signing.key_id(signing.modulus(key))}, separators=(",", ":")).encode()
    return b"".join([MAGIC, *[entry + b"\n" for entry in chain], line, b"\n",
                     b64encode(signing.sign(key, line)), b"\n", payload])


def application(architecture, key, chain=()):
    """The bundle of this checkout's program."""
    try:
        files = flashed.program(architecture)
    except CompileError as error:
        raise BundleProblem(str(error))
    return make(flashed.manifest(files, architecture), files, key, chain)


def successor(key, number):
    """The KEY line with which a private key names the modulus of the one that follows it."""
    return b"KEY %s %s" % (b64encode(number), b64encode(signing.sign(key, signing.SUCCESSION + number)))


def chain_beside(path):
    """KEY lines of the file beside a private key; none where there is no such file."""
    path = Path(path).with_name(CHAIN) if path else None
    return path.read_bytes().splitlines() if path and path.exists() else []


def parts(data):
    """(KEY lines, manifest line, signature, payload) without a look at any of it; BundleProblem."""
    lines = []
    at = 0
    while len(lines) < 2 or not lines[-2].startswith(b"{"):
        end = data.find(b"\n", at)
        if end < 0 or len(lines) > 7 or not data.startswith(MAGIC):
            raise BundleProblem("it is no bundle of Wattport")
        lines.append(data[at:end])
        at = end + 1
    return lines[1:-2], lines[-2], b64decode(lines[-1]), data[at:]


def verify(data, number):
    """What a dongle that trusts the modulus `number` makes of a bundle: its manifest. BundleProblem, or the device's
    BundleError."""
    head = device.Head(rsa.verify, number)
    used = head.feed(data)
    if not head.manifest:
        raise BundleProblem("it ends inside of its head")
    payload = data[used:]
    size, digest = head.manifest["payload"]
    if len(payload) != size or hashlib.sha256(payload).hexdigest() != digest:
        raise BundleProblem("its payload is not the one that was signed")
    plain, at = unpacked(payload), 0
    for name, size, digest in head.manifest["files"]:
        if hashlib.sha256(plain[at:at + size]).hexdigest() != digest:
            raise BundleProblem("%s is not the file that was signed" % name)
        at += size
    if at != len(plain):
        raise BundleProblem("there is more in it than its files")
    return head.manifest


def default_path(manifest):
    return DIST / ("wattport-%s-%s%s" % (manifest["chip"], manifest["version"], ENDING))


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BundleProblem("%s: %s" % (path, error.strerror))


def _keys(options):
    for path in signing.make(options.folder):
        print(path)
    print("The private key signs your updates: keep it safe and off this machine's backups; whoever has it can update "
          "your dongles. Without it nobody can.")


def _private(options):
    path = options.key or (KEYS / "update.pem" if (KEYS / "update.pem").exists() else None)
    return signing.private(path), path


def _make(options):
    key, path = _private(options)
    for chip in options.chip or ("xtensawin", "rv32imc"):
        data = application(chip, key, chain_beside(path))
        manifest = json.loads(parts(data)[1])
        target = options.output or default_path(manifest)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        print("%s  %d bytes, SHA-256 %s" % (target, len(data), hashlib.sha256(data).hexdigest()))


def _inspect(options):
    chain, line, signature, payload = parts(_read(options.file))
    print(json.dumps({**json.loads(line), "successors": len(chain), "signature": signature.hex()[:16] + "…",
                      "payload_bytes": len(payload)}, indent=1, ensure_ascii=False))


def _verify(options):
    manifest = verify(_read(options.file), signing.public(options.key or KEYS / "update.pub.pem"))
    print("right: %s %s for %s, signed with %s" % (
        manifest["kind"], manifest["version"], manifest["chip"], manifest["key"]))


def _succeed(options):
    key, path = _private(options)
    lines = [*chain_beside(path), successor(key, signing.public(options.file))]
    target = options.output or Path(options.file).with_name(CHAIN)
    target.write_bytes(b"\n".join(lines) + b"\n")
    print("%s: put it beside the new private key; bundles that are signed with that one then say that the old one "
          "trusts it" % target)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools.bundle", description="Make, sign, look at, verify, push bundles.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    keys = verbs.add_parser("keys", help="make a pair of keys")
    keys.add_argument("folder", nargs="?", default=KEYS, type=Path)
    keys.set_defaults(run=_keys)
    makes = verbs.add_parser("make", help="the program of this checkout as a bundle")
    makes.add_argument("--chip", action="append", choices=CHIPS, help="both families of chips without")
    makes.add_argument("--key", metavar="FILE", help="private, PEM; or the variable " + signing.VARIABLE)
    makes.add_argument("--output", metavar="FILE", type=Path)
    makes.set_defaults(run=_make)
    for verb, run, text in (("inspect", _inspect, "what is in it"), ("verify", _verify, "as a dongle does"),
                            ("succeed", _succeed, "sign the public key that comes next")):
        one = verbs.add_parser(verb, help=text)
        one.add_argument("file", metavar="FILE")
        one.add_argument("--key", metavar="FILE")
        one.add_argument("--output", metavar="FILE", type=Path)
        one.set_defaults(run=run)
    delivery.add(verbs)
    options = parser.parse_args(argv)
    try:
        return options.run(options) or 0
    except (BundleProblem, signing.KeyProblem, device.BundleError, delivery.PushError) as error:
        print("bundle: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
