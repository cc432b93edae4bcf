# SPDX-License-Identifier: MIT
"""The whole flash of a board: read it into a file, write that back, or erase it.

    python -m tools.chip backup --port /dev/ttyUSB0      dist/backup-MAC-DATE.bin
    python -m tools.chip restore --port /dev/ttyUSB0 FILE
    python -m tools.chip erase --port /dev/ttyUSB0
"""

import argparse
import datetime
import os
import shlex
import sys
from pathlib import Path

from tools import esp
from tools.paths import DIST


def _failed(verb, options, said, wrote):
    for line in esp.advice(options.port, said, wrote):
        print("%s: %s" % (verb, line), file=sys.stderr)


def _unused(path):
    """A name that no earlier backup has."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name("%s-%d%s" % (path.stem, number, path.suffix))
    return found


def backup(options, flags, today=datetime.date.today):
    target = options.output
    new = (target or DIST / "backup.bin").with_suffix(".new")
    new.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # it holds passwords and keys: nobody else's
    try:
        status, said = esp.run(esp.command("auto", options.port, ["read-flash", "0", "ALL", str(new)], flags))
        if status:
            _failed("backup", options, said, False)
            return status
        if not target:
            address = (esp.mac(said) or "unknown").replace(":", "").lower()
            target = _unused(DIST / ("backup-%s-%s.bin" % (address, today().strftime("%Y%m%d"))))
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
    shown = os.path.relpath(target)
    print("backup: %s, %d bytes. It holds the dongle's passwords and keys; only you may read it, keep it so."
          % (shown, target.stat().st_size))
    print("backup: to write it back: make restore PORT=%s FILE=%s" % (options.port, shlex.quote(shown)))
    return 0


def restore(options, flags):
    if not options.file or not options.file.is_file():
        print("restore: which file? make restore PORT=… FILE=dist/backup-….bin", file=sys.stderr)
        return 2
    words = ["write-flash", "0x0", str(options.file)]
    status, said = esp.run(esp.command("auto", options.port, words, flags))
    if status:
        _failed("restore", options, said, True)
        return status
    print("restore: written, and read back right.")
    return 0


def erase(options, flags):
    status, said = esp.run(esp.command("auto", options.port, ["erase-flash"], flags))
    if status:
        _failed("erase", options, said, True)
        return status
    print("erase: the flash is empty: settings, history and the password of its set-up are gone. "
          "make flash PORT=%s writes it anew." % options.port)
    return 0


def main(argv=None):
    argv, flags = esp.divided(argv)
    parser = argparse.ArgumentParser(prog="tools.chip", description="Read, write or erase the whole flash.",
                                     epilog="What follows -- goes to esptool.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, run in (("backup", backup), ("restore", restore), ("erase", erase)):
        one = verbs.add_parser(verb)
        one.add_argument("--port", metavar="PORT", help="a device, or a URL of pyserial")
        one.set_defaults(run=run)
        if verb == "backup":
            one.add_argument("--output", metavar="FILE", type=Path)
        if verb == "restore":
            one.add_argument("file", metavar="FILE", type=Path, nargs="?")
    options = parser.parse_args(argv)
    if not options.port:
        print("%s: which port? make %s PORT=…; %s" % (options.verb, options.verb, esp.ports()), file=sys.stderr)
        return 2
    return options.run(options, flags)


if __name__ == "__main__":
    sys.exit(main())
