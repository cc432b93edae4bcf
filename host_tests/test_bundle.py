# SPDX-License-Identifier: MIT
"""Bundles: what is wrong with one is named, and the slot that runs stays as it is."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.keys import key, modulus, small
from tools import bundle, cpython, flashed, signing
from tools.compile import RUNTIMES, compile_tree, micropython
from tools.paths import ROOT

cpython.install()

from wattport.update import bundle as device  # noqa: E402
from wattport.update import folder, install, rsa, slots  # noqa: E402

RUNNING = {"version": "0.1.0", "chip": "x86", "cpu": "esp32", "micropython": "1.25.0"}


@pytest.fixture
def flash(tmp_path, monkeypatch):
    """A dongle's flash with something in slot a, as the working directory."""
    monkeypatch.chdir(tmp_path)
    files = {"program": b"what runs" * 100}
    for name, data in flashed.first_slot(files, "x86").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "key").write_bytes(modulus())
    return tmp_path


def installed(data, running=RUNNING, downgrade=False, runs="a", piece=512, number=None):
    """Feed a bundle; its manifest, or the kind of what is wrong with it."""
    number = number or slots.trusted(slots.read())
    one = install.Install(number, rsa.verify, running, {
        "application": lambda manifest, written: folder.Folder(manifest, runs, "meter", number)}, downgrade)
    try:
        for at in range(0, len(data), piece):
            one.feed(data[at:at + piece])
        for _ in one.finish():
            pass
    except device.BundleError as error:
        one.abort()
        assert str(error).endswith(".") and str(error)[0].isupper()
        return error.kind
    return one.manifest


def untouched(flash):
    return slots.is_sound("a") and slots.choose() == "a" and not (flash / "slot_b" / "manifest").exists()


def test_a_bundle_becomes_the_slot_that_the_next_start_tries(flash):
    files = {"program": os.urandom(9000) + b"x" * 9000, "table.jsonl": b"{}\n", "empty": b""}
    assert installed(small(files))["version"] == "9.9.9"
    for name, data in files.items():
        assert (flash / "slot_b" / name).read_bytes() == data
    record = slots.read()
    assert (record["slot"], record["trial"], record["left"], record["alive"]) == ("a", "b", 3, "meter")
    assert [slots.choose() for _ in range(5)] == ["b", "b", "b", "a", "a"]
    assert slots.read()["why"] == "start" and slots.read()["failed"] == "9.9.9"


@pytest.mark.parametrize("piece", [1, 7, 512])
def test_it_does_not_matter_in_which_pieces_it_comes(flash, piece):
    assert installed(small(), piece=piece)["version"] == "9.9.9"


@pytest.mark.parametrize("name, made, kind", [
    ("of another key", lambda: small(name="other"), "unknown_key"),
    ("of another chip", lambda: small(chip="rv32imc"), "chip"),
    ("of a kind that needs a partition", lambda: small(kind="micropython", chip="esp32", version="1.29.0"), "chip"),
    ("of an older version", lambda: small(version="0.0.9"), "downgrade"),
    ("for a newer MicroPython", lambda: small(micropython=["1.26", "1.29"]), "micropython"),
    ("for an older MicroPython", lambda: small(micropython=["1.20", "1.24"]), "micropython"),
    ("larger than a slot", lambda: small({"program": bytes(330000)}), "too_large"),
    ("with a way out of its folder", lambda: small({"../settings.json": b"{}"}), "name"),
    ("with a path", lambda: small({"a/b": b"{}"}), "name"),
    ("with an absolute path", lambda: small({"/main.py": b""}), "name"),
    ("with a name of nothing", lambda: small({"": b""}), "name"),
    ("with a hidden name", lambda: small({".": b""}), "name"),
    ("with a name of its manifest", lambda: small({"manifest": b"{}"}), "name"),
    ("with a name in capitals, which some file systems fold", lambda: small({"PROGRAM": b""}), "name"),
    ("with a long name", lambda: small({"x" * 33: b""}), "name"),
    ("of another product", lambda: changed_manifest(name="other"), "not_a_bundle"),
    ("of an unknown kind", lambda: changed_manifest(kind="bootloader"), "not_a_bundle"),
    ("with a version that is none", lambda: changed_manifest(version="newest"), "not_a_bundle"),
    ("without files", lambda: changed_manifest(files=[]), "not_a_bundle"),
    ("with a size that is none", lambda: changed_manifest(payload=[-1, "0" * 64]), "not_a_bundle"),
    ("with a text as its files", lambda: changed_manifest(files="program"), "not_a_bundle"),
    ("that is empty", lambda: b"", "truncated"),
    ("that is another file", lambda: b"PK\x03\x04" + bytes(3000), "not_a_bundle"),
    ("that is a page", lambda: b"<!doctype html>" * 200, "not_a_bundle"),
    ("that goes on", lambda: small() + b"x", "damaged"),
])
def test_a_bundle_is_refused_by_name_and_nothing_is_touched(flash, name, made, kind):
    assert installed(made()) == kind
    assert untouched(flash)


