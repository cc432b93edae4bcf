# SPDX-License-Identifier: MIT
"""The settings: one JSON document, its schema and defaults, and how it is kept.

`check`, `merge`, `load` and `save` refuse an unknown key or an impossible value with SettingsError, whose text begins
with the key; what is possible stands in `rules`, which is loaded for that and forgotten. A file holds what differs from
the defaults; it is written new, then renamed, so a power cut leaves the old one or the new one. What another version
has written, in another form, is read by `migrate`. Imported when settings are needed, then forgotten: they are not kept
in RAM.
"""

import json

from wattport.modules import fetch

PATH = "settings.json"
SCHEMA = 1  # the form of the document; another one takes a step in `migrate`. A new setting alone is no other form
SECRETS = ("wifi.password wifi.password2 meter.key meter.auth_key meter.glow_password mqtt.password web.password "
           "web.token")

# A text for each group: its name, then lines of key, default (JSON) and rule. Names that stand alone would stay in the
# heap for ever, needed or not; these go with the module.
_GROUPS = (
    """wifi
ssid "" bytes 32
password "" wpa
ssid2 "" bytes 32
password2 "" wpa
hostname "wattport" label 32
address "" net
gateway "" ip
dns "" ip""",
    """meter
baud 0 one 0,300,600,1200,2400,4800,9600,19200,38400,57600,115200
format "8N1" one 8N1,8E1,7E1
invert true flag
protocol "auto" one auto,P1,HDLC,encrypted,M-Bus,SML,TIC
request_s 0 whole 0 86400
key "" key
auth_key "" key
profile {} profile
limit_w 80000 whole 0 10000000
source "port" one port,pulse,glow
pulses_per_kwh 1000 whole 1 100000
start_wh 0 whole 0 99999999999
debounce_ms 60 whole 0 1000
pulse_edge "falling" one falling,rising
pulse_export false flag
glow_host "" host
glow_port 1883 whole 1 65535
glow_user "" text 128
glow_password "" text 128
glow_topic "glow/+/SENSOR/+" text 128""",
    """mqtt
host "" host
port 1883 whole 1 65535
user "" text 128
password "" text 128
tls false flag
ca "" pem 3000
base "" topic 64
client_id "" text 64
interval_s 0 whole 0 3600
qos 0 one 0,1
keepalive_s 60 whole 5 3600
raw false flag
retain false flag
discovery true flag
discovery_prefix "homeassistant" topic 64""",
    """web
port 80 whole 0 65535
password "" password 128
token "" token
private false flag
name "" host""",
    """time
zone "CET-1CEST,M3.5.0,M10.5.0/3" zone
server "pool.ntp.org" hosts 253
source "auto" one auto,ntp,meter""",
    """tariff
currency "EUR" currency
import_micro 0 whole -1000000000 1000000000
export_micro 0 whole -1000000000 1000000000
standing_micro 0 whole 0 1000000000""",
    """history
enabled true flag""",
    """update
url "" url 512
interval_h 0 whole 0 8760
auto false flag
ca "" pem 3000""",
    """alert
on false flag
voltage_low_mv 207000 whole 0 1000000
voltage_high_mv 253000 whole 0 1000000
power_w 0 whole 0 10000000
reverse false flag
silent_s 120 whole 0 86400
tariff false flag
peak_preset "" one ,be,no,se,lu
peak_limit_w 0 whole 0 10000000""",
)


class SettingsError(Exception):
    """What is wrong, with the key's name: "mqtt.port: a whole number from 1 to 65535"."""


def groups():
    """(group, [(key, default, rule), ...]) of each; a rule is words: its name, then limits or choices."""
    for text in _GROUPS:
        name, *lines = text.split("\n")
        rows = []
        for line in lines:
            key, default, rule = line.split(" ", 2)
            rows.append((key, json.loads(default), rule))
        yield name, rows


