# SPDX-License-Identifier: MIT
"""Breaks telegrams: at any byte, or layer by layer with the checksums and tags around made right again, so that what
lies behind them is reached. All chance comes from the `random.Random` that is handed in."""

import re

from tools.fuzz.judge import LUXEMBOURG, ber, crc_kermit, crc_x25, hdlc_is_whole, mbus_is_whole, sml_is_whole, unsealed
from tools.meters import dlms
from tools.meters.p1 import crc16

LLC = dlms.LLC
ADDRESSES = (b"\x41\x03", b"\xcf\x02\x23", b"\x21\x13", b"\x02\x21\x13", b"\x00\x02\x04\x21\x13")
EXTREMES = (b"\x00", b"\x01", b"\x02", b"\x03", b"\x7f", b"\x80", b"\x81", b"\x82", b"\xfe", b"\xff", b"\x81\xff",
            b"\x82\x00\x00", b"\x82\xff\xff", b"\x82\x10\x00", b"\x83\x01\x00\x00", b"\x84\xff\xff\xff\xff",
            b"\x80\x00", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00",
            b"\x80\x00\x00\x00\x00\x00\x00\x00")
STARTS = (b"/ABC5\r\n\r\n", b"/", b"\n!", b"!\r\n", b"!0000\r\n", b"\x7e", b"\x7e\xa0\x20", b"\x7e\xa7\xff",
          b"\xdb\x08TST", b"\xdc\x08", b"\x68", b"\x68\x01\x01\x68", b"\x68\xfa\xfa\x68", b"\x1b\x1b\x1b\x1b",
          b"\x1b\x1b\x1b\x1b\1\1\1\1", b"\x1b\x1b\x1b\x1b\x1a", b"\x10\x40\xf0\x30\x16", LLC, b"\xe0\x40\0\1\0\0",
          b"\xe0\xc0\0\1\0\0", b"\x0f\0\0\0\1\0", b"\x76\x05", b"\x77\x07\1\0", b"\x02", b"\x03", b"\x04", b"\x82",
          b"\x02\nADCO\x20", b"{\"", b"\r\n")
SHAPES = (b"\x02\x02", b"\x01\x01", b"\x02\x02\x0f\x00\x16\x1b", b"\x01\x81\xff", b"\x02\x00",
          b"\x09\x06\1\0\1\x08\0\xff", b"\x06\xff\xff\xff\xff", b"\x00",
          b"\x09\x0c\x07\xe7\x0c\x1f\x01\x17\x3b\x3b\xff\x80\x00\xff", b"\x15" + b"\xff" * 8,
          b"\x02\x04\x12\x00\x03\x09\x06\1\0\1\x08\0\xff\x0f\x02\x12\x00\x00", b"\x0a\x00", b"\x17\0\0\0\0", b"\x71",
          b"\x72\x62\x01", b"\x01", b"\x77\x07\1\0\1\x08\0\xff\x01\x01\x62\x1e\x52\xff\x56\0\0\0\0\1\x01", b"\xf1\x01",
          b"\x59" + b"\x80" * 8, b"\x69" + b"\xff" * 8, b"\x83\x02")
LINES = (b"1-0:1.8.0(%s*kWh)\r\n", b"1-0:1.7.0(%s*kW)\r\n", b"0-0:1.0.0(%sS)\r\n", b"0-0:96.13.0(%s)\r\n",
         b"0-1:24.2.1(%s)", b"0-1:24.1.0(%s)\r\n", b"(%s)\r\n", b"1-3:0.2.8(%s)\r\n",
         b"0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(%s)\r\n", b"%s", b"1-0:99.97.0(1)(0-0:96.7.19)(%s)(1*s)\r\n",
         b"1.8.0(%s)", b"1-0:%s(1)\r\n", b"0-9:%s\r\n", b"0-0:96.1.1(%s)\r\n")
WORDS = (b"", b"0", b"9" * 30, b"-1", b"1.", b".1", b"1.2.3", b"0" * 70, b"1e9", b"230230250000", b"632525252525W",
         b"\xff\xfe", b"700101010000W", b")", b"((", b"*", b"*kWh", b"1*MJ", b"\x00", b"1\\\"", b"4B384547", b"4", b"A"
         * 900, b"2" * 2048)


