# SPDX-License-Identifier: MIT
from wattport.net.captive import answer

ADDRESS = b"\xc0\xa8\x04\x01"
A = b"\x00\x01\x00\x01"
RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + ADDRESS


def name(text):
    out = b""
    for label in text.split("."):
        out += bytes((len(label),)) + label.encode()
    return out + b"\x00"


def query(question, flags=0x0100, questions=1, answers=0, additional=0, rest=b""):
    head = [value.to_bytes(2, "big") for value in (0x1234, flags, questions, answers, 0, additional)]
    return b"".join(head) + question + rest


def asked(packet):
    out = bytearray(287)
    return bytes(out[:answer(packet, ADDRESS, out)])


def test_every_name_has_the_address_of_the_access_point():
    for host in ("captive.apple.com", "connectivitycheck.gstatic.com", "a", "x" * 63 + ".example"):
        question = name(host) + A
        assert asked(query(question)) == query(question, flags=0x8580, answers=1, rest=RECORD)


def test_the_recursion_bit_comes_back_as_it_was_and_no_other_flag_does():
    assert asked(query(name("a") + A, flags=0x0000))[2:4] == b"\x84\x80"
    assert asked(query(name("a") + A, flags=0x07FF))[2:4] == b"\x85\x80"


def test_other_types_get_an_answer_without_a_record_at_once():
    for kind in (b"\x00\x1c", b"\x00\x41", b"\x00\x0c", b"\x00\x06", b"\xff\xff"):  # AAAA, HTTPS, PTR, SOA
        question = name("captive.apple.com") + kind + b"\x00\x01"
        assert asked(query(question)) == query(question, flags=0x8580)
    chaos = name("version.bind") + b"\x00\x01\x00\x03"
    assert asked(query(chaos)) == query(chaos, flags=0x8580)


def test_any_type_is_the_address_too():
    assert asked(query(name("a") + b"\x00\xff\x00\x01"))[-16:] == RECORD


def test_what_follows_the_question_is_left_out_of_the_answer():
    edns = b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"
    question = name("detectportal.firefox.com") + A
    assert asked(query(question, additional=1, rest=edns)) == query(question, flags=0x8580, answers=1, rest=RECORD)


def test_the_root_can_be_asked_for_and_the_longest_name_too():
    assert asked(query(b"\x00" + A))[-16:] == RECORD
    longest = ".".join(["x" * 63, "x" * 63, "x" * 63, "x" * 61])
    assert len(name(longest)) == 255
    assert len(asked(query(name(longest) + A))) == 12 + 255 + 4 + 16


def test_an_answer_is_never_answered_nor_anything_but_a_standard_query():
    for flags in (0x8180, 0x8000, 0x0800, 0x1000, 0x2800):
        assert asked(query(name("a") + A, flags=flags)) == b""


def test_none_or_several_questions_get_no_answer():
    for questions in (0, 2, 256, 257):
        assert asked(query(name("a") + A + name("a") + A, questions=questions)) == b""


def test_a_damaged_question_gets_no_answer():
    whole = query(name("captive.apple.com") + A)
    for size in range(len(whole)):
        assert asked(whole[:size]) == b"", size
    for bad in (b"\xc0\x0c" + A, b"\x40" + b"x" * 64 + b"\x00" + A, b"\x80\x00" + A, b"\x01x\xc0\x0c" + A,
                name(".".join(["x" * 63] * 4)) + A, b"\x01x" * 200):
        assert asked(query(bad)) == b"", bad
