# SPDX-License-Identifier: MIT
"""The settings: what is accepted, what is refused by name, and that a power cut leaves the old or the new file."""

import json
import os

from wattport import settings
from wattport.settings import SettingsError, check, current, keep, load, merge, save

FILE = "/tmp/wattport-test-settings.json"


def refusal(function, *arguments):
    try:
        function(*arguments)
    except SettingsError as error:
        return str(error)
    return None


def clean():
    for name in (FILE, FILE + ".new", FILE + ".wrong"):
        try:
            os.remove(name)
        except OSError:
            pass


def write(text):
    with open(FILE, "w") as file:
        file.write(text)


def test_defaults_stand_in_for_what_is_left_out():
    whole = check({})
    schema = dict(settings.groups())
    assert set(whole) == set(schema)
    for group in whole:
        assert whole[group] == {key: default for key, default, rule in schema[group]}
    assert whole["mqtt"]["port"] == 1883 and whole["meter"]["baud"] == 0 and whole["meter"]["invert"] is True
    given = check({"mqtt": {"port": 8883, "raw": True}, "wifi": {}})
    assert given["mqtt"]["port"] == 8883 and given["mqtt"]["raw"] is True and given["mqtt"]["host"] == ""


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


IMPOSSIBLE = (
    ("mqtt", "port", (0, 65536, -1, "1883", 1883.0, True, None, [])),
    ("mqtt", "tls", (0, 1, "true", None)),
    ("mqtt", "qos", (2, -1, "0", True, False, 1.0)),
    ("mqtt", "keepalive_s", (4, 3601)),
    ("mqtt", "host", (1, None, "x" * 254, [], "mqtt://broker", "broker:1883", "a b", "caf\u00e9.local")),
    ("mqtt", "user", (1, "x" * 129, "a\nb", "\x00", "tab\t")),
    ("mqtt", "base", ("/a", "a/", "#", "a/+/b", "x" * 65, 1)),
    ("mqtt", "ca", ("certificate", 1, "-----BEGIN CERTIFICATE-----" + "x" * 4096, "-----BEGIN PRIVATE KEY-----")),
    ("meter", "baud", (1, 115201, "9600", 9600.0, True, None)),
    ("meter", "format", ("8n1", "", 8, None, "9N1", "8N1,8E1")),
    ("meter", "key", ("0" * 31, "0" * 33, "g" * 32, "0" * 15 + "g" + "0" * 16, "0" * 30 + ".1", 0, None, "00 " * 11)),
    ("meter", "auth_key", ("x", [0] * 32)),
    ("meter", "profile", ([], "", None, {"no": "profile"})),
    ("wifi", "ssid", ("x" * 33, 5, None, "\u00e9" * 17)),
    ("wifi", "password", ("x" * 7, "x" * 64, "0" * 63 + "g" + "0", 12345678, None)),
    ("wifi", "hostname", ("", "-a", "a-", "a.b", "x" * 33, "h\u00e4user", 5)),
    ("wifi", "address", ("192.168.1.7", "192.168.1.7/31", "192.168.1.7/", "192.168.1/24", "192.168.1.256/24",
                         "192.168.1.1.1/24", "192.168.1.-1/24", "192.168.1.+1/24", "192.168.1. 1/24", "/24", 5, "x")),
    ("wifi", "gateway", ("192.168.1", "1.2.3.4/24", "1.2.3.", "....", "router", 1, None)),
    ("web", "password", ("short", "x" * 129, 12345678, None, "pbkdf2:", "pbkdf2:0:00:" + "0" * 64,
                         "pbkdf2:1:00:" + "0" * 63, "pbkdf2:1::" + "0" * 64, "pbkdf2:1:0g:" + "0" * 64,
                         "pbkdf2:9999999:00:" + "0" * 64, "pbkdf2:-1:00:" + "0" * 64)),
    ("web", "token", ("x", "0" * 63, None)),
    ("web", "private", ("yes", 1, None)),
    ("web", "name", ("https://x.example", "x y", None)),
    ("time", "zone", ("", "Europe/Paris", "CET-1CEST", 5, None, [], {})),
    ("time", "server", ("http://ntp", "a b", "ntp:", "ntp:x", "ntp:123456", "x" * 254, None)),
    ("time", "source", ("", "gps", None)),
    ("tariff", "currency", ("", "eur", "EURO", "E1R", None)),
    ("tariff", "import_micro", (0.25, "0.25", 1000000001, -1000000001, True, None)),
    ("tariff", "standing_micro", (-1, 1.0, None)),
    ("update", "url", ("ftp://a/b", "http://", "a.example/b", "http://a b/", "http://a:0/", "http://a:99999/", "https://a/\n",
                       "http://a\u00e4/", "https://u@a/", "http://" + "a" * 510, 1, None)),
    ("update", "interval_h", (-1, 8761, True, None)))


def test_impossible_values_are_refused_by_the_name_of_their_key():
    for group, key, values in IMPOSSIBLE:
        for value in values:
            text = refusal(check, {group: {key: value}})
            assert text and text.startswith(group + "." + key + ": "), (group, key, value, text)
            assert len(text) > len(group + "." + key + ": "), text


