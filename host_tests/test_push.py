# SPDX-License-Identifier: MIT
"""`tools.bundle push` to the firmware as a chip has it, from slots."""

import pytest

from host_tests.brokers import eventually, free_port
from host_tests.firmware import Firmware
from host_tests.keys import modulus, small, whole
from host_tests.slots import QUICK, Slots
from host_tests.test_rollback import flip, record_of, staged
from tools import bundle, delivery, push
from wattport.version import VERSION

PASSWORD = "zonnepanelen op het dak"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(push, "LOOK_S", 0.2)


def newer(version="9.9.9"):
    """A bundle of this checkout's program that calls itself by a higher version, as a new one does."""
    return whole(("wattport.version", 'VERSION = "%s"\n' % version), version=version)


def file_of(folder, data, name="a.wpb"):
    path = folder / name
    path.write_bytes(data)
    return path


def refused(*words):
    with pytest.raises(push.PushError) as caught:
        push.push(*words)
    return caught.value.kind, str(caught.value)


def test_a_dongle_in_safe_mode_takes_a_bundle_at_once(tmp_path, monkeypatch, capsys):
    state = staged(tmp_path, monkeypatch, small())
    for slot in "ab":
        flip(state / ("slot_" + slot) / "program", 50)
    port = free_port()
    with Firmware(tmp_path, "file:/dev/null", {"web": {"port": port}, "time": {"server": ""}}, flash={"key": modulus()},
                  environment={**QUICK, "WATTPORT_SAFE_PORT": str(port)}) as dongle:
        dongle.wait_for_log("a page that takes a bundle")
        host = "127.0.0.1:%d" % port
        assert refused(host, file_of(tmp_path, small(name="other")))[0] == "unknown_key"
        monkeypatch.setattr(delivery, "DIST", tmp_path)
        file_of(tmp_path, small(chip="rv32imc", version="99.0"), "wattport-rv32imc-99.0.wpb")
        file_of(tmp_path, small(), "wattport-x86-9.9.8.wpb")
        newest = file_of(tmp_path, newer("9.9.10"), "wattport-x86-9.9.10.wpb")
        assert bundle.main(["push", host]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "%s: application 9.9.10 for x86, to %s, which runs its safe mode" % (newest, host)
    assert said[1].startswith("  1 %  4 of ") and "100 %" in said[-3]
    assert said[-1] == "9.9.10 runs, and has proved itself: it stays."


def test_who_is_not_there_or_has_no_name_is_unreachable(tmp_path):
    path = file_of(tmp_path, small())
    port = free_port()
    assert refused("127.0.0.1:%d" % port, path) == (
        "unreachable", "No dongle answers at 127.0.0.1:%d: Connection refused." % port)
    for host in ("", ":80", "a:b", "a:70000"):
        assert refused(host, path)[0] == "unreachable"


def test_a_file_that_is_no_bundle_never_gets_to_the_dongle(tmp_path, capsys):
    for data, kind in ((b"{}", "not_a_bundle"), (b"", "truncated"), (small()[:700], "truncated")):
        assert refused("127.0.0.1:1", file_of(tmp_path, data))[0] == kind
    assert refused("127.0.0.1:1", tmp_path / "none")[0] == "file"


def test_of_several_bundles_the_newest_one_for_the_chip_is_taken(tmp_path, monkeypatch):
    files = [file_of(tmp_path, small(chip=chip, version=version), "%s-%s" % (chip, version))
             for chip, version in (("x86", "0.9.0"), ("x86", "0.10.0"), ("rv32imc", "1.0.0"))]
    assert delivery.choose(files, "x86") == files[1] and delivery.choose(files, "rv32imc") == files[2]
    assert delivery.choose(files[:1], None) == files[0]
    for paths, chip, kind in ((files, "x64", "chip"), (files, None, "chip"), ([], "x86", "file"), ([], None, "file")):
        monkeypatch.setattr(delivery, "DIST", tmp_path / "empty")
        with pytest.raises(push.PushError) as caught:
            delivery.choose(paths, chip)
        assert caught.value.kind == kind


def test_each_way_an_update_can_end_is_told_in_words():
    whys = "crash", "hang", "start", "damaged", "wifi", "meter", "mqtt", "heap", "task", "micropython", ""
    said = [delivery.words({"version": "2.0", "state": "undone", "why": why}) for why in whys]
    assert all(text.startswith("2.0 was undone, the version before runs again: ") for text in said)
    assert len(set(said)) == len(whys) and not any(text.endswith(": %s." % why) for text, why in zip(said, whys))
    for state in ("confirmed", "trial", "silent", "safe"):
        assert delivery.words({"version": "2.0", "state": state}).startswith("2.0 ")


class House(Slots):
    """Its dashboard has a password."""

    def __init__(self, folder, meter, **groups):
        super().__init__(folder, meter, web={"password": PASSWORD}, **groups)


@pytest.fixture(scope="module")
def house(tmp_path_factory, meter):
    with House(tmp_path_factory.mktemp("push"), meter) as one:
        yield one


def test_what_is_not_for_a_dongle_is_refused_before_it_restarts(house, tmp_path):
    assert refused(house.host, file_of(tmp_path, small()), "guessed it")[0] == "login"
    assert refused(house.host, file_of(tmp_path, small())) == ("login", "The password is needed for this.")
    for manifest, kind in (({"chip": "rv32imc"}, "chip"), ({"version": "0.0.1"}, "downgrade")):
        assert refused(house.host, file_of(tmp_path, small(**manifest)), PASSWORD)[0] == kind
    assert house.firmware.starts == 1


def test_a_bundle_is_refused_another_one_undone_and_a_good_one_proves_itself(house, tmp_path, monkeypatch, capsys):
    assert refused(house.host, file_of(tmp_path, small(name="other")), PASSWORD)[0] == "unknown_key"
    eventually(lambda: len(house.firmware.logged("reading dsmr5")) == 2, "the meter after that")
    ended = push.push(house.host, file_of(tmp_path, small(version="9.9.8")), PASSWORD)
    assert ended == {"version": "9.9.8", "state": "undone", "why": "crash"}
    monkeypatch.setenv("WATTPORT_PASSWORD", PASSWORD)
    files = [str(file_of(tmp_path, small(chip="rv32imc"), "other.wpb")), str(file_of(tmp_path, newer()))]
    assert bundle.main(["push", house.host, *files]) == 0
    assert record_of(house.state)["slot"] == "b"
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "%s: application 9.9.9 for x86, to %s, which runs %s" % (files[1], house.host, VERSION)
    assert said[-1] == "9.9.9 runs, and has proved itself: it stays."
