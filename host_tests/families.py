# SPDX-License-Identifier: MIT
"""The table of families in the README, from what the tests decode: `python -m host_tests.families` writes it."""

import io
import json

from host_tests.test_telegrams import WRONG_KINDS, decoded, sidecars
from tools import decoder, meters
from tools.paths import ROOT

START, END = "<!-- families, from host_tests/families.py -->\n", "<!-- end of families -->\n"
MAKERS = ("Aidon", "AMIS", "Easymeter", "eBZ", "DZG", "EMH", "EFR", "Elgama", "Fluvius", "Hildebrand", "Iskra", "Itron",
          "Kaifa", "Kamstrup", "Landis+Gyr", "Sagemcom", "Sanxing", "Wasion", "ZIV")
# what a reader wants to know of a family, besides the countries
WHAT = {
    "amis": "TD3511, M-Bus with AES-128-CBC, acknowledged",
    "dlms-gbt": "E450, general block transfer, encrypted or not",
    "dlms-hdlc": "HAN lists in HDLC frames, segmented too",
    "dlms-hdlc-encrypted": "the same, encrypted with one key or two",
    "dlms-llc": "lists without a frame, as gateways log them; `tools.decode` alone",
    "dlms-llc-encrypted": "the same, in an envelope",
    "dlms-mbus-encrypted": "wired M-Bus in one frame or several, encrypted",
    "dsmr-be": "P1: running quarter-hour, month peak, 13 months of peaks",
    "dsmr-hu": "P1: E.ON, MVM; a checksum of its own",
    "dsmr-lt": "P1: ESO, some 100 objects",
    "dsmr-lu-encrypted": "P1 text in an envelope",
    "dsmr-pl-encrypted": "P1: Stoen, encrypted lines behind the identification",
    "dsmr-se": "P1: registers, power, voltage, current of each phase",
    "dsmr2": "P1 without a checksum, gas on the next line",
    "dsmr4": "P1",
    "dsmr5": "P1",
    "iec62056-21": "optical heads, pushed or asked for",
    "sml": "optical heads, binary",
    "tic": "Télé-information client, historique and standard",
    "zcl-mqtt": "through a Glow device's MQTT",
    "pulse": "an LED or an S0 output",
}


# where no sidecar says it
HOME = {"dsmr-pl-encrypted": "Poland", "pulse": "UK"}


def simulated():
    """{family as decoded: [name for tools.meter, ...]}"""
    found = {}
    for name in meters.ALL:
        meter = meters.make(name, seed=1, start=1_760_000_000)
        data = b"".join(meter.next()[0] for _ in range(3))
        lines = []
        options = {"key": meter.state.key and meter.state.key.hex(),
                   "auth_key": meter.state.auth_key and meter.state.auth_key.hex()}
        decoder.decode_file(io.BytesIO(data), options, lines.append, lambda remark: None)
        families = {line["family"] for line in map(json.loads, lines) if "family" in line} or {name}
        for seen in families:
            found.setdefault(seen, []).append(name)
    return found


def table():
    """Markdown, a line a family."""
    countries, read, refused, makers = {}, {}, {}, {}
    for path, sidecar in sidecars():
        lines, _ = decoded("cpython")[str(path)]
        families = {line["family"] for line in lines if "family" in line}
        wanted = sidecar["expect"] == "error" or path.stem in WRONG_KINDS
        for family in families or {sidecar["family"]}:
            if family == "other":
                continue
            (refused if wanted else read).setdefault(family, []).append(path.stem)
            if sidecar.get("country", "n/a").isalpha():
                countries.setdefault(family, set()).add(sidecar["country"])
            makers.setdefault(family, set()).update(
                maker for maker in MAKERS if maker.lower() in sidecar["meter"].lower())
    machines = simulated()
    rows = ["| family | what it is | countries | real telegrams: read, refused | simulated |", "|---|---|---|---|---|"]
    for family in sorted(set(read) | set(machines)):
        what = "; ".join(filter(None, (WHAT[family], ", ".join(sorted(makers.get(family, ()))))))
        counts = "%d, %d" % (len(read.get(family, ())), len(refused.get(family, ())))
        rows.append("| `%s` | %s | %s | %s | %s |" % (
            family, what, ", ".join(sorted(countries.get(family, {HOME.get(family, "")}))),
            counts if family in read or family in refused else "none",
            ", ".join("`%s`" % name for name in machines.get(family, ()))))
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    text = readme.read_text()
    readme.write_text(text[:text.index(START) + len(START)] + table() + text[text.index(END):])
