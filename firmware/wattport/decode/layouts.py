# SPDX-License-Identifier: MIT
"""What is irregular about makers' COSEM lists, as data.

list    the text that opens the list
has     an OBIS code C.D.E, a byte each, that only this variant of the list holds
model   how the meter's model (96.1.1) begins, where that decides
scales  C.D, a byte each, or D alone → factor from the number sent to our base unit; 1 when missing
names   C.D.E → name, where the code has no systematic one
clock   what a clock without deviation shows, see `cosem.time_of`

Kamstrup: "HAN interface, Norway" of the meter's maker: registers in 10 Wh, currents in 0.01 A, voltages in V, power
factors in 0.01; a clock that stays at standard time all year, without deviation. Swedish meters of type ...BN245 send
registers in Wh. The Danish list starts with the registers and names the meter by 0.0.1; its units are the same.
"""

_KAMSTRUP = {0x1F07: 10, 0x3307: 10, 0x4707: 10, 0x2007: 1000, 0x3407: 1000, 0x4807: 1000,
             0x0D07: 10, 0x2107: 10, 0x3507: 10, 0x4907: 10}
_WITH_REGISTERS = dict(_KAMSTRUP)
_WITH_REGISTERS[8] = 10
_IDENTITY = {0x000005: "meter_id", 0x000001: "meter_id", 0x600101: "meter_model"}


LAYOUTS = (
    {"list": "Kamstrup_V0001", "has": 0x000005, "model": "6841131BN245", "scales": _KAMSTRUP,
     "names": _IDENTITY, "clock": "standard"},
    {"list": "Kamstrup_V0001", "has": 0x000005, "model": "", "scales": _WITH_REGISTERS,
     "names": _IDENTITY, "clock": "standard"},
    {"list": "Kamstrup_V0001", "has": 0x000001, "model": "", "scales": _WITH_REGISTERS,
     "names": _IDENTITY, "clock": "standard"},
)


def find(items, codes):
    """The layout of a walked list, or None. `items` are its values, `codes` the OBIS codes that have a value."""
    texts = [item for item in items if isinstance(item, str)]
    if not texts:
        return None
    for layout in LAYOUTS:
        if layout["list"] == texts[0] and layout["has"] in codes:
            if any([text.startswith(layout["model"]) for text in texts]):
                return layout
    return None