JSON = (b"", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-1", b"1e400", b"1E-5", b"9" * 40, b"0.000000001",
        b'""', b'"\\u0000"', b'"\\ud83d\\ude00"', b'"\\q"', b'"---"', b'"kWh"', b'"m3"', b"[[[[[[[[[[[[", b"-", b'"x',
        b'"' + b"F" * 30 + b'"')


def chunk(chance, data, most=64):
    at = chance.randrange(len(data) + 1)
    return data[at:at + chance.randrange(1, most)]


def spoil(chance, data, donor):
    """One to four changes at any place, of any kind."""
    data = bytearray(data or b"\0")
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(9)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 2:
            del data[at:at + chance.choice((1, 2, 5, 40, 400))]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 4:
            new = chance.choice(EXTREMES)
            data[at:at + chance.choice((0, 1, len(new)))] = new
        elif kind == 5:
            data[at:at] = chance.choice(STARTS)
        elif kind == 6:
            new = chunk(chance, donor)
            data[at:at + chance.choice((0, len(new)))] = new
        elif kind == 7:
            data[at:at] = chunk(chance, data) * chance.choice((1, 1, 2, 9))
        elif chance.random() < 0.5:
            del data[at:]
        else:
            del data[:at]
        data = data or bytearray(1)
    return bytes(data)