def changed_manifest(**changes):
    """Signed, but not as tools.bundle makes it."""
    _, line, _, payload = bundle.parts(small())
    line = json.dumps({**json.loads(line), **changes}).encode()
    return b"\n".join([bundle.MAGIC[:-1], line, base64.b64encode(signing.sign(key(), line)), payload])


def test_a_manifest_is_not_looked_at_before_its_signature_is_right(flash):
    chain, line, signature, payload = bundle.parts(small())
    known = b'{"key": "%s"}' % signing.key_id(modulus()).encode()
    for bad in (line.replace(b"9.9.9", b"9.9.8"), b"{" * 2000, line[:-1], known):
        assert installed(b"\n".join([bundle.MAGIC[:-1], bad, base64.b64encode(signature), payload])) == (
            "signature" if b"key" in bad else "unknown_key")
    assert untouched(flash)


def test_an_older_version_is_taken_when_it_is_asked_for(flash):
    assert installed(small(version="0.0.9"), downgrade=True)["version"] == "0.0.9"


def test_a_patch_of_the_highest_micropython_is_fine(flash):
    assert installed(small(), {**RUNNING, "micropython": "1.29.3"})["version"] == "9.9.9"
    assert installed(small(), {**RUNNING, "micropython": "1.30.0"}) == "micropython"


def test_every_byte_that_is_flipped_is_found(flash):
    """On CPython every byte; with the machine's own MicroPython, below, too."""
    good = small({"program": os.urandom(600) + bytes(5000)})
    kinds = set()
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << at % 8
        kind = installed(bytes(bad))
        assert isinstance(kind, str), at
        kinds.add(kind)
    assert untouched(flash)
    assert kinds <= {"not_a_bundle", "signature", "unknown_key", "damaged", "truncated"}, kinds


PROGRAM = '''
import gc
from wattport.update import bundle, folder, install, rsa, slots

RUNNING = {running}
key = open("key", "rb").read()
good = open("good", "rb").read()
counts = {{}}


def one(data):
    made = install.Install(key, rsa.verify, RUNNING, {{"application": lambda m, _: folder.Folder(m, "a", "", key)}})
    try:
        view = memoryview(data)
        for at in range(0, len(data), 512):
            made.feed(bytes(view[at:at + 512]))
        for _ in made.finish():
            pass
        return "taken"
    except bundle.BundleError as error:
        made.abort()
        return error.kind


data = bytearray(good)
for at in range(0, len(good), {step}):
    data[at] ^= 16
    kind = one(data)
    counts[kind] = counts.get(kind, 0) + 1
    data[at] ^= 16
for size in range(0, len(good), {step}):
    kind = one(data[:size])
    counts["cut " + kind] = counts.get("cut " + kind, 0) + 1
assert slots.choose() == "a"
print(counts, one(good), slots.choose())
'''


