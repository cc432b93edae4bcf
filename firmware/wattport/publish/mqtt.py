# SPDX-License-Identifier: MIT
"""An MQTT 3.1.1 client on a connected stream: publishes with QoS 0 and 1, one message at a time.

Two tasks run beside the user's: one receives, one pings. When either finds the connection dead, `failed`
holds the reason, every wait ends, and each call raises it. Nothing waits without a time-out, nothing that comes
in is stored without a bound. Section numbers are OASIS MQTT 3.1.1's.
"""

import asyncio
import time

from micropython import const

from wattport.modules import fetch
from wattport.publish import packet
from wattport.publish.packet import MqttError

TIMEOUT_MS = 10000  # in which a broker answers, takes some bytes of ours, or is gone
# kinds of packets, 2.2.1
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)
_PINGREQ = b"\xc0\x00"
_TRIES = const(3)  # of a QoS 1 message before the connection is given up
_WRITE_POLL_MS = const(10)
OUT_SIZE = 1440  # one TCP segment: a message that fits leaves in one packet, and Nagle never holds it
_IN_SIZE = const(128)


class Client:
    """One session on one connection; made anew for the next one."""

    def __init__(self, stream, out, on_message=None, on_failure=None, limit=192, most=0):
        """out: a bytearray of OUT_SIZE, to be used by one client after the other; None for one that only listens.
        limit, most: bytes of a message that are kept, with its topic, see `Inbox`.

        on_message(topic, payload, retained, whole), as `Inbox.message` gives them; on_failure(). Both synchronous and
        short.
        """
        self.failed = None
        self._stream = stream
        self._on_message = on_message
        self._on_failure = on_failure
        self._out = out
        self._inbox = packet.Inbox(self._receive, limit, most)
        self._lock = asyncio.Lock()
        self._answer = asyncio.Event()  # CONNACK, SUBACK or the PUBACK of `_number`: one is awaited at a time
        self._expected = _CONNACK
        self._number = 0
        self._code = 0
        self._ping_answered = True
        self._tasks = []

    async def open(self, client_id, keepalive_s, user="", password="", will_topic="", will=""):
        """CONNECT and wait for CONNACK. Raises MqttError, in words, when the broker says no or nothing."""
        self._tasks.append(asyncio.create_task(self._guarded(self._listen())))
        await self._send(packet.connect(client_id, keepalive_s, user, password, will_topic, will))
        if not await self._answered(TIMEOUT_MS):
            raise self._fail(MqttError("no CONNACK from the broker"))
        # without keep-alive the pings are still what finds a dead connection
        self._tasks.append(asyncio.create_task(self._guarded(self._ping((keepalive_s or 60) * 500))))

    async def publish(self, topic, payload, qos=0, retain=False):
        """Send bytes to a topic (text); with QoS 1, until the broker has them. Raises MqttError, OSError."""
        topic = topic.encode()
        if not qos:
            async with self._lock:
                await self._write_message(topic, payload, 0, retain)
            return
        number = self._next_number()
        for again in range(_TRIES):
            async with self._lock:
                self._expect(_PUBACK)
                await self._write_message(topic, payload, 5 if again else 1, retain, number)
            if await self._answered(TIMEOUT_MS // 2):
                return
        raise self._fail(MqttError("no PUBACK from the broker"))

    async def subscribe(self, topics):
        """Ask for topics with QoS 0, for on_message. False when the broker does not grant the first one."""
        number = self._next_number()
        self._expect(_SUBACK)
        await self._send(packet.subscribe(number, topics))
        if not await self._answered(TIMEOUT_MS):
            raise self._fail(MqttError("no SUBACK from the broker"))
        return not self._code & 0x80  # 3.9.3

    def close(self):
        """Stop and let go of the connection. Without a DISCONNECT: the broker then publishes the will."""
        self._fail(MqttError("closed"))
        for task in self._tasks:
            task.cancel()
        self._stream.close()

    # ---- waiting

    def _next_number(self):
        self._number = self._number % 65535 + 1  # 2.3.1: never 0
        return self._number

    def _expect(self, kind):
        self._expected = kind
        self._answer.clear()

    async def _answered(self, timeout_ms):
        try:
            await asyncio.wait_for_ms(self._answer.wait(), timeout_ms)
        except asyncio.TimeoutError:
            return False
        if self.failed:
            raise self.failed
        return True

    def _fail(self, error):
        if not self.failed:
            self.failed = error
            self._answer.set()
            if self._on_failure:
                self._on_failure()
        return self.failed

    async def _guarded(self, work):
        try:
            await work
        except Exception as error:
            self._fail(error)

    # ---- out

    async def _send(self, data):
        async with self._lock:
            await self._write(data, len(data))

    async def _write_message(self, topic, payload, flags, retain, number=0):
        """flags: the QoS in its place, 4 for DUP (3.3.1); head and payload in one piece where they fit."""
        out = self._out
        size = packet.publish_head(out, topic, len(payload), flags, retain, number)
        taken = min(len(payload), len(out) - size)
        payload = memoryview(payload)
        out[size : size + taken] = payload[:taken]
        await self._write(out, size + taken)
        if taken < len(payload):
            await self._write(payload[taken:], len(payload) - taken)

    async def _write(self, data, size):
        """All of it, or the connection is done for: half a packet cannot be taken back."""
        data = memoryview(data)
        at = 0
        progress = time.ticks_ms()
        try:
            while True:
                if self.failed:
                    raise self.failed
                count = self._stream.s.write(data[at:size])
                if count:
                    at += count
                    progress = time.ticks_ms()
                if at >= size:
                    return
                if time.ticks_diff(time.ticks_ms(), progress) > TIMEOUT_MS:
                    raise MqttError("the broker stopped reading")
                # asyncio's own wait for writing has no time-out; a wait at all is rare
                await asyncio.sleep_ms(_WRITE_POLL_MS)
        except asyncio.CancelledError:
            self._fail(MqttError("cancelled"))
            raise
        except Exception as error:
            raise self._fail(error)

    async def _ping(self, interval_ms):
        """For ever (3.1.2.10), and whatever else is sent: only an answer proves that there is a broker."""
        wait_ms = min(interval_ms, TIMEOUT_MS)
        while True:
            await asyncio.sleep_ms(interval_ms - wait_ms)
            self._ping_answered = False
            await self._send(_PINGREQ)
            await asyncio.sleep_ms(wait_ms)
            if not self._ping_answered:
                raise MqttError("the broker does not answer a ping")

    # ---- in

    async def _listen(self):
        chunk = bytearray(_IN_SIZE)
        while True:
            count = await self._stream.readinto(chunk)
            if count is None:  # TLS had something of its own to read
                continue
            if not count:
                raise MqttError("the broker closed the connection")
            self._inbox.feed(chunk, count)

    def _receive(self, kind, length):
        body = self._inbox.body
        if kind == _PINGRESP:
            self._ping_answered = True
        elif kind & 0xF0 == _PUBLISH:
            if self._expected == _CONNACK:
                raise MqttError("malformed start: a message before CONNACK")
            found = self._inbox.message(length)
            if found and self._on_message:
                self._on_message(found[0], found[1], bool(kind & 1), found[2])
        elif kind != self._expected:
            if kind == _CONNACK or self._expected == _CONNACK:
                raise MqttError("malformed packet from the broker: 0x%02x out of turn" % kind)
        elif kind == _CONNACK:
            if body[1]:  # raised here: the broker closes at once, which must not become the reason
                raise MqttError(fetch("wattport.publish.connack", "words")(body[1]))
            self._expected = 0
            self._answer.set()
        elif body[0] << 8 | body[1] == self._number:  # a late one for an earlier message says nothing
            self._code = body[2] if kind == _SUBACK else 0
            self._answer.set()
