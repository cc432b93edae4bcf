# SPDX-License-Identifier: MIT
"""Bytes of a line → frames: P1 text, HDLC and encrypted envelopes, whole, broken, and all three on one line."""

from wattport.crypto.crc import crc16_arc, crc16_x25
from wattport.errors import MeterError
from wattport.frame.envelope import Envelope, length_at
from wattport.frame.framer import Framer
from wattport.frame.hdlc import Hdlc
from wattport.frame.p1 import P1

LINES = ("1-3:0.2.8(50)", "0-0:1.0.0(230615120000S)", "1-0:1.8.1(001234.567*kWh)", "1-0:1.7.0(00.428*kW)")
OLD_LINES = ("1-0:1.8.1(00123.456*kWh)", "0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3)", "(00001.001)",
             "0-1:24.4.0(1)")


def p1(lines=LINES, ident="TST5\\253-A", crc=True, end="\r\n"):
    """A telegram of DSMR P1 5.0.2, 6.2; without a CRC as DSMR 2.2 has it."""
    data = ("/%s\r\n\r\n%s\r\n!" % (ident, "\r\n".join(lines))).encode()
    if crc:
        data += b"%04X" % crc16_arc(data, 0, len(data))
    return data + end.encode()


def hdlc(information=b"\xe6\xe7\x00\x0f hello", destination=b"\x03", source=b"\x21", control=0x13, kind=0xA0):
    """A frame of IEC 62056-46, format type 3."""
    length = 2 + len(destination) + len(source) + 1 + 2 + len(information) + 2
    head = bytes([kind | length >> 8, length & 0xFF]) + destination + source + bytes([control])
    hcs = crc16_x25(head, 0, len(head))
    body = head + bytes([hcs & 0xFF, hcs >> 8]) + information
    fcs = crc16_x25(body, 0, len(body))
    return b"\x7e" + body + bytes([fcs & 0xFF, fcs >> 8]) + b"\x7e"


def envelope(content=bytes(range(1, 40)), title=b"TST\x01\x02\x03\x04\x05", security=0x30, form=0x82):
    """general-glo-ciphering with nobody's ciphertext in it: the framer only goes by its outside."""
    body = bytes([security, 0, 0, 0, 1]) + content + bytes(12)
    size = len(body)
    sizes = {0: bytes([size & 0xFF]), 0x81: bytes([0x81, size & 0xFF]), 0x82: bytes([0x82, size >> 8, size & 0xFF])}
    return b"\xdb" + bytes([len(title)]) + title + sizes[form] + body


class Heard:
    """A framer with all three protocols, and what came out of it."""

    def __init__(self, size=4096, refuse=()):
        self.frames = []
        self.errors = []
        self._refuse = refuse
        self.framer = Framer([P1(), Hdlc(), Envelope()], self._frame, self._error, size)

    def _frame(self, protocol, buf, start, end):
        if protocol.name in self._refuse:
            raise MeterError("unsupported", "refused by the test")
        self.frames.append((protocol.name, bytes(buf[start:end])))

    def _error(self, error, buf, start, end):
        assert 0 <= start < end <= len(buf)
        self.errors.append((error.kind, bytes(buf[start:end])))

    def feed(self, data, step=0):
        data = bytes(data)
        step = step or len(data)
        for at in range(0, len(data), step):
            part = data[at:at + step]
            self.framer.feed(part, len(part))
        return self

    def flush(self, last=False):
        self.framer.flush(last)
        return self

    @property
    def kinds(self):
        return [kind for kind, _ in self.errors]

    @property
    def names(self):
        return [name for name, _ in self.frames]


def bare(frame):
    """What the framer hands on: without the line end or the closing flag."""
    return frame[:-1] if frame[0] == 0x7E else frame[:frame.rfind(b"!") + 5] if frame[0] == 0x2F else frame


GOOD = (p1(), hdlc(), envelope())
OTHERS = {"P1": p1(), "HDLC": hdlc(), "encrypted": envelope()}


def spoilt(frame, place, mask=1):
    frame = bytearray(frame)
    frame[place] ^= mask
    return bytes(frame)


# -- good frames ----------------------------------------------------------------------------------------------

def test_a_good_frame_is_found_in_any_chunking():
    for frame in GOOD:
        for step in (1, 2, 3, 5, 7, 11, 13, 64, 0):
            heard = Heard().feed(frame * 3, step)
            assert [data for _, data in heard.frames] == [bare(frame)] * 3, (step, heard.frames)
            assert not heard.errors and heard.framer.frames == 3
            heard.flush()
            assert not heard.errors and not heard.framer.garbage and not heard.framer.pending


