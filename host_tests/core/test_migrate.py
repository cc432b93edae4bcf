# SPDX-License-Identifier: MIT
"""Settings over versions whose documents have other forms, in both directions (forms.py has the forms)."""

import json
import os

import forms

from wattport import migrate, settings

FILE = "/tmp/wattport-test-forms.json"


def beside(number):
    return migrate.beside(FILE, number)


def clean():
    forms.be(0)
    for name in [FILE, FILE + ".new", FILE + ".wrong"] + [beside(number) for number in range(9)]:
        try:
            os.remove(name)
        except OSError:
            pass


def written(path=FILE):
    try:
        with open(path) as file:
            return json.load(file)
    except OSError:
        return None


def write(document, path=FILE):
    with open(path, "w") as file:
        json.dump(document, file)


def change(part):
    settings.keep(settings.merge(settings.current(FILE), part), FILE)


def different(whole):
    found = settings.different(whole)
    assert found.pop("schema", 1) == settings.SCHEMA
    return found


def now():
    """What differs from the defaults, and nothing may be wrong with it."""
    wrong = []
    whole = settings.load(FILE, wrong)
    assert not wrong, wrong
    assert settings.current(FILE) == whole
    return different(whole)


def handed(number):
    migrate.hand_down(settings.read(FILE), number, settings.SCHEMA, FILE)


HOME = {"wifi": {"ssid": "home", "password": "12345678"}, "mqtt": {"host": "broker", "user": "me", "interval_s": 10},
        "tariff": {"currency": "NOK", "import_micro": 250000}, "meter": {"debounce_ms": 5}, "web": {"name": "a.b"}}


def test_this_version_has_a_step_for_each_form():
    assert len(migrate.STEPS) == settings.SCHEMA - 1
    for up, down in migrate.STEPS:
        document = {}
        up(document)
        down(document)


def test_the_first_form_has_no_number_and_the_others_have():
    clean()
    settings.save(HOME, FILE)
    assert written() == HOME and written(beside(1)) is None
    forms.be(2)
    change({"mqtt": {"clean": False}})
    assert written()["schema"] == 2 and written()["mqtt"]["login"] == "me"
    clean()


def test_an_older_file_is_read_in_the_new_form_and_stays_until_something_is_saved():
    clean()
    write(HOME)
    forms.be(2)
    found = now()
    assert found["mqtt"] == {"host": "broker", "login": "me", "interval_s": 10}
    assert found["time"] == {"currency": "NOK"} and found["tariff"] == {"import_micro": 250000}
    assert written() == HOME
    forms.be(4)
    found = now()
    assert found["mqtt"] == {"host": "broker", "login": "me", "interval_ms": 10000, "keepalive_s": 60}
    assert found["tariff"] == {"day_micro": 250000, "night_micro": 250000}
    assert found["wifi"] == {"ssid": "home", "password": "12345678", "name": "a.b"}
    assert written() == HOME and written(beside(1)) is None
    clean()


def test_a_new_version_that_is_undone_leaves_everything_as_it_was_and_as_it_was_changed():
    for number in (2, 3, 4):
        clean()
        write(HOME)
        forms.be(number)
        change({"wifi": {"password": "87654321"}})
        forms.be(0)
        assert now() == {group: dict(values, password="87654321") if group == "wifi" else values
                         for group, values in HOME.items()}, number
    clean()


def test_what_the_older_form_cannot_say_comes_back_with_the_newer_version():
    clean()
    write(HOME)
    forms.be(4)
    change({"tariff": {"night_micro": 90000}, "alert": {"topic": "x", "secret": "s"}, "mqtt": {"interval_ms": 10500},
            "meter": {"baud": 9600}})
    before = now()
    forms.be(1)
    assert now()["tariff"] == HOME["tariff"] and now()["meter"] == {"debounce_ms": 5, "baud": 9600}
    change({"mqtt": {"host": "other"}, "meter": {"debounce_ms": 6}})
    assert "schema" not in written() and written(beside(4))["alert"]["topic"] == "x"
    forms.be(4)
    before["mqtt"]["host"] = "other"
    assert now() == before
    change({"mqtt": {"host": "third"}})
    assert written(beside(4)) is None
    forms.be(1)
    assert now()["meter"]["debounce_ms"] == 6 and now()["mqtt"]["host"] == "third"
    clean()


def test_what_was_changed_or_emptied_in_between_stays_so():
    clean()
    write(HOME)
    forms.be(4)
    change({"tariff": {"night_micro": 90000}, "web": {"password": "old password"}})
    forms.be(1)
    change({"tariff": {"import_micro": 300000, "currency": "EUR"}, "web": {"password": "new password"},
            "wifi": {"password": ""}, "mqtt": {"interval_s": 0}})
    forms.be(4)
    found = now()
    assert found["tariff"] == {"day_micro": 300000, "night_micro": 300000} and "time" not in found
    assert found["web"] == {"password": "new password"} and found["wifi"] == {"ssid": "home", "name": "a.b"}
    assert "interval_ms" not in found["mqtt"]
    clean()


def test_a_version_to_come_is_gone_back_from_with_the_settings_of_today():
    clean()
    forms.be(4)
    settings.save({"wifi": {"ssid": "home"}, "mqtt": {"login": "me"}}, FILE)
    handed(4)
    handed(5)
    assert written(beside(4)) is None and written(beside(5)) is None
    handed(2)
    assert written(beside(2)) == {"wifi": {"ssid": "home"}, "mqtt": {"login": "me", "keepalive_s": 30}, "schema": 2}
    handed(1)
    forms.be(1)
    assert now() == {"wifi": {"ssid": "home"}, "mqtt": {"user": "me", "keepalive_s": 30}}
    clean()


