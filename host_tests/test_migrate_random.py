# SPDX-License-Identifier: MIT
"""Dongles that are updated, go back, and are set in between, in any order: no version loses what it can say."""

import json
import os
import tempfile

import forms
import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from wattport import migrate, settings

FORMS = tuple(range(1, forms.LAST + 1))
# a thing to be set → what it is called in each form
NAMES = {
    "ssid": ["wifi.ssid"] * 4, "password": ["wifi.password"] * 4, "host": ["mqtt.host"] * 4,
    "closed": ["web.private"] * 4,
    "user": ["mqtt.user"] + ["mqtt.login"] * 3, "currency": ["tariff.currency"] + ["time.currency"] * 3,
    "name": ["web.name"] * 3 + ["wifi.name"], "ping": ["mqtt.keepalive_s"] * 4,
    "day": ["tariff.import_micro"] * 2 + ["tariff.day_micro"] * 2,
    "interval": ["mqtt.interval_s"] * 3 + ["mqtt.interval_ms"],
}
VALUES = {
    "ssid": st.sampled_from(["home", "other", "third"]), "password": st.sampled_from(["", "12345678", "geheim-geheim"]),
    "host": st.sampled_from(["", "broker", "10.0.0.1"]), "closed": st.booleans(),
    "user": st.sampled_from(["", "me", "you"]), "currency": st.sampled_from(["EUR", "NOK"]),
    "name": st.sampled_from(["", "a.b"]), "ping": st.sampled_from([5, 30, 60, 90]),
    "day": st.sampled_from([0, 5, 250000]), "interval": st.integers(0, 3600),
}
SETS = st.sampled_from(sorted(NAMES)).flatmap(lambda thing: st.tuples(st.just(thing), VALUES[thing]))
GOES = st.one_of(st.tuples(st.just("update"), st.sampled_from(FORMS)), st.just(("back", 0)))


class Dongle:
    """Has two slots, each with a version; of the settings it says what it finds."""

    def __init__(self, folder, number):
        self.path = os.path.join(folder, "settings.json")
        self.runs = self.other = number

    def update(self, number):
        forms.be(self.runs, self.other)
        migrate.hand_down(settings.read(self.path), number, self.runs, self.path)
        self.other, self.runs = self.runs, number

    def back(self):
        """The trial has failed, or the other slot was the better one: nobody was asked."""
        self.other, self.runs = self.runs, self.other

    def change(self, part):
        forms.be(self.runs, self.other)
        settings.keep(settings.merge(settings.current(self.path), part), self.path)

    def whole(self):
        forms.be(self.runs, self.other)
        wrong = []
        found = settings.load(self.path, wrong)
        assert not wrong, wrong
        return found

    def said(self):
        """{thing: what is said of it}"""
        whole = self.whole()
        found = {}
        for thing, names in NAMES.items():
            group, _, key = names[self.runs - 1].partition(".")
            value = whole[group][key]
            found[thing] = value // 1000 if key == "interval_ms" else value
        return found

    def set(self, thing, value):
        group, _, key = NAMES[thing][self.runs - 1].partition(".")
        self.change({group: {key: value * 1000 if key == "interval_ms" else value}})


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    forms.be(0)


@given(st.sampled_from(FORMS), st.lists(st.one_of(SETS, GOES), max_size=14))
@runs(max_examples=100, deadline=None)
def test_what_every_form_can_say_survives_every_way(first, steps):
    with tempfile.TemporaryDirectory() as folder:
        dongle = Dongle(folder, first)
        known = dongle.said()
        for what, value in steps:
            if what == "update":
                dongle.update(value)
            elif what == "back":
                dongle.back()
            else:
                dongle.set(what, value)
                known[what] = value
            assert dongle.said() == known, (what, value)


def possible(number):
    """A part of the settings of a form, any of it."""
    kinds = {"flag": lambda rest: st.booleans(), "whole": lambda rest: st.integers(int(rest[0]), int(rest[1])),
             "text": lambda rest: st.sampled_from(["", "x", "\u00e9"])}
    groups = {}
    for group, rows in forms.rows(number):
        keys = {key: kinds[rule.split()[0]](rule.split()[1:]) for key, default, rule in rows
                if rule.split()[0] in kinds and (group, key) != ("mqtt", "tls")}
        if keys:
            groups[group] = st.fixed_dictionaries({}, optional=keys)
    return st.fixed_dictionaries({}, optional=groups)


@given(st.data())
@runs(max_examples=100, deadline=None)
def test_who_goes_and_comes_back_finds_everything_and_what_was_changed_meanwhile(data):
    """Also what the other form has no words for."""
    here, there = data.draw(st.sampled_from([(one, other) for one in FORMS for other in FORMS if one != other]))
    with tempfile.TemporaryDirectory() as folder:
        dongle = Dongle(folder, here)
        dongle.change(data.draw(possible(here)))
        expected = dongle.whole()
        dongle.update(there)
        for thing, value in data.draw(st.lists(SETS, max_size=3)):
            before = dongle.said()[thing]
            dongle.set(thing, value)
            if value == before:
                continue
            group, _, key = NAMES[thing][here - 1].partition(".")
            expected[group][key] = value * 1000 if key == "interval_ms" else value
            if thing == "day" and here > 2 >= there:
                expected["tariff"]["night_micro"] = value
        if data.draw(st.booleans()):
            dongle.back()
        else:
            dongle.update(here)
        found = dongle.whole()
        for group in found:
            for key in found[group]:
                lossy = key in ("interval_ms", "night_micro", "day_micro")
                assert lossy or found[group][key] == expected[group][key], (group, key)


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                   lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2))
KEYS = st.sampled_from(sorted({name.partition(".")[2] for names in NAMES.values() for name in names}))
DOCUMENT = st.dictionaries(st.sampled_from(["wifi", "mqtt", "tariff", "web", "time", "schema", "x"]),
                           st.dictionaries(KEYS | st.text(max_size=4), ANY, max_size=3) | ANY, max_size=4)


@given(DOCUMENT | ANY, DOCUMENT, st.sampled_from(FORMS), st.sampled_from(FORMS))
@runs(max_examples=150, deadline=None)
def test_whatever_the_files_hold_a_version_starts_and_saves(document, beside, number, form):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "settings.json")
        for name, content in ((path, document), (migrate.beside(path, form), beside)):
            with open(name, "w") as file:
                json.dump(content, file)
        forms.be(number)
        whole = settings.load(path, [])
        assert {group: set(values) for group, values in whole.items()} == {
            group: {row[0] for row in rows} for group, rows in forms.rows(number)}
        settings.keep(settings.merge(settings.current(path), {"meter": {"baud": 9600}}), path)
        assert settings.load(path, [])["meter"]["baud"] == 9600
