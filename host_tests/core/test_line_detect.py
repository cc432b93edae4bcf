# SPDX-License-Identifier: MIT
"""The search for a line's settings, step by step: what is heard, and what is listened for then. The bytes are made here
as a receiver would hear them; host_tests/test_detect.py has a model of the line instead."""

from wattport.link.detect import Detector

LOOK_MS = 10
FAST = 115200, "8N1", True
TEXT = b"1-0:1.8.1(001234.567*kWh)\r\n1-0:21.7.0(00.378*kW)\r\n"


class Listener:
    """Looks at a line every 10 ms; `frames` is what the meter counts."""

    def __init__(self, first=FAST):
        self.detector = Detector(first, 5)
        self.frames = 5
        self.buf = bytearray(512)

    @property
    def line(self):
        return self.detector.baud, self.detector.format, self.detector.invert

    def look(self, data=b"", level=None, gap_ms=LOOK_MS):
        self.buf[:len(data)] = data
        return self.detector.look(self.buf, len(data), self.frames, level, gap_ms)

    def hear(self, data, rate):
        """`rate` bytes a second, until the settings change; True when they did."""
        sent = passed = 0
        while sent < len(data):
            passed += LOOK_MS
            due = min(len(data), rate * passed // 1000)
            if self.look(data[sent:due]):
                return True
            sent = due
        return False

    def rest(self, ms, level=None):
        for _ in range(ms // LOOK_MS):
            if self.look(b"", level):
                return True
        return False


def with_parity(data):
    return bytes([byte | (0x80 if bin(byte).count("1") & 1 else 0) for byte in data])


def test_the_breaks_of_a_slower_sender_tell_its_baud():
    for rates, baud, form in (((1200, 2300, 3800), 9600, "8N1"), ((450, 600, 950), 2400, "8E1"),
                              ((33, 75, 118), 300, "8N1")):
        for rate in rates:
            listener = Listener()
            assert listener.hear(bytes(max(rate, 60)), rate) or listener.rest(500)
            assert listener.line == (baud, form, True), (rate, listener.line)


def test_a_short_burst_of_breaks_tells_it_too_when_it_is_over():
    for rate, baud in ((2300, 9600), (600, 2400)):
        listener = Listener()
        assert not listener.hear(bytes(100), rate)
        assert listener.rest(500)
        assert listener.line[0] == baud


def test_a_stall_in_a_short_burst_is_waited_out():
    listener = Listener()
    assert not listener.look(bytes(20))
    assert not listener.look(bytes(60), gap_ms=200)
    assert not listener.rest(500)
    listener.hear(bytes(100), 2300)
    assert listener.rest(500)
    assert listener.line[0] == 9600


def test_text_with_even_parity_in_its_top_bits_is_seven_bits():
    for rate, baud in ((960, 9600), (30, 300), (11520, 115200)):
        listener = Listener((baud, "8N1", False))
        assert listener.hear(with_parity(TEXT * 2), rate)
        assert listener.line == (baud, "7E1", False)


def test_text_without_parity_and_bytes_without_text_are_eight_bits():
    digits = b"0000000000000000000000000000000000000000000000000000"  # of even parity, as it happens
    odd = bytes([byte ^ 0x80 for byte in with_parity(TEXT * 2)])
    for data in (TEXT * 2, digits, odd, bytes(range(256))):
        listener = Listener((9600, "8N1", False))
        assert not listener.hear(data, 960)
        assert listener.line == (9600, "8N1", False)


def test_a_frame_ends_the_search():
    listener = Listener()
    listener.hear(bytes(300), 600)
    listener.frames += 1
    assert not listener.look(b"whatever")
    assert listener.detector.found
    line = listener.line
    for _ in range(20):
        assert not listener.hear(bytes(range(256)), 600) and not listener.rest(8000, 1)
    assert listener.line == line


def test_settings_are_given_up_for_bursts_heard_from_their_start_and_for_nothing_else():
    listener = Listener((2400, "8E1", True))
    noise = bytes(range(128, 250))
    assert not listener.hear(noise, 240) and not listener.rest(7000)  # its start may have been missed
    assert not listener.hear(noise[:10], 240) and not listener.rest(500)  # too short to tell
    assert listener.hear(noise, 240) or listener.rest(500)
    assert listener.line == FAST


def test_an_early_burst_may_be_noise_so_there_is_a_second_chance():
    listener = Listener((2400, "8E1", True))
    noise = bytes(range(128, 250))
    listener.rest(300)
    assert not listener.hear(noise, 240) and not listener.rest(500)
    assert listener.hear(noise, 240) or listener.rest(500)


def test_the_formats_of_a_baud_are_tried_in_turn_then_it_listens_anew():
    listener = Listener()
    listener.hear(bytes(600), 600)
    noise = bytes(range(128, 250))
    tried = [listener.line[:2]]
    while listener.line != FAST:
        listener.rest(7000)
        assert listener.hear(noise, 240) or listener.rest(500)
        tried.append(listener.line[:2])
    assert tried == [(2400, "8E1"), (2400, "8N1"), (2400, "7E1"), (115200, "8N1")]


def test_bytes_without_a_pause_are_given_up_after_more_than_any_telegram_has():
    listener = Listener((2400, "8E1", True))
    heard = 0
    while not listener.look(bytes([200, 201, 202])):
        heard += 3
        assert heard < 20000
    assert heard >= 1700  # a telegram of Belgium's


def test_silence_gives_up_nothing_however_long():
    for first in (FAST, (2400, "8E1", False), (300, "7E1", True)):
        listener = Listener(first)
        for _ in range(2000):
            assert not listener.look(gap_ms=1000000)
        assert listener.line == first


def test_a_rest_at_the_wrong_level_turns_the_inversion():
    for invert, level in ((True, 1), (False, 0)):
        listener = Listener((2400, "8E1", invert))
        assert not listener.rest(240, level)
        assert listener.look(b"", level)
        assert listener.line == (115200, "8N1", not invert)
        assert not listener.rest(10000, level)


def test_levels_between_bytes_are_no_rest():
    listener = Listener((2400, "8E1", True))
    for _ in range(30):
        assert not listener.rest(150, 1)
        assert not listener.look(b"\x00", 1)
    for _ in range(1000):
        assert not listener.look(b"", 1) and not listener.look(b"", 0)


def test_an_inversion_that_shows_after_the_baud_keeps_the_baud():
    listener = Listener()
    listener.hear(bytes(600), 600)
    assert listener.line == (2400, "8E1", True)
    assert listener.rest(500, 1)
    assert listener.line == (2400, "8E1", False)


def test_any_bytes_at_any_pace_leave_it_at_settings_that_exist():
    seed = 1
    listener = Listener()
    for _ in range(3000):
        seed = seed * 1103515245 + 12345 & 0x3FFFFFFF
        size = (seed >> 8) % 513 if seed & 64 else 0
        data = bytes(size) if seed & 128 else bytes([(seed >> 4) + i * (seed >> 12 & 7) & 255 for i in range(size)])
        listener.look(data, (None, 0, 1)[seed % 3], (10, 10, 80, 2000)[(seed >> 16) % 4])
        assert listener.line[0] in (300, 1200, 2400, 9600, 115200) and listener.line[1] in ("8N1", "8E1", "7E1")
        assert not listener.detector.found
