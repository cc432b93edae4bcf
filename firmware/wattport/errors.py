# SPDX-License-Identifier: MIT
"""What can be wrong with a telegram, by name."""

KINDS = ("checksum", "truncated", "wrong_key", "no_key", "unsupported", "malformed")


class MeterError(Exception):
    """A telegram that cannot become a Reading. `kind` is one of KINDS and is what counters, /health and `tools.decode`
    show; `detail` is one sentence for a person. One class for all: each further one costs the heap 250 bytes."""

    def __init__(self, kind, detail):
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
