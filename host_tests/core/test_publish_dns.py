# SPDX-License-Identifier: MIT
from wattport.net.dns import ResolveError, answer, is_address, question

A = b"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"


def name(text):
    out = b""
    for label in text.split("."):
        out += bytes((len(label),)) + label.encode()
    return out + b"\x00"


def head(number=0x1234, flags=0x8180, questions=1, answers=1):
    return b"".join([value.to_bytes(2, "big") for value in (number, flags, questions, answers, 0, 0)])


def reply(records, host="broker.example", answers=1, **rest):
    return head(answers=answers, **rest) + name(host) + b"\x00\x01\x00\x01" + records


def refusal(packet, host="broker.example"):
    try:
        answer(packet, 0x1234, host)
    except ResolveError as error:
        return str(error)
    return None


def test_addresses_in_figures_are_known():
    for good in ("1.2.3.4", "255.255.255.255", "0.0.0.0"):
        assert is_address(good)
    for bad in ("", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.x", "a.b.c.d", "1..2.3", "1.2.3.0004", "broker.local"):
        assert not is_address(bad)


def test_the_question_is_that_of_rfc_1035():
    assert question(0x1234, "a.bc") == \
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x01\x00\x01"


def test_the_multicast_question_asks_for_a_unicast_answer():
    packet = question(1, "broker.local", True)
    assert packet[2:4] == b"\x00\x00" and packet[-4:] == b"\x00\x01\x80\x01"


def test_what_is_no_name_is_not_asked_for():
    for bad in ("a..b", ".", "x" * 64 + ".example", ".".join(["x" * 60] * 5)):
        try:
            question(1, bad)
        except ResolveError:
            continue
        raise AssertionError(bad)


def test_an_answer_gives_the_address():
    assert answer(reply(b"\xc0\x0c" + A + b"\x0a\x00\x00\x01"), 0x1234, "broker.example") == "10.0.0.1"


def test_capitals_make_no_difference():
    packet = reply(b"\xc0\x0c" + A + b"\x0a\x00\x00\x01", "BROKER.Example")
    assert answer(packet, 0x1234, "broKer.example.") == "10.0.0.1"


def test_another_number_another_question_or_a_question_is_not_our_answer():
    record = b"\xc0\x0c" + A + b"\x0a\x00\x00\x01"
    assert answer(reply(record, number=0x1235), 0x1234, "broker.example") is None
    assert answer(reply(record, "other.example"), 0x1234, "broker.example") is None
    assert answer(reply(record, flags=0x0100), 0x1234, "broker.example") is None
    unasked = head(questions=0) + name("broker.example") + A + b"\x0a\x00\x00\x01"
    assert answer(unasked, 0x1234, "broker.example") is None


def test_an_alias_is_followed_whatever_the_order():
    alias = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x07\x04real\xc0\x13"  # real.example
    address = name("real.example") + A + b"\x0a\x00\x00\x02"
    assert answer(reply(alias + address, answers=2), 0x1234, "broker.example") == "10.0.0.2"
    assert answer(reply(address + alias, answers=2), 0x1234, "broker.example") == "10.0.0.2"


def test_an_address_of_another_name_is_not_taken():
    assert "no IPv4" in refusal(reply(name("evil.example") + A + b"\x0a\x00\x00\x03"))


def test_aliases_in_a_circle_come_to_an_end():
    circle = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c"
    assert "no IPv4" in refusal(reply(circle))


def test_refusals_have_words():
    assert "no such name" in refusal(reply(b"", answers=0, flags=0x8183))
    assert "refuses" in refusal(reply(b"", answers=0, flags=0x8182))
    assert "no IPv4" in refusal(reply(b"", answers=0))


def test_a_name_that_points_at_itself_or_ahead_is_damaged():
    for pointer in (b"\xc0\x0c", b"\xc0\x20", b"\xff\xff", b"\x40a", b"\x3fabc"):
        packet = head() + pointer + b"\x00\x01\x00\x01" + A + b"\x0a\x00\x00\x01"
        assert answer(packet, 0x1234, "broker.example") is None


def test_a_multicast_answer_may_leave_the_question_out_and_have_number_zero():
    packet = head(number=0, flags=0x8400, questions=0) + name("broker.local") + A + b"\x0a\x00\x00\x04"
    assert answer(packet, 0x1234, "broker.local", True) == "10.0.0.4"
    other = head(number=0, flags=0x8400, questions=0) + name("printer.local") + A + b"\x0a\x00\x00\x05"
    assert answer(other, 0x1234, "broker.local", True) is None


def test_a_cut_answer_is_no_answer_and_no_harm():
    packet = reply(b"\xc0\x0c" + A + b"\x0a\x00\x00\x01")
    for size in range(len(packet)):
        assert answer(packet[:size], 0x1234, "broker.example") is None


def test_damaged_answers_do_no_harm():
    alias = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x07\x04real\xc0\x13"
    packet = reply(alias + name("real.example") + A + b"\x0a\x00\x00\x02", answers=2)
    state = 99
    for _ in range(2000):
        damaged = bytearray(packet)
        for _ in range(1 + state % 3):
            state = (state * 1103 + 12347) % 1000003
            damaged[2 + state % (len(packet) - 2)] = state >> 8 & 0xFF
        try:
            found = answer(bytes(damaged), 0x1234, "broker.example")
        except ResolveError:
            continue
        assert found is None or is_address(found)
