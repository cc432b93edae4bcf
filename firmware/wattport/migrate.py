# SPDX-License-Identifier: MIT
"""Settings from one form to another, so that they survive every update, and every way back. Loaded when the number in
a document ("schema", 1 when it has none) is not the program's own, `settings.SCHEMA`.

settings.json      in the form of the program that saved last
settings.N.json    beside it, for a program of form N to go back to, or forward: the settings in that form. The older
                   one, that of the program in the other slot, is written anew whenever the settings are saved; a
                   newer one is what the newer program left.

What one form cannot say comes back from that file: `across` takes from it whatever was not changed in between.
"""

import json
import os
import sys

from wattport.modules import fetch

# STEPS[n - 1] leads between form n and form n + 1: (up, down), functions that change a document in place. It is
# {group: {key: value}} with nothing but what differs from the defaults, and any value may be a wrong one. A default
# that changes is a step, too: what is left out means the default of the form.
STEPS = ()


def beside(path, number):
    """settings.json → settings.2.json"""
    name, _, ending = path.rpartition(".")
    return "%s.%d.%s" % (name, number, ending)


def _convert(document, since, to):
    """A copy of it in another form; None when that cannot be."""
    made = {group: dict(values) for group, values in document.items() if isinstance(values, dict)}
    try:
        while since < to:
            STEPS[since - 1][0](made)
            since += 1
        while since > to:
            since -= 1
            STEPS[since - 1][1](made)
    except Exception:  # a value that nobody thought of; what is left is taken for what it is
        return None
    made = {group: values for group, values in made.items() if values}
    for group, values in document.items():
        if not isinstance(values, dict) and group not in made:
            made[group] = values  # to be refused by its name
    return made


def _is_possible(number):
    return type(number) is int and 0 < number < 1000


def _groups(document):
    return {group: values for group, values in document.items() if isinstance(values, dict)}


def across(document, since, to, before=None):
    """A document in another form. before: what there was in that form, and what `document` was made of: its values
    stay, but for those that were changed since. None when it cannot be."""
    made = _convert(document, since, to)
    there = None if before is None else _convert(before, to, since)
    there = None if there is None else _convert(there, since, to)
    if made is None or there is None:
        return made
    kept, there, now = _groups(before), _groups(there), _groups(made)
    for group in set(kept) | set(there):
        was, turned, values = kept.get(group, {}), there.get(group, {}), now.get(group, {})
        for key in set(was) | set(turned):
            if (key in turned) == (key in values) and turned.get(key) == values.get(key):
                values.pop(key, None)
                if key in was:
                    values[key] = was[key]
        if values:
            made[group] = values
        elif group in now:
            del made[group]
    return made


def _parsed(path, number):
    """The document of a file in a certain form, or None."""
    try:
        with open(path) as file:
            document = json.load(file)
        return document if document.pop("schema", 1) == number else None
    except (OSError, ValueError, AttributeError, MemoryError, RuntimeError):
        return None


def _kept(path, number):
    return _parsed(beside(path, number), number) if path else None


def _older(path, number):
    """The newest form below a number that there is a file of, or 0."""
    while number > 1:
        number -= 1
        try:
            os.stat(beside(path, number))
            return number
        except OSError:
            pass
    return 0


def read(document, number, to, path, told):
    """What a document of form `number` says, in form `to`. path: where it is from, if it is from a file; told: what is
    to be told goes there. An impossible number goes back into it, to be refused by its name."""
    if not _is_possible(number):
        document["schema"] = number
        return document
    if number < to:
        made = document
        for one in range(number + 1, to + 1):
            kept = _kept(path, one)
            if made is not None and (kept is not None or one == to):
                made = across(made, number, one, kept)
                number = one
        if made is not None:
            return made
    else:
        for one in range(to, 0, -1):
            older = _kept(path, one)
            made = None if older is None else _convert(older, one, to)
            if made is not None:
                return made
    if told is not None:
        told.append("schema: these settings are of form %d, this version has %d; what it knows of them is used" % (
            number, to))
    return document


def _write(path, number, document):
    if number > 1:
        document["schema"] = number
    fetch("wattport.files", "replace")(path, document)


def other():
    """The form of the program in the other slot, which may be the next to start; 0 when there is none."""
    runs = getattr(sys.modules.get("slot"), "runs", None)
    manifest = fetch("wattport.update.slots", "manifest")("b" if runs == "a" else "a") if runs else None
    number = manifest.get("settings", 1) if manifest else 0
    return number if _is_possible(number) else 0


def _before(path, number, older):
    """What the file, of form `number`, and the one of an older form say in that form, or None."""
    if number == older:
        return _parsed(path, number)
    kept = _kept(path, older)
    if kept is None and number < older:
        kept = _parsed(path, number)
        return None if kept is None else _convert(kept, number, older)
    return kept


def save(document, number, to, path):
    """Write `document`, in form `to`, over the file, of form `number`. Before that, what a program of another form
    needs; after it, what has become part of the file can go."""
    document.pop("schema", None)
    number = number if _is_possible(number) else to
    if number > to:
        with open(path, "rb") as file:
            fetch("wattport.files", "replace")(beside(path, number), file.read())
    older = other()
    if not 0 < older < to:
        older = number if number < to else _older(path, to)
    if older:
        before = _before(path, number, older)
        made = across(document, to, older, before)
        made = before if made is None else made
        if made is not None:
            _write(beside(path, older), older, made)
    _write(path, to, document)
    for one in range(1, to + 1):
        if one != older:
            try:
                os.remove(beside(path, one))
            except OSError:
                pass


def hand_down(document, number, to, path):
    """Before a program of form `number` takes over from one of form `to`: let it find the settings of today. Raises
    OSError."""
    if type(number) is int and 0 < number < to:
        made = across(document or {}, to, number, _kept(path, number))
        if made is not None:
            _write(beside(path, number), number, made)
