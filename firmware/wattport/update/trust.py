# SPDX-License-Identifier: MIT
"""The key that whoever takes a bundle, or looks at one, goes by. Loaded for that, then forgotten."""

from wattport.update import slots
from wattport.update.refusal import BundleError


def key():
    """The modulus, bytes; BundleError where there is none."""
    found = slots.trusted(slots.read())
    if not found:
        raise BundleError("no_key", "This dongle has no key to check an update with: it was flashed without one.")
    return found