def test_of_a_newer_file_without_an_older_one_beside_it_what_is_known_is_used():
    clean()
    write(dict(HOME, schema=7, later={"x": 1}))
    wrong = []
    whole = settings.load(FILE, wrong)
    assert different(whole) == HOME
    assert [text.split(":")[0] for text in wrong] == ["schema", "later"] and "form 7" in wrong[0]
    assert different(settings.current(FILE)) == HOME
    change({"mqtt": {"host": "other"}})
    assert written(beside(7)) == written(FILE + ".wrong") == dict(HOME, schema=7, later={"x": 1})
    assert now()["mqtt"]["host"] == "other" and now()["wifi"] == HOME["wifi"]
    clean()


def test_the_newest_form_that_is_known_is_taken():
    clean()
    write({"schema": 9, "wifi": {"ssid": "newest"}})
    write({"wifi": {"ssid": "oldest"}}, beside(1))
    forms.be(3)
    assert now()["wifi"]["ssid"] == "oldest"
    write({"schema": 2, "mqtt": {"login": "me"}}, beside(2))
    assert now() == {"mqtt": {"login": "me"}}
    write({"schema": 2, "mqtt": {"login": "somebody"}}, beside(3))  # not what its name says
    assert now() == {"mqtt": {"login": "me"}}
    clean()


def test_an_impossible_number_is_refused_by_its_name_and_the_rest_is_used():
    for number in (0, -1, 1000, "2", None, False, 1.5, []):
        clean()
        write(dict(HOME, schema=number))
        wrong = []
        assert different(settings.load(FILE, wrong)) == HOME
        assert [text.split(":")[0] for text in wrong] == ["schema"], number
        change({"mqtt": {"host": "other"}})
        assert written(FILE + ".wrong") == dict(HOME, schema=number)
    clean()


def test_a_step_that_fails_leaves_what_is_known():
    clean()
    write({"wifi": {"ssid": "home"}, "mqtt": {"interval_s": None, "host": "broker"}})
    forms.be(4)
    wrong = []
    whole = settings.load(FILE, wrong)
    assert whole["wifi"]["ssid"] == "home" and whole["mqtt"]["host"] == "broker"
    assert [text.split(":")[0] for text in wrong] == ["schema", "mqtt.interval_s"], wrong
    change({"wifi": {"ssid": "other"}})
    assert now()["wifi"]["ssid"] == "other"
    forms.be(1)
    assert now()["wifi"]["ssid"] == "other"
    clean()


def test_no_form_opens_a_door():
    for document in ({"web": []}, {"web": 5}, {"web": {"private": "no", "password": "short"}}, [], None):
        clean()
        write(document)
        forms.be(4)
        whole = settings.load(FILE, [])
        assert whole["web"]["private"] is True and whole["web"]["password"], document
        if isinstance(document, dict):
            document["schema"] = 4
        write(document)
        forms.be(1)
        whole = settings.load(FILE, [])
        assert whole["web"]["private"] is True and whole["web"]["password"], document
    clean()


def test_a_file_with_something_unknown_in_it_is_kept_as_it_was():
    clean()
    write({"wifi": {"ssid": "home", "colour": 1}})
    forms.be(3)
    change({"wifi": {"ssid": "other"}})
    assert written(FILE + ".wrong") == {"wifi": {"ssid": "home", "colour": 1}}
    assert written() == {"wifi": {"ssid": "other"}, "schema": 3}
    clean()


def test_one_way_back_is_kept_and_no_more():
    clean()
    write(HOME)
    for number in (2, 3, 4):
        forms.be(number)
        change({"mqtt": {"host": "h%d" % number}})
        assert [written(beside(other)) is not None for other in range(1, 5)] == [
            other == number - 1 for other in range(1, 5)]
    forms.be(3)
    change({"mqtt": {"host": "back"}})
    assert [written(beside(other)) is not None for other in range(1, 5)] == [False, False, False, True]
    assert now()["mqtt"]["host"] == "back"
    clean()


def test_the_older_form_follows_each_change():
    clean()
    write(HOME)
    forms.be(2)
    for host in ("one", "two", "three"):
        change({"mqtt": {"host": host}})
        assert written(beside(1)) == dict(HOME, mqtt=dict(HOME["mqtt"], host=host))
    clean()


def test_a_document_from_elsewhere_is_brought_to_the_form_of_now():
    clean()
    assert settings.adopt(dict(HOME)) == HOME
    forms.be(3)
    told = []
    assert settings.adopt(dict(HOME, schema=1), told)["tariff"] == {"day_micro": 250000, "night_micro": 250000}
    assert settings.adopt({"schema": 3, "wifi": {}}, told) == {"wifi": {}} and not told
    settings.adopt({"schema": 4}, told)
    assert told[0].startswith("schema: ")
    assert settings.adopt(None) is None and settings.adopt([]) == []
    clean()


def test_the_program_in_the_other_slot_says_which_older_form_is_kept():
    clean()
    forms.be(3)
    settings.save({"wifi": {"ssid": "home"}}, FILE)
    forms.be(4, 2)
    change({"mqtt": {"host": "one"}})
    assert [written(beside(number)) is not None for number in range(1, 5)] == [False, True, False, False]
    forms.be(2, 4)
    assert now() == {"wifi": {"ssid": "home"}, "mqtt": {"host": "one"}}
    forms.be(4, 4)
    change({"mqtt": {"host": "two"}})
    assert written(beside(2))["mqtt"]["host"] == "two"
    clean()
