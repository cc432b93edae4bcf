# SPDX-License-Identifier: MIT
"""Prices of the market over MQTT: what is sent to …/prices/set, as `feed.put` takes it. Listened for where a contract
that is kept needs them. How it went is kept by the broker under …/prices: {"half_hours": how many have a price by it,
"until": UTC, where what was sent ends} or {"error": a word, "setting": the entry, "detail": a sentence}.

Loaded for that, then forgotten.
"""

import os

from wattport.modules import fetch, forget

_FOLDER = "contracts"  # what `kept` has; each import leaves names in the heap for ever
_NEEDLE = b'"spot_permille"'  # in a contract
_PIECE = 512


def _needed():
    """Some contract asks for the market's prices. By their texts: a contract as a document takes kilobytes."""
    try:
        names = os.listdir(_FOLDER)
    except OSError:
        return False
    for name in names:
        last = b""
        with open(_FOLDER + "/" + name, "rb") as file:
            while True:
                piece = file.read(_PIECE)
                if not piece:
                    break
                if _NEEDLE in last + piece:
                    return True
                last = piece[-len(_NEEDLE):]
    return False


def adopt(publisher):
    """To be called at the start, and when contracts have changed."""
    needed = _needed()
    if needed and "prices" not in publisher.takers:
        publisher.takers["prices"] = "wattport.tariff.order"
        publisher.listens = False
        publisher.look()
    elif not needed:
        publisher.takers.pop("prices", None)  # what comes until the next connection is left alone


def _put(payload, whole):
    """What is told of it."""
    if not whole:
        return {"error": "too_large", "setting": "",
                "detail": "the message is longer than 4096 bytes, or than the heap has room for"}
    try:
        document = fetch("wattport.web.document", "parse")(bytes(payload))
    except ValueError:
        return {"error": "json", "setting": "", "detail": "the message is no JSON object"}
    from wattport.tariff import feed
    forget("wattport.tariff.feed", "wattport.tariff.market")
    try:
        count = feed.put(document)
    except feed.PriceError as error:
        place, _, detail = str(error).partition(": ")
        return {"error": "setting", "setting": place, "detail": detail}
    except OSError as error:
        return {"error": "flash", "setting": "", "detail": "the prices could not be written: %s" % error}
    return {"half_hours": count, "until": document["start"] + document["step_s"] * len(document["micro"])}


def take(app, payload, retained, whole):
    """Told to the broker, and what is wrong to the log, too. An empty message is what removes a retained one."""
    if whole and not payload:
        return
    told = _put(payload, whole)
    if "error" in told:
        app.log.limited("prices", "warning", "prices over MQTT refused: %s" % (
            (told["setting"] + ": " if told["setting"] else "") + told["detail"]))
    app.publisher.keep("/prices", told)
