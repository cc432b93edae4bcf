# SPDX-License-Identifier: MIT
"""What a network full of responders may send to who looks for a broker, written by dnspython and by nobody."""

import string

import dns.flags
import dns.message
import dns.name
import dns.rrset
from hypothesis import example, given
from hypothesis import strategies as st

from tools import cpython

cpython.install()

from wattport.net.services import candidates, question, questions, read  # noqa: E402

LABEL = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=20)
ADDRESS = st.ip_addresses(v=4).map(str)


def told(*packets):
    services, hosts = {}, {}
    for packet in packets:
        read(packet, services, hosts)
    return services, hosts


def test_dnspython_reads_the_questions():
    asked = []
    for packet in questions():
        # the top bit of the class is multicast DNS's own
        message = dns.message.from_wire(packet[:-2] + b"\x00\x01")
        asked.append("%s %s" % (message.question[0].name, message.question[0].rdtype.name))
    assert asked == ["_mqtt._tcp.local. PTR", "homeassistant.local. A", "_home-assistant._tcp.local. PTR"]
    assert question("a.b", 1)[-2:] == b"\x80\x01"


@given(LABEL, LABEL, st.integers(1, 65535), ADDRESS, st.booleans(), st.booleans())
def test_a_broker_is_found_whatever_it_is_called_and_however_the_packet_is_written(
        instance, host, port, address, compressed, asked):
    service = dns.name.from_text("_mqtt._tcp.local.")
    full = dns.name.Name([instance.encode(), *service.labels])
    message = dns.message.make_response(dns.message.make_query(service, "PTR")) if asked else dns.message.Message()
    message.flags = dns.flags.QR | dns.flags.AA
    message.answer.append(dns.rrset.from_text(service, 120, "IN", "PTR", str(full)))
    message.additional.append(dns.rrset.from_text(full, 120, "IN", "TXT", '"a=b"'))
    message.additional.append(dns.rrset.from_text(full, 120, "IN", "SRV", "0 0 %d %s.local." % (port, host)))
    message.additional.append(dns.rrset.from_text(host + ".local.", 120, "IN", "A", address))
    packet = message.to_wire() if compressed else b"".join([
        message.to_wire()[:12], *[rrset.name.to_wire() + b"\x00\x0c\x00\x01" for rrset in message.question],
        *[rrset.name.to_wire() + rrset.rdtype.to_bytes(2, "big") + b"\x80\x01\x00\x00\x00\x78"
          + len(rrset[0].to_wire()).to_bytes(2, "big") + rrset[0].to_wire()
          for rrset in message.answer + message.additional]])
    found = candidates(*told(packet), "")
    assert found[0] == (host.lower() + ".local", address, port, instance.lower())


@given(st.lists(st.binary(max_size=300), max_size=4))
@example([b"\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04abcd"])
def test_no_bytes_whatsoever_break_it_or_make_it_remember_much(packets):
    services, hosts = told(*packets)
    assert len(services) <= 8 and len(hosts) <= 8
    for host, address, port, name in candidates(services, hosts, "192.168.1.1"):
        assert isinstance(host, str) and len(address.split(".")) == 4 and 0 < port < 65536 and isinstance(name, str)


@given(st.data())
def test_damage_anywhere_breaks_nothing(data):
    message = dns.message.Message()
    message.flags = dns.flags.QR
    message.answer.append(dns.rrset.from_text("x._mqtt._tcp.local.", 120, "IN", "SRV", "0 0 1883 nas.local."))
    message.additional.append(dns.rrset.from_text("nas.local.", 120, "IN", "A", "10.0.0.1"))
    packet = bytearray(message.to_wire())
    for _ in range(data.draw(st.integers(1, 5))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    candidates(*told(bytes(packet)), "")
