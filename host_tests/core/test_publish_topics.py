# SPDX-License-Identifier: MIT
import json

from wattport.publish.topics import child_id, safe_id, safe_topic

EVERYTHING = "".join([chr(code) for code in range(256)])


def encode(value):
    """As the publisher does."""
    return json.dumps(value).encode()


def test_every_character_comes_back_out_of_the_json():
    for code in range(256):
        value = {"meter_id": chr(code), "a" + chr(code): 1}
        assert json.loads(encode(value).decode()) == value
    assert json.loads(encode({"text": EVERYTHING}).decode()) == {"text": EVERYTHING}


def test_control_characters_quotes_and_backslashes_are_escaped():
    payload = encode({"text": EVERYTHING})
    assert all(byte >= 32 for byte in payload)
    assert b'\\"' in payload and b"\\\\" in payload


def test_the_payload_is_utf_8():
    assert json.loads(encode({"t": "zähler ³ 電"}).decode()) == {"t": "zähler ³ 電"}


def test_numbers_keep_every_digit():
    for value in (0, -1, 999999999999999, -(1 << 62)):
        assert encode({"import_wh": value}) == b'{"import_wh": %d}' % value


def test_lists_and_children_survive():
    reading = {"power_failure_log": [[1700000000, 60]], "devices": {"1": {"channel": 1, "type": "gas", "volume_l": 5}}}
    assert json.loads(encode(reading).decode()) == reading


def test_an_id_holds_nothing_but_letters_figures_and_dashes():
    assert safe_id("Az09_-") == "Az09_-"
    assert safe_id("a/b+c#d e\x00") == "a_b_c_d_e_"
    for code in range(256):
        char = safe_id(chr(code))
        assert char in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-" and len(char) == 1
    assert len(safe_id("x" * 1000)) == 64
    assert safe_id("") == "_"


def test_a_topic_has_no_wildcards_and_no_control_characters():
    assert safe_topic("home/zähler", "x") == "home/zähler"
    assert safe_topic("/home/+/#/", "x") == "home/_/_"
    assert safe_topic("a\x00b", "x") == "a_b"
    assert safe_topic("", "wattport/1") == "wattport/1"
    assert safe_topic("//", "wattport/1") == "wattport/1"


def test_a_childs_id_tells_channel_type_and_quantity():
    assert child_id("2", {"type": "gas"}, "volume_l") == "ch2_gas_volume_l"
    assert child_id("2", {}, "volume_l") == "ch2__volume_l"
