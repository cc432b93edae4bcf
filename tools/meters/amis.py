# SPDX-License-Identifier: MIT
"""Siemens AMIS TD3511 (Netz OÖ): once a minute it asks for its reader, and each second it sends its records in a
wired M-Bus frame under AES-128-CBC (OMS security mode 5), as its operator's sheet says. A real one falls silent when
it is not answered with E5; this one does not wait."""

import datetime
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tools.meters.family import Family, Line

REQUEST = b"\x10\x40\xf0\x30\x16"
# start of the record (DIF, VIF), field
RECORDS = (
    ("0403", "import_wh"), ("04833c", "export_wh"), ("8410fb8273", "reactive_import_varh"),
    ("8410fb82f33c", "reactive_export_varh"), ("042b", "power_import_w"), ("04ab3c", "power_export_w"),
    ("04fb14", "reactive_import_var"), ("04fb943c", "reactive_export_var"))


def clock(local):
    """CP48, EN 13757-3 annex A type I."""
    year = local.year - 2000
    return bytes((local.second, local.minute, local.hour, local.day | (year & 7) << 5,
                  local.month | (year & 0x78) << 1, 0))


@dataclass(frozen=True)
class Amis(Family):
    def check_keys(self, key, auth_key):
        if auth_key:
            raise ValueError("%s telegrams take one key" % self.name)
        return key or self.default_key, None

    def compose(self, household, state):
        local = datetime.datetime.fromtimestamp(household.time, household.clock.zone)
        reading = {"meter_id": "%08d" % (state.serial % 10**8), "time": household.time}
        plain = b"\x2f\x2f\x06\x6d" + clock(local)
        for start, field in RECORDS:
            value = household[field]
            reading[field] = value
            plain += bytes.fromhex(start) + value.to_bytes(4, "little")
        plain += b"\x04\x83\xff\x04" + bytes(4)
        plain += b"\x2f" * (-len(plain) % 16)
        head = bytes.fromhex(reading["meter_id"])[::-1] + b"\x2d\x4c\x01\x0e" + bytes((state.counter & 0xFF, 0))
        iv = head[4:6] + head[:4] + head[6:8] + head[8:9] * 8
        cipher = Cipher(algorithms.AES(state.key), modes.CBC(iv)).encryptor()
        body = b"\x53\xf0\x5b" + head + bytes((len(plain) // 16 << 4, 5)) + cipher.update(plain)
        frame = bytes((0x68, len(body), len(body), 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))
        return (REQUEST if household.time % 60 == 0 else b"") + frame, reading

    def spoil(self, telegram, chance):
        return telegram[:-2] + bytes((telegram[-2] ^ chance.randrange(1, 256),)) + telegram[-1:]


AMIS = Amis("amis", 1, Line(9600, parity="E"), zone="Europe/Vienna",
            default_key=bytes.fromhex("1234567890ABCDEF1234567890ABCDEF"), counts=(3,))
