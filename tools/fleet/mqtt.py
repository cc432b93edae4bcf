# SPDX-License-Identifier: MIT
"""An MQTT 3.1.1 client on asyncio: small enough for hundreds of them in one process. The packets are the firmware's."""

import asyncio

from wattport.publish import packet
from wattport.publish.connack import words
from wattport.publish.packet import MqttError

TIMEOUT_S = 15  # in which a broker answers
MOST = 8192  # bytes of a message that are kept, with its topic; a health message has about 1000
_PIECE = 16384


class Client:
    """One session: `open`, then `publish` and `subscribe` while `run()` is running, which ends with the reason.

    on_message(topic, payload, retained, size): text, the bytes that were kept, bool, the bytes there were.
    """

    def __init__(self, host, port, client_id, on_message=None, user="", password="", tls=None, keepalive_s=60,
                 will=("", ""), most=MOST):
        self._address, self._tls = (host, port), tls
        self._login = client_id, keepalive_s, user, password, *will
        self._keepalive_s = keepalive_s
        self._on_message = on_message
        self._inbox = packet.Inbox(self._receive, most)
        self._head = bytearray(1024)
        self._waiting = {}  # packet number, 0 for CONNACK → future
        self._number = 0
        self._heard = True
        self._reader = self._writer = None

    async def open(self):
        """Raises MqttError or OSError, in words."""
        try:
            self._reader, self._writer = await asyncio.wait_for(
                asyncio.open_connection(*self._address, ssl=self._tls), TIMEOUT_S)
        except TimeoutError:
            raise MqttError("no answer from %s:%d" % self._address)
        answer = self._expect(0)
        try:
            self._writer.write(packet.connect(*self._login))
            await asyncio.wait_for(self._listen(answer), TIMEOUT_S)
            answer.result()
        except TimeoutError:
            self.close(False)
            raise MqttError("no CONNACK from the broker")
        except BaseException:
            self.close(False)
            raise

    async def publish(self, topic, payload, qos=0, retain=False):
        """Send bytes; with QoS 1, until the broker has them."""
        number = self._next_number() if qos else 0
        answer = self._expect(number) if qos else None
        size = packet.publish_head(self._head, topic.encode(), len(payload), qos, retain, number)
        self._writer.write(self._head[:size] + payload)
        if answer:
            await self._answered(answer, number, "no PUBACK from the broker")
        else:
            await self._writer.drain()

    async def subscribe(self, topics):
        number = self._next_number()
        answer = self._expect(number)
        self._writer.write(packet.subscribe(number, topics))
        granted = await self._answered(answer, number, "no SUBACK from the broker")
        refused = [topic for topic, code in zip(topics, granted) if code & 0x80]
        if refused:
            raise MqttError("the broker does not let us see %s" % refused[0])

    async def run(self):
        """For ever; what ends it is raised."""
        ping = asyncio.ensure_future(self._ping())
        listening = asyncio.ensure_future(self._listen())
        try:
            done, _ = await asyncio.wait((ping, listening), return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            ping.cancel()
            listening.cancel()
            self.close(False)
            await asyncio.gather(ping, listening, return_exceptions=True)

    def close(self, in_order=True):
        """In order: the broker then keeps the will to itself."""
        if self._writer:
            if in_order and not self._writer.is_closing():
                self._writer.write(b"\xe0\x00")
            self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(MqttError("the connection to the broker is gone"))
                answer.exception()  # seen, should nobody be waiting any more
        self._waiting = {}

    def _next_number(self):
        self._number = self._number % 65535 + 1
        return self._number

    def _expect(self, number):
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        return answer

    async def _answered(self, answer, number, otherwise):
        try:
            return await asyncio.wait_for(answer, TIMEOUT_S)
        except TimeoutError:
            raise MqttError(otherwise)
        finally:
            self._waiting.pop(number, None)

    async def _listen(self, until=None):
        while until is None or not until.done():
            piece = await self._reader.read(_PIECE)
            if not piece:
                raise MqttError("the broker closed the connection")
            self._inbox.feed(piece, len(piece))

    async def _ping(self):
        while True:
            await asyncio.sleep(self._keepalive_s / 2)
            if not self._heard:
                raise MqttError("the broker does not answer a ping")
            self._heard = False
            self._writer.write(b"\xc0\x00")
            await self._writer.drain()

    def _receive(self, kind, length):
        self._heard = True
        body = self._inbox.body
        if kind & 0xF0 == 0x30:
            found = self._inbox.message(length)
            if found and self._on_message:
                topic, payload, _ = found
                size = length - 2 - len(topic) - (2 if kind & 0x06 else 0)
                self._on_message(topic.decode("utf-8", "replace"), bytes(payload), bool(kind & 1), size)
        elif kind == 0x20:
            answer = self._waiting.pop(0, None)
            if answer and not answer.done():
                if body[1]:
                    answer.set_exception(MqttError(words(body[1])))
                else:
                    answer.set_result(None)
        elif kind in (0x40, 0x90):
            answer = self._waiting.get(body[0] << 8 | body[1])
            if answer and not answer.done():
                answer.set_result(bytes(body[2:length]))


def address(text, default=1883):
    """(host, port) of HOST or HOST:PORT. ValueError for anything else."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, str(default)
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("%r is no HOST:PORT" % text)
    return host.strip("[]"), int(port)
