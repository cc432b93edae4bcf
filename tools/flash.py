# SPDX-License-Identifier: MIT
"""Make the image (tools.image) and write it into a board with esptool.

    python -m tools.flash --board esp32_generic --port /dev/ttyUSB0 --micropython ….bin [-- esptool's own options]

The port is a device or any URL that pyserial opens: socket://HOST:PORT, rfc2217://HOST:PORT.
"""

import argparse
import codecs
import os
import re
import subprocess
import sys

from serial.tools import list_ports

from tools import image, label

# a plain TCP connection cannot pull the lines that put the chip into download mode, nor set the speed of the line
# at its far end; RFC 2217 can do both
WITHOUT_LINES = ("socket://", "loop://")
BAUD = "460800"


def _given(flags, *names):
    """True when one of esptool's options is among the flags: `--before x`, `--before=x`, `-b9600`."""
    return any(flag == name or flag.startswith(name + "=") or len(name) == 2 and flag.startswith(name)
               and not flag.startswith("--") for flag in flags for name in names)


def command(chip, port, path, flags=()):
    """The words that run esptool. `flags` come before its subcommand, and before what is chosen here."""
    words = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port]
    if port.startswith(WITHOUT_LINES):
        for name, short in (("--before", "--before"), ("--after", "-a")):
            if not _given(flags, name, short):
                words += [name, "no-reset"]
    elif not _given(flags, "--baud", "-b"):
        words += ["--baud", BAUD]
    return words + list(flags) + ["write-flash", "0x0", str(path)]


def run(words):
    """(exit status, what it said): run a program and pass on what it says, as it says it."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"})
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    said = []
    while data := os.read(process.stdout.fileno(), 4096):
        said.append(decode(data))
        sys.stdout.write(said[-1])
        sys.stdout.flush()
    return process.wait(), "".join(said)


def mac(said):
    """The chip's MAC address by what esptool said, or None. Newer chips have a longer one too; ours is the base."""
    found = re.findall(r"(BASE )?MAC:\s*((?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2})(?![:\w])", said)
    return max(found)[1] if found else None


def ports():
    """What can be seen here, for the person who named no port."""
    seen = ["  %s  %s" % (port.device, port.description) for port in sorted(list_ports.comports())]
    return "\n".join(["these are here:", *seen] if seen else
                     ["no serial port is to be seen here; is the board plugged in, with a data cable?"])


def advice(port):
    """What to do when esptool could not."""
    lines = ["flash: nothing can be said of the flash now; flash again before the board is used."]
    if port.startswith(WITHOUT_LINES):
        lines.append("flash: over %s the chip has to be in download mode already: GPIO 0 low while it starts." % port)
    else:
        lines.append("flash: is another program using the port? Does it help to hold BOOT while it connects?")
    return "\n".join(lines)


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    flags = []
    if "--" in argv:
        at = argv.index("--")
        argv, flags = argv[:at], argv[at + 1:]
    parser = argparse.ArgumentParser(prog="tools.flash", description="Make a whole flash image and write it.",
                                     epilog="What follows -- goes to esptool, in front of write-flash.")
    image.add_arguments(parser)
    parser.add_argument("--port", metavar="PORT", help="a device, or a URL of pyserial")
    options = parser.parse_args(argv)
    if not options.port:
        print("flash: which port? make flash PORT=…; %s" % ports(), file=sys.stderr)
        return 2
    try:
        path, board, settings, password = image.build(options)
    except image.ImageError as error:
        print("flash: %s" % error, file=sys.stderr)
        return 2
    status, said = run(command(board.CHIP, options.port, path, flags))
    if status:
        print(advice(options.port), file=sys.stderr)
        return status
    address = mac(said)
    if address:
        label.label(address, password)
    else:
        print(image.sticker(password))
    start = "reset the board without GPIO 0 low" if options.port.startswith(WITHOUT_LINES) else "the board restarts now"
    print("flash: written; %s." % start)
    if settings and settings.get("wifi", {}).get("ssid"):
        print("flash: plug it into the meter's port: it joins the Wi-Fi of the settings. Holding the button for 5 s "
              "opens the set-up's own.")
    else:
        print("flash: plug it into the meter's port and join its own Wi-Fi, above, with a phone.")
    print("flash: keep that password, on a sticker say; AP=%s gives the dongle the same one again." % password)
    return 0


if __name__ == "__main__":
    sys.exit(main())
