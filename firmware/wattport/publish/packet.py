# SPDX-License-Identifier: MIT
"""MQTT 3.1.1 packets as bytes, out and in. Pure. Section numbers are OASIS MQTT 3.1.1's."""

from micropython import const

_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)

_TEXT_LIMIT = const(65535)  # 1.5.3: a string's length is two bytes
_TYPE, _LENGTH, _BODY = const(0), const(1), const(2)


class MqttError(Exception):
    """The connection to the broker is of no use any more; the text says why, in words."""


def _text(value):
    """A string with its length before it, 1.5.3."""
    value = value.encode()
    if len(value) > _TEXT_LIMIT:
        raise ValueError("text too long for MQTT")
    return len(value).to_bytes(2, "big") + value


def put_length(buf, at, length):
    """The variable length of 2.2.3 into buf[at:]; returns where it ends."""
    while length > 127:
        buf[at] = 0x80 | length & 0x7F
        length >>= 7
        at += 1
    buf[at] = length
    return at + 1


def _packet(kind, body):
    head = bytearray(5)
    head[0] = kind
    return bytes(head[: put_length(head, 1, len(body))]) + body


def connect(client_id, keepalive_s, user="", password="", will_topic="", will=""):
    """CONNECT with a clean session, 3.1; the will is retained and QoS 1."""
    flags = 0x02
    body = _text(client_id)
    if will_topic:
        flags |= 0x20 | 0x08 | 0x04
        body += _text(will_topic) + _text(will)
    if user or password:  # 3.1.2.9: no password without a user name, so an empty one goes along
        flags |= 0x80
        body += _text(user)
        if password:
            flags |= 0x40
            body += _text(password)
    return _packet(0x10, _text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big") + body)


def subscribe(number, topics):
    """SUBSCRIBE for QoS 0, 3.8: what comes back never needs an answer."""
    body = number.to_bytes(2, "big")
    for topic in topics:
        body += _text(topic) + b"\x00"
    return _packet(0x82, body)


def publish_head(buf, topic, size, qos, retain, number=0):
    """All of a PUBLISH but its payload into buf, 3.3; returns the length.

    topic: bytes; size: of the payload, bytes; number: the packet identifier, used with QoS 1 only.
    Raises ValueError when buf is too small.
    """
    rest = 2 + len(topic) + (2 if qos else 0)
    if rest + 5 > len(buf):
        raise ValueError("topic too long")
    buf[0] = _PUBLISH | qos << 1 | (1 if retain else 0)
    at = put_length(buf, 1, rest + size)
    buf[at] = len(topic) >> 8
    buf[at + 1] = len(topic) & 0xFF
    at += 2
    buf[at : at + len(topic)] = topic
    at += len(topic)
    if qos:
        buf[at] = number >> 8
        buf[at + 1] = number & 0xFF
        at += 2
    return at


class Inbox:
    """Cuts what the broker sends into packets, however it arrives.

    Only the first `limit` bytes of a packet's body are kept, in `body`; the rest is counted and forgotten, so
    that a long message costs time and no memory. One of up to `most` bytes is kept whole, in a body of its own, as
    long as it is being received, if the heap has that. `receive(first byte, length)` is called for each packet; the
    `length` is the packet's own, `min(length, len(body))` bytes of it stand in `body`.
    Raises MqttError for what no broker may send.
    """

    def __init__(self, receive, limit=192, most=0):
        self.body = self._own = bytearray(limit)
        self._most = most
        self._receive = receive
        self._state = _TYPE
        self._kind = self._length = self._shift = self._seen = 0

    def feed(self, chunk, size):
        """The first `size` bytes of `chunk`."""
        at = 0
        while at < size:
            if self._state == _BODY:
                count = min(size - at, self._length - self._seen)
                kept = min(count, len(self.body) - self._seen)
                if kept > 0:
                    self.body[self._seen : self._seen + kept] = memoryview(chunk)[at : at + kept]
                self._seen += count
                at += count
            elif self._state == _TYPE:
                self._kind = chunk[at]
                self._check_kind()
                self._length = self._shift = self._seen = 0
                self._state = _LENGTH
                at += 1
                continue
            else:
                self._length |= (chunk[at] & 0x7F) << self._shift
                self._shift += 7
                if chunk[at] & 0x80:
                    if self._shift > 21:  # 2.2.3: four bytes at most
                        raise MqttError("malformed packet from the broker: endless length")
                    at += 1
                    continue
                at += 1
                self._check_length()
                self._state = _BODY
            if self._seen >= self._length:
                self._state = _TYPE
                self._receive(self._kind, self._length)
                self.body = self._own

    def _check_kind(self):
        """2.2.1 and 2.2.2: the types a broker sends, with the flags they have."""
        kind = self._kind
        if kind & 0xF0 == _PUBLISH:
            if kind & 0x06 == 0x06:
                raise MqttError("malformed packet from the broker: QoS 3")
        elif kind not in (_CONNACK, _PUBACK, _SUBACK, _PINGRESP):
            raise MqttError("not an MQTT broker: unexpected byte 0x%02x" % kind)

    def _check_length(self):
        kind, length = self._kind, self._length
        if kind in (_CONNACK, _PUBACK):
            good = length == 2
        else:
            good = length == 0 if kind == _PINGRESP else length > 2
        if not good:
            raise MqttError("malformed packet from the broker: 0x%02x with %d bytes" % (kind, length))
        if len(self.body) < length <= self._most:
            try:
                self.body = bytearray(length)
            except MemoryError:  # then it is cut off
                pass

    def message(self, length):
        """(topic, payload, whether it is whole) of the PUBLISH in `body`, bytes; what was cut off is missing. The
        payload of a long one is a memoryview.

        None when not even the topic fits the body: nothing we asked for is that long.
        """
        kind, body = self._kind, self.body
        end = 2 + (body[0] << 8 | body[1])
        start = end + (2 if kind & 0x06 else 0)
        if start > length:
            raise MqttError("malformed packet from the broker: topic longer than its message")
        if start > len(body):
            return None
        payload = memoryview(body)[start : min(length, len(body))]
        return bytes(body[2:end]), bytes(payload) if body is self._own else payload, length <= len(body)
