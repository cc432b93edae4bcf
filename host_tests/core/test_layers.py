# SPDX-License-Identifier: MIT
"""What telegrams are wrapped in, and in which order: HDLC segments, wired M-Bus, block transfer, envelopes."""

from test_meter_core import AUTH, KEY, LUXEMBOURG, OTHER, Heard, hdlc, llc, notification, p1, seal

from wattport.crypto.crc import crc16_x25

LLC = b"\xe6\xe7\x00"


def segment(information, more, control=0x13):
    """One HDLC frame with the segmentation bit."""
    length = 9 + len(information)
    head = bytes([0xA0 | (8 if more else 0) | length >> 8, length & 0xFF, 3, 0x21, control])
    hcs = crc16_x25(head, 0, 5)
    body = head + bytes([hcs & 0xFF, hcs >> 8]) + information
    fcs = crc16_x25(body, 0, len(body))
    return b"\x7e" + body + bytes([fcs & 0xFF, fcs >> 8]) + b"\x7e"


def segments(data, size):
    data = LLC + data
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    return [segment(piece, i < len(pieces) - 1) for i, piece in enumerate(pieces)]


def mbus(data, number=0, last=True, saps=b"\x01\x67", wrap=False):
    body = b"\x53\xff" + bytes([number | (0x10 if last else 0)]) + saps + data
    size = len(body) & 0xFF if wrap else len(body)
    return bytes([0x68, size, size, 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])


def mbus_frames(data, size, **options):
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    return [mbus(piece, i, i == len(pieces) - 1, **options) for i, piece in enumerate(pieces)]


def block(data, number, last):
    size = bytes([len(data)]) if len(data) < 128 else b"\x82" + bytes([len(data) >> 8, len(data) & 0xFF])
    return bytes([0xE0, 0xC0 if last else 0x40, number >> 8, number & 0xFF, 0, 0]) + size + data


def blocks(data, size):
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    return [block(piece, i + 1, i == len(pieces) - 1) for i, piece in enumerate(pieces)]


def wrapped(content):
    """The ways a telegram can come in parts: (family, [parts, ...])."""
    return (("dlms-hdlc", segments(content, 20)), ("dlms-mbus", mbus_frames(content, 20)),
            ("dlms-mbus", mbus_frames(content, 20, saps=b"")),
            ("dlms-gbt", [llc(part) for part in blocks(content, 20)]),
            ("dlms-gbt", [mbus(part) for part in blocks(content, 20)]))


def test_a_telegram_in_parts_is_read_whole_however_it_is_cut_into_parts():
    for size in (4, 7, 20, 53, 200):
        content = notification(7)
        for parts in (segments(content, size), mbus_frames(content, size),
                      [llc(part) for part in blocks(content, size)]):
            heard = Heard().feed(b"".join(parts)).flush()
            assert heard.watts == [7] and not heard.errors and not heard.meter.pending, (size, heard.errors)


def test_parts_may_come_byte_by_byte_and_other_telegrams_in_between():
    for family, parts in wrapped(notification(7)):
        heard = Heard()
        for part in parts:
            for byte in part:
                heard.feed(bytes([byte]))
        assert heard.watts == [7] and heard.families == [family], family
        heard = Heard().feed(parts[0] + p1(1) + b"".join(parts[1:]))
        assert heard.watts == [1, 7] and not heard.errors, family


def test_layers_nest_in_any_order():
    content = notification(7)
    sealed = seal(content, KEY, AUTH)
    for data, family in (
            (mbus(sealed), "dlms-mbus-encrypted"), (mbus(LLC + sealed), "dlms-mbus-encrypted"),
            (b"".join(mbus_frames(sealed, 30)), "dlms-mbus-encrypted"),
            (b"".join(segments(sealed, 30)), "dlms-hdlc-encrypted"),
            (b"".join([llc(part) for part in blocks(sealed, 30)]), "dlms-gbt"),
            (b"".join([mbus(part) for part in blocks(LLC + sealed, 30)]), "dlms-gbt"),
            (llc(LLC + LLC + content), "dlms-hdlc"), (hdlc(seal(LLC + content, KEY, AUTH)), "dlms-hdlc-encrypted")):
        heard = Heard(KEY, AUTH).feed(data)
        assert heard.watts == [7] and heard.families == [family], (family, heard.families, heard.errors)


