# SPDX-License-Identifier: MIT
"""A flash whose power can be cut, for MicroPython's VfsLfs2: as on the chip, on a RAM that stops taking writes."""

import os

import vfs

BLOCK = 4096


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
            return len(self.data) // BLOCK
        if command == 5:
            return BLOCK
        if command == 6:
            self.spend(argument * BLOCK, b"\xff" * BLOCK)
        return 0


class Journaled(Flash):
    """`journal`: all that was done, [(place, new bytes), ...]."""

    def __init__(self, data):
        super().__init__(data)
        self.journal = []

    def spend(self, at, new):
        self.journal.append((at, new))
        super().spend(at, new)


def new(count):
    """A flash of so many blocks, with an empty file system."""
    flash = Flash(bytearray(BLOCK * count))
    vfs.VfsLfs2.mkfs(flash)
    return flash


def mounted(flash):
    """Go into its root."""
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    os.chdir("/flash")


def unmounted():
    os.chdir("/")
    try:
        vfs.umount("/flash")
    except OSError:
        pass


def cuts(before, act):
    """Do `act` on what a flash holds, again and again, with the power cut one operation later each time, until it gets
    through; each time with the file system mounted as the next start finds it."""
    left = 0
    done = False
    data = bytearray(len(before))
    while not done:
        data[:] = before
        flash = Flash(data)
        mounted(flash)
        flash.left = left
        try:
            act()
            done = left > 0 and flash.left > 0
        except OSError:
            pass
        flash.left = -1
        unmounted()
        mounted(Flash(data))
        yield left
        unmounted()
        left += 1
