# SPDX-License-Identifier: MIT
"""`make bench`: every budget that can be measured on this machine, one JSON object a line:

    {"name": "decode.dsmr5.cpython", "value": 88.1, "unit": "us", "budget": 98.8, "ok": true}

Times are compared within one run, never with those of another day: this machine may be noisy. Instructions and bytes
are exact. A budget of null means that there is none.
"""

import asyncio
import json
import logging
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from amqtt.client import ConnectError, MQTTClient

from tools import cpython, meters
from tools.compile import ARCHITECTURES, RUNTIMES, compile_tree, micropython, shipped
from tools.machine_code import ARCHITECTURES as CHIPS
from tools.machine_code import Module
from tools.paths import FIRMWARE, PROGRAMS

cpython.install()

from tools import dongle  # noqa: E402
from tools.bench import stopwatch  # noqa: E402
from tools.run import free_port  # noqa: E402
from wattport.crypto import crc, ghash  # noqa: E402
from wattport.crypto.aes import Aes  # noqa: E402

KEY = bytes(range(16))
# family → (key or None, the peer that reads it, how much faster we mean to be)
FAMILIES = {"dsmr5": (None, "dsmr-parser", 5), "dsmr2": (None, None, 0), "be": (None, None, 0), "lu": (KEY, None, 0),
            "kamstrup": (None, "amshan", 8), "kamstrup_encrypted": (KEY, None, 0), "sml": (None, "smllib", 1),
            "sml3": (None, "smllib", 1)}
TELEGRAMS = 40
START = 1_760_000_000
CLOCK = 250_000_000  # instructions a second, the clock of the budgets
KIB = 1024
HEAP = "136k"
ALLOCATION = 4096
HEAP_FOUNDATION = 60 * KIB
HEAP_APP = 40 * KIB
SLOT = 200 * KIB
BLOCK = 4096
PAGE = 100 * KIB


def show(name, value, unit, budget=None, more=False):
    """`more`: the value should be at least the budget, not at most."""
    good = None if budget is None else value >= budget if more else value <= budget
    rounded = [round(number, 1) if isinstance(number, float) else number for number in (value, budget)]
    print(json.dumps({"name": name, "value": rounded[0], "unit": unit, "budget": rounded[1], "ok": good}), flush=True)


def best(work, count):
    """Microseconds of one of `count` pieces of work, the best of some rounds."""
    found = []
    for _ in range(stopwatch.ROUNDS):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) / count * 1e6)
    return min(found)


def peer(name, frames):
    if name == "dsmr-parser":
        from dsmr_parser import telegram_specifications
        from dsmr_parser.parsers import TelegramParser
        parser = TelegramParser(telegram_specifications.V5)
        texts = [frame.decode() for frame in frames]
        return best(lambda: [parser.parse(text) for text in texts], len(texts))
    if name == "smllib":
        from smllib import SmlStreamReader

        def read():
            reader = SmlStreamReader()
            for frame in frames:
                reader.add(frame)
                for message in reader.get_frame().parse_frame():
                    for entry in getattr(message.message_body, "val_list", ()):
                        entry.get_value()
        return best(read, len(frames))
    from han import autodecoder, hdlc
    decoder = autodecoder.AutoDecoder()

    def play():
        for frame in frames:
            for message in hdlc.HdlcFrameReader(False).read(frame):
                if decoder.decode_message(message) is None:
                    raise ValueError("amshan did not decode it")
    return best(play, len(frames))


def decoding(folder):
    for family, (key, other, factor) in FAMILIES.items():
        kind, _, encrypted = family.partition("_")
        meter = meters.make(kind, seed=1, start=START, key=key, auth_key=key if encrypted else None)
        frames = [meter.next()[0] for _ in range(TELEGRAMS)]
        path = folder / family
        keys = [key.hex(), key.hex() if encrypted else ""] if key else ["", ""]
        path.write_bytes(b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames))
        budget = None
        if other:
            theirs = peer(other, frames)
            show("decode.%s.%s" % (family, other), theirs, "us")
            budget = theirs / factor
        show("decode.%s.cpython" % family, stopwatch.measure(path, *keys)[0], "us", budget)
        for runtime in RUNTIMES:
            words, environment = micropython(runtime, heap="2m")
            printed = subprocess.run([*words, stopwatch.__file__, str(path), *keys],
                                     env=environment, capture_output=True, text=True, check=True).stdout
            passed, allocated = json.loads(printed)
            show("decode.%s.%s" % (family, runtime), passed, "us", budget if runtime == "micropython" else None)
            if runtime == "micropython32":
                show("alloc.%s.%s" % (family, runtime), allocated, "bytes", ALLOCATION)


