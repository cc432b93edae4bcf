# SPDX-License-Identifier: MIT
"""Lets go of what we do not use of microdot: 8 of its 18 KB of heap. Imported once and forgotten.

Names are set to None: a deleted one keeps its slot, and with it the code. Its source stays as it is on PyPI.
"""

_UNUSED = (
    ("", "Microdot Response URLPattern AsyncBytesIO invoke_handler iscoroutine print_exception mro urlencode abort "
         "redirect send_file"),
    ("NoCaseDict", "__delitem__ update"),
    ("MultiDict", "get getlist"),
    ("Request", "body json form files stream after_request"),
    ("HTTPException", "__repr__"),
)


def trim(microdot):
    for owner, names in _UNUSED:
        owner = getattr(microdot, owner) if owner else microdot
        for name in names.split():
            setattr(owner, name, None)
