# SPDX-License-Identifier: MIT
"""CHANGELOG.md: its sections, and the one of the version that is about to be released."""

import re

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?[ \t]*$", re.MULTILINE)


class ChangelogError(Exception):
    """Why there can be no release of it; the text is for the person who makes one."""


def sections(text):
    """[(version, date or None, body), ...] in the order of the file."""
    found = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    return [(heading[1], heading[2], text[heading.end():end].strip()) for heading, end in zip(found, ends)]


def section(text, version):
    """(date, body) of the version, which has to be the newest one and to say something."""
    released = [entry for entry in sections(text) if entry[0] != UNRELEASED]
    if version not in [name for name, _, _ in released]:
        raise ChangelogError("CHANGELOG.md has no section [%s]: what is under [%s] needs the heading \"## [%s] - "
                             "YEAR-MONTH-DAY\" before a release" % (version, UNRELEASED, version))
    newest, date, body = released[0]
    if newest != version:
        raise ChangelogError("firmware/wattport/version.py says %s, and the newest section of CHANGELOG.md is [%s]: "
                             "one of them is wrong" % (version, newest))
    if not date:
        raise ChangelogError("the section [%s] of CHANGELOG.md has no date: \"## [%s] - YEAR-MONTH-DAY\""
                             % (version, version))
    if not body:
        raise ChangelogError("the section [%s] of CHANGELOG.md is empty" % version)
    return date, body


def is_pending(text):
    """Something is under [Unreleased]."""
    return any(name == UNRELEASED and body for name, _, body in sections(text))