def check(document, wrong=None):
    """The whole settings: what `document` says, and the defaults for what it leaves out.

    With a list `wrong` nothing is raised: what is wrong goes there, and what is right is used all the same; a mistake
    in one group must not take the dongle off the network. It never opens a door: what was to protect still does.
    """
    found = [] if wrong is None else wrong
    whole = fetch("wattport.rules", "check")(document, groups(), found)
    if wrong is None and found:
        raise SettingsError(found[0])
    return whole


def merge(whole, part):
    """`whole` with what `part` changes, checked. null: as it was. Raises SettingsError for what is wrong in the groups
    of `part`; a mistake that stood elsewhere already gives way to the default."""
    if not isinstance(part, dict):
        raise SettingsError("the settings are no JSON object")
    made = {group: dict(values) for group, values in whole.items()}
    for group, values in part.items():
        into = made.setdefault(group, {})
        if not isinstance(values, dict):
            made[group] = values
            continue
        for key, value in values.items():
            if value is not None or key not in into:
                into[key] = value
    wrong = []
    whole = check(made, wrong)
    for text in wrong:
        if text.partition(":")[0].partition(".")[0] in part:
            raise SettingsError(text)
    return whole


def _written(path):
    """The file's document as it is; {} when there is none, None when it is no JSON."""
    try:
        with open(path) as file:
            return json.load(file)
    except OSError:
        return {}
    except (ValueError, MemoryError, RuntimeError):  # too large, or nested too deep, is none of ours either
        return None


def adopt(document, told=None, path=None):
    """A document of any form in ours, unchecked. told: a list for what there is to be said about that; path: the file
    that it is from, if it is from the dongle itself."""
    number = document.pop("schema", 1) if isinstance(document, dict) else SCHEMA
    if number != SCHEMA:
        return fetch("wattport.migrate", "read")(document, number, SCHEMA, path, told)
    return document


def read(path=PATH, told=None):
    """The file's document in our form, unchecked; {} when there is none, None when it is no JSON."""
    return adopt(_written(path), told, path)


def current(path=PATH):
    """The whole settings as the file has them, not checked again; nothing in it but what there is to be set."""
    document = read(path)
    whole = {}
    for group, rows in groups():
        given = document.get(group) if isinstance(document, dict) else None
        given = given if isinstance(given, dict) else {}
        whole[group] = {key: given.get(key, default) for key, default, rule in rows}
    return whole


def load(path=PATH, wrong=None):
    """Settings from a file; the defaults when there is none. `wrong` as with `check`."""
    document = read(path, wrong)
    if document is None:
        if wrong is None:
            raise SettingsError("%s is no JSON" % path)
        wrong.append("%s is no JSON" % path)
        return check(None, [])
    return check(document, wrong)


def different(whole):
    """What of the whole settings differs from the defaults, and the number of our form but for the first, which has
    none."""
    found = {"schema": SCHEMA} if SCHEMA > 1 else {}
    for group, rows in groups():
        values = {key: whole[group][key] for key, default, rule in rows if whole[group][key] != default}
        if values:
            found[group] = values
    return found


def keep(whole, path=PATH):
    """Write settings that `check` or `merge` gave; the old file stays until the new one is whole. One with something in
    it that is not ours is kept beside as .wrong: somebody wrote it. Raises OSError."""
    replace = fetch("wattport.files", "replace")
    found = _written(path)
    number = found.get("schema", 1) if isinstance(found, dict) else SCHEMA
    if not _is_ours(adopt(found, None, path)):
        with open(path, "rb") as file:
            replace(path + ".wrong", file.read())
    found = None
    if SCHEMA > 1 or number != SCHEMA:
        fetch("wattport.migrate", "save")(different(whole), number, SCHEMA, path)
    else:
        replace(path, different(whole))


def _is_ours(document):
    """Whether nothing gets lost with what `current` makes of it."""
    if not isinstance(document, dict):
        return False
    names = {group: [row[0] for row in rows] for group, rows in groups()}
    for group, values in document.items():
        if group not in names or not isinstance(values, dict):
            return False
        for key in values:
            if key not in names[group]:
                return False
    return True


def save(document, path=PATH):
    """Check, then keep. Raises SettingsError, OSError."""
    keep(check(document), path)
