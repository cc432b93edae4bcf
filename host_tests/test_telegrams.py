# SPDX-License-Identifier: MIT
"""Every real telegram, decoded in every runtime, against what its sidecar expects."""

import functools
import json
import subprocess
import sys
import tempfile

import pytest

from tools import cpython

cpython.install()

from tools import decoder  # noqa: E402
from tools.compile import RUNTIMES, micropython  # noqa: E402
from tools.paths import ROOT, TELEGRAMS  # noqa: E402

# Where the sidecar is wrong: what is right, and why. None: the reading has no such field.
WRONG_READINGS = {
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
    # upstream keeps registers as 32-bit floats: the frame says 10955225, 10955402 and 10956207 times ten
    "dlms-hdlc-aidon-aidon-v0001-gh1119-1-amsreader": {"import_wh": 109552250},
    "dlms-hdlc-aidon-aidon-v0001-gh1119-2-amsreader": {"import_wh": 109554020},
    "dlms-hdlc-aidon-aidon-v0001-gh1119-4-amsreader": {"import_wh": 109562070},
    # upstream rounds currents to hundredths of an ampere; the list has milliamperes
    "dlms-hdlc-kaifa-ma105h2e-gh242-3-amsreader": {"current_l1_ma": 66},
    "dlms-hdlc-kaifa-ma304h3e-gh180-2-amsreader": {
        "current_l1_ma": 12056, "current_l2_ma": 5754, "current_l3_ma": 13412},
    "dlms-hdlc-kaifa-ma304h3e-gh493-1-amsreader": {
        "current_l1_ma": 7087, "current_l2_ma": 6896, "current_l3_ma": 4206},
    # list 1 is one number, the power; upstream's 0 W is the start value of a list that it does not know
    "dlms-hdlc-kaifa-ma304h3e-gh180-1-amsreader": {"power_import_w": 4117, "power_export_w": None},
    "dlms-hdlc-kaifa-ma304h3e-gh493-2-amsreader": {"power_import_w": 2277, "power_export_w": None},
    # the same start values: these lists hold registers, and Croatia's has a power of 499 and of 382 W
    "dlms-hdlc-iskraemeco-am550-gh615-2-amsreader": {
        "power_import_w": None, "power_export_w": None, "import_wh": 52837},
    "dlms-hdlc-iskraemeco-am550-gh615-4-amsreader": {
        "power_import_w": None, "power_export_w": None, "import_wh": 112355},
    "dlms-hdlc-iskraemeco-am550-gh956-2-amsreader": {
        "power_import_w": None, "power_export_w": None, "import_wh": 471547},
    "dlms-llc-iskraemeco-ie-5-td1-gh1072-3-amsreader": {"power_import_w": 499, "import_wh": 6844432},
    "dlms-llc-iskraemeco-ie-5-td1-gh1072-4-amsreader": {"power_import_w": 382, "import_wh": 7088218},
}
# What is no reading, whatever the sidecar expects: the error instead, and why.
WRONG_KINDS = {
    # half a telegram of DSMR 5, without end and checksum, whatever the values in it say
    "dsmr5-sagemcom-gh264-1-amsreader": "truncated",
    # the first of several segments
    "dlms-hdlc-iskraemeco-ie-5-td1-gh1072-1-amsreader": "truncated",
    # the second frame of two: nothing says that what is missing was encrypted
    "dlms-mbus-encrypted-kaifa-ma309mh4lat1-gh539-2-amsreader": "truncated",
    # a list of identities and counters of events without any quantity
    "dlms-llc-raw-energomera-dlms-parser": "unsupported",
    # sessions of a client with a server: association request and response, a piece of a longer answer
    "other-dlms-hdlc-session-frame-u9n-3": "unsupported",
    "other-dlms-hdlc-session-frame-u9n-4": "unsupported",
    "other-dlms-hdlc-session-frame-u9n": "truncated",
    # the state of a Glow device, which holds no meter's values
    "zcl-mqtt-glow-local-state-hildebrandglow-ha": "unsupported",
}
# What the sidecars call otherwise.
FAMILIES = {
    "other-dlms-hdlc-session-frame-u9n-6": "dlms-hdlc",  # a Swedish Kaifa's push
    "other-kaifa-ma309mh4lat1-gh539-3-amsreader": "dlms-llc-encrypted",
    "other-mbus-amis-siemens-td3511-mgerhard74": "amis",
    "other-tic-historique-base-simulated-string": "tic",
    "other-tic-historique-tempo-teleinfo-ruby": "tic",
    "dsmr4-iskraemeco-gh1037-1-amsreader": "dsmr2",  # Slovenian, without version and checksum
}


def sidecars():
    """[(path of the telegram, sidecar), ...]"""
    return [(path.with_suffix(".bin"), json.loads(path.read_text())) for path in sorted(TELEGRAMS.glob("*.json"))]


@functools.cache
def decoded(runtime):
    """{path: (lines, remarks)} of all telegrams, in one process of a runtime."""
    batch = [[str(path), {"key": sidecar.get("key"), "auth_key": sidecar.get("auth_key")}]
             for path, sidecar in sidecars()]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(batch, file)
        file.flush()
        options = json.dumps({"batch": file.name})
        if runtime == "cpython":
            command, environment = [sys.executable, "-c", "import sys; from tools import cpython; cpython.install(); "
                                    "from tools import decoder; decoder.main(%r, ())" % json.loads(options)], None
        else:
            command, environment = micropython(runtime, heap="2m")
            command = [*command, decoder.__file__, options]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stdout[-500:] + done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return {result["file"]: ([json.loads(line) for line in result["lines"]], result["remarks"]) for result in results}


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
@pytest.mark.parametrize("path, sidecar", [pytest.param(*case, id=case[0].stem) for case in sidecars()])
def test_a_real_telegram_gives_what_its_sidecar_expects(path, sidecar, runtime):
    lines, _ = decoded(runtime)[str(path)]
    readings = [line["reading"] for line in lines if "reading" in line]
    errors = [line["error"] for line in lines if "error" in line]
    families = {line["family"] for line in lines if "family" in line}
    assert lines
    assert families <= {FAMILIES.get(path.stem, sidecar["family"])}
    if path.stem in WRONG_KINDS:
        assert WRONG_KINDS[path.stem] in errors and not readings
    elif sidecar["expect"] == "reading":
        expected = dict(sidecar["reading"], **WRONG_READINGS.get(path.stem, {}))
        assert readings, lines
        assert any(not missing_from(reading, expected) for reading in readings), [
            missing_from(reading, expected) for reading in readings]
        assert not errors or len(readings) + len(errors) > 1
    elif sidecar["expect"] == "error":
        assert not readings
        assert sidecar.get("error", errors[0]) in errors, lines


@pytest.mark.skipif(not TELEGRAMS.is_dir(), reason="no real telegrams beside this checkout")
@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_all_runtimes_say_the_same(runtime):
    for path, _ in sidecars():
        assert decoded(runtime)[str(path)] == decoded("cpython")[str(path)], path.stem
