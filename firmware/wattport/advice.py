# SPDX-License-Identifier: MIT
"""What the log says of telegrams that are no good, or not to be believed, and what helps. Loaded for a line of it."""

_HELP = {
    "no_key": "get the key from your grid company and set meter.key",
    "wrong_key": "check meter.key and meter.auth_key",
    "checksum": "check the wiring and the line settings",
}
_ODD = {
    "held": "the registers fell, or rose faster than meter.limit_w allows: held back until the next telegram",
    "swap": "the registers go on from other values: another meter, or one that was reset",
    "power": "a power above meter.limit_w was left out; set it higher if the connection allows more",
}


def error(error, size):
    """Of a MeterError; size: bytes of the frame."""
    text = "telegram of %d bytes: %s, %s" % (size, error.kind, error.detail)
    return text + "; " + _HELP[error.kind] if error.kind in _HELP else text


def odd(news):
    """Of what the guard found, see `plausible.Guard.news`."""
    return _ODD[news]