def bend(chance, data, marks, donor):
    """Changes where they mean something: lengths and counts behind a byte of `marks`, whole values put in."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        kind = chance.randrange(6)
        places = [at for at in range(len(data) - 1) if data[at] in marks]
        at = chance.choice(places) if places else 0
        if kind == 0:
            data[at + 1:at + 2] = chance.choice(EXTREMES)
        elif kind == 1:
            data[at:at + 1] = bytes((chance.choice(marks),))
        elif kind == 2:
            data[at:at] = chance.choice(SHAPES) * chance.choice((1, 1, 2, 8, 60))
        elif kind == 3:
            more = chance.choice(places) if places else 0
            data[at:at] = data[more:more + chance.randrange(1, 30)]
        elif kind == 4:
            del data[at:at + chance.choice((1, 2, 8))]
        else:
            return spoil(chance, bytes(data), donor)
    return bytes(data)


def code(chance):
    return b"%d-%d:%d.%d.%d(%d)\r\n" % tuple([chance.choice((0, 1, 2, chance.randrange(300))) for _ in range(6)])


def bend_text(chance, text, donor):
    """P1 text without its checksum, its lines changed."""
    lines = text.splitlines(True)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(1, len(lines) + 1) if lines else 0
        kind = chance.randrange(7)
        if kind == 0:
            lines[at:at + 1] = []
        elif kind == 1:
            lines[at:at] = [chance.choice(lines or [b"\r\n"])] * chance.choice((1, 1, 3, 40))
        elif kind == 2:
            line = chance.choice(LINES)
            lines[at:at] = [line.replace(b"%s", chance.choice(WORDS)) * chance.choice((1, 1, 2, 40))]
        elif kind == 3 and at < len(lines):
            lines[at] = re.sub(rb"\d+", lambda found: chance.choice((found.group(), chance.choice(WORDS))), lines[at])
        elif kind == 4 and at < len(lines):
            lines[at] = spoil(chance, lines[at], donor)
        elif kind == 5:
            lines[at:at] = [code(chance) for _ in range(chance.randrange(1, 30))]
        else:
            chance.shuffle(lines[1:])
    return b"".join(lines)


def seal_text(text):
    return text + b"%04X\r\n" % crc16(text)


def frames(telegram):
    """The frames of a telegram that is intact, or [telegram]."""
    if telegram[:1] not in (b"\x7e", b"\x68"):
        return [telegram]
    try:
        return dlms.split(telegram)
    except IndexError:
        return [telegram]


def unwrapped(telegram):
    """What the frames of an intact telegram carry together, LLC header, blocks and segments taken off; or None."""
    data = b""
    for part in frames(telegram):
        if part[:1] == b"\x7e":
            found = hdlc_is_whole(part[:-1])
            if not found:
                return None
            info = found[1]
        elif part[:1] == b"\x68" and mbus_is_whole(part):
            info = part[9:-2] if part[6] < 0x20 else b""
        else:
            return None
        info = info[3:] if info.startswith(LLC) else info
        if info[:1] == b"\xe0" and len(info) > 6:
            found = ber(info, 6)
            info = info[found[1]:] if found else b""
        data += info
    return data or None


def _twisted(chance, frame, again):
    """A frame with a byte of its head changed, its checksum right again."""
    head = bytearray(frame)
    head[chance.randrange(1, min(len(head), 12))] = chance.choice((0, 1, 3, 4, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return again(bytes(head))


def right_hdlc(frame):
    """Both checksums of an HDLC frame made right, by the addresses that it says."""
    at = 3
    for _ in range(2):
        while at < len(frame) - 5 and not frame[at] & 1:
            at += 1
        at += 1
    at = min(at, len(frame) - 5)
    frame = frame[:at + 1] + crc_x25(frame[1:at + 1]).to_bytes(2, "little") + frame[at + 3:]
    return frame[:-3] + crc_x25(frame[1:-3]).to_bytes(2, "little") + frame[-1:]


def right_mbus(frame):
    return frame[:-2] + bytes((sum(frame[4:-2]) & 0xFF,)) + frame[-1:]


def right_sml(body, chance):
    """Messages in a transport of their own; now and then without its escapes, or the number of fill bytes is wrong."""
    if chance.random() < 0.9:
        body = body.replace(b"\x1b" * 4, b"\x1b" * 8)
    fill = -len(body) % 4
    body = b"\x1b" * 4 + b"\1" * 4 + body + bytes(fill) + b"\x1b" * 4 + b"\x1a"
    body += bytes((fill if chance.random() < 0.95 else chance.randrange(256),))
    if chance.random() < 0.1:
        return body + crc_kermit(body).to_bytes(2, "big")
    return body + crc_x25(body).to_bytes(2, "little")


def wrap(chance, data, line):
    """Data in frames of any kind, sealed or not; now and then a head is wrong where the checksum is right."""
    data = data[:8000]
    if line.key and chance.random() < 0.7:
        security = chance.choice((0x30, 0x30, 0x20, 0x31, 0x00, 0x10, 0xB0, chance.randrange(256)))
        auth_key = chance.choice((line.auth_key, line.auth_key, None, LUXEMBOURG))
        data = dlms.seal(data, line.key, auth_key, b"TST" + chance.randbytes(5), chance.randrange(2 ** 32), security,
                         chance.choice((0xDB, 0xDB, 0xDC)), chance.random() < 0.5)
        if chance.random() < 0.15:
            place = chance.randrange(1, 17)
            data = data[:place] + chance.choice(EXTREMES) + data[place + 1:]
    kind = chance.randrange(6)
    addresses = chance.choice(ADDRESSES)
    if kind == 0:
        telegram = dlms.whole(data[:2000], addresses)
    elif kind == 1:
        telegram = dlms.segments(data, addresses, chance.randrange(20, 400))
    elif kind == 2:
        telegram = dlms.blocks(data, addresses, chance.randrange(20, 250))
    elif kind == 3:
        telegram = dlms.mbus(data, chance.choice((250, 252, chance.randrange(20, 253))))
    elif kind == 4:
        telegram = dlms.frame(addresses, 0x13, data[:2000])
    else:
        return data
    if chance.random() < 0.35:
        parts = frames(telegram)
        which = chance.randrange(len(parts))
        right = right_hdlc if parts[which][:1] == b"\x7e" else right_mbus
        change = chance.random()
        if change < 0.5:
            parts[which] = _twisted(chance, parts[which], right)
        elif change < 0.75:
            parts[which] = right(spoil(chance, parts[which], telegram).ljust(12, b"\0"))
        else:
            shuffle(chance, parts)
        telegram = b"".join(parts)
    return telegram


def shuffle(chance, parts):
    """Frames of one telegram lost, repeated or in another order."""
    which = chance.randrange(len(parts))
    kind = chance.randrange(4)
    if kind == 0:
        del parts[which]
    elif kind == 1:
        parts.insert(which, chance.choice(parts))
    elif kind == 2:
        parts *= 2
        del parts[which]
    else:
        chance.shuffle(parts)


def deep(chance, telegram, line, donor):
    """A telegram changed inside of its layers, everything around it right."""
    first = telegram[:1]
    if first == b"/" and b"!" in telegram and max(telegram) < 127:
        mark = telegram.rindex(b"!") + 1
        text = bend_text(chance, telegram[:mark], donor)
        if line.key and chance.random() < 0.5:
            return wrap(chance, seal_text(text), line)
        return seal_text(text) if b"\x03" not in telegram[mark:] else right_block(text)
    if first == b"{":
        return re.sub(rb'"[^"]*"|[\d.]+|[\[\]{}:,]',
                      lambda found: chance.choice(JSON) if chance.random() < 0.03 else found.group(), telegram)
    if first == b"\x02":
        changed = spoil(chance, telegram, donor) if chance.random() < 0.5 else bend_tic(chance, telegram)
        return right_tic(chance, changed)
    if first == b"\x1b":
        body = sml_is_whole(telegram)
        if not body:
            return None
        return right_sml(bend(chance, body, (0x71, 0x72, 0x76, 0x77, 0x62, 0x52, 0x01, 0x07), donor), chance)
    data = telegram if first == b"\xdb" else unwrapped(telegram)
    if not data:
        return None
    if data[0] in (0xDB, 0xDC):
        found = unsealed(data, line.key, line.auth_key) if line.key else None
        if not found:
            return wrap(chance, spoil(chance, data, donor), line)
        data = found[0]
    if data[:1] == b"/":
        mark = data.rfind(b"!") + 1 or len(data)
        return wrap(chance, seal_text(bend_text(chance, data[:mark], donor)), line)
    return wrap(chance, bend(chance, data, (0x01, 0x02, 0x09, 0x0A, 0x06, 0x12, 0x0F), donor), line)


def bend_tic(chance, telegram):
    groups = telegram[1:-1].split(b"\r")
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(groups))
        groups[at:at + chance.choice((0, 1))] = [re.sub(
            rb"\d+", lambda found: chance.choice((found.group(), chance.choice(WORDS))), chance.choice(groups))]
    return b"\x02" + b"\r".join(groups) + b"\x03"


def right_tic(chance, telegram):
    """The checksums of a TIC telegram's groups right; now and then with parity in the top bit."""
    counted = chance.random() < 0.5
    groups = [group[:-1] + bytes(((sum(group[1:-1 if counted else -2]) & 63) + 32,)) if len(group) > 3 else group
              for group in telegram[1:-1].split(b"\r")]
    telegram = b"\x02" + b"\r".join(groups) + b"\x03"
    if chance.random() < 0.2:
        telegram = bytes([byte & 0x7F | (bin(byte & 0x7F).count("1") & 1) << 7 for byte in telegram])
    return telegram