def kernels():
    """Executed instructions for one KiB, the same in every run."""
    data = bytearray(i * 7 & 0xFF for i in range(KIB))
    hasher = ghash.Ghash(KEY)
    aes = Aes(KEY)
    calls = {  # module, kernel → arguments for one KiB
        ("crc", "crc16_update"): (0, 0, data, KIB, *crc._tables_of(0xA001)),
        ("ghash", "ghash_update"): (hasher._table, ghash._REDUCTIONS, hasher.y, data, 0, KIB),
        ("gcm", "ctr_fill"): (bytearray(KIB), bytes(12), 2, KIB),
        ("gcm", "xor_into"): (0, data, 0, bytes(KIB), KIB),
        ("aes", "aes128_encrypt"): (aes._te, aes._rk, data, data, KIB),
    }
    for arch in CHIPS:
        found = {}
        for (module, kernel), arguments in calls.items():
            path = FIRMWARE / "wattport" / "crypto" / (module + ".py")
            found[kernel] = Module(path, arch).count(kernel, *arguments)
            show("crypto.%s.%s" % (kernel, arch), found[kernel], "instructions/KiB",
                 CLOCK // 5000 if module == "crc" else None)
        # sums of kernels: the chip's own AES and the few lines of Python around them are not in it
        parts = found["ghash_update"] + found["ctr_fill"] + found["xor_into"]
        show("crypto.gcm_chip_aes." + arch, parts, "instructions/KiB", CLOCK // 500)
        show("crypto.gcm." + arch, parts + found["aes128_encrypt"], "instructions/KiB", CLOCK // 250)


def heap(folder):
    meter = meters.make("lu", seed=1, start=START, key=KEY)
    path = folder / "stream"
    path.write_bytes(b"".join(meter.next()[0] for _ in range(20)))
    top = compile_tree("x86")
    program, _ = RUNTIMES["micropython32"]
    scene = Path(__file__).with_name("scene.py")
    # started in the folder of the modules: their paths count too, and are short on the chip
    done = subprocess.run(
        [str(program), "-X", "heapsize=" + HEAP, str(scene), str(path)], cwd=top, capture_output=True, text=True,
        env={"MICROPYPATH": ".:.frozen"})
    show("heap.foundation.micropython32", int(done.stdout.split()[-1]) if done.returncode == 0 else 0, "bytes",
         HEAP_FOUNDATION, more=True)


class House:
    """The running application under the 32-bit port, a broker, a listener, and the wire in the meter port."""

    def __init__(self, folder, family, key, web=False):
        self.meter = meters.make(family, seed=1, start=START, key=key)
        port = free_port()
        # Home Assistant's discovery borrows some 10 KB while it is sent, once; here the heap is that of the years after
        settings = {"mqtt": {"host": "127.0.0.1", "port": port, "discovery": False},
                    "meter": {"key": key.hex()} if key else {}}
        self.page = None
        if web:
            settings["web"] = {"port": free_port()}
            self.page = "http://127.0.0.1:%d/" % settings["web"]["port"]
        state = folder / ("state-%s-%s" % (family, web))
        state.mkdir()
        (state / "settings.json").write_text(json.dumps(settings))
        self.topic = "wattport/%s/" % dongle.prepare(state)
        self.wire = socket.create_server(("127.0.0.1", 0))
        words, environment = dongle.command("tcp:127.0.0.1:%d" % self.wire.getsockname()[1], state,
                                            self.topic.split("/")[1], "micropython32", heap=HEAP)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes = [subprocess.Popen([str(PROGRAMS / "mosquitto"), "-p", str(port)], **quiet),
                          subprocess.Popen(words, env=environment, cwd=state, **quiet)]
        self.port = port

    async def live(self, telegrams, pause_s):
        """([milliseconds from a telegram's last byte to its message], the health after 5 s)."""
        client = MQTTClient(config={"auto_reconnect": False, "connection_timeout": 5})
        for _ in range(50):
            try:
                await client.connect("mqtt://127.0.0.1:%d/" % self.port)
                break
            except (ConnectError, OSError):
                await asyncio.sleep(0.1)
        await client.subscribe([(self.topic + "#", 0)])
        line, _ = await asyncio.get_running_loop().sock_accept(self.wire)
        health, delays, loaded = None, [], None
        while (await client.deliver_message()).topic != self.topic + "state":
            pass
        for _ in range(telegrams):
            line.sendall(self.meter.next()[0])
            sent = time.perf_counter()
            while True:
                message = await asyncio.wait_for(client.deliver_message(), 20)
                if message.topic == self.topic + "reading":
                    delays.append((time.perf_counter() - sent) * 1000)
                    break
                if message.topic == self.topic + "health":
                    health = json.loads(message.data)
            await asyncio.sleep(pause_s)
            if self.page and not loaded:
                loaded = await asyncio.to_thread(lambda: urllib.request.urlopen(self.page, timeout=10).read())
        await client.disconnect()
        return delays, health

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.wire.close()


def application(folder):
    """The whole application: heap, the way from the wire to the broker, the longest stall of the meter task."""
    for scene, family, key in (("dsmr5", "dsmr5", None), ("lu", "lu", KEY), ("web", "dsmr5", None)):
        house = House(folder, family, key, scene == "web")
        house.wire.setblocking(False)
        try:
            delays, health = asyncio.run(house.live(40, 0.2))
        finally:
            house.close()
        show("heap.app_%s.micropython32" % scene, health["heap_free"], "bytes", HEAP_APP, more=True)
        show("latency.%s.micropython32" % scene, sorted(delays)[len(delays) // 2], "ms", 100)
        show("stall.%s.micropython32" % scene, health["stall_ms"], "ms", 50)


def sizes():
    for arch in ARCHITECTURES[2:]:
        top = compile_tree(arch)
        files = shipped(top)
        chip = "" if arch == ARCHITECTURES[2] else "." + arch
        show("size.slot" + chip, sum(file.stat().st_size for file in files), "bytes", SLOT)
        # what it takes of the file system: whole blocks for each file, two for each folder
        blocks = sum(-(-file.stat().st_size // BLOCK) for file in files) + 2 * len({file.parent for file in files})
        show("size.slot_blocks" + chip, blocks * BLOCK, "bytes", SLOT)
    show("size.page", sum(file.stat().st_size for file in files if file.suffix == ".gz"), "bytes", PAGE)


def main():
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        decoding(Path(folder))
        kernels()
        heap(Path(folder))
        application(Path(folder))
        sizes()


if __name__ == "__main__":
    sys.exit(main())
