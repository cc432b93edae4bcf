# SPDX-License-Identifier: MIT
"""The simulated partitions of tools/sim, for tests that run modules of the firmware in this process: the working
directory is the dongle's flash."""

import importlib
import sys
from pathlib import Path

from host_tests import official
from host_tests.keys import key
from tools import bundle, cpython, firmware_image
from tools.boards import board
from tools.sim import bootloader

cpython.install()

SIZE = 64 * 1024  # of a partition: enough for what stands in for MicroPython here
BOARD = board("esp32_generic")


def image(version, size=30000):
    """An application as the chip takes it."""
    return official.application("esp32", version, size=size)


def made(version="1.29.0", data=None, name="update", chain=(), **other):
    """A bundle with MicroPython itself; `other`: what of its manifest is different."""
    data = image(version) if data is None else data
    manifest = {**firmware_image.manifest(version, data, BOARD), **other}
    return bundle.make(manifest, {firmware_image.FILE: data}, key(name), chain)


def module():
    """The simulated `esp32`, which imports `partition` and `bootloader`."""
    sys.modules["bootloader"] = bootloader
    for name in ("partition", "esp32"):
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, Path(bootloader.__file__).with_name(name + ".py"))
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    bootloader.cut = None
    return sys.modules["esp32"]
