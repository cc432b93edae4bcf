# SPDX-License-Identifier: MIT
"""Make the image (tools.image), write it into a board with esptool, and watch it start.

    python -m tools.flash --board esp32_generic --port /dev/ttyUSB0 [--micropython ….bin] [-- esptool's own options]

The port is a device or any URL that pyserial opens: socket://HOST:PORT, rfc2217://HOST:PORT.
"""

import argparse
import sys

from tools import esp, image, label, watch


def command(chip, port, path, flags=()):
    """The words that make esptool write an image."""
    return esp.command(chip, port, ["write-flash", "0x0", str(path)], flags)


def _told(password, said, port):
    """The label, and what to do next."""
    address = esp.mac(said)
    if address:
        label.label(address, password)
    else:
        print(image.sticker(password))
    start = "reset the board without GPIO 0 low" if port.startswith(esp.WITHOUT_LINES) else "the board restarts now"
    print("flash: written; %s." % start, flush=True)


def _next(settings, password):
    if settings and settings.get("wifi", {}).get("ssid"):
        print("flash: plug it into the meter's port: it joins the Wi-Fi of the settings. Holding the button for 5 s "
              "opens the set-up's own.")
    else:
        print("flash: plug it into the meter's port and join its own Wi-Fi, above, with a phone.")
    print("flash: keep that password, on a sticker say; AP=%s gives the dongle the same one again." % password)


def main(argv=None):
    argv, flags = esp.divided(argv)
    parser = argparse.ArgumentParser(prog="tools.flash", description="Make a whole flash image and write it.",
                                     epilog="What follows -- goes to esptool, in front of write-flash.")
    image.add_arguments(parser)
    parser.add_argument("--port", metavar="PORT", help="a device, or a URL of pyserial")
    parser.add_argument("--watch", metavar="SECONDS", type=float, default=watch.SECONDS,
                        help="watch the first boot for so long at most, 0 for not at all; %(default)s")
    options = parser.parse_args(argv)
    if not options.port:
        print("flash: which port? make flash PORT=…; %s" % esp.ports(), file=sys.stderr)
        return 2
    try:
        path, board, settings, password = image.build(options)
    except image.ImageError as error:
        print("flash: %s" % error, file=sys.stderr)
        return 2
    status, said = esp.run(command(board.CHIP, options.port, path, flags))
    if status:
        for line in esp.advice(options.port, said):
            print("flash: " + line, file=sys.stderr)
        return status
    _told(password, said, options.port)
    if options.watch:
        print("flash: watching its first start, for %d s at most; Ctrl-C ends that." % options.watch, flush=True)
        try:
            runs, sentence, seen = watch.watch(options.port, options.watch, lambda line: print(line, flush=True))
            if seen.password and seen.password != password:
                sentence += " But it says that its password is %s, and that is not the one above." % seen.password
                runs = False
        except KeyboardInterrupt:
            runs, sentence = True, "not watched any more."
        print("flash: " + sentence, file=sys.stdout if runs else sys.stderr, flush=True)
        if not runs:
            print("flash: the image is in the flash all the same, and was read back right. "
                  "`make monitor PORT=%s` shows more." % options.port, file=sys.stderr)
            return 3
    _next(settings, password)
    return 0


if __name__ == "__main__":
    sys.exit(main())