@pytest.mark.parametrize("runtime, step", [("micropython32", 3), ("micropython", 11)])
def test_flipped_and_cut_bundles_are_found_on_micropython_too(flash, runtime, step):
    (flash / "good").write_bytes(small({"program": os.urandom(2000) + bytes(9000)}))
    command, environment = micropython(runtime, heap="200k")
    done = subprocess.run(command + ["-c", PROGRAM.format(running=RUNNING, step=step)], env=environment, cwd=flash,
                          capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds, last, chosen = re.fullmatch(r"({.*}) (\w+) (\w)\n", done.stdout).groups()
    assert (last, chosen) == ("taken", "b") and "'taken'" not in kinds and "'cut taken'" not in kinds
    assert "'damaged'" in kinds and "'cut truncated'" in kinds


def test_blocks_that_are_exchanged_are_found(flash):
    """Parts of one bundle in another: the head of one, the payload of the other; two blocks the other way round."""
    one, other = small({"program": os.urandom(9000)}), small({"program": os.urandom(9000)})
    head = one[:-len(bundle.parts(one)[3])]
    assert installed(head + bundle.parts(other)[3]) == "damaged"
    payload = bundle.parts(one)[3]
    first = 2 + (int.from_bytes(payload[:2], "little") & 0x7FFF)
    assert installed(head + payload[first:2 * first] + payload[:first] + payload[2 * first:]) == "damaged"
    assert installed(small({"program": b"1" * 5000, "b": b"2" * 5000}).replace(b'"b"', b'"c"')) == "signature"
    assert untouched(flash)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000), st.booleans())
def test_any_bytes_behind_any_beginning_are_refused_with_a_name(data, with_magic):
    head = device.Head(rsa.verify, modulus())
    try:
        head.feed((bundle.MAGIC if with_magic else b"") + data)
        assert head.manifest is None
    except device.BundleError as error:
        assert error.kind in ("not_a_bundle", "damaged", "unknown_key", "signature")


def test_a_key_is_succeeded_by_the_one_that_it_signed_and_then_no_longer_trusted(flash):
    chain = [bundle.successor(key(), modulus("next"))]
    assert installed(small(name="next")) == "unknown_key"
    assert installed(small(name="next", chain=chain), runs="a")["version"] == "9.9.9"
    record = slots.read()
    assert base64.b64decode(record["successor"]) == modulus("next")
    assert slots.trusted(record) == modulus()  # not before it has proved itself
    record["key"] = record.pop("successor")
    record.pop("trial")
    slots.write(record)
    assert slots.trusted(slots.read()) == modulus("next")
    assert installed(small()) == "unknown_key"  # of the old key
    assert installed(small(name="next"))["version"] == "9.9.9"


def test_a_dongle_that_missed_two_keys_follows_the_chain_and_a_forged_link_leads_nowhere(flash):
    one, two = bundle.successor(key(), modulus("next")), bundle.successor(key("next"), modulus("third"))
    assert installed(small(name="third", chain=[one, two]))["version"] == "9.9.9"
    slots.write({"slot": "a"})
    forged = bundle.successor(key("other"), modulus("third"))
    for chain in ([two], [forged], [one, forged], [one.replace(b"KEY ", b"KEY  ")], [one] * 5):
        assert installed(small(name="third", chain=chain)) in ("unknown_key", "damaged"), chain
    # one that is further on already leaves out what was before
    assert installed(small(name="third", chain=[one, two]), number=modulus("next"))["version"] == "9.9.9"
    slots.write({"slot": "a"})
    assert installed(small(name="third", chain=[one, two]), number=modulus("third"))["version"] == "9.9.9"


def test_no_second_update_while_one_is_on_trial(flash):
    assert installed(small())["version"] == "9.9.9"
    before = (flash / "slot_b" / "program").read_bytes()
    assert installed(small({"program": b"another"})) == "busy"
    assert slots.read()["trial"] == "b" and (flash / "slot_b" / "program").read_bytes() == before
    assert slots.choose() == "b"


@pytest.mark.parametrize("name, digest, signature", [
    ("right", b"a", lambda good: good),
    ("of another text", b"b", lambda good: good),
    ("nothing", b"a", lambda good: b""),
    ("zeros", b"a", lambda good: bytes(384)),
    ("one", b"a", lambda good: bytes(383) + b"\1"),
    ("as large as the modulus", b"a", lambda good: modulus()),
    ("the same and the modulus", b"a", lambda good: (
        int.from_bytes(good, "big") + int.from_bytes(modulus(), "big")).to_bytes(385, "big")),
    ("its end", b"a", lambda good: good[1:]),
    ("the other way round", b"a", lambda good: good[::-1]),
])
def test_only_the_right_signature_is_right(name, digest, signature):
    good = signing.sign(key(), b"a")
    assert rsa.verify(modulus(), signature(good), hashlib.sha256(digest).digest()) == (name == "right")


