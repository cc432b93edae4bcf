# SPDX-License-Identifier: MIT
"""A simulated smart meter: `python -m tools.meter --family dsmr5 tcp:5000`, or to `serial:DEVICE`, or to `-`; one of
the Glow families to a broker, `mqtt:HOST:PORT`."""

import argparse
import asyncio
import os
import sys
import time

from tools import meters
from tools.meters import faults, iec
from tools.meters.clock import Clock

BACKLOG = 1 << 20  # bytes that a client may leave unread before it is dropped
REACTION_S = 0.5  # 0.2 to 1.5: a reader does not listen while it speaks
LATE_S = 1.5  # how long a meter waits for an acknowledgement (IEC 62056-21, 6.6)
STALL_S = 10  # at full speed: how long one client may hold up the others


def key(text):
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a key is hexadecimal: 32 digits")


def fault(text):
    try:
        return faults.parse(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong))


def key_text(key, auth_key):
    return key.hex() + (", authentication key " + auth_key.hex() if auth_key else "")


def default_keys():
    """The keys that families have unless others are given, a line each for those that share them."""
    found = {}
    for family in meters.FAMILIES.values():
        if family.default_key:
            found.setdefault(key_text(family.default_key, family.default_auth_key), []).append(family.name)
    return "keys unless others are given:\n" + "".join(
        "  %s\n    %s\n" % (key, ", ".join(names)) for key, names in found.items())


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tools.meter", description="a simulated smart meter",
                                     epilog=default_keys(), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination",
                        help="tcp:PORT on 127.0.0.1, serial:DEVICE, - for standard output, mqtt:HOST:PORT for glow")
    parser.add_argument("--family", required=True, choices=sorted(meters.ALL))
    parser.add_argument("--rate", type=float, default=1, metavar="X",
                        help="times real time: 1 sends at the meter's own interval, 0 as fast as possible")
    parser.add_argument("--key", type=key, metavar="HEX", help="encryption key")
    parser.add_argument("--auth-key", type=key, metavar="HEX", help="authentication key")
    parser.add_argument("--phases", type=int, choices=(1, 3), default=3)
    parser.add_argument("--seed", type=int, default=1, metavar="N",
                        help="another house; the same seed gives the same bytes")
    parser.add_argument("--start", metavar="ISO", help="time of the first telegram; now")
    parser.add_argument("--count", type=int, metavar="N", help="stop after that many telegrams")
    parser.add_argument("--fault", type=fault, action="append", default=[], metavar="KIND[:PROBABILITY]",
                        help="once or more: %s" % ", ".join(faults.KINDS))
    options = parser.parse_args(argv)
    if options.rate < 0:
        parser.error("--rate can't be negative")
    scheme, _, place = options.destination.partition(":")
    family = meters.ALL[options.family]
    if options.destination != "-" and (scheme not in ("tcp", "serial", "mqtt") or not place
                                       or scheme == "tcp" and not place.isdecimal()):
        parser.error("destination %r: tcp:PORT, serial:DEVICE, mqtt:HOST:PORT or -" % options.destination)
    if scheme == "mqtt" and (not hasattr(family, "messages") or not place.rpartition(":")[2].isdecimal()):
        parser.error("mqtt:HOST:PORT is for the Glow families")
    if options.fault and hasattr(family, "spread"):
        parser.error("pulses know no faults")
    try:
        make(options)
    except ValueError as wrong:
        parser.error(str(wrong))
    return options


def make(options):
    zone = Clock(meters.ALL[options.family].zone)
    start = zone.parse(options.start) if options.start else None
    meter = meters.make(options.family, seed=options.seed, start=start, key=options.key,
                        auth_key=options.auth_key, phases=options.phases)
    return meter, faults.Faulty(meter, options.fault, seed=options.seed)


async def telegrams(options):
    """The bytes that arrive, each when it is due."""
    meter, faulty = make(options)
    began, first = time.monotonic(), None
    sent = 0
    while options.count is None or sent < options.count:
        data = faulty.next().data
        if first is None:
            first = meter.time
        if options.rate:
            await asyncio.sleep(began + (meter.time - first) / options.rate - time.monotonic())
        if options.rate and hasattr(meter.family, "spread"):
            pause = meter.family.interval_s / options.rate / max(1, len(data))
            for place in range(len(data)):
                yield data[place:place + 1]
                await asyncio.sleep(pause)
        else:
            yield data
        sent += 1


async def to_output(options):
    async for data in telegrams(options):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


