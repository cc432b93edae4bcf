# SPDX-License-Identifier: MIT
"""The settings: what is accepted, what is refused by name, and that a power cut leaves the old or the new file."""

import json
import os

from wattport import settings
from wattport.settings import SettingsError, check, load, save

FILE = "/tmp/wattport-test-settings.json"


def refusal(function, *arguments):
    try:
        function(*arguments)
    except SettingsError as error:
        return str(error)
    return None


def clean():
    for name in (FILE, FILE + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass


def write(text):
    with open(FILE, "w") as file:
        file.write(text)


def test_defaults_stand_in_for_what_is_left_out():
    whole = check({})
    assert set(whole) == set(settings.SCHEMA)
    for group in whole:
        assert set(whole[group]) == set(settings.SCHEMA[group])
    assert whole["mqtt"]["port"] == 1883 and whole["meter"]["baud"] == 0 and whole["meter"]["invert"] is True
    given = check({"mqtt": {"port": 8883, "tls": True}, "wifi": {}})
    assert given["mqtt"]["port"] == 8883 and given["mqtt"]["tls"] is True and given["mqtt"]["host"] == ""


def test_the_defaults_pass_their_own_check():
    whole = check({})
    assert check(whole) == whole


def test_checking_changes_nothing_and_hands_out_its_own_copy():
    document = {"wifi": {"ssid": "home"}}
    whole = check(document)
    whole["wifi"]["ssid"] = "other"
    whole["mqtt"]["port"] = 1
    assert document == {"wifi": {"ssid": "home"}} and check({})["mqtt"]["port"] == 1883


def test_unknown_groups_and_keys_are_refused_by_name():
    assert refusal(check, {"wfi": {}}).startswith("wfi:")
    assert refusal(check, {"wifi": {"sssid": "x"}}).startswith("wifi.sssid:")
    assert refusal(check, {"wifi": []}).startswith("wifi:")
    assert refusal(check, {"wifi": None}).startswith("wifi:")
    for document in ([], None, 1, "text", True):
        assert refusal(check, document), document


def test_impossible_values_are_refused_by_the_name_of_their_key():
    for group, key, values in (
            ("mqtt", "port", (0, 65536, -1, "1883", 1883.0, True, None, [])),
            ("mqtt", "tls", (0, 1, "true", None)),
            ("mqtt", "qos", (2, -1, "0", True, False, 1.0)),
            ("mqtt", "keepalive_s", (4, 3601)),
            ("mqtt", "host", (1, None, "x" * 254, [])),
            ("meter", "baud", (1, 115201, "9600", 9600.0, True, None)),
            ("meter", "format", ("8n1", "", 8, None, "9N1")),
            ("meter", "key", ("0" * 31, "0" * 33, "g" * 32, "0" * 15 + "g" + "0" * 16, " " * 32, 0, None, "00 " * 11)),
            ("meter", "auth_key", ("x", [0] * 32)),
            ("wifi", "ssid", ("x" * 33, 5, None)),
            ("time", "zone", ("", "Europe/Paris", "CET-1CEST", 5, None, [], {}))):
        for value in values:
            text = refusal(check, {group: {key: value}})
            assert text and text.startswith(group + "." + key + ":"), (group, key, value, text)


def test_possible_values_are_taken():
    for group, key, values in (
            ("mqtt", "port", (1, 65535)), ("mqtt", "qos", (0, 1)), ("meter", "baud", (0, 300, 2400, 9600, 115200)),
            ("meter", "format", ("8N1", "8E1", "7E1")), ("meter", "key", ("", "0" * 32, "aBcDeF0123456789" * 2)),
            ("time", "zone", ("EET-2EEST,M3.5.0/3,M10.5.0/4", "UTC0")), ("wifi", "ssid", ("x" * 32, "caf\u00e9"))):
        for value in values:
            assert check({group: {key: value}})[group][key] == value


def test_what_is_saved_is_loaded_again():
    clean()
    document = {"wifi": {"ssid": "a \"quoted\" \\ name \u00e9"}, "meter": {"key": "00" * 16}}
    save(document, FILE)
    assert load(FILE) == check(document)
    save({"wifi": {"ssid": "new"}}, FILE)
    assert load(FILE)["wifi"]["ssid"] == "new" and load(FILE)["meter"]["key"] == ""
    clean()


def test_without_a_file_the_defaults_hold():
    clean()
    assert load(FILE) == check({})


def test_wrong_settings_are_not_saved_and_the_old_file_stays():
    clean()
    save({"wifi": {"ssid": "old"}}, FILE)
    assert refusal(save, {"wifi": {"ssid": 5}}, FILE)
    assert load(FILE)["wifi"]["ssid"] == "old"
    clean()


def test_a_power_cut_while_writing_leaves_the_old_file():
    clean()
    save({"wifi": {"ssid": "old"}}, FILE)
    text = json.dumps({"wifi": {"ssid": "new"}})
    for size in range(len(text)):
        with open(FILE + ".new", "w") as file:
            file.write(text[:size])
        assert load(FILE)["wifi"]["ssid"] == "old"
    save({"wifi": {"ssid": "newer"}}, FILE)
    assert load(FILE)["wifi"]["ssid"] == "newer"
    clean()


def test_a_file_that_is_no_json_is_refused_with_its_name():
    for text in ("", "{\"wifi\": {\"ssid\": \"x\"", "wifi", "{'a': 1}", "\x00\x00\x00"):
        write(text)
        assert FILE in (refusal(load, FILE) or ""), text
    write("{\"wifi\": {\"ssid\": 5}}")
    assert refusal(load, FILE).startswith("wifi.ssid:")
    clean()