def test_a_signature_of_another_padding_or_hash_is_wrong():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    plain = padding.PKCS1v15()
    for way, digest in ((pss, hashes.SHA256()), (plain, hashes.SHA1()), (plain, hashes.SHA512())):
        assert not rsa.verify(modulus(), key().sign(b"a", way, digest), hashlib.sha256(b"a").digest())


def test_openssl_verifies_a_bundle_with_what_a_shell_has(tmp_path):
    public = signing.make(tmp_path)[1]
    files = {"program": b"x" * 5000}
    data = bundle.make(flashed.manifest(files, "x86"), files, signing.private(tmp_path / "update.pem"))
    (tmp_path / "b.wpb").write_bytes(data)
    text = (ROOT / "docs" / "update.md").read_text()
    script = re.search(r"```sh\n(.*?openssl.*?)```", text, re.DOTALL)[1]
    for name in ("keys/update.pub.pem", "wattport.wpb"):
        assert name in script
    script = script.replace("keys/update.pub.pem", str(public)).replace("wattport.wpb", "b.wpb")
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Verified OK" in done.stdout, done.stdout + done.stderr
    (tmp_path / "b.wpb").write_bytes(data.replace(b"0.1.0", b"0.2.0"))
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True)
    assert "Verified OK" not in done.stdout


def run(*words, cwd):
    return subprocess.run([sys.executable, "-m", "tools.bundle", *map(str, words)], cwd=cwd, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_the_tool_makes_keys_once_and_signs_inspects_verifies_and_succeeds(tmp_path):
    keys = tmp_path / "keys"
    assert run("keys", keys, cwd=tmp_path).returncode == 0
    assert os.stat(keys / "update.pem").st_mode & 0o77 == 0
    again = run("keys", keys, cwd=tmp_path)
    assert again.returncode == 1 and "not overwritten" in again.stderr
    made = tmp_path / "w.wpb"
    done = run("make", "--chip", "xtensawin", "--key", keys / "update.pem", "--output", made, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(run("inspect", made, cwd=tmp_path).stdout)["chip"] == "xtensawin"
    assert "right: application" in run("verify", made, "--key", keys / "update.pub.pem", cwd=tmp_path).stdout
    signing.make(tmp_path / "new")
    done = run("succeed", tmp_path / "new/update.pub.pem", "--key", keys / "update.pem", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = bundle.chain_beside(tmp_path / "new/update.pem")
    one = bundle.make(flashed.manifest({"program": b"x"}, "x86"), {"program": b"x"},
                      signing.private(tmp_path / "new/update.pem"), lines)
    (tmp_path / "next.wpb").write_bytes(one)
    assert "right" in run("verify", tmp_path / "next.wpb", "--key", keys / "update.pub.pem", cwd=tmp_path).stdout
    bad = bytearray(made.read_bytes())
    bad[-1] ^= 1
    made.write_bytes(bad)
    done = run("verify", made, "--key", keys / "update.pub.pem", cwd=tmp_path)
    assert done.returncode == 1 and "not the one that was signed" in done.stderr
    public = keys / "update.pub.pem"
    for words, said in ((("inspect", tmp_path / "none"), "No such file"), (("make", "--key", public), "private"),
                        (("verify", public, "--key", public), "no bundle")):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_the_signing_key_may_come_from_the_environment(tmp_path, monkeypatch):
    path = signing.make(tmp_path)[0]
    monkeypatch.setenv(signing.VARIABLE, path.read_text())
    assert signing.modulus(signing.private()) == signing.public(path)
    monkeypatch.delenv(signing.VARIABLE)
    with pytest.raises(signing.KeyProblem, match="make keys"):
        signing.private()


def test_the_same_program_gives_the_same_bundle(tmp_path):
    assert small() == small()
    tree = compile_tree("x86")
    assert RUNTIMES["micropython32"][1] == "x86" and (tree / "wattport").is_dir()