async def to_serial(options):
    import serial

    line = meters.ALL[options.family].line
    with serial.serial_for_url(options.destination.partition(":")[2], baudrate=line.baud, bytesize=line.bits,
                               parity=line.parity, stopbits=line.stop) as port:
        async for data in telegrams(options):
            port.write(data)
            port.flush()


async def to_broker(options):
    from amqtt.client import MQTTClient

    client = MQTTClient(config={"auto_reconnect": True})
    await client.connect("mqtt://%s/" % options.destination.partition(":")[2])
    async for data in telegrams(options):
        for topic, payload in meters.ALL[options.family].messages(data):
            await client.publish(topic, payload)
    await client.disconnect()


class Clients:
    """Everybody who listens; whoever leaves or stops reading is forgotten, the others notice nothing."""

    def __init__(self):
        self._writers = set()
        self._somebody = asyncio.Event()

    async def join(self, reader, writer):
        """What a client sends is thrown away; that it stops sending doesn't mean that it stops listening."""
        self._writers.add(writer)
        self._somebody.set()
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            self._leave(writer)

    def _leave(self, writer):
        self._writers.discard(writer)
        if not self._writers:
            self._somebody.clear()
        writer.transport.abort()

    async def wait(self):
        await self._somebody.wait()

    async def send(self, data, patient):
        for writer in list(self._writers):
            try:
                writer.write(data)
                if writer.transport.is_closing():
                    raise ConnectionError
                if patient:
                    await asyncio.wait_for(writer.drain(), STALL_S)
                elif writer.transport.get_write_buffer_size() > BACKLOG:
                    self._leave(writer)
            except (TimeoutError, ConnectionError):
                self._leave(writer)

    async def close(self):
        for writer in list(self._writers):
            try:
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), STALL_S)
            except (TimeoutError, ConnectionError):
                writer.transport.abort()


def session(options):
    """Of a meter that speaks only when it is asked."""
    _, faulty = make(options)
    return iec.Session(meters.FAMILIES[options.family], lambda: faulty.next().data)


async def answer_network(options):
    async def serve(reader, writer):
        asked = session(options)
        try:
            while True:
                try:
                    data = await asyncio.wait_for(reader.read(256), LATE_S)
                except TimeoutError:
                    said = asked.late()
                else:
                    if not data:
                        break
                    said = asked.hear(data)
                for part, _ in said:
                    await asyncio.sleep(REACTION_S)
                    writer.write(part)
                await asyncio.wait_for(writer.drain(), STALL_S)
        except (TimeoutError, ConnectionError):
            pass
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", int(options.destination.partition(":")[2]))
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], file=sys.stderr, flush=True)
    async with server:
        await server.serve_forever()


async def answer_serial(options):
    import serial

    asked = session(options)
    line = meters.FAMILIES[options.family].line
    with serial.serial_for_url(options.destination.partition(":")[2], baudrate=line.baud, bytesize=line.bits,
                               parity=line.parity, stopbits=line.stop, timeout=LATE_S) as port:
        while True:
            data = port.read(1)
            for part, baud in asked.hear(data) if data else asked.late():
                await asyncio.sleep(REACTION_S)
                port.baudrate = baud
                port.write(part)
                port.flush()
                port.baudrate = line.baud


async def to_network(options):
    clients = Clients()
    server = await asyncio.start_server(clients.join, "127.0.0.1", int(options.destination.partition(":")[2]))
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], file=sys.stderr, flush=True)
    async with server:
        # like a P1 port without a data request, nothing is said until somebody is there (DSMR P1 5.0.2, 5.8)
        await clients.wait()
        async for data in telegrams(options):
            if not options.rate:
                await clients.wait()
            await clients.send(data, patient=not options.rate)
        await clients.close()


def main(argv=None):
    options = arguments(argv)
    family = meters.ALL[options.family]
    meter, _ = make(options)
    print("%s, %s, a telegram each %d s" % (family.name, family.line, family.interval_s), file=sys.stderr)
    if meter.state.key:
        print("key " + key_text(meter.state.key, meter.state.auth_key), file=sys.stderr, flush=True)
    send = {"tcp": to_network, "serial": to_serial, "mqtt": to_broker, "-": to_output}
    if isinstance(family, iec.Asked):
        send.update(tcp=answer_network, serial=answer_serial)
    send = send[options.destination.partition(":")[0]]
    try:
        asyncio.run(send(options))
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # whoever read standard output has gone; keep the interpreter from complaining when it closes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as wrong:
        sys.exit("tools.meter: %s" % wrong)


if __name__ == "__main__":
    main()
