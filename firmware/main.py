# SPDX-License-Identifier: MIT
"""Start of the firmware, on the chip and under the MicroPython unix port alike."""

import gc
import sys

# Collecting early keeps what stays together: without it the imports alone leave the heap in pieces of 3 KB, and it also
# keeps Python from growing its heap at the expense of Wi-Fi.
gc.threshold(4096)

# On a chip Python's heap begins with some 56 KB and takes more when it is full: as much again, and then all that is
# left, which Wi-Fi lives on. So it takes now, in one piece, what it may have. With much less it grows when somebody
# looks at the dashboard, and the network is gone for good; with 10 KB more, a few browsers at once starve Wi-Fi
# (docs/figures.md). The bytes that were read stay in that piece, so that it is not given back as empty. One block, of
# 16 bytes, would be: an area of which only the first one is in use is taken for empty (MicroPython 1.25, py/gc.c).
with open("main.py", "rb") as file:
    file.seek(-64, 2)
    _heap = file.read(66000)


def _failed(slot, error):
    """What starts badly again and again gives way to the other slot, see slots.py."""
    import machine
    import slots
    sys.print_exception(error)
    gc.collect()
    slots.crashed(slot.runs, "%s: %s" % (type(error).__name__, error))
    machine.reset()


def _app(annex, slot, depth=10):
    """The application, imported from so deep that what the stack has kept of that is soon written over: what lies there
    is taken for in use."""
    if depth:
        return _app(annex, slot, depth - 1)
    if annex:
        code = slot.copy = annex.start("app")
    from wattport import app
    if annex:
        annex.run("app", app, code)
    return app


def _main():
    slot = sys.modules.get("slot")  # boot.py has left it, where the program lies in slots
    if slot and not slot.runs:
        import vfs
        vfs.mount(slot.Slot("safe"), "/s")
        sys.path.insert(0, "/s")
        import safe
        safe.run()
    try:
        if slot:
            import machine
            machine.WDT(timeout=60000)  # an import may hang, too
            try:
                slot.annex = slot.load("annex").make()
                del sys.modules["annex"]
            except ImportError:  # a program that knows nothing of it
                pass
        _app(slot and slot.annex, slot).start()
    except Exception as error:
        if not slot:
            raise
        _failed(slot, error)


_main()
