# SPDX-License-Identifier: MIT
"""The README's table of families is what the tests found."""

import pytest

from host_tests import families
from tools.paths import ROOT, TELEGRAMS


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
def test_the_readmes_table_of_families_is_what_the_tests_found():
    text = (ROOT / "README.md").read_text()
    shown = text[text.index(families.START) + len(families.START):text.index(families.END)]
    assert shown == families.table(), "run: python -m host_tests.families"
