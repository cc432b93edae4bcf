# SPDX-License-Identifier: MIT
"""Whatever stands in a settings file or in a request: it is taken, or refused in words, and nothing in between."""

import json
import os
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import cpython, schema

cpython.install()

from wattport import settings as kept  # noqa: E402

SCHEMA = schema.schema()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
    | st.sampled_from(["0" * 32, "192.168.1.7/24", "10.0.0.1", "pbkdf2:1:00:" + "0" * 64, "ntp:1,b", "a.b", "EUR",
                       "UTC0", "-----BEGIN CERTIFICATE-----", "8N1", "auto"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=5)
KEYS = st.sampled_from(sorted({key for keys in SCHEMA.values() for key in keys})) | st.text(max_size=10)
GROUPS = st.dictionaries(st.sampled_from(sorted(SCHEMA)) | st.text(max_size=6),
                         st.dictionaries(KEYS, VALUES, max_size=4) | VALUES, max_size=4)


def right(entry):
    """Values of a setting that are possible, by what the settings page is told."""
    if entry["type"] == "flag":
        return st.booleans()
    if entry["type"] == "whole":
        return st.integers(entry["min"], entry["max"])
    if entry["type"] == "one":
        return st.sampled_from(entry["choices"])
    return st.just(entry["default"])


POSSIBLE = st.fixed_dictionaries({}, optional={
    group: st.fixed_dictionaries({}, optional={
        key: right(entry) for key, entry in keys.items() if (group, key) != ("mqtt", "tls")})
    for group, keys in SCHEMA.items()})


@given(GROUPS | VALUES)
@settings(max_examples=400)
def test_whatever_a_file_holds_the_settings_that_come_of_it_are_right(document):
    wrong = []
    whole = kept.check(document, wrong)
    assert {group: set(keys) for group, keys in whole.items()} == {group: set(keys) for group, keys in SCHEMA.items()}
    fine = {**whole, "web": {**whole["web"], "password": ""}}  # one that is too short to be set stays in use
    again = []
    assert kept.check(fine, again) == fine
    assert all(text.startswith(("mqtt.ca:", "wifi.ssid:", "wifi.gateway:")) for text in again)
    try:
        assert kept.check(document) == whole and not wrong
    except kept.SettingsError as error:
        assert str(error) == wrong[0]


@given(POSSIBLE)
def test_what_the_page_is_told_to_be_possible_is(document):
    whole = kept.check(document)
    for group, values in document.items():
        for key, value in values.items():
            assert whole[group][key] == value


@given(POSSIBLE, GROUPS)
@settings(max_examples=200)
def test_a_part_is_merged_whole_or_refused_by_name(document, part):
    whole = kept.check(document)
    before = json.dumps(whole, sort_keys=True)
    try:
        made = kept.merge(whole, part)
    except kept.SettingsError as error:
        name = str(error).partition(":")[0]
        assert any(name.startswith(group) for group in part), str(error)
    else:
        for group, values in part.items():
            for key, value in values.items():
                if value is None:
                    assert made[group][key] == whole[group][key]
    assert json.dumps(whole, sort_keys=True) == before


@given(POSSIBLE)
@settings(max_examples=50)
def test_what_is_kept_is_read_again(document):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "settings.json")
        whole = kept.check(document)
        kept.keep(whole, path)
        assert kept.load(path) == kept.current(path) == whole
        assert os.listdir(folder) == ["settings.json"]


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_file_of_no_settings_at_worst(data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "settings.json")
        with open(path, "wb") as file:
            file.write(data)
        wrong = []
        whole = kept.load(path, wrong)
        assert set(whole) == set(SCHEMA)
        kept.keep(kept.merge(kept.current(path), {"mqtt": {"host": "broker"}}), path)
        assert kept.load(path)["mqtt"]["host"] == "broker"
        if wrong:
            with open(path + ".wrong", "rb") as file:
                assert file.read() == data


def test_the_schema_says_of_every_setting_what_it_is():
    for group, keys in SCHEMA.items():
        for key, entry in keys.items():
            assert set(entry) <= {"type", "default", "min", "max", "choices", "secret"}, (group, key)
            if entry["type"] == "one":
                assert entry["default"] in entry["choices"]
            if entry["type"] == "whole":
                assert entry["min"] <= entry["default"] <= entry["max"]
    assert sum(entry.get("secret", False) for keys in SCHEMA.values() for entry in keys.values()) == 8
    with pytest.raises(KeyError):
        SCHEMA["access"]  # the access point's password is no setting: it cannot be read or changed from the network
