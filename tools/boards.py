# SPDX-License-Identifier: MIT
"""The boards: boards/NAME/board.py, read, and compared with what the chip on it can do.

What a chip can do is from Espressif's datasheets and ESP-IDF's "GPIO & RTC GPIO". Pins that are odd but may be meant,
such as those that decide how the chip starts, are warnings.
"""

import runpy
from types import SimpleNamespace

from tools.appimage import BOOTLOADER, ImageError
from tools.paths import BOARDS

BLOCK = 4096  # of the flash and of LittleFS
# bytes that must have room beside each other, each in blocks of its own: two programs and the history
SLOT, HISTORY = 300 * 1024, 350 * 1024


def _pins(text):
    """"0-3 7" → {0, 1, 2, 3, 7}"""
    found = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


# chip → architecture of mpy-cross, number of UARTs, pins: there are, for input only, of the flash, that decide how it
# starts, of the console, of the USB socket, of ADC 1 (the other one cannot be read while Wi-Fi is on)
CHIPS = {name: SimpleNamespace(architecture=architecture, uarts=uarts, **{
    kind: _pins(text) for kind, text in zip("there inputs flash strapping console usb adc".split(), pins)})
    for name, architecture, uarts, *pins in (
        ("esp32", "xtensawin", 3, "0-19 21-23 25-27 32-39", "34-39", "6-11", "0 2 5 12 15", "1 3", "", "32-39"),
        ("esp32s2", "xtensawin", 2, "0-21 26-46", "46", "26-32", "0 45 46", "43 44", "19 20", "1-10"),
        ("esp32s3", "xtensawin", 3, "0-21 26-48", "", "26-32", "0 3 45 46", "43 44", "19 20", "1-10"),
        ("esp32c3", "rv32imc", 2, "0-21", "", "11-17", "2 8 9", "20 21", "18 19", "0-4"),
        ("esp32c6", "rv32imc", 2, "0-30", "", "24-30", "4 5 8 9 15", "16 17", "12 13", "0-6"))}

# the names that every board.py has, and the pins among them; True for those that the chip drives
NEEDED = ("NAME UART RX TX LED BUTTON CHIP ARCHITECTURE IMAGE IMAGE_OFFSET FLASH_SIZE FILES_OFFSET FILES_SIZE "
          "OTA").split()
MORE = ("REQUEST REQUEST_ACTIVE PULSE LED_ON PARTITIONS SUPPLY SUPPLY_DIVIDER SUPPLY_LOW_MV SUPPLY_OK_MV "
        "SUPPLY_START_MV SUPPLY_AP_MV").split()
PINS = {"RX": False, "TX": True, "REQUEST": True, "PULSE": False, "LED": True, "BUTTON": False, "SUPPLY": False}
LEVELS = ("SUPPLY_LOW_MV", "SUPPLY_OK_MV", "SUPPLY_START_MV", "SUPPLY_AP_MV")


def names():
    return sorted(folder.parent.name for folder in BOARDS.glob("*/board.py"))


def board(name):
    """The board's description, boards/NAME/board.py, as a namespace with its path in `FILE`."""
    path = BOARDS / name / "board.py"
    if not path.is_file():
        raise ImageError("there is no board %s; there is %s" % (name, ", ".join(names())))
    return SimpleNamespace(**runpy.run_path(str(path)), FILE=path)


def _pin_faults(board, chip):
    used = {}
    for name, drives in PINS.items():
        pin = getattr(board, name, None)
        if pin is None:
            continue
        if pin in used and {name, used[pin]} != {"RX", "PULSE"}:
            yield True, "%s and %s are both pin %d" % (used[pin], name, pin)
        used.setdefault(pin, name)
        if pin not in chip.there:
            yield True, "%s: %s has no pin %s" % (name, board.CHIP, pin)
        elif pin in chip.flash:
            yield True, "%s: pin %d belongs to the flash" % (name, pin)
        elif drives and pin in chip.inputs:
            yield True, "%s: pin %d is for input only" % (name, pin)
        elif name == "BUTTON" and pin in chip.inputs and board.CHIP == "esp32":
            yield True, "BUTTON: pin %d has no pull-up" % pin
        elif name == "SUPPLY" and pin not in chip.adc:
            yield True, "SUPPLY: pin %d is not one of ADC 1, which alone can be read beside Wi-Fi" % pin
        elif pin in chip.strapping and name != "BUTTON":
            yield False, "%s: the level of pin %d decides how the chip starts" % (name, pin)
        elif pin in chip.console:
            yield False, "%s: pin %d is the console's, which falls silent" % (name, pin)
        elif pin in chip.usb:
            yield False, "%s: pin %d is the USB socket's" % (name, pin)


