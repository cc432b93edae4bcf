# SPDX-License-Identifier: MIT
import json

from wattport.web.document import parse


def _refuses(body):
    try:
        parse(body)
    except ValueError:
        return True
    return False


def test_an_object_is_what_it_says():
    assert parse(b'{"a": [1, {"b": null}], "c": "d\\\\e\\n", "f": true}') == {
        "a": [1, {"b": None}], "c": "d\\e\n", "f": True}
    assert parse(b" {} \r\n") == {}


def test_two_escapes_are_one_character():
    for text in (b'"\\ud83d\\ude00"', b'"\\uD83D\\uDE00"', '"\U0001f600"'.encode()):
        found = parse(b'{"x": %s}' % text)["x"]
        assert found == "\U0001f600" and found.encode() == b"\xf0\x9f\x98\x80"
    assert parse(b'{"\\ud83d\\ude00\\u00e9": 1}') == {"\U0001f600\xe9": 1}
    assert parse(b'{"x": "a\\ud800\\udc00b\\udbff\\udfffc"}') == {"x": "a\U00010000b\U0010ffffc"}
    assert parse(b'{"x": "\\\\ud83d \\"\\\\\\u00e9"}') == {"x": '\\ud83d "\\\xe9'}


def test_half_a_character_is_refused():
    for half in (b"\\ud83d", b"\\ude00", b"\\ud83d\\u0041", b"\\ude00\\ud83d", b"\\ud83d ", b"\\ud83d\\\\ude00"):
        assert _refuses(b'{"x": "%s"}' % half), half


def test_bytes_that_are_no_utf_8_are_refused_in_names_and_in_values():
    for wrong in (b"\xff", b"\xc3", b"\x80", b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80",
                  b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98"):
        assert _refuses(b'{"' + wrong + b'": 1}') and _refuses(b'{"x": "' + wrong + b'"}'), wrong


def test_what_is_no_object_or_not_all_of_one_is_refused():
    whole = json.dumps({"a": {"b": [1, "c", None]}, "d": "e"}).encode()
    for size in range(len(whole)):
        if not whole[:size].endswith(b"}"):
            assert _refuses(whole[:size]), size
    for body in (b"", b" ", b"[]", b"1", b'"{}"', b"null", b"{} {}", b"{}x", b'{"a": \\u}', b'{"a": "\\u12"}',
                 b"\xef\xbb\xbf{}"):
        assert _refuses(body), body