def test_a_frame_is_handed_on_with_its_last_byte():
    for frame in GOOD:
        heard = Heard()
        for at in range(len(bare(frame))):
            assert not heard.frames
            heard.feed(frame[at:at + 1])
        assert len(heard.frames) == 1


def test_all_three_protocols_interleave_on_one_line_in_any_chunking():
    line = b"".join([GOOD[i] for i in (0, 1, 2, 1, 0, 2, 2, 0, 1, 1)])
    for step in (1, 3, 17, 100, 0):
        heard = Heard().feed(line, step).flush()
        assert heard.names == ["P1", "HDLC", "encrypted", "HDLC", "P1", "encrypted", "encrypted", "P1", "HDLC", "HDLC"]
        assert not heard.errors and not heard.framer.garbage


def test_garbage_before_and_between_frames_is_counted_and_costs_nothing():
    noise = b"\x00\xff(garbage)\x11\x22"
    for frame in GOOD:
        for step in (1, 4, 0):
            heard = Heard().feed(noise + frame + noise + frame, step).flush()
            assert len(heard.frames) == 2 and not heard.errors
            # line end or flag behind a frame are no garbage; noise in their place is taken for them
            assert len(noise) <= heard.framer.garbage <= 2 * len(noise)


def test_own_line_ends_and_flags_are_no_garbage_and_stray_ones_do_no_harm():
    heard = Heard().feed(p1() + p1() + hdlc() + hdlc()).flush()
    assert heard.framer.garbage == 0
    heard = Heard().feed(p1() + b"\r\n\r\n" + p1() + b"\x7e\x7e\x7e" + hdlc() + b"\x7e\x7e" + p1()).flush()
    assert heard.names == ["P1", "P1", "HDLC", "P1"] and not heard.errors


def test_frame_starts_inside_of_other_frames_are_content():
    inner = p1(("0-0:96.13.0(41)",))
    assert Heard().feed(hdlc(b"\xe6\xe7\x00" + inner)).names == ["HDLC"]
    assert Heard().feed(hdlc(b"\x7e\xa0\x07" + envelope() + hdlc())).names == ["HDLC"]
    assert Heard().feed(envelope(hdlc() + inner + b"\xdb\x08TST")).names == ["encrypted"]
    assert Heard().feed(p1(("0-0:96.13.0(~/TST5/\xdb)", "0-0:1.0.0(!)"))).names == ["P1"]


def test_starts_in_noise_do_not_hide_a_frame():
    for frame in GOOD:
        for noise in (b"/", b"/T", b"/12", b"//", b"\x7e", b"\x7e\x7e", b"\x7e\xa0", b"\x7e\xa0\x00", b"\xdb",
                      b"\xdb\x08", b"\xdb\x07abcdefg", b"\xdb\x08\x00bcdefgh\x20\x20"):
            for step in (1, 0):
                heard = Heard().feed(noise + frame + frame, step).flush()
                assert heard.frames[-1][1] == bare(frame), (noise, heard.frames, heard.errors)
                assert len(heard.frames) == 2, (noise, heard.frames, heard.errors)


# -- broken frames --------------------------------------------------------------------------------------------

def test_a_wrong_checksum_is_one_error_and_the_next_frame_is_read_at_once():
    for frame in (p1(), hdlc()):
        bad = spoilt(frame, -10 if frame[0] == 0x2F else -5)
        for step in (1, 9, 0):
            heard = Heard().feed(frame + bad + frame, step)
            assert heard.kinds == ["checksum"] and len(heard.frames) == 2, (step, heard.errors)
            assert heard.errors[0][1] == bare(bad)
            heard.flush()
            assert heard.framer.garbage == 0, (frame, step, heard.framer.garbage)


def test_each_broken_frame_of_many_is_reported_once():
    for bad in (spoilt(p1(), 30), spoilt(hdlc(), 12)):
        for step in (1, 50, 0):
            heard = Heard().feed(bad * 6, step)
            assert heard.kinds == ["checksum"] * 6 and not heard.frames, heard.errors


