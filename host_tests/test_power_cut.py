# SPDX-License-Identifier: MIT
"""Saving the settings with the power cut at every write to the flash, in the middle of it too: LittleFS as on the chip,
on a RAM that stops taking writes; then the dongle starts again."""

import json
import subprocess

import pytest

from tools.compile import RUNTIMES, micropython

PROGRAM = '''
import gc
import json
import os
import sys

import vfs

gc.disable()  # a file that the cut has left open would be closed by it, when nothing can be allocated
BLOCK, COUNT = 4096, 12


class Cut(OSError):
    pass


class Flash:
    """NOR flash: erased to ones, written in pieces. After `left` operations the power is gone, the last half done."""

    def __init__(self, data):
        self.data = data
        self.left = -1
        self.operations = 0

    def spend(self, at, new):
        self.operations += 1
        if self.left == 0:
            raise Cut(5)
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                half = len(new) // 2
                self.data[at:at + half] = new[:half]
                raise Cut(5)
        self.data[at:at + len(new)] = new

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = self.data[at:at + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        self.spend(block * BLOCK + offset, bytes(buf))

    def ioctl(self, command, argument):
        if command == 4:
            return COUNT
        if command == 5:
            return BLOCK
        if command == 6:
            self.spend(argument * BLOCK, b"\\xff" * BLOCK)
        return 0


def mounted(flash):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    os.chdir("/flash")


def unmounted():
    os.chdir("/")
    vfs.umount("/flash")


from wattport import settings

OLD, NEW = {OLD}, {NEW}
flash = Flash(bytearray(BLOCK * COUNT))
vfs.VfsLfs2.mkfs(flash)
mounted(flash)
for _ in range({wear}):
    settings.save(OLD)
unmounted()
before = bytes(flash.data)
found = {"old": 0, "new": 0, "other": 0}
left = 0
done = False
while not done:
    flash = Flash(bytearray(before))
    mounted(flash)
    flash.left = left
    try:
        settings.save(NEW)
        done = left > 0 and flash.left > 0
    except OSError:
        pass
    flash.left = -1
    try:
        unmounted()
    except OSError:
        pass
    flash = Flash(bytearray(flash.data))
    mounted(flash)
    kept = settings.load("settings.json")
    found["old" if kept == settings.check(OLD) else "new" if kept == settings.check(NEW) else "other"] += 1
    settings.save(NEW)  # and what the cut has left behind is in nobody's way
    assert settings.load("settings.json") == settings.check(NEW)
    unmounted()
    left += 1
print(json.dumps(found))
'''
OLD = {"wifi": {"ssid": "old", "password": "x" * 20}, "mqtt": {"host": "broker", "user": "me"}}
BIG = "-----BEGIN CERTIFICATE-----" + "A" * 2900


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
@pytest.mark.parametrize("name, old, new", [
    ("a small change", OLD, {"wifi": {"ssid": "new"}}),
    ("the first settings of all", {}, OLD),
    ("a file of several blocks", OLD, {"mqtt": {"tls": True, "ca": BIG, "host": "b"}}),
    ("a smaller file than before", {"mqtt": {"ca": BIG}}, {"web": {"port": 81}}),
])
def test_a_power_cut_at_any_write_leaves_the_old_settings_or_the_new(runtime, name, old, new, tmp_path):
    program = PROGRAM.replace("{OLD}", repr(old)).replace("{NEW}", repr(new)).replace("{wear}", "3")
    command, environment = micropython(runtime, heap="64m")
    done = subprocess.run(command + ["-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[0])
    assert found["other"] == 0 and found["old"] >= 3 and found["new"] >= 1, found
