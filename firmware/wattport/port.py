# SPDX-License-Identifier: MIT
"""Builds what reads the meter, from the settings: imported at the start, then forgotten."""

from binascii import unhexlify

import board

from wattport.modules import forget, load

# setting `source` → module, class; request: a meter in the port that is asked
_LINKS = "pulse wattport.link.pulse Pulse|glow wattport.link.glow Glow|request wattport.link.request Request"


def make_meter(app, protocol=None):
    """A `meter.Meter` by the settings, or for one protocol."""
    from wattport.meter import Meter
    settings = app.settings
    key, auth_key = [unhexlify(settings[name]) if settings[name] else None for name in ("key", "auth_key")]
    return Meter(app.reading, app.error, key, auth_key, app.zone, on_frame=app.on_frame,
                 protocol=protocol or settings["protocol"], profile=settings["profile"])


def renew(app):
    """A meter that knows every protocol and remembers nothing of the last one, but counts on."""
    meter = make_meter(app)
    meter.counters = app.meter.counters
    app.meter = app.health.meter = meter
    return meter


def _kept(settings):
    """The line as it was found at an earlier start, or None."""
    if settings["baud"]:
        return None
    from wattport.link import kept
    forget("wattport.link.kept")
    return kept.load()


def build(app, mqtt, client_id):
    """(meter, line, words for the log). With a British meter both are one object, and nothing of the port is imported.

    app: has `settings` (the group `meter`), `zone`, `on_frame`, `log`, `connected()`, `reading` and `error`, which the
    parts call, and `renew`. mqtt: the group of the settings, for a Glow device without a broker of its own.
    """
    settings = app.settings
    source = settings["source"]
    links = {line.split()[0]: line.split()[1:] for line in _LINKS.split("|")}
    if source in links:
        make = load(*links[source])
        if source[0] == "p":
            made = make(board, settings, app.reading, app.log)
        else:
            made = make(settings, mqtt, client_id, app.connected, app.reading, app.error, app.log)
        return made, made, source
    if settings["request_s"]:
        meter = make_meter(app)
        line = load(*links["request"])(board, settings, meter, app.log)
        return meter, line, "line " + line.text
    from wattport.link.uart import Line
    kept = _kept(settings)
    meter = make_meter(app, kept[3] if kept and settings["protocol"] == "auto" else None)
    line = Line(board, settings, meter, app.log, kept, app.renew)
    return meter, line, "line " + line.text + ("" if line.found else ", to be found out")
