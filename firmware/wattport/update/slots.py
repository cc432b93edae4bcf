# SPDX-License-Identifier: MIT
"""The two slots with the program, and the record that says which one runs. Stands alone: `boot.py` uses a copy of it.

A slot is a folder with a `manifest`, as it was signed, and the files that it names. It is sound when each of them has
the size and the SHA-256 that the manifest says. The record, slots.json, is written new and then renamed:

    slot      "a" or "b": the one that runs
    trial     the one that is tried out, if any; left: how many starts it still has; alive: what worked before it,
              see `trial`; successor: the key that is trusted from then on, base64
    crashes   starts in a row that ended in an exception or by the watchdog
    why       what undid the last trial, a word; detail: more of it; failed: its version
    key       the key that is trusted now, base64, where it is not the one of the file `key`
"""

import hashlib
import json
import os
from binascii import a2b_base64, hexlify

from micropython import const

RECORD = "slots.json"
STARTS = const(3)
_PIECE = const(256)  # what is left on the stack may stay in the heap for good


def read():
    """The record; what can't be is left out."""
    try:
        with open(RECORD) as file:
            record = json.load(file)
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict):
        record = {}
    if record.get("slot") not in ("a", "b"):
        record["slot"] = "a"
    if record.get("trial") == record["slot"] or record.get("trial") not in ("a", "b"):
        record.pop("trial", None)
    for name in ("left", "crashes"):
        if not isinstance(record.get(name), int):
            record[name] = 0
    return record


def write(record):
    """OSError when the flash is full or damaged; the old record stays then."""
    with open(RECORD + ".new", "w") as file:
        json.dump(record, file)
    os.rename(RECORD + ".new", RECORD)


def trusted(record):
    """The key that bundles are to be signed with, or b""."""
    try:
        if record.get("key"):
            return a2b_base64(record["key"])
        with open("key", "rb") as file:
            return file.read()
    except (OSError, ValueError, TypeError):
        return b""


def folder(slot):
    return "slot_" + slot


def other(slot):
    return "b" if slot == "a" else "a"


def manifest(slot):
    """What a slot's manifest says, or None; whether its files are so is not looked at."""
    try:
        with open(folder(slot) + "/manifest") as file:
            found = json.load(file)
        return found if found["files"] and found["version"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_sound(slot):
    """Whether all of it is there, to the byte."""
    found = manifest(slot)
    if not found:
        return False
    buf = bytearray(_PIECE)
    view = memoryview(buf)
    try:
        for name, size, digest in found["files"]:
            sha256 = hashlib.sha256()
            with open("%s/%s" % (folder(slot), name), "rb") as file:
                while size >= 0:
                    got = file.readinto(buf)
                    if not got:
                        break
                    sha256.update(view[:got])
                    size -= got
            if size or hexlify(sha256.digest()).decode() != digest:
                return False
    except (OSError, ValueError, TypeError):
        return False
    return True


def undo(record, why, detail=""):
    """End the trial, if there is one: what was there before goes on."""
    trial = record.pop("trial", None)
    if trial:
        record["failed"] = (manifest(trial) or {}).get("version", "")
    for name in ("left", "alive", "successor"):
        record.pop(name, None)
    record["why"] = why
    record["detail"] = detail


def choose(bitten=False):
    """The slot to start now, or None when neither can be; the record counts what is tried. bitten: it was the watchdog
    that ended the last one."""
    record = read()
    if bitten:
        if record.get("trial"):
            record["why"] = "hang"
        else:
            record["crashes"] += 1
            _keep(record)
    trial = record.get("trial")
    if trial:
        if record["left"] > 0 and is_sound(trial):
            record["left"] -= 1
            try:
                write(record)
                return trial
            except OSError:  # a trial that nothing counts would never end
                pass
        # the start before may have said already what is wrong with it
        undo(record, record.get("why") or ("start" if is_sound(trial) else "damaged"), record.get("detail", ""))
        _keep(record)
    slot = record["slot"]
    crashed = record["crashes"] >= STARTS
    if not crashed and is_sound(slot):
        return slot
    rest = (manifest(other(slot)) or {}).get("version")
    # one that has failed before is no way out, but better than one that is damaged
    if is_sound(other(slot)) and not (crashed and rest == record.get("failed")):
        record["failed"] = (manifest(slot) or {}).get("version", "")
        record.update({"slot": other(slot), "crashes": 0, "why": "start" if crashed else "damaged"})
        _keep(record)
        return record["slot"]
    if crashed and is_sound(slot):  # nothing better is there; a bad start may have had another reason
        record["crashes"] = 0
        _keep(record)
    return None


def _keep(record):
    try:
        write(record)
    except OSError:  # the same is found out again at the next start
        pass


def crashed(slot, detail):
    """A start of a slot ended badly: to be told before the restart."""
    record = read()
    if record.get("trial") == slot:
        record["why"], record["detail"] = "crash", detail
    else:
        record["crashes"] += 1
        record["detail"] = detail
    _keep(record)
