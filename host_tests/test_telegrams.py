# SPDX-License-Identifier: MIT
"""Real telegrams, decoded by `tools.decode` in every runtime, against what their sidecars expect."""

import json
import subprocess
import sys

import pytest

from tools.compile import RUNTIMES
from tools.paths import ROOT, TELEGRAMS

P1_FAMILIES = ("dsmr2", "dsmr4", "dsmr5", "dsmr-be", "dsmr-se", "dsmr-lu-encrypted", "dsmr-hu", "dsmr-lt",
               "iec62056-21")

# Where the sidecar is wrong, what is right, and why.
WRONG_EXPECTATIONS = {
    # 0.83 was taken for 83: P = 1083 W and Q = 718 var give 0.833
    "dlms-hdlc-encrypted-hdlc-kamstrup-omnipower-dlms-parser": {
        "power_factor_l1_milli": 310, "power_factor_l2_milli": 870, "power_factor_l3_milli": 850,
        "power_factor_milli": 830},
    # the upstream decoder carried a register over from another frame; this short list has none
    "dlms-hdlc-kamstrup-em001-2-amsreader": {"import_wh": None},
    "dlms-hdlc-kamstrup-kamstrup-v0001-6841131bn24310104-gh175-2-amsrea": {"import_wh": None},
    # the report that this frame comes from is about that very factor of 10: Swedish meters send Wh
    "dlms-hdlc-kamstrup-6841131bn245101092-gh239-2-amsreader": {"import_wh": 32014158},
    # the sidecar has the line's own sign; one signed power is split into import and export here, as with 16.7.0
    "iec62056-21-easymeter-q3d-aeroid-pv": {
        "power_import_w": 0, "power_export_w": 235, "power_import_l1_w": 0, "power_export_l1_w": 1569},
}
# A DSMR 5 telegram that was posted without its end: half a telegram, whatever the values in it say.
HALF = ("dsmr5-sagemcom-gh264-1-amsreader",)


def in_scope(sidecar):
    return sidecar["family"] in (*P1_FAMILIES, "sml") or (
        sidecar["family"].startswith("dlms-hdlc") and "kamstrup" in (sidecar["meter"] + sidecar["source"]).lower())


def cases():
    for path in sorted(TELEGRAMS.glob("*.json")) if TELEGRAMS.is_dir() else ():
        sidecar = json.loads(path.read_text())
        if in_scope(sidecar):
            yield pytest.param(path.with_suffix(".bin"), sidecar, id=path.stem)


def decode(path, sidecar, runtime):
    command = [sys.executable, "-m", "tools.decode", "--runtime", runtime, str(path)]
    for option, name in (("--key", "key"), ("--auth-key", "auth_key")):
        if sidecar.get(name):
            command += [option, sidecar[name]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def missing_from(reading, expected):
    """The expected fields that a reading does not hold, with what it holds instead."""
    wrong = {}
    for name, value in expected.items():
        if name == "devices":
            for channel, fields in value.items():
                device = reading.get("devices", {}).get(channel, {})
                wrong.update({(channel, key): device.get(key) for key, number in fields.items()
                              if abs((device.get(key) or 0) - number) > 1 or device.get(key) is None})
        elif value is None:
            if name in reading:
                wrong[name] = reading[name]
        elif isinstance(value, int):
            if not isinstance(reading.get(name), int) or abs(reading[name] - value) > 1:
                wrong[name] = reading.get(name)
        elif reading.get(name) != value:
            wrong[name] = reading.get(name)
    return wrong


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
@pytest.mark.parametrize("runtime", ["cpython", *RUNTIMES])
@pytest.mark.parametrize("path, sidecar", list(cases()))
def test_a_real_telegram_gives_what_its_sidecar_expects(path, sidecar, runtime):
    status, lines, stderr = decode(path, sidecar, runtime)
    readings = [line["reading"] for line in lines if "reading" in line]
    errors = [line["error"] for line in lines if "error" in line]
    assert status == (1 if errors else 0), stderr
    assert lines, stderr
    if path.stem in HALF:
        assert errors == ["truncated"] and not readings
    elif sidecar["expect"] == "reading":
        expected = dict(sidecar["reading"], **WRONG_EXPECTATIONS.get(path.stem, {}))
        assert readings, lines
        assert any(not missing_from(reading, expected) for reading in readings), [
            missing_from(reading, expected) for reading in readings]
    elif sidecar["expect"] == "error":
        assert not readings
        if sidecar.get("error"):
            assert sidecar["error"] in errors, lines
