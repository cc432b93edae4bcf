# SPDX-License-Identifier: MIT
"""GET /api/tariffs: the contracts that are kept, [{"name", "title", "currency", "from": [date or null, …]}], which of
them is the household's, and how many there may be; with ?name= that contract. POST does one thing:
{"put": {"name", "contract"}}, {"remove": name} or {"current": name or null}."""

import json

from wattport.modules import fetch, forget
from wattport.web.refused import Refused


def _forgotten():
    forget("wattport.tariff.keep", "wattport.tariff.kept", "wattport.tariff.terms")


def _listed(kept):
    """The answer in pieces: a dozen contracts of many versions are long."""
    yield '{"current": %s, "most": 12, "contracts": [' % json.dumps(kept.current())
    comma = ""
    for name in kept.names():
        try:
            document = kept.read(name)
            found = {"name": name, "title": document["name"], "currency": document["currency"],
                     "from": [version.get("from") for version in document["versions"]]}
        except (kept.TariffError, KeyError, TypeError, AttributeError):  # damaged
            continue
        document = None
        yield comma + json.dumps(found)
        comma = ", "
    yield "]}"


def get(web, request):
    from wattport.tariff import kept
    _forgotten()
    if "name" in request.args:
        try:
            return kept.read(request.args["name"])
        except kept.TariffError as error:
            raise Refused(404, "not_found", str(error).partition(": ")[2])
    return _listed(kept), 200, "Content-Type: application/json\r\n"


def post(web, request):
    from wattport.tariff import keep, kept
    wanted = request.document
    if len(wanted) != 1:
        raise Refused(422, "setting", "One of put, remove and current is needed.", setting="")
    try:
        if "put" in wanted:
            part = wanted["put"]
            if not isinstance(part, dict) or len(part) != 2 or "name" not in part or "contract" not in part:
                raise keep.TariffError("put: name and contract are needed")
            keep.put(part["name"], part["contract"])
        elif "remove" in wanted:
            keep.remove(wanted["remove"])
        elif "current" in wanted:
            keep.choose(wanted["current"])
        else:
            raise keep.TariffError("put: put, remove or current is needed")
    except keep.TariffError as error:
        place, colon, detail = str(error).partition(": ")
        raise Refused(422, "setting", detail or place, setting=place if colon else "")
    except OSError:
        raise Refused(500, "failed", "The contract could not be written; the old ones stay.")
    finally:
        _forgotten()
    if web.app.publisher:  # it may have to listen for prices now
        fetch("wattport.tariff.order", "adopt")(web.app.publisher)
    return {"current": kept.current(), "contracts": kept.names()}
