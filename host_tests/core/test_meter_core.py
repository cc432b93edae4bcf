# SPDX-License-Identifier: MIT
"""Bytes of one meter → Readings: what a frame holds, decryption under right and wrong keys, counters."""

from wattport.crypto.crc import crc16_arc, crc16_x25
from wattport.crypto.gcm import AesGcm, block_cipher
from wattport.crypto.ghash import Ghash
from wattport.errors import KINDS
from wattport.meter import Meter

KEY = bytes(range(16))
OTHER = bytes(range(1, 17))
AUTH = bytes(range(0xD0, 0xE0))
LUXEMBOURG = bytes([0x11 * i for i in range(16)])  # Smarty P1 1.1.3, 3.2.5
TITLE = b"TST\x01\x02\x03\x04\x05"


def p1(watts=428, crc=True, more=()):
    lines = ["1-3:0.2.8(50)", "1-0:1.7.0(%02d.%03d*kW)" % (watts // 1000, watts % 1000)]
    data = ("/TST5\\A\r\n\r\n%s\r\n!" % "\r\n".join((lines if crc else lines[1:]) + list(more))).encode()
    return data + (b"%04X" % crc16_arc(data, 0, len(data)) if crc else b"") + b"\r\n"


def notification(watts=428):
    """A Kamstrup list with one power in it."""
    code = b"\x09\x06\x01\x01"
    return (b"\x0f\x00\x00\x00\x00\x00\x02\x05\x0a\x0eKamstrup_V0001" + code + b"\x00\x00\x05\xff\x0a\x011"
            + code + b"\x01\x07\x00\xff\x12" + bytes([watts >> 8, watts & 0xFF]))


def hdlc(information):
    length = 9 + len(information)
    head = bytes([0xA0 | length >> 8, length & 0xFF, 3, 0x21, 0x13])
    hcs = crc16_x25(head, 0, 5)
    body = head + bytes([hcs & 0xFF, hcs >> 8]) + information
    fcs = crc16_x25(body, 0, len(body))
    return b"\x7e" + body + bytes([fcs & 0xFF, fcs >> 8]) + b"\x7e"


def llc(information):
    return hdlc(b"\xe6\xe7\x00" + information)


def seal(plain, key=KEY, auth_key=LUXEMBOURG, security=0x30, counter=1, form=0x82):
    """An envelope by the Green Book, 9.2.7, with the tag of NIST SP 800-38D; auth_key None: no additional data."""
    iv = TITLE + bytes([0, 0, counter >> 8, counter & 0xFF])
    text = bytearray(plain)
    AesGcm(key).crypt(text, 0, len(text), iv)
    body = bytes([security]) + iv[8:] + bytes(text)
    if security & 0x10:
        aad = b"" if auth_key is None else bytes([security]) + auth_key
        cipher = block_cipher(key, 1)
        hash_key, mask = bytearray(16), bytearray(iv + b"\x00\x00\x00\x01")
        cipher.encrypt(hash_key, hash_key)
        cipher.encrypt(mask, mask)
        ghash = Ghash(hash_key)
        ghash.update(aad, 0, len(aad))
        ghash.update(text, 0, len(text))
        bits = len(aad) * 8, len(text) * 8
        lengths = bytes([0] * 6 + [bits[0] >> 8, bits[0] & 0xFF] + [0] * 6 + [bits[1] >> 8, bits[1] & 0xFF])
        ghash.update(lengths, 0, 16)
        body += bytes([ghash.y[i] ^ mask[i] for i in range(12)])
    size = len(body)
    sizes = {0: bytes([size & 0x7F]), 0x81: bytes([0x81, size & 0xFF]), 0x82: bytes([0x82, size >> 8, size & 0xFF])}
    return b"\xdb\x08" + TITLE + sizes[form] + body


class Heard:
    def __init__(self, *arguments, **options):
        self.readings = []
        self.families = []
        self.errors = []
        self.frames = []
        options["on_frame"] = self.frames.append
        self.meter = Meter(self._reading, self._error, *arguments, **options)

    def _reading(self, reading, family):
        self.readings.append(reading)
        self.families.append(family)

    def _error(self, error, frame):
        assert len(frame) and error.detail
        self.errors.append(error.kind)

    def feed(self, data):
        self.meter.feed(data, len(data))
        return self

    def flush(self):
        self.meter.flush()
        return self

    @property
    def watts(self):
        return [reading.get("power_import_w") for reading in self.readings]

    def consistent(self):
        counters = self.meter.counters
        assert counters.telegrams == len(self.readings)
        assert sum(counters.errors.values()) == len(self.errors)
        for kind in KINDS:
            assert counters.errors[kind] == self.errors.count(kind)
        return self


# -- what a frame holds -----------------------------------------------------------------------------------------

def test_plain_telegrams_of_every_kind_on_one_line():
    heard = Heard().feed(p1(1) + llc(notification(2)) + hdlc(notification(3)) + p1(4, crc=False) + hdlc(p1(5))).flush()
    assert heard.watts == [1, 2, 3, 4, 5] and not heard.errors
    assert heard.families == ["dsmr5", "dlms-hdlc", "dlms-hdlc", "dsmr2", "dsmr5"]
    heard.consistent()
    assert heard.meter.garbage == 0 and heard.meter.pending == 0 and heard.meter.counters.key_unused == 0


def test_all_kinds_interleave_with_encrypted_ones_in_any_chunking():
    frames = [p1(1), seal(p1(2)), llc(notification(3)), llc(seal(notification(4))), seal(notification(5), counter=2),
              p1(6, crc=False), hdlc(seal(notification(7), security=0x20)), seal(p1(8), security=0x20)]
    for step in (1, 7, 64, 4096):
        heard = Heard(KEY)
        line = b"".join(frames)
        for at in range(0, len(line), step):
            heard.feed(line[at:at + step])
        heard.flush().consistent()
        assert heard.watts == [1, 2, 3, 4, 5, 6, 7, 8] and not heard.errors, (step, heard.watts, heard.errors)
        assert heard.families == ["dsmr5", "dsmr-lu-encrypted", "dlms-hdlc", "dlms-hdlc-encrypted", "dlms-encrypted",
                                  "dsmr2", "dlms-hdlc-encrypted", "dsmr-lu-encrypted"]
        assert heard.meter.counters.key_unused == 3 and heard.meter.garbage == 0


def test_empty_and_unknown_contents_are_unsupported():
    for bad in (hdlc(b""), llc(b""), llc(b"\x0e\x00"), hdlc(b"\xe6\xe7"), llc(b"\xc4\x01")):
        heard = Heard(KEY).feed(bad + llc(notification(5))).consistent()
        assert heard.errors == ["unsupported"] and heard.watts == [5], bad
    heard = Heard(KEY).feed(llc(seal(b"\x0f\x00\x00")) + llc(seal(b"")) + llc(notification(5))).consistent()
    assert len(heard.errors) == 2 and heard.watts == [5]
    # an envelope in an envelope is nothing that a meter sends
    heard = Heard(KEY).feed(llc(seal(seal(notification()))) + p1(5)).consistent()
    assert heard.errors == ["unsupported"] and heard.watts == [5]


def test_only_the_protocol_of_the_settings_is_looked_for():
    line = p1(1) + llc(notification(2)) + seal(p1(3))
    for protocol, watts in (("auto", [1, 2, 3]), ("P1", [1]), ("HDLC", [2]), ("encrypted", [3])):
        assert Heard(KEY, protocol=protocol).feed(line).flush().watts == watts, protocol


def test_what_settles_for_the_last_protocol_reads_on_and_knows_no_other():
    lines = {"P1": (p1(1), p1(2)), "HDLC": (llc(notification(1)), llc(seal(notification(2)))),
             "encrypted": (seal(p1(1)), seal(p1(2), counter=2))}
    for name, (first, second) in lines.items():
        heard = Heard(KEY).feed(first).flush()
        assert heard.meter.protocol == name and heard.watts == [1]
        heard.meter.settle()
        heard.feed(b"".join([other[0] for other in lines.values() if other[0] != first]) + second).flush()
        assert heard.watts == [1, 2] and heard.meter.garbage, name
        heard.meter.settle()
        assert heard.feed(second).watts == [1, 2, 2], name


def test_a_key_that_is_changed_holds_from_the_next_telegram_on():
    heard = Heard(OTHER).feed(seal(p1(1)))
    assert heard.errors == ["wrong_key"]
    heard.meter.use_key(KEY, None)
    assert heard.feed(seal(p1(2), counter=2)).watts == [2] and "the key is right" in heard.meter.key_verdict
    heard.meter.use_key(None, None)
    assert heard.feed(seal(p1(3), counter=3)).errors == ["wrong_key", "no_key"]
    heard.meter.use_key(KEY, OTHER)
    assert heard.feed(seal(p1(4), counter=4)).errors[-1] == "wrong_key"
    assert "authentication key is wrong" in heard.meter.key_verdict
    heard.meter.use_key(KEY, LUXEMBOURG)
    assert heard.feed(seal(p1(5), counter=5)).watts == [2, 5]
    heard.consistent()


def test_frames_are_handed_on_as_they_came_still_encrypted():
    frames = [p1(1), llc(notification(2)), seal(p1(3)), llc(seal(notification(4)))]
    heard = Heard(KEY).feed(b"".join(frames)).flush()
    assert heard.watts == [1, 2, 3, 4]
    assert heard.frames == [frames[0][:-2], frames[1][:-1], frames[2], frames[3][:-1]]
    again = Heard(KEY)
    for frame in heard.frames:
        again.feed(frame).flush()
    assert again.watts == [1, 2, 3, 4] and not again.errors


def test_codes_are_listed_on_request():
    heard = Heard(KEY, obis=True).feed(p1(1) + llc(seal(notification(2))) + seal(p1(3)))
    assert heard.readings[0]["obis"]["1-0:1.7.0"] == [1, -3, "kW"]
    assert heard.readings[1]["obis"]["1-1:1.7.0"] == [2, 0, ""]
    assert heard.readings[2]["obis"]["1-0:1.7.0"] == [3, -3, "kW"]


# -- keys: peers.md C2 -------------------------------------------------------------------------------------------

KEYS = (
    # authentication key and security of the meter; key, authentication key of the settings → error of text, of a list
    (LUXEMBOURG, 0x30, KEY, None, None, None),
    (LUXEMBOURG, 0x30, KEY, LUXEMBOURG, None, None),
    (LUXEMBOURG, 0x30, KEY, AUTH, "wrong_key", "wrong_key"),
    (LUXEMBOURG, 0x30, OTHER, None, "wrong_key", "wrong_key"),
    (LUXEMBOURG, 0x30, OTHER, LUXEMBOURG, "wrong_key", "wrong_key"),
    (LUXEMBOURG, 0x30, None, None, "no_key", "no_key"),
    (LUXEMBOURG, 0x30, None, AUTH, "no_key", "no_key"),
    (AUTH, 0x30, KEY, AUTH, None, None),
    (AUTH, 0x30, KEY, None, None, None),  # the checksum or the head of what comes out stands in for the tag
    (AUTH, 0x30, KEY, LUXEMBOURG, "wrong_key", "wrong_key"),
    (AUTH, 0x30, OTHER, AUTH, "wrong_key", "wrong_key"),
    (AUTH, 0x30, OTHER, None, "wrong_key", "wrong_key"),
    (None, 0x30, KEY, None, None, None),  # no additional data
    (None, 0x30, KEY, AUTH, None, None),
    (None, 0x30, OTHER, AUTH, "wrong_key", "wrong_key"),
    (AUTH, 0x31, KEY, AUTH, None, None),  # suite 1 has the same cipher
    (AUTH, 0x31, KEY, LUXEMBOURG, "wrong_key", "wrong_key"),
    (None, 0x20, KEY, None, None, None),
    (None, 0x20, KEY, AUTH, None, None),
    (None, 0x21, KEY, None, None, None),
    (None, 0x20, OTHER, None, "wrong_key", "wrong_key"),
    (None, 0x20, OTHER, AUTH, "wrong_key", "wrong_key"),
    (None, 0x20, None, None, "no_key", "no_key"),
    (AUTH, 0xB0, KEY, AUTH, "unsupported", "unsupported"),  # compressed
    (AUTH, 0x32, KEY, AUTH, "unsupported", "unsupported"),  # AES-256
    (AUTH, 0x70, KEY, AUTH, None, None),  # a broadcast key is a key too
)


def test_right_and_wrong_keys_are_told_apart_and_the_next_telegram_is_read():
    for auth, security, key, auth_key, text_error, list_error in KEYS:
        for frame, error in ((seal(p1(7), KEY, auth, security), text_error),
                             (llc(seal(notification(7), KEY, auth, security)), list_error)):
            heard = Heard(key, auth_key).feed(frame)
            case = auth, security, key, auth_key, heard.errors, heard.watts
            assert heard.errors == ([error] if error else []), case
            assert heard.watts == ([] if error else [7]), case
            heard.feed(frame + llc(notification(8)) + p1(9)).flush().consistent()
            assert heard.errors == ([error] * 2 if error else []), case
            assert heard.watts == ([8, 9] if error else [7, 7, 8, 9]), case
            assert heard.meter.counters.key_unused == (2 if key else 0), case


def test_after_a_telegram_under_another_key_the_next_right_one_is_read():
    for auth_key in (None, AUTH):
        for wrap in (bytes, llc):
            content = p1 if wrap is bytes else notification
            good = [wrap(seal(content(i), KEY, AUTH, counter=i)) for i in (1, 2)]
            bad = wrap(seal(content(9), OTHER, AUTH))
            heard = Heard(KEY, auth_key).feed(good[0] + bad + good[1]).flush().consistent()
            assert heard.watts == [1, 2] and heard.errors == ["wrong_key"], (auth_key, heard.errors)


def test_the_maker_of_a_meter_that_encrypts_is_known_before_its_key():
    letters = "".join(chr(byte) for byte in TITLE[:3])
    heard = Heard()
    assert heard.meter.maker == ""
    assert heard.feed(p1(1)).meter.maker == "" and heard.watts == [1]
    assert heard.feed(seal(p1(2))).meter.maker == letters and heard.errors == ["no_key"]
    heard = Heard(KEY).feed(seal(p1(2)))
    assert heard.meter.maker == letters and heard.watts == [2]
    heard = Heard().feed(llc(seal(notification(3)).replace(TITLE, b"\x01\x02\x03" + TITLE[3:])))
    assert heard.meter.maker == "" and heard.errors == ["no_key"]


def test_a_key_for_a_meter_that_does_not_encrypt_is_counted_not_refused():
    heard = Heard(KEY, AUTH).feed(p1(1) + llc(notification(2)) + p1(3, crc=False))
    assert heard.watts == [1, 2, 3] and not heard.errors and heard.meter.counters.key_unused == 3


def test_lengths_of_envelopes_in_three_ways():
    small = seal(b"", form=0)
    assert len(small) == 11 + 17
    for form in (0x81, 0x82):
        assert Heard(KEY).feed(seal(p1(5), form=form) + seal(p1(6), form=form)).watts == [5, 6]
        assert Heard(KEY).feed(llc(seal(notification(5), form=form))).watts == [5]
    assert Heard(KEY).feed(llc(seal(notification(5)[:], security=0x20, form=0))).watts == [5]


def test_envelopes_that_lie_about_their_lengths_are_named():
    good = seal(notification(5))
    for bad, kind in ((good[:10] + b"\x82\x00\x04" + good[13:], "malformed"),
                      (good[:10] + b"\x00" + good[13:], "malformed"),
                      (good[:10] + b"\x83\x00\x00\x40" + good[13:], "malformed"),
                      (good[:10] + b"\x80" + good[13:], "malformed"),
                      (good[:10] + b"\x82\x00\x10" + good[13:], "malformed"),
                      (good[:10] + b"\x82\x40\x00" + good[13:], "truncated"),
                      (good[:1] + b"\x07" + good[3:], "malformed"),
                      (good[:1] + b"\x09\x00" + good[2:], "malformed"),
                      (good[:1] + b"\xff" + good[2:], "malformed"),
                      (good[:1], "malformed"), (good[:9], "malformed"), (good[:10], "malformed"),
                      (good[:11], "malformed"), (good[:12], "malformed"), (good[:13], "truncated"),
                      (good[:-1], "truncated")):
        heard = Heard(KEY).feed(llc(bad) + llc(notification(6))).flush().consistent()
        assert heard.errors == [kind] and heard.watts == [6], (bad[:16], heard.errors)


def test_short_envelopes_at_the_very_end_of_the_buffer():
    for security in (0x20, 0x30):
        for size in range(25):
            for first in (b"\x0f\x00\x00\x00\x00\x0c", b"\x0f\x00\x00\x00\x00\x00", b"/TST5"):
                frame = seal((first + bytes(25))[:size], KEY, AUTH, security)
                heard = Heard(KEY, size=200).feed(b"." * 5 + b"\x7e" * (195 - len(frame)) + frame).flush()
                assert not heard.readings


def test_half_an_envelope_then_a_whole_one():
    frame = seal(p1(5), KEY, AUTH)
    for cut in range(14, len(frame), 5):
        for auth_key in (None, AUTH):
            heard = Heard(KEY, auth_key).feed(frame[:cut] + frame).flush().consistent()
            # seen for what it is where the new one's title stands inside of the old one's text
            errors = ["truncated" if 18 <= cut < len(frame) - 22 else "wrong_key"]
            if cut >= len(frame) - 12 and not auth_key:
                errors = []  # nothing was lost but a tag that nobody could check
            assert heard.watts == [5] and heard.errors == errors, (cut, heard.errors)
            heard = Heard(KEY, auth_key).feed(frame[:cut]).flush().feed(frame)
            assert heard.watts == [5] and heard.errors == ["truncated"], (cut, heard.errors)


def flipped(frame, bit):
    frame = bytearray(frame)
    frame[bit >> 3] ^= 1 << (bit & 7)
    return bytes(frame)


def test_no_flipped_bit_of_a_sealed_telegram_gives_another_reading():
    for content in (p1(5), notification(5)):
        frame = seal(content, KEY, AUTH)
        heard = Heard(KEY, AUTH)
        security = 13 * 8 + 4  # the bit that says that there is a tag
        for bit in range(len(frame) * 8):
            before = len(heard.readings)
            heard.feed(flipped(frame, bit)).flush()
            if bit == security:
                # then text that its own checksum proves, or a list, is read without the tag
                assert heard.watts[before:] in ([], [5])
            else:
                assert len(heard.readings) == before, bit
        heard.feed(frame)
        assert heard.watts[-1] == 5
        heard.consistent()


def test_no_flipped_bit_gives_another_reading_where_a_checksum_proves_it():
    for frame, auth_key in ((seal(p1(5), KEY, AUTH), None), (seal(p1(5), KEY, AUTH, 0x20), None), (p1(5), None),
                            (llc(notification(5)), None)):
        heard = Heard(KEY, auth_key)
        for bit in range(len(frame) * 8):
            heard.feed(flipped(frame, bit)).flush()
        assert set(heard.watts) <= {5}


def test_a_telegram_whose_decoding_fails_does_not_stop_the_next():
    bad = p1(5, more=("1-0:1.6.0(230615120000S)", "1-0:2.7.0(0.1.2*kW)", "1-0:2.7.0(\xe9)", "0-0:96.1.1(\xff)"))
    heard = Heard().feed(p1(1) + bad + p1(2) + bad + p1(3)).flush().consistent()
    assert heard.watts == [1, 5, 2, 5, 3]
