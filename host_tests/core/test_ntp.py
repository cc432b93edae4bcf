# SPDX-License-Identifier: MIT
"""Answers of time servers, by RFC 4330 and RFC 5905. (`host_tests/test_ntp.py` asks servers, good and bad.)"""

from wattport.net.ntp import NtpError, answer, request

NONCE = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
NOW = 1_760_000_000


def stamp(seconds, part=0):
    """Of the era that it lies in."""
    return (seconds + 2208988800 & 0xFFFFFFFF).to_bytes(4, "big") + part.to_bytes(4, "big")


def reply(seconds=NOW, part=0, first=0x24, stratum=2, nonce=NONCE, came=None, delay=bytes(4), dispersion=bytes(4),
          who=b"\x7f\x00\x00\x01"):
    came = stamp(seconds, part) if came is None else came
    return (bytes((first, stratum, 6, 0xEC)) + delay + dispersion + who + stamp(seconds - 100) + nonce + came
            + stamp(seconds, part))


def refusal(packet):
    try:
        answer(packet, NONCE, 0)
    except NtpError as error:
        return error
    return None


def test_the_request_is_a_clients_and_tells_nothing_but_the_nonce():
    packet = request(NONCE)
    assert len(packet) == 48 and packet[0] == 0x23 and packet[1:40] == bytes(39) and packet[40:] == NONCE


def test_an_answer_gives_seconds_and_milliseconds():
    assert answer(reply(), NONCE, 0) == (NOW, 0)
    assert answer(reply(part=0x80000000), NONCE, 0) == (NOW, 500)
    assert answer(reply(part=0xFFFFFFFF), NONCE, 0) == (NOW, 999)


def test_half_the_way_is_added_less_what_the_server_took_for_itself():
    assert answer(reply(), NONCE, 300) == (NOW, 150)
    assert answer(reply(part=0xE6800000), NONCE, 400) == (NOW + 1, 100)
    came = stamp(NOW - 1, 0x80000000)  # half a second before
    assert answer(reply(came=came), NONCE, 600) == (NOW, 50)
    assert answer(reply(came=came), NONCE, 100) == (NOW, 0)
    for nonsense in (stamp(NOW + 10), stamp(NOW - 86400), bytes(8)):
        assert answer(reply(came=nonsense), NONCE, 600) == (NOW, 300)


def test_behind_february_2036_the_seconds_begin_anew():
    for seconds in (2085978495, 2085978496, 2085978497, 2147483647, 2147483648, 3000000000, 4102444799):
        assert answer(reply(seconds, 0x80000000), NONCE, 0) == (seconds, 500), seconds


def test_what_is_no_answer_to_our_request_is_not_looked_at():
    good = reply()
    for first in (0x23, 0x25, 0x20, 0x21, 0x22, 0x26, 0x27, 0x14, 0x2C, 0x04):
        assert answer(reply(first=first), NONCE, 0) is None, first
    assert answer(reply(first=0x1C), NONCE, 0)  # version 3 is right as well
    assert answer(reply(nonce=bytes(8)), NONCE, 0) is None
    assert answer(reply(nonce=NONCE[:7] + b"\x00"), NONCE, 0) is None
    for size in range(48):
        assert answer(good[:size], NONCE, 0) is None
    assert answer(good + bytes(20), NONCE, 0) == (NOW, 0)  # an extension


def test_a_kiss_of_death_counts_only_from_the_server_that_was_asked():
    for code, refused, rate in ((b"DENY", True, False), (b"RSTR", True, False), (b"RATE", False, True),
                                (b"INIT", False, False), (b"\x00\xff\n\x7f", False, False)):
        error = refusal(reply(stratum=0, who=code))
        assert (error.refused, error.rate) == (refused, rate), code
        assert answer(reply(stratum=0, who=code, nonce=bytes(8)), NONCE, 0) is None
    assert "RATE" in str(refusal(reply(stratum=0, who=b"RATE")))
    assert "????" in str(refusal(reply(stratum=0, who=b"\x00\xff\n\x7f")))


def test_a_server_that_does_not_know_the_time_is_not_believed():
    for packet in (reply(first=0xE4), reply(stratum=16), reply(stratum=255), reply()[:40] + bytes(8)):
        assert "does not know" in str(refusal(packet))
    for wide in (b"\x00\x10\x00\x00", b"\x01\x00\x00\x00", b"\xff\xff\xff\xff"):
        assert "not sure" in str(refusal(reply(delay=wide)))
        assert "not sure" in str(refusal(reply(dispersion=wide)))
    assert answer(reply(dispersion=b"\x00\x0a\x00\x00"), NONCE, 0)  # 10 s, as Windows says of itself


def test_damaged_answers_do_no_harm():
    state = 7
    good = reply(part=0x40000000)
    for _ in range(3000):
        damaged = bytearray(good)
        for _ in range(1 + state % 4):
            state = (state * 1103 + 12347) % 1000003
            damaged[state % 48] = state >> 8 & 0xFF
        try:
            found = answer(bytes(damaged), NONCE, 200)
        except NtpError:
            continue
        assert found is None or 0 <= found[1] < 1000 and found[0] >= -61505152  # 1968
