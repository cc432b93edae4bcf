# SPDX-License-Identifier: MIT
"""Wi-Fi without a radio: what the driver's codes mean, fixed addresses, and what of a scan is shown."""

from wattport.net.join import failure, fixed, listed


def found(ssid, rssi, security=3):
    """A row of WLAN.scan()."""
    return ssid, b"\x02\0\0\0\0\x01", 6, rssi, security, False


def settings(address="", gateway="", dns=""):
    return {"address": address, "gateway": gateway, "dns": dns}


def test_every_code_of_a_wrong_password_is_called_one():
    for code in (2, 15, 202, 204):
        assert failure(code)[0] == "wrong_password", code


def test_each_failure_has_a_reason_and_a_sentence():
    for code, reason in ((201, "not_found"), (200, "weak"), (212, "weak"), (203, "refused"), (5, "refused"),
                         (210, "wrong_password"), (-1, "no_address"), (-2, "timeout")):
        assert failure(code)[0] == reason, code
        assert " " in failure(code)[1]


def test_a_code_that_nobody_knows_is_a_timeout():
    for code in (0, 1, 20, 39, 99, 205, 255, 1000, 2020, None):
        assert failure(code)[0] == "timeout", code


def test_without_a_fixed_address_dhcp_is_asked():
    assert fixed(settings()) is None
    assert fixed(settings(gateway="192.168.1.1")) is None


def test_a_fixed_address_comes_with_mask_gateway_and_name_server():
    assert fixed(settings("192.168.1.7/24", "192.168.1.1", "9.9.9.9")) == (
        "192.168.1.7", "255.255.255.0", "192.168.1.1", "9.9.9.9")
    assert fixed(settings("10.0.0.5/8", "10.0.0.1")) == ("10.0.0.5", "255.0.0.0", "10.0.0.1", "10.0.0.1")
    assert fixed(settings("10.1.2.3/22", "10.1.0.1"))[1] == "255.255.252.0"
    assert fixed(settings("10.1.2.3/30", "10.1.2.1"))[1] == "255.255.255.252"
    assert fixed(settings("10.1.2.3/16"))[2:] == ("0.0.0.0", "0.0.0.0")


def test_a_network_of_several_access_points_is_listed_once_where_it_is_strongest():
    assert listed([found(b"home", -70), found(b"home", -50), found(b"home", -60)]) == [
        {"ssid": "home", "rssi": -50, "secure": True}]


def test_the_strongest_network_comes_first():
    assert [row["ssid"] for row in listed([found(b"a", -80), found(b"b", -40), found(b"c", -60)])] == ["b", "c", "a"]


def test_hidden_networks_and_names_that_are_no_text_are_left_out():
    assert listed([found(b"", -30), found(b"\xff\xfe", -30), found(b"caf\xc3\xa9", -50, 0)]) == [
        {"ssid": "caf\u00e9", "rssi": -50, "secure": False}]


def test_what_only_looks_like_utf_8_is_no_name():
    for name in (b"\xc0\x80", b"a\xc1\xbfb", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80",
                 b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xe2\x82", b"a\xff"):
        assert listed([found(name, -50)]) == [], name
    for name in ("a", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"):
        assert listed([found(name.encode(), -50)])[0]["ssid"] == name


def test_no_more_than_twenty_are_listed_and_those_are_the_strongest():
    rows = listed([found(b"n%d" % number, -100 + number) for number in range(60)])
    assert len(rows) == 20
    assert [row["rssi"] for row in rows] == list(range(-41, -61, -1))


def test_nothing_received_is_an_empty_list():
    assert listed([]) == []
