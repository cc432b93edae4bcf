# SPDX-License-Identifier: MIT
"""The running application under the 32-bit port, a broker, a listener, and the wire in the meter port."""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

from amqtt.client import ConnectError, MQTTClient

from tools import dongle
from tools.paths import PROGRAMS
from tools.run import free_port

HEALTH_S = 6  # the first report comes 5 s behind the start


class Crowd:
    """What a dashboard can be up to at worst: three who load it again and again, and one who sends a byte a second."""

    def __init__(self, page):
        self._page = page
        self._over = threading.Event()
        self.threads = [threading.Thread(target=self._load) for _ in range(3)] + [threading.Thread(target=self._dawdle)]

    def _load(self):
        while not self._over.is_set():
            for path in ("", "common.js", "uplot.js", "api/health", "api/reading"):
                try:
                    urllib.request.urlopen(self._page + path, timeout=10).read()
                except OSError:
                    pass

    def _dawdle(self):
        host, port = self._page.split("/")[2].split(":")
        while not self._over.is_set():
            with socket.create_connection((host, int(port)), 10) as client:
                try:
                    for byte in b"GET / HTTP/1.1":
                        client.sendall(bytes((byte,)))
                        if self._over.wait(1):
                            break
                except OSError:
                    pass  # cut off, as it should be

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self._over.set()
        for thread in self.threads:
            thread.join()


def _flash(folder):
    """A folder with what a chip's flash has: packed once, which takes seconds, for all houses."""
    made = folder / "flash"
    if not made.exists():
        made.mkdir()
        dongle.flash(made, "micropython32")
    return made


class House:
    """`meter`: a simulated one; `keys`: (key, authentication key) or Nones; `protocol`: the one that was found on the
    line at an earlier start, None for the first of all, when every protocol has to be tried. A broker of its own."""

    def __init__(self, folder, name, meter, keys, protocol, web=False, crowded=False):
        self.meter = meter
        port = free_port()
        # Home Assistant's discovery borrows some 10 KB while it is sent, once; here the heap is that of the years after
        document = {"mqtt": {"host": "127.0.0.1", "port": port, "discovery": False},
                    "meter": {name: key.hex() for name, key in zip(("key", "auth_key"), keys) if key}}
        self.page = None
        self.crowded = crowded
        if web:
            document["web"] = {"port": free_port()}
            self.page = "http://127.0.0.1:%d/" % document["web"]["port"]
        state = folder / ("state-%s-%s" % (name, web))
        shutil.copytree(_flash(folder), state)
        (state / "settings.json").write_text(json.dumps(document))
        if protocol:
            (state / "line.txt").write_text("115200 8N1 inverted %s\n" % protocol)
        self.topic = "wattport/%s/" % dongle.prepare(state)
        self.wire = socket.create_server(("127.0.0.1", 0))
        self.wire.setblocking(False)
        words, environment = dongle.on_a_chip("tcp:127.0.0.1:%d" % self.wire.getsockname()[1], state,
                                              self.topic.split("/")[1])
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes = [subprocess.Popen([str(PROGRAMS / "mosquitto"), "-p", str(port)], **quiet),
                          subprocess.Popen(words, env=environment, cwd=state, **quiet)]
        self.port = port

    async def live(self, telegrams, pause_s):
        """([milliseconds from a telegram's last byte to its message], the health after 5 s)."""
        with contextlib.ExitStack() as crowd:
            return await self._live(telegrams, pause_s, crowd)

    async def _live(self, telegrams, pause_s, crowd):
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
        for number in range(telegrams):
            if self.crowded and number == 2:  # which looks in when there is something to see
                crowd.enter_context(Crowd(self.page))
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
                loaded = await asyncio.to_thread(self._ask)
        while health is None:
            message = await asyncio.wait_for(client.deliver_message(), HEALTH_S)
            if message.topic == self.topic + "health":
                health = json.loads(message.data)
        await client.disconnect()
        if self.page and not self.crowded:  # while somebody looks: what answers is in the heap then
            health = json.loads(await asyncio.to_thread(self._ask, "api/health"))
        return delays, health

    def _ask(self, path=""):
        return urllib.request.urlopen(self.page + path, timeout=10).read()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.wire.close()
