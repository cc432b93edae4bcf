# SPDX-License-Identifier: MIT
"""What can be wrong with a telegram, by name.

`kind` is one of KINDS and is what counters, `/health` and `tools.decode` show; `detail` is one sentence for a person.
"""

KINDS = ("checksum", "truncated", "wrong_key", "no_key", "unsupported", "malformed")


class MeterError(Exception):
    """A telegram that cannot become a Reading."""

    kind = "malformed"

    def __init__(self, detail):
        super().__init__(detail)
        self.detail = detail


class ChecksumError(MeterError):
    kind = "checksum"


class TruncatedError(MeterError):
    kind = "truncated"


class WrongKeyError(MeterError):
    kind = "wrong_key"


class NoKeyError(MeterError):
    kind = "no_key"


class UnsupportedError(MeterError):
    kind = "unsupported"


class MalformedError(MeterError):
    kind = "malformed"
