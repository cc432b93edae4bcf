# SPDX-License-Identifier: MIT
"""`tools.bundle push`: what it finds out before it asks a dongle, and what it says."""

import pytest

from host_tests.brokers import free_port
from host_tests.keys import small
from tools import delivery, push


def file_of(folder, data, name="a.wpb"):
    path = folder / name
    path.write_bytes(data)
    return path


def refused(*words):
    with pytest.raises(push.PushError) as caught:
        push.push(*words)
    return caught.value.kind, str(caught.value)


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
