# SPDX-License-Identifier: MIT
"""What the documents say is there."""

import re
import subprocess

from tools.paths import ROOT
from wattport import settings


def test_every_setting_is_in_the_table_and_nothing_else():
    text = (ROOT / "docs" / "settings.md").read_text()
    told = set(re.findall(r"`(\w+\.\w+)`", "\n".join(line for line in text.splitlines() if line.startswith("| `"))))
    there = {"%s.%s" % (group, key) for group, rows in settings.groups() for key, _, _ in rows}
    assert told == there


def test_every_default_in_the_table_is_the_default():
    text = (ROOT / "docs" / "settings.md").read_text()
    whole = settings.check({})
    for names, default in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", text, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", names):
            group, key = name.split(".")
            value = whole[group][key]
            shown = "empty" if value == "" else str(value).lower() if isinstance(value, bool) else str(value)
            assert default.strip("` ") == shown, name


def test_every_secret_is_told():
    text = (ROOT / "docs" / "settings.md").read_text()
    told = re.search(r"Secrets are (.*?):", text, re.DOTALL)[1]
    assert sorted(re.findall(r"`([^`]+)`", told)) == sorted(settings.SECRETS.split())


def test_links_between_documents_lead_somewhere():
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), "%s → %s" % (document.name, target)


def test_make_help_lists_every_target():
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "bench", "fuzz", "image", "flash", "lint", "clean", "help"):
        assert re.search(r"^  make %s " % target, text, re.MULTILINE), target


def test_the_licence_heads_every_source():
    for source in [*(ROOT / "firmware").rglob("*.py"), *(ROOT / "tools").rglob("*.py"),
                   *(ROOT / "host_tests").rglob("*.py"), *(ROOT / "boards").rglob("*.py")]:
        text = source.read_text()
        assert not text.strip() or text.startswith("# SPDX-License-Identifier: MIT\n"), source
