# SPDX-License-Identifier: MIT
"""The application without native code, as it runs on a Raspberry Pi of 64 bits."""

import subprocess

import pytest

from tools.compile import BYTECODE, compile_tree
from tools.paths import PROGRAMS, ROOT

CORE = ROOT / "host_tests" / "core"


@pytest.mark.parametrize("module", ["test_crypto", "test_frame"])
def test_the_core_gives_the_same_answers_without_native_code(module):
    environment = {"MICROPYPATH": "%s:%s:.frozen" % (CORE, compile_tree(BYTECODE))}
    done = subprocess.run([str(PROGRAMS / "micropython"), str(CORE / "run.py"), module], env=environment, cwd=CORE,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"failure": null' in done.stdout
    assert done.stdout.count('"failure": null') == done.stdout.count('"test"'), done.stdout
