# SPDX-License-Identifier: MIT
"""What of microdot goes onto the device."""

import importlib.util
from pathlib import Path

import pytest

from tools.prune import MICRODOT, prune

SOURCE = """import os
import re


def one():
    return re.compile('a')


def two():
    return os


class C:
    'doc'
    most = 3

    def a(self):
        return 1

    def b(self):
        return 2
"""


def test_what_is_kept_is_as_it_was_and_the_rest_is_gone():
    names = {}
    exec(prune(SOURCE, {"one": None, "C": ("b",)}), names)
    assert names["one"]().match("a") and names["C"]().b() == 2 and names["C"].most == 3
    assert "two" not in names and "os" not in names and not hasattr(names["C"], "a")


def test_a_definition_that_the_library_no_longer_has_is_an_error():
    with pytest.raises(ValueError, match="three"):
        prune(SOURCE, {"one": None, "three": None})


def test_the_pinned_microdot_has_all_that_is_kept():
    source = Path(importlib.util.find_spec("microdot").origin).with_name("microdot.py").read_text()
    names = {}
    exec(prune(source, MICRODOT), names)
    assert names["urldecode"]("a%20b") == "a b" and "Microdot" not in names