def right_block(text):
    """An IEC 62056-21 block behind its identification, its check right."""
    head = text.find(b"\x02") + 1
    check = 0
    block = text[head:] + b"\r\n\x03"
    for byte in block:
        check ^= byte
    return text[:head] + block + bytes((check,))


def unit(chance, telegram, line, donor):
    """What is sent in place of a telegram."""
    kind = chance.random()
    if kind < 0.4:
        changed = deep(chance, telegram, line, donor)
        if changed:
            return changed[:12_000]
    if kind < 0.55:
        parts = frames(telegram)
        if len(parts) > 1:
            if chance.random() < 0.3:
                parts += frames(donor)
            shuffle(chance, parts)
            return b"".join(parts)
    if kind < 0.62:
        return noise(chance)
    if kind < 0.68:
        return telegram[:chance.randrange(len(telegram) + 1)] + donor[chance.randrange(len(donor)):]
    if kind < 0.7:
        return donor
    return spoil(chance, telegram, donor)


def noise(chance):
    """Random bytes, with starts of telegrams among them."""
    data = b""
    for _ in range(chance.randrange(1, 8)):
        data += chance.choice(STARTS) * chance.choice((1, 1, 1, 30))
        data += chance.randbytes(chance.choice((0, 1, 8, 60, 600)))
    return data


def chunks(chance, data):
    """Data as it may arrive."""
    step = chance.choice((1, 7, 64, 120, 512, 512, 100_000))
    if step == 1 and len(data) > 600:
        step = 64
    at = 0
    while at < len(data):
        size = step if chance.random() < 0.7 else chance.randrange(1, step + 1)
        yield data[at:at + size]
        at += size