def test_endless_layers_end():
    for data in (LLC * 9 + notification(7), block(block(block(notification(7), 1, True), 1, True), 1, True),
                 seal(seal(notification(7), KEY, AUTH), KEY, AUTH)):
        heard = Heard(KEY, AUTH).feed(hdlc(data) + llc(notification(1))).consistent()
        assert heard.watts[-1:] == [1], heard.errors
    heard = Heard(KEY, AUTH).feed(hdlc(LLC * 60 + notification(7)) + llc(notification(1)))
    assert heard.watts == [1] and heard.errors == ["unsupported"]


def test_a_missing_part_is_truncated_and_the_next_telegram_is_read():
    for family, parts in wrapped(notification(7)):
        whole = b"".join(parts)
        for missing in range(len(parts)):
            heard = Heard().feed(b"".join(parts[:missing] + parts[missing + 1:]) + whole).flush().consistent()
            kinds = {"truncated"}
            if family == "dlms-hdlc":
                kinds.add("unsupported")  # HDLC numbers no segments: what is left is nonsense or ends too soon
            assert heard.watts == [7] and heard.errors and set(heard.errors) <= kinds, (family, missing, heard.errors)


def test_a_part_that_comes_twice_or_late_breaks_its_telegram_and_no_other():
    for family, parts in wrapped(notification(7))[1:]:
        whole = b"".join(parts)
        for order in ([0, 0, 1], [0, 2, 1], [1, 0], [0, 1, 1]):
            heard = Heard().feed(b"".join([parts[i] for i in order]) + whole).flush()
            assert heard.watts == [7] and set(heard.errors) == {"truncated"}, (family, order, heard.errors)


def test_parts_of_two_telegrams_are_never_put_together():
    # the end of one is broken, the start of the next too
    for family, first in wrapped(notification(7)):
        for _, second in [case for case in wrapped(notification(8)) if case[0] == family]:
            for damage in (1, 10, -2):
                bad = bytearray(first[-1])
                bad[damage] ^= 1
                start = bytearray(second[0])
                start[damage] ^= 1
                heard = Heard().feed(b"".join(first[:-1]) + bytes(bad) + bytes(start) + b"".join(second[1:])).flush()
                assert heard.watts == [] and heard.errors, (family, damage)
    parts = segments(notification(7), 20)
    heard = Heard().feed(parts[0] + b"\x55" * 9 + parts[-1]).flush()
    assert heard.watts == [] and "truncated" in heard.errors


def test_parts_may_be_kept_over_a_silence():
    for family, parts in wrapped(notification(7)):
        heard = Heard().feed(b"".join(parts[:-1]))
        heard.meter.flush(False, True)
        assert not heard.errors
        assert heard.feed(parts[-1]).watts == [7] and not heard.errors, family


def test_parts_that_never_end_are_bounded():
    for parts in ([segment(LLC + bytes(200), True)] + [segment(bytes(200), True)] * 60,
                  mbus_frames(bytes(250 * 16), 250)[:-1] * 5, [llc(part) for part in blocks(bytes(60000), 1000)[:-1]]):
        heard = Heard().feed(b"".join(parts) + llc(notification(1)))
        assert heard.watts[-1:] == [1] and heard.meter.pending <= 4096, heard.errors[:3]
        assert set(heard.errors) <= {"malformed", "truncated"} and heard.errors


def test_what_is_half_when_the_line_falls_silent_is_truncated_once():
    for family, parts in wrapped(notification(7)):
        heard = Heard().feed(b"".join(parts[:-1]))
        assert heard.meter.pending > 0, family
        heard.flush().flush()
        assert heard.errors == ["truncated"] and not heard.meter.pending, family
        heard.feed(b"".join(parts))
        assert heard.watts == [7], family


