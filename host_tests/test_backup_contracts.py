# SPDX-License-Identifier: MIT
"""Contracts in a backup: out of one dongle (32 bits, 136 KB) and into another, all of them or none."""

import json

import pytest

from host_tests.firmware import Wire
from host_tests.house import House
from tools import tariff

EXAMPLES = {path.stem: tariff.read(path) for path in tariff.EXAMPLES}
MINE, OTHER = EXAMPLES["be-flat"], EXAMPLES["no-spot"]


def large():
    """As large a contract as a dongle keeps."""
    versions = [{"from": "20%02d-%02d-01" % (year, month), "energy": {"micro": 250000 + year}, "tax": {"micro": 1}}
                for year in range(10, 15) for month in range(1, 13)]
    return {"tariff": 1, "name": "x" * 60, "currency": "EUR", "versions": versions}


FULL = {**{"large-%d" % i: large() for i in range(8)}, "be": MINE}


def kept(house):
    """{name: contract} and which is the household's, as they lie on the flash."""
    folder = house.state / "contracts"
    current = folder / "current"
    return ({path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")} if folder.exists() else {},
            current.read_text() if current.exists() else None)


def put(house, contracts, current=None):
    for name, document in contracts.items():
        house.json("/api/tariffs", {"put": {"name": name, "contract": document}})
    house.json("/api/tariffs", {"current": current})


def restore(house, backup):
    """As the settings page does it: one contract after the other, then the rest."""
    first = True
    documents = backup["contracts"]["documents"]
    for name in documents:
        house.json("/api/restore", {"contract": name, "document": documents[name], "first": first})
        first = False
    sent = {**backup, "contracts": {**backup["contracts"], "documents": dict.fromkeys(documents)}}
    return house.json("/api/restore", {"backup": sent})


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    with Wire() as wire, House(tmp_path_factory.mktemp("backup"), wire) as one:
        put(one, {"mine": MINE}, "mine")
        yield one


def document(house, contracts, current=None, **more):
    return {"wattport": 1, "settings": house.needed({}), "secrets": None,
            "contracts": {"current": current, "documents": contracts, **more}}


def test_a_full_dongle_gives_all_its_contracts_and_another_one_has_them_then(tmp_path):
    assert 3900 < len(json.dumps(large(), separators=(",", ":"))) <= 4096
    (tmp_path / "one").mkdir()
    with Wire() as wire, House(tmp_path / "one", wire) as one:
        put(one, {"be": MINE}, "be")
        for name, contract in FULL.items():  # writing them out takes the dongle some seconds each here
            (one.state / "contracts" / (name + ".json")).write_text(json.dumps(contract, separators=(",", ":")))
        backup = one.json("/api/backup", {})
        assert backup["contracts"] == {"current": "be", "documents": FULL}
        assert len(json.dumps(backup)) > 34000  # more than the heap has, once for the text and once for what it says
    with Wire() as wire, House(tmp_path, wire) as other:
        put(other, {"be": OTHER, "old": MINE}, "old")
        backup["settings"]["web"]["port"] = other.port
        assert restore(other, backup) == {"restart_s": 2}
        assert kept(other) == (FULL, "be") and not (other.state / "contracts.new").exists()
        other.restarted(2)
        assert other.json("/api/tariffs")["current"] == "be"
        # back to fewer, in one request, and none is the household's
        other.json("/api/restore", {"backup": document(other, {"mine": MINE})})
        assert kept(other) == ({"mine": MINE}, None)


def test_a_backup_of_before_contracts_leaves_them_alone(owner):
    starts = owner.firmware.starts
    owner.json("/api/restore", {"backup": {"wattport": 1, "settings": owner.needed({}), "secrets": None}})
    owner.restarted(starts + 1)
    assert kept(owner) == ({"mine": MINE}, "mine")


@pytest.mark.parametrize("contracts, setting, words", [
    ({"current": None, "documents": {"new": {**OTHER, "tariff": 2}}}, "backup", "newer Wattport: update"),
    ({"current": None, "documents": {"good": OTHER, "new": {**OTHER, "later": 5}}}, "contracts.new.later",
     "no such entry"),
    ({"current": None, "documents": {"new": {**OTHER, "versions": []}}}, "contracts.new.versions", "1 to 60"),
    ({"current": None, "documents": {"new": 5}}, "contracts.new", "JSON object"),
    ({"current": None, "documents": {"New": OTHER}}, "contracts.name", "small letters"),
    ({"current": None, "documents": {"new": None}}, "contracts.new", "not been sent"),
    ({"current": "mine", "documents": {"new": OTHER}}, "contracts.current", "no such contract"),
    ({"current": None}, "contracts.documents", "needed"), ({"documents": []}, "contracts.documents", "needed"),
    ([], "contracts.documents", "needed"), (5, "contracts.documents", "needed"),
    ({"documents": {"c%d" % i: {"tariff": 1, "name": "x", "currency": "EUR", "versions": [{"energy": {"micro": 1}}]}
                    for i in range(13)}}, None, "remove one"),
])
def test_contracts_that_are_wrong_are_refused_by_name_and_nothing_changes(owner, contracts, setting, words):
    before = kept(owner), (owner.state / "settings.json").read_bytes(), owner.firmware.starts
    backup = {"wattport": 1, "settings": {**owner.needed({}), "tariff": {"currency": "NOK"}}, "contracts": contracts}
    answer = owner.json("/api/restore", {"backup": backup}, 422)
    assert answer["error"] == "setting" and words in answer["detail"] and (
        setting in (None, answer["setting"])), answer
    assert (kept(owner), (owner.state / "settings.json").read_bytes(), owner.firmware.starts) == before


def test_a_wrong_setting_keeps_the_contracts_too_and_the_first_one_begins_anew(owner):
    owner.json("/api/restore", {"contract": "a", "document": OTHER, "first": True})
    wrong = document(owner, {"a": None})
    wrong["settings"]["mqtt"] = {"port": 0}
    assert owner.json("/api/restore", {"backup": wrong}, 422)["setting"] == "mqtt.port"
    assert kept(owner) == ({"mine": MINE}, "mine")
    assert owner.json("/api/restore", {"contract": "b", "document": {**OTHER, "tariff": 7}}, 422)["setting"] == "backup"
    owner.json("/api/restore", {"contract": "b", "document": MINE, "first": True})
    assert "not been sent" in owner.json("/api/restore", {"backup": document(owner, {"a": None})}, 422)["detail"]
    for name in ("../settings", "A", None, 5, ""):
        assert owner.json("/api/restore", {"contract": name, "document": OTHER}, 422)["setting"] == "contracts.name"
