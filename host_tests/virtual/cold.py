# SPDX-License-Identifier: MIT
"""The firmware started over and over on weak supplies, in one process and without waiting. Standard input has a line of
JSON for each start: {"supply": capacitor.py's words, "levels": names of the board and what they are instead,
"seconds": how long at most, "failed": what the starts before have left}; for each, a line of what happened comes out.
It ends early where all has been sent, and five seconds have passed since."""

import asyncio
import gc
import json
import os
import select
import socket
import sys
import time

import board
import network
from capacitor import ADC

from wattport import settings
from wattport.app import App
from wattport.log import Log
from wattport.publish.mqtt import Client

SENDING_MA = 200  # above what a station takes on average
publish = Client.publish
now = {}


async def sending(self, topic, payload, *rest):
    """Two milliseconds for what goes with any packet, and one for each 250 bytes: 2 Mbit/s."""
    if topic.startswith("homeassistant/") and not now["app"].supply.strong:
        now["pushed"] += 1
    ADC.capacitor.take(SENDING_MA, 2 + (len(topic) + len(payload)) // 250)
    ADC.capacitor.look()
    select.sent()
    await publish(self, topic, payload, *rest)


class Broker:
    """As much of one as the firmware asks for."""

    def __init__(self):
        self.topics = {}
        self.connects = 0

    async def serve(self, reader, writer):
        try:
            while True:
                first = (await reader.readexactly(1))[0]
                size = shift = 0
                while True:
                    byte = (await reader.readexactly(1))[0]
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                body = await reader.readexactly(size)
                kind = first >> 4
                if kind == 1:
                    self.connects += 1
                    writer.write(b"\x20\x02\0\0")
                elif kind == 3:
                    end = 2 + (body[0] << 8 | body[1])
                    topic = body[2:end].decode()
                    self.topics[topic] = self.topics.get(topic, 0) + 1
                    if first & 6:
                        writer.write(b"\x40\x02" + body[end:end + 2])
                elif kind == 8:
                    count = 0
                    at = 2
                    while at < size:
                        at += 3 + (body[at] << 8 | body[at + 1])
                        count += 1
                    writer.write(bytes([0x90, 2 + count]) + body[:2] + bytes(count))
                elif kind == 12:
                    writer.write(b"\xd0\0")
                await writer.drain()
        except (EOFError, OSError):
            writer.close()


async def accept(listener, broker):
    while True:
        try:
            client = listener.accept()[0]
            client.setblocking(False)
            client = asyncio.StreamReader(client)
            now.setdefault("first", time.ticks_ms())
            asyncio.create_task(broker.serve(client, client))
        except OSError:  # nobody is there
            pass
        await asyncio.sleep_ms(100)


async def start(wanted, told, listener):
    broker = Broker()
    lines = []
    app = App(settings.check(json.loads(os.getenv("WATTPORT_DOCUMENT"))), Log(lines.append))
    now.clear()
    now["app"], now["pushed"] = app, 0
    asyncio.create_task(accept(listener, broker))
    asyncio.create_task(app.run())
    station, point = network.WLAN(network.STA_IF), network.WLAN(network.AP_IF)
    began = time.ticks_ms()
    passed = held_ms = read_before = 0
    fed = 1
    opened = False
    done_ms = None
    while passed < wanted["seconds"] * 1000 and (done_ms is None or passed - done_ms < 5000):
        await asyncio.sleep_ms(250)
        passed = time.ticks_diff(time.ticks_ms(), began)
        if passed > 10000 * fed:  # the meter goes on, where the file is at its end
            fed += 1
            for at in range(0, len(telegram), 512):
                app.meter.feed(bytearray(telegram[at:at + 512]), len(telegram[at:at + 512]))
        if not station.active() and not point.active():
            held_ms += 250
            read_before = app.meter.counters.telegrams
        opened = opened or point.active()
        found = [topic for topic in broker.topics if topic.startswith("homeassistant/")]
        sensor = [topic for topic in found if "supply_mv" in topic]
        if sensor and len(found) >= wanted["discovery"] and done_ms is None:
            done_ms = passed
        told.update(
            passed_s=passed // 1000, held_s=held_ms // 1000, read_before=read_before, connects=broker.connects,
            readings=sum([broker.topics[topic] for topic in broker.topics if topic.endswith("/reading")]),
            pushed=now["pushed"], first_s=time.ticks_diff(now.get("first", began), began) // 1000,
            discovery=len(found), sensor=len(sensor),
            mv=app.supply.mv, state=app.supply.state, opened=opened, access=point.active(),
            lines=[line for line in lines if "supply" in line or " error " in line])


with open(os.getenv("WATTPORT_UART")[5:], "rb") as file:
    telegram = file.read()
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(socket.getaddrinfo("127.0.0.1", int(os.getenv("WATTPORT_BROKER")))[0][-1])
listener.listen(4)
listener.setblocking(False)
Client.publish = sending
for line in sys.stdin:
    wanted = json.loads(line)
    os.putenv("WATTPORT_SUPPLY", wanted["supply"])
    for name, value in wanted["levels"].items():
        setattr(board, name, value)
    for interface in (network.STA_IF, network.AP_IF):
        network.WLAN(interface).active(False)
    with open("supply.txt", "w") as file:
        file.write(str(wanted["failed"]))
    asyncio.new_event_loop()
    told = {"reset": False}
    try:
        asyncio.run(start(wanted, told, listener))
    except SystemExit as error:
        told["reset"] = True
        told["status"] = error.args[0]
    gc.collect()
    with open("supply.txt") as file:
        told["failed"] = int(file.read())
    print(json.dumps(told))
