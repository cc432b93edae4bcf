# SPDX-License-Identifier: MIT
"""esptool, over a device or any URL that pyserial opens, and what to do when it could not."""

import codecs
import os
import re
import subprocess
import sys

from serial.tools import list_ports

# a plain TCP connection cannot pull the lines that put the chip into download mode, nor set the speed of the line
# at its far end; RFC 2217 can do both
WITHOUT_LINES = ("socket://", "loop://")
BAUD = "460800"
_BAR = re.compile(r"^[A-Z][a-z]+ (?:at|from) 0x.* ([0-9.]+)%")
AGAIN = "nothing can be said of the flash now; flash again before the board is used."


def _given(flags, *names):
    """True when one of esptool's options is among the flags: `--before x`, `--before=x`, `-b9600`."""
    return any(flag == name or flag.startswith(name + "=") or len(name) == 2 and flag.startswith(name)
               and not flag.startswith("--") for flag in flags for name in names)


def divided(argv=None):
    """(our words, esptool's) of a command line, sys.argv without one: those behind -- are esptool's."""
    words = sys.argv[1:] if argv is None else list(argv)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1:]


def command(chip, port, verb, flags=()):
    """The words that run esptool. chip: "auto" for any; verb: its subcommand and what follows; `flags` come before
    that, and before what is chosen here."""
    words = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port]
    if port.startswith(WITHOUT_LINES):
        for name, short in (("--before", "--before"), ("--after", "-a")):
            if not _given(flags, name, short):
                words += [name, "no-reset"]
    elif not _given(flags, "--baud", "-b"):
        words += ["--baud", BAUD]
    return words + list(flags) + list(verb)


class _Passed:
    """What esptool says, passed on line by line; of its bars, which come as a line each, one in ten, or in a terminal
    all of them in the same place."""

    def __init__(self, out):
        self._out, self._open, self._tenth, self._bar = out, "", -1, False

    def take(self, text):
        *lines, self._open = (self._open + text).split("\n")
        for line in lines:
            self._line(line)
        self._out.flush()

    def _line(self, line):
        found = _BAR.match(line)
        if found and self._out.isatty():
            self._out.write("\r" + line.rstrip())
        elif found:
            tenth = int(float(found[1])) // 10
            if tenth != self._tenth:
                self._out.write(line.rstrip() + "\n")
            self._tenth = tenth
        else:
            self._out.write("\n" * (self._bar and self._out.isatty()) + line + "\n")
        self._bar = bool(found)

    def end(self):
        if self._open:
            self._line(self._open)
        self._out.flush()


def run(words):
    """(exit status, what it said): run a program and pass on what it says, as it says it."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"})
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    said, passed = [], _Passed(sys.stdout)
    while data := os.read(process.stdout.fileno(), 4096):
        said.append(decode(data))
        passed.take(said[-1])
    passed.end()
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


# what esptool or pyserial say → what that means, as far as it is worth more than what they say themselves
_MEANINGS = (
    (r"This chip is (\S+), not (\S+?)\. ", "the chip is an {0} and the board is made for an {1}: name the right one "
                                          "with BOARD=…; nothing was written."),
    (r"exclusively lock|Access is denied|Resource temporarily unavailable|Device or resource busy",
     "another program has the port: end it (a serial monitor, ModemManager, an IDE) and try again."),
    (r"Permission denied", "this user may not use the port; on Linux: sudo usermod -a -G dialout $USER, then log in "
                           "again."),
    (r"No such file or directory|FileNotFoundError", "there is no such port; {ports}"),
    (r"Could not open", "the port cannot be opened."),
    (r"disconnected|ClearCommError|Input/output error|Connection reset|Broken pipe|device reports readiness|"
     r"Device not configured", "the port went away in the middle: a loose plug, a cable or hub that gives too little "
                               "current?"),
    (r"Wrong boot mode detected", "the chip started its program: hold BOOT (GPIO 0) while it connects."),
    (r"TX path seems to be down", "the chip talks but does not hear: look at the wire to its RX pin."),
    (r"MD5 of file does not match|hash.*mismatch|Digest mismatch", "what is in the flash is not what was sent: a "
                                                                  "bad flash or too little current; try --baud 115200 "
                                                                  "in ESPTOOL_FLAGS."),
    (r"Failed to connect", "no chip answers."),
)


def meaning(said):
    """The sentence for what went wrong, or ""."""
    for pattern, sentence in _MEANINGS:
        found = re.search(pattern, said)
        if found:
            return sentence.replace("{ports}", ports()).format(*found.groups())
    return ""


def advice(port, said="", wrote=True):
    """What to do when esptool could not: lines. wrote: it was to write into the flash."""
    found = meaning(said)
    lines = [found] if found else []
    if wrote and not re.search(r"This chip is .*, not|Could not open|Failed to connect", said):
        lines.append(AGAIN)
    if port.startswith(WITHOUT_LINES):
        lines.append("over %s the chip has to be in download mode already: GPIO 0 low while it starts." % port)
    elif not found or "no chip answers" in found:
        lines.append("is another program using the port? Does it help to hold BOOT while it connects?")
    return lines