def _layout_faults(board):
    for name in ("FILES_OFFSET", "FILES_SIZE", "FLASH_SIZE", "IMAGE_OFFSET"):
        if getattr(board, name) % BLOCK:
            yield True, "%s: not a whole number of blocks of %d bytes" % (name, BLOCK)
    if board.FILES_OFFSET + board.FILES_SIZE != board.FLASH_SIZE:
        yield True, "the file system does not end where the flash does"
    if board.IMAGE_OFFSET != BOOTLOADER[board.CHIP]:
        yield True, "IMAGE_OFFSET: %s starts at 0x%X" % (board.CHIP, BOOTLOADER[board.CHIP])
    blocks = 2 * -(-SLOT // BLOCK) + -(-HISTORY // BLOCK)
    if blocks * BLOCK > board.FILES_SIZE:
        yield True, "FILES_SIZE: two programs and the history need %d bytes" % (blocks * BLOCK)
    end = 0x9000
    for name, _, _, offset, size in getattr(board, "PARTITIONS", ()):
        if offset < end or offset % BLOCK or size % BLOCK:
            yield True, "PARTITIONS: %s overlaps the one before it, or is no whole number of blocks" % name
        end = offset + size
    if end > board.FILES_OFFSET:
        yield True, "PARTITIONS: they reach into the file system"


def faults(board):
    """[(whether it can't work, a sentence)] of what is wrong or odd about a board."""
    there = {name for name in vars(board) if name.isupper() and not name.startswith("_")} - {"FILE"}
    found = [(True, "%s is missing" % name) for name in NEEDED if name not in there]
    found += [(True, "there is no name %s" % name) for name in sorted(there - {*NEEDED, *MORE})]
    if found:
        return found
    if board.CHIP not in CHIPS:
        return [(True, "CHIP: tools/boards.py and tools/appimage.py know no %s" % board.CHIP)]
    chip = CHIPS[board.CHIP]
    if board.NAME != board.FILE.parent.name:
        found.append((True, "NAME is not that of the folder"))
    if board.ARCHITECTURE != chip.architecture:
        found.append((True, "ARCHITECTURE: %s is %s" % (board.CHIP, chip.architecture)))
    if not 0 < board.UART < chip.uarts:
        found.append((True, "UART: 1 to %d; 0 is the console" % (chip.uarts - 1)))
    if "SUPPLY" in there:
        missing = [name for name in ("SUPPLY_DIVIDER", *LEVELS) if name not in there]
        found += [(True, "%s is missing" % name) for name in missing]
        if not missing and not 0 < board.SUPPLY_LOW_MV < board.SUPPLY_OK_MV <= board.SUPPLY_START_MV <= (
                board.SUPPLY_AP_MV):
            found.append((True, "SUPPLY: the levels do not rise from LOW over OK and START to AP"))
        elif not missing and board.SUPPLY_AP_MV * 1000 // board.SUPPLY_DIVIDER > 3100:
            found.append((True, "SUPPLY_DIVIDER: the pin would get more than 3.1 V"))
    return found + list(_pin_faults(board, chip)) + list(_layout_faults(board))


def check(board):
    """The warnings, sentences; ImageError for a board that can't work."""
    found = faults(board)
    for wrong, text in found:
        if wrong:
            raise ImageError("boards/%s/board.py: %s" % (board.FILE.parent.name, text))
    return [text for _, text in found]
