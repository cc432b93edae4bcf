# SPDX-License-Identifier: MIT
"""Luxembourg: a P1 telegram sealed in one general-glo-ciphering frame (Smarty P1 1.1.3, clause 3.2.5)."""

from dataclasses import dataclass

from tools.meters import dlms
from tools.meters.dsmr import PHASE_POWER, POWER, VOLTAGE, WHOLE_AMPERES, counts, phases
from tools.meters.family import Line
from tools.meters.p1 import P1, ChildId, ChildType, ChildVolume, Count, Fixed, Message, MeterId, Number, Stamp


@dataclass(frozen=True)
class SealedP1(P1):
    def compose(self, household, state):
        plain, reading = super().compose(household, state)
        title = b"SAG" + state.serial.to_bytes(5, "big")
        return dlms.seal(plain, state.key, state.auth_key, title, state.counter), reading

    def spoil(self, telegram, chance):
        """What stands at the end here is the tag."""
        return telegram[:-1] + bytes((telegram[-1] ^ chance.randrange(1, 256),))

    def check_keys(self, key, auth_key):
        return key or self.default_key, auth_key or self.default_auth_key


def no_child(channel):
    """A channel that nobody ever used still says this."""
    return (Fixed("0-%d:24.1.0" % channel, "007"), Fixed("0-%d:96.1.0" % channel, ""),
            Fixed("0-%d:24.2.1" % channel, "632525252525S)(00000.000"), Fixed("0-%d:24.4.0" % channel, "1"))


LU = SealedP1(
    "lu", 10, Line(115200), zone="Europe/Luxembourg", ident="Lux5\\253600026_D",
    default_key=bytes.fromhex("0F1E2D3C4B5A69788796A5B4C3D2E1F0"),
    # the same in every meter of the country: Smarty P1 1.1.3, clause 3.2.5
    default_auth_key=bytes.fromhex("00112233445566778899AABBCCDDEEFF"),
    rows=(Fixed("1-3:0.2.8", "42"), Stamp("0-0:1.0.0"), MeterId("0-0:42.0.0", "lu"),
          Number("1-0:1.8.0", "import_wh", 6, 3, "kWh"), Number("1-0:2.8.0", "export_wh", 6, 3, "kWh"),
          Number("1-0:3.8.0", "reactive_import_varh", 6, 3, "kvarh"),
          Number("1-0:4.8.0", "reactive_export_varh", 6, 3, "kvarh"), *POWER,
          Number("1-0:3.7.0", "reactive_import_var", 2, 3, "kvar"),
          Number("1-0:4.7.0", "reactive_export_var", 2, 3, "kvar"), Fixed("0-0:17.0.0", "027.6*kVA"),
          Number("1-0:9.7.0", "apparent_import_va", 2, 3, "kVA"),
          Number("1-0:10.7.0", "apparent_export_va", 2, 3, "kVA"), Fixed("1-1:31.4.0", "040*A)(-040*A"),
          Fixed("0-0:96.3.10", "1", "breaker", 1), Fixed("0-1:96.3.10", "0"), Fixed("0-2:96.3.10", "0"),
          Count("0-0:96.7.21", "power_failures"), *counts(32, "sags"), *counts(36, "swells"),
          Message("0-0:96.13.0"), *(Fixed("0-0:96.13.%d" % n, "") for n in range(2, 6)), *VOLTAGE,
          *WHOLE_AMPERES, *PHASE_POWER, *phases(23, "reactive_import_%s_var", 2, 3, "kvar"),
          *phases(24, "reactive_export_%s_var", 2, 3, "kvar"), ChildType("0-1:24.1.0", 1, "003", "gas"),
          ChildId("0-1:96.1.0", 1, "lu_gas"), ChildVolume("0-1:24.2.1", 1, "gas_l"), Fixed("0-1:24.4.0", "0"),
          *no_child(2), *no_child(3)))
