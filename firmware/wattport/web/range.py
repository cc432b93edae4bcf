# SPDX-License-Identifier: MIT
"""What is asked of /api/cost and /api/compare: contracts and a range. Loaded for that, then forgotten."""

from micropython import const

from wattport.modules import fetch, forget
from wattport.web.refused import Refused

_LONGEST_S = const(34560000)  # 400 days


def _range(app, args, months):
    """(start, end), whole half-hours."""
    zone, now = app.wall.zone, app.wall.utc()
    moment = fetch("wattport.web.moment", "read")
    if "to" in args:
        end = moment(zone, args["to"])
    elif now is None:
        raise Refused(400, "bad_request", "There is no clock yet: a range is needed.")
    else:
        end = now
    if "from" in args:
        start = moment(zone, args["from"])
    else:
        fields = fetch("wattport.civil", "fields")(end + zone.offset(end))
        month = fields[0] * 12 + fields[1] - months
        start = moment(zone, "%d-%02d-01" % (month // 12, month % 12 + 1))
    start, end = start - start % 1800, end - end % 1800
    if not 0 < end - start <= _LONGEST_S:
        raise Refused(400, "bad_request", "A range of at most 400 days is needed.")
    return start, end


def peaks(app):
    """({month: W}, {month: Wh}) of the capacity tariff that is set, as far as it is known."""
    found, excess = {}, {}
    window = getattr(app, "window", None)
    if window and window.state["month"]:
        state = window.state
        months = state["months"] + [state["month"], state.get("figure") or 0]
        for at in range(0, len(months), 2):
            found["%d-%02d" % (months[at] // 100, months[at] % 100)] = months[at + 1]
        if window.preset == "lu":  # of the months before only the peak is kept
            excess["%d-%02d" % (state["month"] // 100, state["month"] % 100)] = state["excess"] * window.seconds // 3600
    return found, excess


def wanted(web, request):
    """(names of contracts, the household's own first, None for what the settings make; start, end, by day), or
    Refused."""
    args, all_of_them = request.args, request.path == "/api/compare"
    step = args["step"] if "step" in args else "month"
    if step not in ("month", "day"):
        raise Refused(400, "bad_request", "The step is one of month, day.")
    start, end = _range(web.app, args, 13 if all_of_them else 1)
    from wattport.tariff import kept
    forget("wattport.tariff.kept")
    forget("wattport.tariff.terms")
    own = kept.current()
    names = [own] if own is not None or web.settings["tariff"] else []
    if all_of_them:
        names += [name for name in kept.names() if name != own]
    if not names:
        raise Refused(404, "no_contract", "No contract is kept, and no price is set.")
    return names, start, end, step == "day"
