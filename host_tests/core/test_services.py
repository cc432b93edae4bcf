# SPDX-License-Identifier: MIT
from wattport.net.services import candidates, question, read

MQTT = b"\x05_mqtt\x04_tcp\x05local\x00"


def name(text):
    out = b""
    for label in text.split("."):
        out += bytes((len(label),)) + label.encode()
    return out + b"\x00"


def record(owner, kind, data):
    return owner + b"\x00%c\x80\x01\x00\x00\x00\x78\x00%c" % (kind, len(data)) + data


def packet(answers, additional=(), flags=b"\x84\x00", questions=b"", asked=0):
    return b"\x00\x00" + flags + b"\x00%c\x00%c\x00\x00\x00%c" % (asked, len(answers), len(additional)) + questions \
        + b"".join(answers) + b"".join(additional)


def srv(host, port=1883):
    return b"\x00\x00\x00\x00" + port.to_bytes(2, "big") + name(host)


def told(*packets):
    services, hosts = {}, {}
    for one in packets:
        read(one, services, hosts)
    return services, hosts


INSTANCE = b"\x0cMosquitto V2" + MQTT
WHOLE = packet([record(MQTT, 12, INSTANCE)], [record(INSTANCE, 33, srv("nas.local", 1884)),
                                              record(name("nas.local"), 1, b"\xc0\xa8\x01\x05")])


def test_a_question_asks_for_an_answer_to_us_alone():
    assert question("_mqtt._tcp.local", 12) == \
        b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + MQTT + b"\x00\x0c\x80\x01"


def test_a_broker_that_says_so_is_found_with_its_port_and_its_name():
    services, hosts = told(WHOLE)
    assert hosts == {b"nas.local": "192.168.1.5"}
    assert candidates(services, hosts, "") == [("nas.local", "192.168.1.5", 1884, "mosquitto v2")]


def test_the_answer_may_repeat_the_question_and_come_in_pieces():
    first = packet([record(MQTT, 12, INSTANCE)], questions=MQTT + b"\x00\x0c\x80\x01", asked=1)
    services, hosts = told(first, packet([record(INSTANCE, 33, srv("nas.local"))]),
                           packet([record(name("nas.local"), 1, b"\x0a\x00\x00\x07")]))
    assert candidates(services, hosts, "") == [("nas.local", "10.0.0.7", 1883, "mosquitto v2")]


def test_home_assistant_is_found_by_its_name_by_its_service_or_both_at_once():
    by_name = packet([record(name("homeassistant.local"), 1, b"\xc0\xa8\x01\x09")])
    instance = name("Home._home-assistant._tcp.local")
    by_service = packet([record(name("_home-assistant._tcp.local"), 12, instance)],
                        [record(instance, 33, srv("abc.local", 8123)),
                         record(name("abc.local"), 1, b"\xc0\xa8\x01\x09")])
    assert candidates(*told(by_name), "") == [("homeassistant.local", "192.168.1.9", 1883, "Home Assistant")]
    assert candidates(*told(by_service), "") == [("192.168.1.9", "192.168.1.9", 1883, "Home Assistant")]
    assert candidates(*told(by_name, by_service), "") == candidates(*told(by_name), "")


def test_the_gateway_is_the_last_to_be_looked_at_and_none_is_no_candidate():
    assert candidates(*told(WHOLE), "192.168.1.1")[-1] == ("192.168.1.1", "192.168.1.1", 1883, "")
    assert candidates({}, {}, "") == candidates({}, {}, "0.0.0.0") == []


def test_a_service_without_an_address_or_of_another_kind_is_no_candidate():
    printer = name("p._ipp._tcp.local")
    assert candidates(*told(packet([record(INSTANCE, 33, srv("nas.local"))])), "") == []
    assert candidates(*told(packet([record(printer, 33, srv("p.local")),
                                    record(name("p.local"), 1, b"\x01\x02\x03\x04")])), "") == []


def test_names_that_no_setting_takes_are_left_out():
    assert told(packet([record(b"\x03a b\x05local\x00", 1, b"\x01\x02\x03\x04")])) == ({}, {})
    assert told(packet([record(INSTANCE, 33, b"\x00\x00\x00\x00\x07\x5b\x03<i>\x00")])) == ({}, {})


def test_a_query_a_refusal_and_what_is_damaged_tell_nothing_and_break_nothing():
    assert told(packet([record(name("a.local"), 1, b"\x01\x02\x03\x04")], flags=b"\x00\x00")) == ({}, {})
    assert told(packet([record(name("a.local"), 1, b"\x01\x02\x03\x04")], flags=b"\x84\x03")) == ({}, {})
    for size in range(len(WHOLE)):
        told(WHOLE[:size])
    looped = packet([record(b"\xc0\x0c", 1, b"\x01\x02\x03\x04")])
    assert told(looped) == ({}, {})


def test_a_network_full_of_answers_is_remembered_in_part_only():
    many = [packet([record(name("h%d.local" % i), 1, b"\x01\x02\x03%c" % i)]) for i in range(40)]
    services, hosts = told(*many)
    assert len(hosts) == 8
