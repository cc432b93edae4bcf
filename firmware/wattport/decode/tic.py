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
_MOST_DIGITS = const(9)
_SPACE = const(32)
_SUMMER = const(69)  # E, "été"
_WINTER = const(72)  # H, "hiver"
_OPEN = const(0x0E)  # of the status: why the breaker is
_TARIFFS = const(10)


def _hash(text):
    """What stands for a label: an object for each label of each telegram would take 3 KB a telegram."""
    label = 0
    for byte in text:
        label = (label * 31 + byte) & 0xFFFFFF
    return label


def _names():
    """{what stands for a label without the number at its end: name of its value}. %d: of the phase, of the tariff."""
    names = {
        "ADCO": "meter_id", "ADSC": "meter_id", "DATE": "time", "MSG": "message", "STGE": "breaker",
        "ISOUSC": "fuse_ma", "PREF": "limiter_va", "PCOUP": "limiter_va",  # as subscribed; then where it cuts off
        "IINST": "current_l%d_ma", "IRMS": "current_l%d_ma", "URMS": "voltage_l%d_mv",
        "PAPP": "apparent_import_va", "SINSTS": "apparent_import_va", "SINSTI": "apparent_export_va",
        "CCASN": "average_import_w", "CCAIN": "average_export_w",
        "EAST": "import_wh", "EAIT": "export_wh", "EASF": "import_t%d_wh", "ERQ": "reactive", "BASE": "import_wh",
        "HCHC": "import_t1_wh", "HCHP": "import_t2_wh", "EJPHN": "import_t1_wh", "EJPHPM": "import_t2_wh",
        "BBRHCJB": "import_t1_wh", "BBRHPJB": "import_t2_wh", "BBRHCJW": "import_t3_wh", "BBRHPJW": "import_t4_wh",
        "BBRHCJR": "import_t5_wh", "BBRHPJR": "import_t6_wh", "PTEC": "period", "NTARF": "tariff"}
    return {_hash(label.encode()): names[label] for label in names}


def _digits(buf, at, stop):
    """The number buf[at:stop]; -1 when it is none."""
    if not 0 < stop - at <= _MOST_DIGITS:
        return -1
    value = 0
    while at < stop:
        digit = buf[at] - 48
        if not 0 <= digit <= 9:
            return -1
        value = value * 10 + digit
        at += 1
    return value


class TicDecoder:
    """Decodes one telegram after the other; each is complete in itself."""

    def __init__(self, zone):
        self._zone = zone
        self._names = _names()

    def decode(self, buf, start, end):
        """Reading of buf[start:end], groups from LF to CR. MeterError "malformed", or "unsupported" for a telegram
        without a value that is known."""
        reading = {}
        quadrants = 0
        at = start
        while at < end and buf[at] == _LF:
            stop = buf.find(b"\r", at, end)
            if stop < 0:
                break
            begin = at = at + 1
            label = number = 0
            while at < stop:
                byte = buf[at]
                if byte <= _SPACE:
                    break
                if 48 <= byte <= 57:
                    number = (number * 10 + byte - 48) & 0xFFF
                else:
                    label = (label * 31 + byte) & 0xFFFFFF
                at += 1
            name = self._names.get(label)
            if name:
                quadrants += name == "reactive"
                self._group(name, number, buf, begin, at, stop - 2, reading)
            at = stop + 1
        if quadrants and quadrants != 4:  # some are no sum
            reading.pop("reactive_import_varh", None)
            reading.pop("reactive_export_varh", None)
        if "import_wh" not in reading:
            total = -1
            for name in reading:
                if name.startswith("import_t"):
                    total = max(total, 0) + reading[name]
            if total >= 0:
                reading["import_wh"] = total
        for name in reading:
            if name not in ("time", "meter_id"):
                return reading
        raise MeterError("unsupported", "a telegram without a known value")

    def _group(self, name, number, buf, begin, label_end, stop, reading):
        """Put the value of a group into `reading`; its data end at `stop`."""
        at = label_end + 1
        tab = buf.find(b"\t", at, stop)
        if name == "time":
            time = self._time(buf, at, tab)
            if time:
                reading[name] = time
            return
        if tab >= 0:  # a stamp stands in front
            at = tab + 1
        if name == "meter_id":
            if 0 < stop - at and bytes(buf[at:stop]).isdigit():
                reading[name] = bytes(buf[at:stop]).decode()
            return
        if name == "message":
            if number == 1 and stop > at and not buf.startswith(b"PAS DE ", at) and max(buf[at:stop]) < 127:
                message = " ".join(bytes(buf[at:stop]).decode().split())
                if message:
                    reading[name] = message
            return
        if name == "period":
            if stop - at == 4:  # TH.. HC.. HP.. HN.. PM.., HCJB to HPJR
                reading["tariff"] = 1 + (buf[at + 1] in b"PM") + 2 * max(0, b"BWR".find(bytes(buf[at + 3:stop])))
            return
        if name == "breaker":
            try:
                reading[name] = 0 if int(bytes(buf[at:stop]), 16) & _OPEN else 1
            except ValueError:
                self._refuse(buf, begin, label_end)
            return
        value = _digits(buf, at, stop)
        if value < 0:
            self._refuse(buf, begin, label_end)
        if name == "import_t%d_wh" and not value and number > 1:
            return  # a tariff that is not in use
        if "%d" in name:
            number = number or 1
            if number > (_TARIFFS if name[0] == "i" else 3):
                return
            name = name % number
        elif name == "reactive":  # quadrants of IEC 62053-23: the first two are import
            name = "reactive_import_varh" if number <= 2 else "reactive_export_varh"
        elif number:
            if buf[label_end - 2] != 83 or number > 3 or name != "apparent_import_va":
                return  # what ends in a number else is another thing
            name = "apparent_import_l%d_va" % number
        if name.endswith("_ma") or name.endswith("_mv") or name == "limiter_va":  # in A, V, kVA
            value *= 1000
        elif name.endswith("_varh"):
            value += reading.get(name, 0)
        reading[name] = value

    def _refuse(self, buf, begin, end):
        raise MeterError("malformed", "%s is no number" % "".join([chr(buf[i]) for i in range(begin, end)]))

    def _time(self, buf, at, stop):
        """UTC seconds of "H240210121413", E in summer; None when the meter has lost its clock: e, h or a space."""
        if stop - at != 13 or buf[at] not in (_SUMMER, _WINTER):
            return None
        date, clock = _digits(buf, at + 1, at + 7), _digits(buf, at + 7, stop)
        if date < 0 or clock < 0:
            return None
        try:
            return self._zone.utc(2000 + date // 10000, date // 100 % 100, date % 100,
                                  clock // 10000, clock // 100 % 100, clock % 100, buf[at] == _SUMMER)
        except ValueError:
            return None
