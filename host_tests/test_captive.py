# SPDX-License-Identifier: MIT
"""The portal's name server against another make's view of DNS, and against whatever comes in."""

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from hypothesis import example, given
from hypothesis import strategies as st

from tools import cpython

cpython.install()

from wattport.net.captive import answer  # noqa: E402

ADDRESS = "192.168.4.1"
LABELS = st.lists(st.binary(min_size=1, max_size=63), max_size=8).filter(
    lambda labels: sum(len(label) + 1 for label in labels) < 255)
KINDS = st.sampled_from(["A", "AAAA", "HTTPS", "SVCB", "TXT", "PTR", "SRV", "MX", "ANY"])


def asked(packet):
    out = bytearray(287)
    return bytes(out[:answer(packet, bytes([192, 168, 4, 1]), out)])


@given(LABELS, KINDS, st.booleans(), st.integers(0, 65535))
def test_whatever_is_asked_dnspython_takes_the_answer_for_the_one_to_its_question(labels, kind, edns, number):
    query = dns.message.make_query(dns.name.Name([*labels, b""]), kind, use_edns=edns, id=number)
    wire = query.to_wire()
    packet = asked(wire)
    reply = dns.message.from_wire(packet)
    assert query.is_response(reply)
    assert reply.rcode() == dns.rcode.NOERROR and not reply.flags & dns.flags.TC and reply.edns == -1
    wanted = [str(rdata) for rrset in reply.answer for rdata in rrset]
    assert wanted == ([ADDRESS] if kind in ("A", "ANY") else [])
    assert all(rrset.ttl <= 10 and rrset.rdtype == dns.rdatatype.A for rrset in reply.answer)
    assert len(packet) <= min(512, len(wire) + 16)


@given(st.binary(max_size=271))
@example(b"")
def test_no_bytes_whatsoever_break_it_and_an_answer_can_be_read(packet):
    reply = asked(packet)
    assert len(reply) <= 287
    if reply:
        assert not packet[2] & 0x80 and reply[2] & 0x80
        assert dns.message.from_wire(reply).id == packet[0] << 8 | packet[1]


@given(LABELS, st.data())
def test_a_question_damaged_anywhere_gets_an_answer_to_that_or_none(labels, data):
    wire = bytearray(dns.message.make_query(dns.name.Name([*labels, b""]), "A").to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    reply = asked(bytes(wire[:271]))
    if reply:
        end = len(dns.message.from_wire(reply).question[0].name.to_wire()) + 16
        assert reply[12:end] == wire[12:end]


def test_an_answer_is_not_answered():
    first = asked(dns.message.make_query("captive.apple.com", "A").to_wire())
    assert first and not asked(first)