# -- wired M-Bus --------------------------------------------------------------------------------------------------

def test_an_mbus_frame_of_more_than_255_bytes_has_a_length_that_has_wrapped():
    content = notification(7)  # one with a longer text in it
    more = 252 - len(content)
    content = content.replace(b"\x0a\x011", b"\x0a\x81" + bytes([more]) + b"1" * more)
    frame = mbus(content, wrap=True)
    assert frame[1] == 1 and len(frame) == 263
    for step in (1, len(frame)):
        heard = Heard()
        for i in range(0, len(frame), step):
            heard.feed(frame[i:i + step])
        assert heard.watts == [7] and not heard.errors


def test_a_wrong_sum_or_end_mark_is_told_and_the_next_frame_is_read():
    good = mbus(notification(7))
    for place, kind in ((10, "checksum"), (-2, "checksum"), (-1, "truncated")):
        bad = bytearray(good)
        bad[place] ^= 0x01
        heard = Heard().feed(bytes(bad) + good).flush().consistent()
        assert heard.watts == [7] and heard.errors == [kind], (place, heard.errors)


def test_heads_that_are_no_mbus_are_passed_over():
    for noise in (b"\x68", b"\x68\x68\x68\x68", b"\x68\x20\x21\x68", b"\x68\x20\x20\x67",
                  b"\x68\x20\x20\x68\x53\xff\x72",
                  b"\x68\x00\x00\x68\x08\x00\x40"):
        heard = Heard().feed(noise + mbus(notification(7))).flush()
        assert heard.watts == [7] and not heard.errors, noise


def test_an_amis_meter_is_answered_and_others_are_not():
    heard = Heard(protocol="M-Bus")
    heard.feed(b"\x10\x40\xf0\x30\x16")
    assert heard.meter.answer == b"\xe5"
    heard.feed(mbus(notification(7)))
    assert heard.meter.answer == b"" and heard.watts == [7]
    for other in (b"\x10\x40\xf0\x31\x16", b"\x10\x7b\xf0\x6b\x16", b"\x10"):
        heard = Heard(protocol="M-Bus").feed(other + mbus(notification(7)))
        assert heard.meter.answer == b"" and heard.watts == [7], other


def test_amis_data_need_a_key_and_whole_blocks():
    def amis(data):
        body = b"\x53\xf0\x5b\x01\x02\x03\x04\x2d\x4c\x01\x0e\x07\x00\x50\x05" + data
        return bytes([0x68, len(body), len(body), 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])

    assert Heard().feed(amis(bytes(80))).errors == ["no_key"]
    assert Heard(KEY).feed(amis(bytes(80))).errors == ["wrong_key"]
    for size in (0, 15, 79):
        assert Heard(KEY).feed(amis(bytes(size))).errors == ["malformed"], size


# -- block transfer -----------------------------------------------------------------------------------------------

def test_blocks_with_lengths_beyond_their_frame_are_truncated():
    for data, kinds in ((b"\xe0\xc0\x00\x01\x00", ["truncated"]), (b"\xe0\xc0\x00\x01\x00\x00\x20\x0f", ["truncated"]),
                        (b"\xe0\xc0\x00\x01\x00\x00\x82\xff\xff\x0f", ["truncated"]),
                        (b"\xe0\xc0\x00\x00\x00\x00\x01\x0f", ["malformed"]),
                        (b"\xe0\xc0\x00\x01\x00\x00\x84\xff\xff\xff\xff\x0f", ["malformed"]),
                        (b"\xe0\xc0\x00\x01\x00\x00\x00", ["unsupported"])):
        heard = Heard().feed(llc(data) + llc(notification(1))).consistent()
        assert heard.errors == kinds and heard.watts == [1], (data, heard.errors)


# -- envelopes, frame counter, verdict ----------------------------------------------------------------------------

def dedicated(envelope):
    return b"\xdc" + envelope[1:]


