# SPDX-License-Identifier: MIT
"""A new MicroPython that is tried out: which one runs, and what becomes of it. Loaded while the record has one.

The chip does not tell whether what runs is on trial, so the record does: "micropython": {"from", "to": labels of
partitions, "version", "before": texts, "alive": what worked before, see `trial`; "successor": the key that is trusted
from then on, base64}. Functions here change the record; to write it is up to the caller.
"""

import esp32

_NO_ROLLBACK = -261  # the bootloader has none: there is nothing to be confirmed


def _runs(record, name):
    tried = record.get("micropython")
    return isinstance(tried, dict) and tried.get(name) == esp32.Partition(esp32.Partition.RUNNING).info()[4]


def pending(record):
    """Whether the new one runs, and is still to be confirmed."""
    return _runs(record, "to")


def confirm(record):
    """The new one stays. OSError when the flash does not take that; then it does not."""
    try:
        esp32.Partition.mark_app_valid_cancel_rollback()
    except OSError as error:
        if error.errno != _NO_ROLLBACK:
            raise
    tried = record.pop("micropython")
    if "successor" in tried:
        record["key"] = tried["successor"]
    for name in ("why", "detail", "failed"):
        record.pop(name, None)


def undone(record):
    """Whether the bootloader has gone back, or never switched: the record says so then."""
    if pending(record) or "micropython" not in record:
        return False
    back = _runs(record, "from")
    tried = record.pop("micropython")
    if not back:  # flashed anew, or nonsense
        return True
    told = record.get("why") or "start"
    record["failed"] = tried.get("version", "")
    record["detail"] = "MicroPython %s was tried (%s); %s runs on" % (tried.get("version"), told, tried.get("before"))
    record["why"] = "micropython"
    return True