def test_half_a_frame_then_a_good_one_gives_the_good_one_at_once():
    for frame in GOOD:
        for cut in range(1, len(bare(frame))):
            for step in (1, 0):
                heard = Heard().feed(frame[:cut] + frame, step)
                if frame[0] == 0xDB and cut >= 11 and not heard.errors:
                    # an envelope has no checksum: only who decrypts it can refuse the mixture
                    heard = Heard(refuse=["encrypted"]).feed(frame[:cut] + frame, step)
                    assert heard.kinds[:1] == ["unsupported"] and not heard.framer.pending
                    continue
                assert heard.frames[-1:] == [(heard.names[-1], bare(frame))], (frame, cut, heard.errors)
                assert len(heard.frames) == 1 and len(heard.errors) <= 1, (cut, heard.errors)
                if heard.errors and frame[0] == 0x2F and cut < frame.find(b"!"):
                    assert heard.kinds == ["truncated"], (cut, heard.errors)


def test_half_a_frame_then_silence_is_truncated_once():
    for frame in GOOD:
        for cut in (len(frame) // 2, len(bare(frame)) - 1):
            heard = Heard().feed(frame[:cut]).flush().flush()
            assert heard.kinds == ["truncated"], (frame, cut)
            assert heard.errors[0][1] == frame[:cut]
            assert heard.framer.pending == 0 and heard.framer.garbage == 0
            heard.feed(frame)
            assert len(heard.frames) == 1 and heard.kinds == ["truncated"]


def test_half_a_frame_of_one_protocol_and_a_good_one_of_another_are_sorted_out_by_silence():
    for half in GOOD[:2]:  # an envelope has no checksum, and no end but by its length
        for good in GOOD:
            heard = Heard().feed(half[:len(half) // 2] + good).flush()
            assert [data for _, data in heard.frames] == [bare(good)], (half, good, heard.errors)
            assert len(heard.errors) == 1, heard.errors


def test_ten_kilobytes_without_an_end_are_malformed_once_and_forgotten():
    for frame in GOOD:
        head = {0x2F: frame[:30], 0x7E: frame[:3] + b"\x02" * 4, 0xDB: frame[:10] + b"\x82\xff\xff\x30"}[frame[0]]
        for step in (1, 100, 512, 0):
            heard = Heard(size=1024).feed(head + b"." * 10240 + frame, step).flush()
            assert [data for _, data in heard.frames] == [bare(frame)], (frame, step)
            assert heard.kinds == ["malformed"], (frame, step, heard.kinds)


def test_a_frame_as_long_as_the_buffer_is_read_and_one_byte_more_is_refused():
    frame = p1(("0-0:96.13.0(" + "30" * 100 + ")",))
    size = len(bare(frame))
    assert Heard(size).feed(frame).names == ["P1"]
    heard = Heard(size - 1).feed(frame + p1(("1-0:1.7.0(1*kW)",)))
    assert heard.kinds == ["malformed"] and len(heard.frames) == 1


def test_the_buffer_grows_to_the_longest_frame():
    frame = p1(("0-0:96.13.0(" + "30" * 1700 + ")",))
    for step in (1, 700, 0):
        heard = Heard(4096).feed(p1() + frame + p1() + frame[:-8] + p1(), step)
        assert [len(data) for _, data in heard.frames] == [len(bare(p1())), len(bare(frame)), len(bare(p1()))] + [
            len(bare(p1()))]
        assert heard.kinds == ["truncated"]


def test_a_frame_that_is_refused_is_reported_once_and_the_next_ones_go_on():
    for frame in GOOD:
        for step in (1, 0):
            heard = Heard(refuse=("P1", "HDLC", "encrypted")).feed(frame * 3, step).flush()
            assert heard.kinds == ["unsupported"] * 3, (frame, heard.kinds)
            assert not heard.framer.garbage and heard.framer.frames == 0


def test_an_exception_of_the_receiver_does_not_bring_the_same_frame_again():
    seen = []

    def trip(protocol, buf, start, end):
        seen.append(bytes(buf[start:end]))
        if len(seen) == 1:
            raise KeyError("no MeterError")

    framer = Framer([P1()], trip, None)
    first, second = p1(("1-0:1.7.0(1*kW)",)), p1(("1-0:1.7.0(2*kW)",))
    try:
        framer.feed(first, len(first))
        raise AssertionError("the exception was swallowed")
    except KeyError:
        pass
    framer.feed(second, len(second))
    assert seen == [bare(first), bare(second)]


def test_an_exception_while_an_error_is_told_does_not_tell_it_again():
    for bad in (spoilt(p1(), 30), spoilt(hdlc(), 12), b"/TST5\r\n" + b"." * 2000):
        told, frames = [], []

        def trip(error, buf, start, end, told=told):
            told.append(error.kind)
            raise MemoryError

        framer = Framer([P1(), Hdlc()], lambda protocol, buf, start, end, frames=frames: frames.append(end), trip, 512)
        data = bad + hdlc()
        for at in range(0, len(data), 10):
            part = data[at:at + 10]
            try:
                framer.feed(part, len(part))
            except MemoryError:
                pass
        assert len(told) == 1, told
        framer.flush()
        framer.feed(hdlc(), len(hdlc()))
        assert frames


# -- P1 -------------------------------------------------------------------------------------------------------

def test_the_crc_may_be_written_in_lower_case():
    frame = bare(p1())
    frame = frame[:-4] + frame[-4:].decode().lower().encode() + b"\r\n"
    assert Heard().feed(frame).names == ["P1"]


def test_a_missing_crc_is_an_error_only_where_the_telegram_names_its_version():
    assert Heard().feed(p1(crc=False)).kinds == ["checksum"]
    assert Heard().feed(p1(LINES[1:], crc=False)).names == ["P1"]
    heard = Heard().feed(p1(crc=False) + p1())
    assert heard.kinds == ["checksum"] and len(heard.frames) == 1


def test_dsmr_2_without_crc_is_a_frame_that_nothing_has_checked():
    protocol = P1()
    data = p1(OLD_LINES, crc=False)
    assert protocol.measure(data, 0, len(data), False) == len(data) - 2
    assert not protocol.whole
    protocol.reset()
    data = p1()
    assert protocol.measure(data, 0, len(data), False) == len(data) - 2
    assert protocol.whole


def test_a_stored_dsmr_2_telegram_may_lack_its_end_mark_at_the_end_of_the_file_only():
    data = p1(OLD_LINES, crc=False)[:-3]
    assert Heard().feed(data).flush().kinds == ["truncated"]
    assert Heard().feed(data).flush(True).names == ["P1"]
    assert Heard().feed(data[:-2]).flush(True).kinds == ["truncated"]
    assert Heard().feed(p1()[:-8]).flush(True).kinds == ["truncated"]


def test_an_end_mark_alone_at_the_end_of_a_file_ends_a_telegram_without_crc():
    data = p1(OLD_LINES, crc=False)[:-2]
    heard = Heard().feed(data)
    assert not heard.frames
    assert heard.flush(True).names == ["P1"]


def test_an_end_mark_in_mid_line_is_a_flipped_bit():
    frame = p1()
    place = frame.find(b"1-0:1.8.1")
    for other in (place, place + 3):
        bad = frame[:other] + b"!" + frame[other + 1:]
        heard = Heard().feed(bad + frame)
        assert heard.kinds == ["checksum"] and len(heard.frames) == 1
        assert len(heard.errors[0][1]) <= len(bare(frame))


def test_half_a_dsmr_2_telegram_does_not_mix_with_the_next():
    frame = p1(OLD_LINES, crc=False)
    for cut in range(5, len(frame) - 3):
        heard = Heard().feed(frame[:cut] + frame)
        assert heard.kinds == ["truncated"], (cut, heard.frames)
        assert heard.frames == [("P1", frame[:-2])], cut


def test_what_stands_for_the_crc_must_be_one():
    frame = bare(p1())
    for crc in (b"GGGG", b"12\r\n", b"    ", b"\x00\x00\x00\x00"):
        heard = Heard().feed(frame[:-4] + crc + b"\r\n" + p1())
        assert heard.kinds == ["checksum"] and len(heard.frames) == 1, crc


# -- HDLC -----------------------------------------------------------------------------------------------------

def test_addresses_may_have_one_two_or_four_bytes():
    for destination in (b"\x03", b"\x02\x21", b"\x02\x04\x06\x21"):
        for source in (b"\x21", b"\x00\x03", b"\xfe\xfe\x00\xff"):
            protocol = Hdlc()
            data = hdlc(b"inside", destination, source)
            assert protocol.measure(data, 0, len(data), False) == len(data) - 1
            inside, at, stop = protocol.open(data, 0, len(data) - 1)
            assert inside[at:stop] == b"inside"


def test_an_address_without_an_end_is_malformed():
    bad = hdlc(destination=b"\x02\x04\x06\x08\x0a\x0c\x21")
    for step in (1, 0):
        heard = Heard().feed(bad + hdlc(), step)
        assert heard.kinds == ["malformed"] and len(heard.frames) == 1, heard.errors


def test_a_wrong_header_checksum_is_told_from_a_wrong_frame_checksum():
    details = []
    for bad in (spoilt(hdlc(), 5), spoilt(hdlc(), 7), spoilt(hdlc(), -8), spoilt(hdlc(), -2)):
        def note(error, buf, start, end):
            details.append((error.kind, error.detail.split()[0]))
        framer = Framer([Hdlc()], None, note)
        framer.feed(bad, len(bad))
    assert details == [("checksum", "header")] * 2 + [("checksum", "frame")] * 2


def test_a_length_field_that_lies_is_caught_by_the_header_checksum():
    for place, mask in ((1, 1), (1, 4), (2, 1), (2, 0x80), (2, 8)):
        bad = spoilt(hdlc(bytes(range(60))), place, mask)
        heard = Heard().feed(bad + hdlc())
        assert heard.kinds[:1] == ["checksum"], heard.errors
        assert heard.frames == [("HDLC", bare(hdlc()))]


def test_a_length_that_is_wrong_under_a_right_header_checksum_loses_that_frame_only():
    for delta in (-3, -1, 1, 3):
        good = hdlc(bytes(range(60)))
        length = len(good) - 2 + delta
        head = bytes([0xA0, length]) + good[3:6]
        hcs = crc16_x25(head, 0, 5)
        bad = b"\x7e" + head + bytes([hcs & 0xFF, hcs >> 8]) + good[8:]
        heard = Heard().feed(bad + good).flush()
        assert len(heard.errors) == 1 and heard.frames == [("HDLC", bare(good))], (delta, heard.errors)


def test_one_flag_may_close_a_frame_and_open_the_next():
    for step in (1, 0):
        heard = Heard().feed(hdlc()[:-1] + hdlc()[:-1] + hdlc(), step).flush()
        assert heard.names == ["HDLC"] * 3 and not heard.errors and not heard.framer.garbage


def test_a_broken_closing_flag_says_the_same_in_any_chunking():
    bad = hdlc()[:-1] + b"\x55"
    for step in (1, len(bad) - 1, len(bad), 0):
        heard = Heard().feed(bad + hdlc(), step)
        assert heard.names == ["HDLC", "HDLC"] and not heard.errors, (step, heard.errors)


def test_what_is_shorter_than_any_frame_is_no_frame():
    heard = Heard().feed(b"\x7e\xa0\x03\x03" + hdlc())
    assert heard.names == ["HDLC"] and not heard.errors


# -- envelope -------------------------------------------------------------------------------------------------

def test_an_envelope_may_write_its_length_in_three_ways():
    for form in (0, 0x81, 0x82):
        for step in (1, 0):
            heard = Heard().feed(envelope(form=form) * 2, step)
            assert heard.names == ["encrypted"] * 2


def test_a_title_that_has_not_eight_bytes_or_no_letters_is_no_envelope():
    for title in (b"TST\x01\x02\x03\x04", b"TST\x01\x02\x03\x04\x05\x06", b"", b"\x01\x02\x03\x04\x05\x06\x07\x08",
                  b"12345678"):
        heard = Heard().feed(envelope(title=title)).flush()
        assert not heard.frames and not heard.errors and heard.framer.garbage, title


def test_lengths_of_three_bytes_or_none_are_no_envelope():
    good = envelope()
    for size in (b"\x83\x00\x00\x40", b"\x80", b"\xff", b"\x05", b"\x10"):
        heard = Heard().feed(good[:10] + size + good[13:] + good).flush()
        assert heard.frames[-1:] == [("encrypted", good)] and not heard.errors, (size, heard.frames)


def test_content_that_is_not_encrypted_is_no_envelope():
    heard = Heard().feed(envelope(security=0x10)).flush()
    assert not heard.frames and not heard.errors


def test_a_ber_length_is_read_or_waits_for_more():
    assert length_at(b"\x05", 0, 1) == (5, 1)
    assert length_at(b"\x7f", 0, 1) == (127, 1)
    assert length_at(b"\x81\x80", 0, 2) == (128, 2)
    assert length_at(b"\x82\x12\x34", 0, 3) == (0x1234, 3)
    assert length_at(b"", 0, 0)[0] == -1
    assert length_at(b"\x82\x12\x34", 0, 2)[0] == -1
    assert length_at(b"\x81\x80", 0, 1)[0] == -1
    for first in (0x80, 0x83, 0x84, 0xFF):
        try:
            length_at(bytes([first]) + bytes(10), 0, 11)
        except MeterError as error:
            assert error.kind == "malformed"
        else:
            raise AssertionError(first)
