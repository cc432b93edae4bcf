# SPDX-License-Identifier: MIT
"""Why an update is not taken. Alone, as who says no early needs nothing else of an update."""


class BundleError(Exception):
    """`kind` for programs, the text for people.

    Of a bundle: not_a_bundle, truncated, damaged, signature, unknown_key, no_key, name, chip, micropython, downgrade,
    too_large, flash_full, busy. Of the way to it: address, network, interrupted, failed.
    """

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind
