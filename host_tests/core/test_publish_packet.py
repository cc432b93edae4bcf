# SPDX-License-Identifier: MIT
from wattport.publish.connack import words
from wattport.publish.packet import (
    Inbox,
    MqttError,
    connect,
    publish_head,
    put_length,
    subscribe,
)

# 2.2.1
CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0


def message(value):
    """The text of the error that a function raises, or None."""
    try:
        value()
    except MqttError as error:
        return str(error)
    return None


def test_lengths_are_those_of_the_specification():
    # MQTT 3.1.1, table 2.4
    for length, wanted in (
            (0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (16383, b"\xff\x7f"), (16384, b"\x80\x80\x01"),
            (2097151, b"\xff\xff\x7f"), (2097152, b"\x80\x80\x80\x01"), (268435455, b"\xff\xff\xff\x7f")):
        buf = bytearray(6)
        end = put_length(buf, 1, length)
        assert bytes(buf[1:end]) == wanted


def test_a_plain_connect_asks_for_a_clean_session():
    assert connect("me", 60) == b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me"


def test_a_connect_carries_will_user_and_password_in_that_order():
    packet = connect("me", 10, "user", "secret", "a/state", "offline")
    assert packet == (b"\x10\x2e\x00\x04MQTT\x04\xee\x00\x0a\x00\x02me\x00\x07a/state\x00\x07offline"
                      b"\x00\x04user\x00\x06secret")


def test_a_password_alone_takes_an_empty_user_along():
    assert connect("me", 10, "", "x")[9] == 0xC2
    assert connect("me", 10, "", "x")[-5:] == b"\x00\x00\x00\x01x"


def test_a_user_alone_has_no_password_flag():
    assert connect("me", 10, "u")[9] == 0x82


def test_lengths_count_bytes_not_characters():
    assert connect("zähler", 10)[12:] == b"\x00\x07z\xc3\xa4hler"


def test_text_too_long_for_its_length_is_refused():
    try:
        connect("x" * 65536, 10)
    except ValueError:
        return
    raise AssertionError


def test_a_publish_of_qos_0_has_no_number():
    buf = bytearray(32)
    end = publish_head(buf, b"a/b", 5, 0, False)
    assert bytes(buf[:end]) == b"\x30\x0a\x00\x03a/b"


def test_a_publish_of_qos_1_has_one_and_flags_say_retained_and_again():
    buf = bytearray(32)
    end = publish_head(buf, b"a/b", 300, 1, True, 0x1234)
    assert bytes(buf[:end]) == b"\x33\xb3\x02\x00\x03a/b\x12\x34"
    publish_head(buf, b"a/b", 300, 5, False, 1)
    assert buf[0] == 0x3A


def test_a_topic_that_does_not_fit_the_buffer_is_refused():
    for size in range(14):
        try:
            publish_head(bytearray(size), b"a/b", 5, 1, False, 1)
        except ValueError:
            assert size < 12
        else:
            assert size >= 12


def test_a_subscribe_asks_for_qos_0():
    assert subscribe(7, ["a/b", "c"]) == b"\x82\x0c\x00\x07\x00\x03a/b\x00\x00\x01c\x00"


def test_return_codes_have_words():
    texts = {words(code) for code in range(6)}
    assert len(texts) == 6
    assert "255" in words(255)


STREAM = (b"\x20\x02\x01\x00" b"\x90\x03\x00\x01\x00" b"\x30\x07\x00\x03a/bhi" b"\x33\x09\x00\x03a/b\x00\x09hi"
          b"\x40\x02\x12\x34" b"\xd0\x00" b"\x31\x05\x00\x03a/b")
WANTED = [
    (CONNACK, b"\x01\x00"), (SUBACK, b"\x00\x01\x00"), (PUBLISH, (b"a/b", b"hi", True)), (0x33, (b"a/b", b"hi", True)),
    (PUBACK, b"\x12\x34"), (PINGRESP, b""), (0x31, (b"a/b", b"", True)),
]


def collect(data, step, limit=192, most=0):
    found = []

    def receive(kind, length):
        if kind & 0xF0 == PUBLISH:
            whole = inbox.message(length)
            found.append((kind, whole and (whole[0], bytes(whole[1]), whole[2])))
        else:
            found.append((kind, bytes(inbox.body[:length])))
    inbox = Inbox(receive, limit, most)
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        inbox.feed(piece + b"\xff", len(piece))
    return found


def test_packets_are_found_however_they_arrive():
    for step in range(1, len(STREAM) + 1):
        assert collect(STREAM, step) == WANTED


def test_a_packet_longer_than_the_limit_keeps_its_beginning_and_the_next_one_is_found():
    long = b"\x30\x8d\x27\x00\x03a/b" + bytes(5000) + b"\xd0\x00"
    for step in (1, 7, 128, 6000):
        found = collect(long, step, 32)
        assert found == [(PUBLISH, (b"a/b", bytes(27), False)), (PINGRESP, b"")]


def test_a_long_packet_is_kept_whole_up_to_a_bound_and_its_room_let_go_of():
    text = bytes([i & 0xFF for i in range(300)])
    for size, whole in ((27, True), (28, True), (250, True), (251, False)):
        length = 5 + size
        head = bytes((0x30, length) if length < 128 else (0x30, length & 0x7F | 0x80, length >> 7))
        data = head + b"\x00\x03a/b" + text[:size] + b"\xd0\x00"
        for step in (1, 7, 300):
            wanted = text[: size if whole else 27]
            assert collect(data, step, 32, 255) == [(PUBLISH, (b"a/b", wanted, whole)), (PINGRESP, b"")], size
    bodies = []
    inbox = Inbox(lambda kind, length: bodies.append(inbox.message(length)[1]), 32, 255)
    inbox.feed(b"\x30\x40\x00\x03a/b" + text[:59], 66)
    inbox.feed(b"\x30\x06\x00\x03a/b?", 8)
    assert len(inbox.body) == 32 and bytes(bodies[0]) == text[:59] and bodies[1] == b"?"


def test_a_topic_longer_than_the_limit_is_no_message():
    long = b"\x30\x2d\x00\x28" + b"t" * 40 + b"abc"
    assert collect(long, 5, 32) == [(PUBLISH, None)]
    assert collect(long, 5, 64) == [(PUBLISH, (b"t" * 40, b"abc", True))]


def test_what_no_broker_may_send_has_a_name():
    for data, text in (
            (b"HTTP/1.1", "not an MQTT broker"), (b"\x00", "not an MQTT broker"), (b"\x10\x00", "byte 0x10"),
            (b"\x21\x02", "unexpected"), (b"\x36", "QoS 3"), (b"\x20\x03", "malformed"), (b"\x40\x01", "malformed"),
            (b"\xd0\x01", "malformed"), (b"\x90\x02", "malformed"), (b"\x30\x00", "malformed"),
            (b"\x30\x80\x80\x80\x80\x01", "endless length"), (b"\x30\x04\x00\x03ab", "longer than its message"),
            (b"\x32\x06\x00\x03abc\x01", "longer than its message")):
        told = message(lambda data=data: collect(data, 1))
        assert told and text in told, (data, told)


def test_random_bytes_never_do_anything_else_than_a_named_error():
    state = 12345
    for _ in range(300):
        data = bytearray(64)
        for i in range(64):
            state = (state * 1103 + 12347) % 1000003
            data[i] = state & 0xFF
        data[0] = (0x20, 0x30, 0x40, 0x90, 0xD0, 0x32)[data[0] % 6]
        message(lambda data=data: collect(bytes(data), 9, 16))
