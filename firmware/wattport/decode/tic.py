# SPDX-License-Identifier: MIT
"""Groups of France's TIC → Reading (Enedis-NOI-CPT_02E; NOI-CPT_54E, 5.3 and 6.2). They are checked already.

    ADCO 030622716812 =     HCHC 035318160 !      historique: label, data
    EAST<HT>003519703<HT>+  CCASN<HT>H240210120000<HT>00108<HT>0      standard: label, stamp or none, data

Registers are Wh. Power is apparent power only, VA: how many watts these are the meter does not say, so no power in W
comes out. CCASN, the mean of the last full half-hour, is in W.
Historique has a register a tariff and no total, Tempo six of them: their sum is `import_wh`, and so that nobody takes
a part for the whole, all of them are given, import_t1_wh to import_t6_wh: HC 1, HP 2; EJP's HN 1, PM 2; Tempo's blue
HC 1, HP 2, white 3, 4, red 5, 6. Standard numbers them itself, 1 to 10, and sends noughts for those not in use.
"""

from micropython import const

from wattport.errors import MeterError

_LF = const(10)
_LONGEST_NUMBER = const(9)
_SUMMER = const(69)  # E, "été"
_WINTER = const(72)  # H, "hiver"
_STAMP = const(13)
_SILENT = "PAS DE MESSAGE"
# label → name of the value; those that count phases without the phase
_NAMES = {
    "ISOUSC": "fuse_ma", "BASE": "import_wh", "PAPP": "apparent_import_va", "IINST": "current_l%d_ma",
    "EAST": "import_wh", "EAIT": "export_wh", "NTARF": "tariff",
    "PREF": "limiter_va", "PCOUP": "limiter_va",  # as subscribed; then what it cuts off at
    "SINSTS": "apparent_import_va", "SINSTI": "apparent_export_va", "CCASN": "average_import_w",
    "CCAIN": "average_export_w", "IRMS": "current_l%d_ma", "URMS": "voltage_l%d_mv",
}
_THOUSANDS = ("fuse_ma", "current_l%d_ma", "voltage_l%d_mv", "limiter_va")  # sent as A, V, kVA
# the quadrants of IEC 62053-23: the meter counts each, import and export are two of them each
_REACTIVE = ("reactive_import_varh", "reactive_export_varh")


def _number(label, text):
    if not text.isdigit() or len(text) > _LONGEST_NUMBER:
        raise MeterError("malformed", "%s is no number" % label)
    return int(text)


def _tariff(code):
    """Number of a tariff of historique: "TH..", "HC..", "HP..", "HN..", "PM..", "HCJB" to "HPJR"."""
    return 1 + (code[1:2] in ("P", "M")) + 2 * max(0, "BWR".find(code[3:4]))


class TicDecoder:
    """Decodes one telegram after the other; each is complete in itself."""

    def __init__(self, zone):
        self._zone = zone

    def decode(self, buf, start, end):
        """Reading of buf[start:end], groups from LF to CR. MeterError "malformed", or "unsupported" for a telegram
        without a value that is known."""
        reading = {}
        quadrants = {}
        at = start
        while at < end and buf[at] == _LF:
            stop = buf.find(b"\r", at, end)
            if stop < 0:
                break
            text = bytes(buf[at + 1:stop - 2])
            if not text or max(text) > 126:
                raise MeterError("malformed", "a group is no text")
            text = text.decode()
            label, separator, text = text.partition("\t")
            if not separator:
                label, _, text = label.partition(" ")
            stamp, separator, data = text.partition("\t")
            if not separator:
                stamp, data = "", text
            self._group(label, stamp, data.strip(), reading, quadrants)
            at = stop + 1
        if len(quadrants) == 4:
            for i in (0, 1):
                reading[_REACTIVE[i]] = quadrants["ERQ%d" % (1 + 2 * i)] + quadrants["ERQ%d" % (2 + 2 * i)]
        if "import_wh" not in reading:
            registers = [reading[name] for name in reading if name.startswith("import_t")]
            if registers:
                reading["import_wh"] = sum(registers)
        for name in reading:
            if name not in ("time", "meter_id"):
                return reading
        raise MeterError("unsupported", "a telegram without a known value")

    def _group(self, label, stamp, data, reading, quadrants):
        name = _NAMES.get(label)
        phase = 1
        if not name and label[-1:] in ("1", "2", "3"):
            name = _NAMES.get(label[:-1])
            phase = int(label[-1])
            if name and "%d" not in name:
                # power of a phase; what else ends in a number is none
                name = "apparent_import_l%d_va" if label.startswith("SINSTS") else None
        if name:
            value = _number(label, data)
            if name in _THOUSANDS:
                value *= 1000
            reading[name % phase if "%d" in name else name] = value
        elif label == "ADCO" or label == "ADSC":
            if data.isdigit():
                reading["meter_id"] = data
        elif label == "PTEC" and len(data) == 4:
            reading["tariff"] = _tariff(data)
        elif label[:3] in ("HCH", "EJP", "BBR"):
            reading["import_t%d_wh" % _tariff(label[2 if label[0] == "H" else 3:])] = _number(label, data)
        elif label.startswith("EASF"):
            number, value = _number(label, label[4:]), _number(label, data)
            if value or number == 1:
                reading["import_t%d_wh" % number] = value
        elif label in ("ERQ1", "ERQ2", "ERQ3", "ERQ4"):
            quadrants[label] = _number(label, data)
        elif label == "DATE":
            time = self._time(stamp)
            if time:
                reading["time"] = time
        elif label == "STGE":
            try:
                reading["breaker"] = 0 if int(data, 16) & 0x0E else 1  # why it is open
            except ValueError:
                raise MeterError("malformed", "STGE is no number")
        elif label == "MSG1":
            message = " ".join(data.split())
            if message and message != _SILENT:
                reading["message"] = message

    def _time(self, stamp):
        """UTC seconds of "H240210121413", E in summer; None when the meter has lost its clock: e, h or a space."""
        if len(stamp) != _STAMP or ord(stamp[0]) not in (_SUMMER, _WINTER) or not stamp[1:].isdigit():
            return None
        year, month, day, hour, minute, second = [int(stamp[i:i + 2]) for i in range(1, 13, 2)]
        try:
            return self._zone.utc(2000 + year, month, day, hour, minute, second, ord(stamp[0]) == _SUMMER)
        except ValueError:
            return None