def test_dedicated_keys_open_like_global_ones():
    for security in (0x30, 0x31, 0x20, 0x21):
        heard = Heard(KEY, AUTH).feed(llc(dedicated(seal(notification(7), KEY, AUTH, security))))
        assert heard.watts == [7] and heard.families == ["dlms-hdlc-encrypted"], security
    assert Heard(OTHER, AUTH).feed(llc(dedicated(seal(notification(7), KEY, AUTH)))).errors == ["wrong_key"]


def test_once_a_tag_has_fitted_none_may_fail():
    for auth_key in (AUTH, None):
        good, bad = seal(notification(7), KEY, LUXEMBOURG if auth_key is None else AUTH), bytearray(
            seal(notification(8), KEY, LUXEMBOURG if auth_key is None else AUTH))
        bad[-1] ^= 1
        heard = Heard(KEY, auth_key).feed(llc(good) + llc(bytes(bad)) + llc(good))
        assert heard.watts == [7, 7] and heard.errors == ["wrong_key"], auth_key


def test_nothing_is_believed_that_neither_a_checksum_nor_a_tag_proves():
    # inside of a frame with a wrong checksum stands an envelope: on its own it needs a tag that fits
    for security in (0x20, 0x30):
        broken = bytearray(llc(seal(notification(7), KEY, AUTH, security)))
        broken[-2] ^= 1
        heard = Heard(KEY).feed(bytes(broken) + llc(notification(1))).flush()
        assert heard.watts == [1] and heard.errors[:1] == ["checksum"], (security, heard.errors)


def test_what_a_tag_proves_is_not_searched_for_other_frames():
    # an envelope with a telegram in it that is none, and in that one the start of another
    inside = b"\x0f" + bytes(4) + b"\x00\x02\x01\x0a\x1e" + seal(b"", KEY, AUTH)
    heard = Heard(KEY, AUTH).feed(seal(inside, KEY, AUTH) + llc(notification(1))).flush()
    assert heard.watts == [1] and heard.errors == ["unsupported"] and len(heard.frames) == 2, heard.errors


def test_a_frame_counter_that_does_not_rise_is_counted():
    heard = Heard(KEY, AUTH)
    for counter, stale in ((5, 0), (6, 0), (6, 1), (5, 2), (6, 2), (300, 2), (1, 3), (2, 3)):
        heard.feed(llc(seal(notification(counter), KEY, AUTH, counter=counter)))
        assert heard.meter.counters.stale == stale, counter
    assert len(heard.watts) == 8
    heard.feed(llc(seal(notification(9), OTHER, AUTH, counter=1)))
    assert heard.meter.counters.stale == 3  # what can't be opened says nothing


def test_the_verdict_on_the_key_is_a_sentence_for_a_person():
    sealed = seal(notification(7), KEY, AUTH)
    for key, auth_key, data, words in (
            (None, None, notification(7), ""), (KEY, None, notification(7), "not encrypted"),
            (None, None, sealed, "no key is set"), (KEY, AUTH, sealed, "the key is right"),
            (KEY, None, sealed, "authentication key is missing"), (KEY, OTHER, sealed, "authentication key is wrong"),
            (OTHER, AUTH, sealed, "the key is wrong"), (OTHER, None, sealed, "the key is wrong"),
            (KEY, None, seal(notification(7), KEY, None, 0x20), "no tag to prove it"),
            (OTHER, None, seal(notification(7), KEY, None, 0x20), "the key is wrong")):
        heard = Heard(key, auth_key).feed(llc(data))
        assert words in heard.meter.key_verdict and bool(words) == bool(heard.meter.key_verdict), (
            words, heard.meter.key_verdict)


def test_a_meter_that_stops_encrypting_changes_the_verdict():
    heard = Heard(KEY, AUTH).feed(llc(seal(notification(7), KEY, AUTH)))
    assert "right" in heard.meter.key_verdict
    heard.feed(llc(notification(8)))
    assert "not encrypted" in heard.meter.key_verdict and heard.meter.counters.key_unused == 1
    heard.feed(llc(seal(notification(7), KEY, AUTH, counter=9)))
    assert "right" in heard.meter.key_verdict