def test_half_a_character_is_no_text():
    for group, key in (("wifi", "ssid"), ("wifi", "password"), ("mqtt", "user"), ("mqtt", "ca"), ("web", "password")):
        for text in ("\\ud83d", "\\udc00", "\\u0007"):
            value = json.loads("\"-----BEGIN CERTIFICATE-----%s\"" % text)[-20 if key != "ca" else 0:]
            assert (refusal(check, {group: {key: value}}) or "").startswith(group + "." + key + ": "), (key, text)


def test_every_rule_of_the_schema_refuses_something_that_is_tested():
    tested = {}
    for group, key, values in IMPOSSIBLE:
        tested[group + "." + key] = values
    schema = [(group, rows) for group, rows in settings.groups()]
    seen = {rule.split()[0] for group, rows in schema for key, default, rule in rows if group + "." + key in tested}
    assert seen == {rule.split()[0] for group, rows in schema for key, default, rule in rows}


def test_possible_values_are_taken():
    for group, key, values in (
            ("mqtt", "port", (1, 65535)), ("mqtt", "qos", (0, 1)), ("meter", "baud", (0, 300, 2400, 9600, 115200)),
            ("meter", "format", ("8N1", "8E1", "7E1")), ("meter", "key", ("", "0" * 32, "aBcDeF0123456789" * 2)),
            ("mqtt", "host", ("", "broker", "my_broker.local", "10.0.0.1")), ("mqtt", "base", ("", "a/b c", "x")),
            ("mqtt", "ca", ("", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")),
            ("wifi", "password", ("", "x" * 8, "x" * 63, "0aF9" * 16, "k\u00fcche-geheim")),
            ("wifi", "hostname", ("a", "Meter-2")), ("wifi", "gateway", ("", "10.0.0.1")),
            ("web", "password", ("", "8 letter", "pbkdf2:5000:00ff:" + "0a" * 32)), ("web", "token", ("", "0a" * 32)),
            ("time", "server", ("", "pool.ntp.org", "10.0.0.1:123,a.example")), ("tariff", "import_micro", (-5, 10**9)),
            ("update", "url", ("", "https://a.example/wattport-{chip}.wpb", "http://10.0.0.1:8080/x?y=z")),
            ("time", "zone", ("EET-2EEST,M3.5.0/3,M10.5.0/4", "UTC0")), ("wifi", "ssid", ("x" * 32, "caf\u00e9"))):
        for value in values:
            assert check({group: {key: value}})[group][key] == value, (group, key, value)


def test_a_key_may_be_written_as_a_letter_prints_it():
    for text in ("00112233 44556677 8899AABB CCDDEEFF", "00-11-22-33-44-55-66-77-88-99-AA-BB-CC-DD-EE-FF",
                 " 00112233445566778899AABBCCDDEEFF\n", "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"):
        assert check({"meter": {"key": text}})["meter"]["key"] == "00112233445566778899AABBCCDDEEFF"
    assert check({"meter": {"key": " - "}})["meter"]["key"] == ""
    assert check({"mqtt": {"host": " broker.local "}})["mqtt"]["host"] == "broker.local"


def test_what_belongs_together_is_asked_for_together():
    for document, key in (
            ({"wifi": {"ssid2": "second"}}, "wifi.ssid: "),
            ({"wifi": {"address": "192.168.1.7/24"}}, "wifi.gateway: "),
            ({"wifi": {"address": "192.168.1.7/24", "gateway": "192.168.2.1"}}, "wifi.gateway: "),
            ({"mqtt": {"tls": True}}, "mqtt.ca: "), ({"mqtt": {"tls": True, "ca": " "}}, "mqtt.ca: ")):
        assert (refusal(check, document) or "").startswith(key), document
    check({"wifi": {"ssid": "a", "ssid2": "b", "address": "192.168.1.7/23", "gateway": "192.168.0.1"}})
    check({"wifi": {"address": "255.255.255.7/8", "gateway": "255.0.0.1"}})


def test_what_is_wrong_is_told_and_what_is_right_is_used():
    wrong = []
    whole = check({"wifi": {"ssid": "home", "password": "12345678", "colour": 1}, "mqtt": {"port": 0, "host": "broker"},
                   "tarif": {}, "time": 5}, wrong)
    assert whole["wifi"]["ssid"] == "home" and whole["wifi"]["password"] == "12345678"
    assert whole["mqtt"]["port"] == 1883 and whole["mqtt"]["host"] == "broker"
    assert whole["time"] == check({})["time"]
    assert sorted([text.split(":")[0] for text in wrong]) == ["mqtt.port", "tarif", "time", "wifi.colour"]
    assert "colour" not in whole["wifi"] and "tarif" not in whole


def test_every_wrong_value_is_told_once_and_leaves_settings_that_pass():
    for group, key, values in IMPOSSIBLE:
        for value in values:
            wrong = []
            whole = check({group: {key: value}}, wrong)
            assert len(wrong) == 1 and wrong[0].startswith(group + "." + key), (wrong, value)
            if group != "web":
                assert whole == check({}), (key, value)


def test_a_mistake_never_opens_a_door():
    for document in ({"web": []}, {"web": None}, [], None, "text"):
        whole = check(document, [])
        assert whole["web"]["private"] is True and whole["web"]["password"].startswith("pbkdf2:"), document
    assert check({"web": {"private": "no"}}, [])["web"]["private"] is True
    assert check({"web": {"password": "short"}}, [])["web"]["password"] == "short"
    assert check({"web": {"password": 1234}}, [])["web"]["password"] == "1234"
    assert check({"mqtt": {"tls": True, "ca": 5}}, [])["mqtt"]["tls"] is True
    write("{\"web\": {\"private\"")
    assert load(FILE, [])["web"]["private"] is True
    clean()


def test_a_part_changes_what_it_names_and_null_nothing():
    whole = check({"wifi": {"ssid": "home", "password": "12345678"}, "mqtt": {"host": "broker"}})
    made = merge(whole, {"wifi": {"password": None}, "mqtt": {"port": 8883, "password": "x"}, "web": {}})
    assert made["wifi"] == whole["wifi"] and made["mqtt"]["host"] == "broker"
    assert made["mqtt"]["port"] == 8883 and made["mqtt"]["password"] == "x"
    assert whole["mqtt"]["port"] == 1883
    assert merge(whole, {"wifi": {"password": ""}})["wifi"]["password"] == ""
    assert merge(whole, {}) == whole
    for part, key in (({"wifi": {"ssd": None}}, "wifi.ssd"), ({"wfi": {}}, "wfi"), ({"wifi": None}, "wifi"),
                      ({"mqtt": {"port": "1"}}, "mqtt.port"), ([], "the settings"), (None, "the settings")):
        assert (refusal(merge, whole, part) or "").startswith(key), part


def test_the_secrets_are_settings():
    schema = dict(settings.groups())
    for name in settings.SECRETS.split():
        group, _, key = name.partition(".")
        assert "" in [default for other, default, rule in schema[group] if other == key], name
    for group in schema:
        for key, _, _ in schema[group]:
            if "password" in key or key.endswith("key") or key == "token":
                assert group + "." + key in settings.SECRETS.split()


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


def test_a_file_holds_what_differs_from_the_defaults():
    clean()
    save(check({"mqtt": {"host": "broker", "port": 1883}}), FILE)
    with open(FILE) as file:
        assert json.load(file) == {"mqtt": {"host": "broker"}}
    save({}, FILE)
    assert load(FILE) == check({})
    clean()


def test_an_older_file_without_the_newer_settings_is_taken():
    write("{\"wifi\": {\"ssid\": \"home\", \"password\": \"12345678\", \"hostname\": \"wattport\"},"
          " \"web\": {\"port\": 8080}}")
    whole = load(FILE)
    assert whole["wifi"]["ssid2"] == "" and whole["web"]["private"] is False and whole["web"]["port"] == 8080
    clean()


def test_a_file_that_was_refused_is_kept_beside_the_new_one():
    for text in ("{\"wifi\": {\"ssid\": \"home\"}, \"newer\": {\"x\": 1}}", "wifi = home"):
        write(text)
        wrong = []
        load(FILE, wrong)
        keep(merge(current(FILE), {"mqtt": {"host": "broker"}}), FILE)
        assert len(wrong) == 1 and load(FILE)["mqtt"]["host"] == "broker"
        with open(FILE + ".wrong") as file:
            assert file.read() == text
    clean()


def test_a_mistake_that_was_there_before_stops_no_other_change():
    write("{\"mqtt\": {\"port\": 0, \"host\": \"broker\", \"tls\": true}, \"web\": {\"password\": 12345}}")
    made = merge(current(FILE), {"wifi": {"ssid": "home"}})
    assert made["wifi"]["ssid"] == "home" and made["mqtt"]["port"] == 1883 and made["mqtt"]["host"] == "broker"
    assert made["mqtt"]["tls"] is True and made["web"]["password"] == "12345"
    assert refusal(merge, current(FILE), {"mqtt": {"user": "me"}}).startswith("mqtt.")
    clean()


def test_what_is_current_is_the_file_with_the_defaults():
    clean()
    assert current(FILE) == check({})
    save({"mqtt": {"host": "broker"}, "meter": {"key": "00 " * 16}}, FILE)
    assert current(FILE) == load(FILE) and current(FILE)["meter"]["key"] == "00" * 16
    for text in ("[]", "wifi", "{\"wifi\": 5, \"newer\": {}}"):
        write(text)
        assert current(FILE) == check({}), text
    clean()


def test_a_file_that_is_no_json_is_refused_with_its_name():
    for text in ("", "{\"wifi\": {\"ssid\": \"x\"", "wifi", "{'a': 1}", "\x00\x00\x00"):
        write(text)
        assert FILE in (refusal(load, FILE) or ""), text
    write("{\"wifi\": {\"ssid\": 5}}")
    assert refusal(load, FILE).startswith("wifi.ssid:")
    clean()
