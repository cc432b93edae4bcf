# SPDX-License-Identifier: MIT
"""The layers around a COSEM notification taken off by the plainest means, to judge simulator and decoder by."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

TYPES = {3: 1, 5: 4, 6: 4, 15: 1, 16: 2, 17: 1, 18: 2, 20: 8, 21: 8, 22: 1}
SIGNED = (5, 15, 16, 20)


def crc(data):
    """CRC-16/X-25 a bit at a time."""
    value = 0xFFFF
    for byte in data:
        for bit in range(8):
            value = value >> 1 ^ (0x8408 if (value ^ byte >> bit) & 1 else 0)
    return (value ^ 0xFFFF).to_bytes(2, "little")


def ber(data, at):
    """(length, place behind it)"""
    if data[at] < 0x80:
        return data[at], at + 1
    size = data[at] & 0x7F
    return int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size


def frames(telegram):
    """("hdlc", header without its checksum, information) or ("mbus", its head, data) each, checked."""
    at = 0
    while at < len(telegram):
        if telegram[at] == 0x7E:
            size = int.from_bytes(telegram[at + 1:at + 3], "big") & 0x7FF
            body = telegram[at + 1:at + 1 + size]
            assert len(body) == size and telegram[at + 1 + size] == 0x7E and body[0] >> 4 == 0xA
            assert crc(body[:-2]) == body[-2:]
            head = 2
            for _ in range(2):
                while not body[head] & 1:
                    head += 1
                head += 1
            assert crc(body[:head + 1]) == body[head + 1:head + 3]
            yield "hdlc", body[:head + 1], body[head + 3:-2]
            at += size + 2
        else:
            size = telegram[at + 1] if telegram[at + 1] > 3 else telegram[at + 1] + 256
            assert telegram[at:at + 4] == bytes((0x68, size & 0xFF, size & 0xFF, 0x68))
            body = telegram[at + 4:at + 4 + size]
            assert telegram[at + 4 + size:at + 6 + size] == bytes((sum(body) & 0xFF, 0x16))
            saps = 3 if body[3:5] == b"\xdb\x08" else 5  # some leave out the service access points
            yield "mbus", body[:saps], body[saps:]
            at += size + 6


def unwrapped(telegram):
    """What the frames of one telegram carry together; every number and mark of order is checked."""
    whole, started = b"", 0
    found = list(frames(telegram))
    for number, (kind, head, data) in enumerate(found):
        last = number == len(found) - 1
        if kind == "mbus":
            assert head[2] == (number & 0x0F | (0x10 if last else 0)), head.hex()
            whole += data
            continue
        if number == 0:
            assert data[:3] == b"\xe6\xe7\x00"
            data = data[3:]
            started = data[0]
        if started == 0xE0:
            assert not head[0] & 0x08 and data[1] & 0x80 == (0x80 if last else 0)
            assert int.from_bytes(data[2:4], "big") == number + 1
            size, at = ber(data, 6)
            assert len(data) == at + size
            data = data[at:]
        else:
            assert bool(head[0] & 0x08) is not last
        whole += data
    return whole


def sealed(envelope):
    """(tag, title, security, counter, text and tag, was the length longer than it need be)"""
    title = envelope[2:2 + envelope[1]]
    size, at = ber(envelope, 2 + envelope[1])
    assert len(envelope) == at + size
    wide = at - 2 - envelope[1] > (1 if size < 0x80 else 2 if size < 0x100 else 3)
    return envelope[0], title, envelope[at], int.from_bytes(envelope[at + 1:at + 5], "big"), envelope[at + 5:], wide


def opened(data, key, auth_key=None):
    """The notification in `data`, decrypted when it is an envelope; its tag is checked when the key for it is given."""
    if data[0] not in (0xDB, 0xDC):
        return data
    _, title, security, counter, text, _ = sealed(data)
    nonce = title + counter.to_bytes(4, "big")
    if not security & 0x10 or not auth_key:
        text = text[:-12] if security & 0x10 else text
        return Cipher(algorithms.AES(key), modes.CTR(nonce + b"\0\0\0\2")).decryptor().update(text)
    cipher = Cipher(algorithms.AES(key), modes.GCM(nonce, text[-12:], min_tag_length=12)).decryptor()
    cipher.authenticate_additional_data(bytes((security,)) + auth_key)
    return cipher.update(text[:-12]) + cipher.finalize()


def walk(data, at, see):
    """Calls see(depth, type, value) for every A-XDR value in order; the place behind the last."""
    def one(at, depth):
        kind = data[at]
        at += 1
        if kind in TYPES:
            see(depth, kind, int.from_bytes(data[at:at + TYPES[kind]], "big", signed=kind in SIGNED))
            return at + TYPES[kind]
        if kind == 0:
            see(depth, 0, None)
            return at
        size, at = ber(data, at)
        if kind in (1, 2):
            see(depth, kind, size)
            for _ in range(size):
                at = one(at, depth + 1)
            return at
        assert kind in (9, 10), kind
        see(depth, kind, bytes(data[at:at + size]))
        return at + size
    return one(at, 0)


def head(notification):
    """(the clock's bytes, place of the body) of a notification."""
    assert notification[0] == 0x0F
    at = 5 + (notification[5] == 9)
    return notification[at + 1:at + 1 + notification[at]], at + 1 + notification[at]


def skeleton(notification):
    """Everything of a notification but its values: types, sizes, OBIS codes, scalers and units."""
    stamp, at = head(notification)
    found = [(notification[5] == 9, len(stamp), stamp[8:11])]

    def see(depth, kind, value):
        if kind in (9, 10):
            found.append((depth, kind, value if len(value) == 6 and value[5] == 255 else len(value)))
        else:
            found.append((depth, kind, value if kind in (1, 2, 15, 22) else None))

    assert walk(notification, at, see) == len(notification)
    return found
