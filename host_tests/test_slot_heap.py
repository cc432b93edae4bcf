# SPDX-License-Identifier: MIT
"""What it costs the heap that the program lies in a slot."""

import re
import subprocess

from host_tests.keys import modulus, program
from tools import dongle

_LOOK = """        import asyncio
        async def look():
            await asyncio.sleep(4)
            gc.collect()
            print("used", gc.mem_alloc())
            sys.exit()
        asyncio.create_task(look())
"""


def used(folder, in_slots, starts="3"):
    """Bytes of the heap a few seconds after the start. starts: after so many that did not last; with 3 all code lies in
    the heap, as it does where there is no other memory."""
    folder.mkdir()
    (folder / "annex").write_text(starts)
    identity = dongle.prepare(folder, mqtt="127.0.0.1:1", http=0)
    if in_slots:
        dongle.flash(folder, "micropython32", key=modulus(), program=program())
    words, environment = dongle.command("tcp:127.0.0.1:1", folder, identity, "micropython32",
                                        slot="flash" if in_slots else True)
    start = folder / "main.py"
    text = start.read_text()
    call = re.search(r"^        (_\w+)\(.*\)\.start\(\)$", text, re.M)
    start.write_text(text.replace(call.group(), _LOOK + call.group()))
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    return int(next(line for line in done.stdout.splitlines() if line.startswith("used")).split()[1])


def test_a_slot_costs_the_heap_less_than_three_and_a_half_kilobytes(tmp_path):
    plain, slots = used(tmp_path / "plain", False), used(tmp_path / "slots", True)
    assert slots - plain < 3584, (plain, slots)
