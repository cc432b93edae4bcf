# SPDX-License-Identifier: MIT
"""What belongs on a dongle's sticker: the Wi-Fi of its set-up, with a QR code that a phone joins it by.

    python -m tools.label --mac 24:0a:c4:12:4d:3a --password k3tu8mpd9xwa
"""

import argparse
import re
import secrets
import sys

import segno

from tools.paths import FIRMWARE

LENGTH = 12  # 60 bits


def _constant(name):
    """A text of firmware/wattport/net/access.py, which cannot be imported here: it needs the chip's `network`."""
    text = (FIRMWARE / "wattport" / "net" / "access.py").read_text()
    return re.search(r'^%s = "(.*)"$' % name, text, re.MULTILINE)[1]


LETTERS = _constant("LETTERS")
ADDRESS = _constant("_ADDRESS")


def password():
    """A new one, easy to read and to type."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def problem(text):
    """Why a text can't be the password of an access point (WPA2: 8 to 63 characters of ASCII), or ""."""
    if not 8 <= len(text) <= 63 or not all(" " <= letter <= "~" for letter in text) or text != text.strip():
        return "the set-up's Wi-Fi needs a password of 8 to 63 plain letters, digits and signs"
    return ""


def network(mac):
    """The name of the set-up's Wi-Fi, by the chip's MAC address or the device id."""
    return "Wattport-" + mac.replace(":", "").replace("-", "").lower()[-4:]


def code(ssid, secret):
    """The text of a Wi-Fi QR code, in the form that ZXing began and every phone reads."""
    ssid, secret = (re.sub(r'([\\;,":])', r"\\\1", text) for text in (ssid, secret))
    return "WIFI:T:WPA;S:%s;P:%s;;" % (ssid, secret)


def drawn(text, colours):
    """A QR code in lines of characters, two of its rows each. colours: in a terminal, whose own may be the reverse."""
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=4)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    lines = ["".join(" ▀▄█"[upper + 2 * lower] for upper, lower in zip(*pair))
             for pair in zip(rows[::2], rows[1::2])]
    return "\n".join("\033[30;107m%s\033[0m" % line if colours else line for line in lines)


def label(mac, secret, out=None):
    """Print it."""
    out = out or sys.stdout
    ssid = network(mac)
    print("\n%s\n" % drawn(code(ssid, secret), out.isatty()), file=out)
    print("Wi-Fi of the set-up   %s\n"
          "password              %s\n"
          "the page              opens by itself, or http://%s; later http://wattport.local" % (ssid, secret, ADDRESS),
          file=out)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools.label", description="Print a dongle's sticker.")
    parser.add_argument("--mac", required=True, help="the chip's MAC address, or the device id")
    parser.add_argument("--password", required=True, help="of its set-up's Wi-Fi, the file ap.txt on the device")
    options = parser.parse_args(argv)
    if not re.fullmatch(r"([0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}", options.mac):
        parser.error("a MAC address has six pairs of hex digits")
    if problem(options.password):
        parser.error(problem(options.password))
    label(options.mac, options.password)
    return 0


if __name__ == "__main__":
    sys.exit(main())
