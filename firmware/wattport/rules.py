# SPDX-License-Identifier: MIT
"""What the settings may be: the rules that `settings` names. Loaded for a check, then forgotten."""

from wattport.modules import fetch

# ---- rules: value, the default (for its type), what is behind the rule's name → the value to keep, or ValueError with
# what would be right


def _need(fine, wanted):
    if not fine:
        raise ValueError(wanted)


def _flag(value, default, rest):
    _need(isinstance(value, bool), "true or false")
    return value


def _whole(value, default, rest):
    least, most = rest.split()
    _need(isinstance(value, int) and not isinstance(value, bool) and int(least) <= value <= int(most),
          "a whole number from %s to %s" % (least, most))
    return value


def _one(value, default, rest):
    _need(type(value) is type(default) and str(value) in rest.split(","), "one of " + rest.replace(",", ", "))
    return value


def _line(value):
    """Not what MicroPython takes for text and nobody else does: halves of a pair (UTF-16), and no controls."""
    for char in value:
        code = ord(char)
        _need(32 <= code < 0xD800 or 0xE000 <= code < 0x110000, "a text of one line")


def _text(value, default, rest):
    _need(isinstance(value, str) and len(value) <= int(rest), "a text of at most %s characters" % rest)
    _line(value)
    return value


def _bytes(value, default, rest):
    wanted = "a text of at most %s bytes; letters with accents take two or more" % rest
    _need(isinstance(value, str), wanted)
    _line(value)
    _need(len(value.encode()) <= int(rest), wanted)
    return value


def _all_of(value, letters):
    for char in value:
        if char not in letters:
            return False
    return True


def _wpa(value, default, rest):
    """WPA2: a passphrase or the 64 digits of the key itself; empty for an open network."""
    wanted = "8 to 63 characters, or empty for a network without a password"
    _need(isinstance(value, str), wanted)
    _line(value)
    size = len(value.encode())
    _need(not size or 8 <= size <= 63 or size == 64 and _all_of(value, _HEX), wanted)
    return value


def _key(value, default, rest):
    wanted = "32 hexadecimal digits, or empty"
    _need(isinstance(value, str), wanted)
    for char in " -:\t\r\n":  # as letters and web pages print them
        value = value.replace(char, "")
    _need(not value or len(value) == 32 and _all_of(value, _HEX), wanted)
    return value


def _token(value, default, rest):
    _need(isinstance(value, str) and (not value or len(value) == 64 and _all_of(value, _HEX)),
          "64 hexadecimal digits (the SHA-256 of the token), or empty")
    return value


def _password(value, default, rest):
    """In the clear, or as it is kept: pbkdf2:iterations:salt:hash."""
    _text(value, default, rest)
    if value.startswith("pbkdf2:"):
        parts = value.split(":")
        _need(len(parts) == 4 and 0 < len(parts[1]) < 7 and _all_of(parts[1], _HEX[:10]) and int(parts[1])
              and parts[2] and _all_of(parts[2] + parts[3], _HEX) and len(parts[3]) == 64,
              "a password that was stored like this is damaged; set a new one")
    else:
        _need(not value or len(value) >= 8, "at least 8 characters, or empty")
    return value


def _label(value, default, rest):
    _need(isinstance(value, str) and 0 < len(value) <= int(rest) and value[0] != "-" and value[-1] != "-"
          and _all_of(value.lower(), _NAME), "1 to %s letters, digits and hyphens" % rest)
    return value


def _host(value, default, rest):
    wanted = "a host's name or address alone, without http:// or a port, or empty"
    _need(isinstance(value, str) and len(value) <= 253, wanted)
    value = value.strip()
    _need(_all_of(value.lower(), _NAME + "._"), wanted)
    return value


def _hosts(value, default, rest):
    """Some hosts, each with a port or without."""
    names = []
    for name in _text(value, default, rest).split(","):
        name, colon, port = name.strip().partition(":")
        if colon:
            _need(port and len(port) < 6 and _all_of(port, _HEX[:10]), "hosts with a comma between, or empty")
        names.append(_host(name, "", "") + colon + port)
    return ",".join(names)


def _numbers(text):
    """The four bytes of an IPv4 address as one number; ValueError."""
    parts = text.split(".")
    _need(len(parts) == 4, "")
    number = 0
    for part in parts:
        _need(part and len(part) < 4 and _all_of(part, _HEX[:10]) and int(part) < 256, "")
        number = number << 8 | int(part)
    return number


def _ip(value, default, rest):
    try:
        _need(isinstance(value, str), "")
        if value:
            _numbers(value)
    except ValueError:
        raise ValueError("an address such as 192.168.1.1, or empty")
    return value


def _net(value, default, rest):
    try:
        _need(isinstance(value, str), "")
        if value:
            address, _, bits = value.partition("/")
            _numbers(address)
            _need(bits and _all_of(bits, _HEX[:10]) and 8 <= int(bits) <= 30, "")
    except ValueError:
        raise ValueError("an address with its prefix, such as 192.168.1.7/24, or empty")
    return value


def _topic(value, default, rest):
    _text(value, default, rest)
    _need("#" not in value and "+" not in value and value[:1] != "/" and value[-1:] != "/",
          "a topic without + and #, and without / at its ends")
    return value


def _pem(value, default, rest):
    _need(isinstance(value, str) and len(value) <= int(rest), "a text of at most %s characters" % rest)
    filled = False
    at = 0
    while at < len(value):  # line by line: the heap has no room for it twice
        end = value.find("\n", at)
        end = len(value) if end < 0 else end
        line = value[at:end].rstrip("\r")
        _line(line)
        filled = filled or bool(line.strip())
        at = end + 1
    _need(not filled or "-----BEGIN CERTIFICATE-----" in value,
          "a certificate as PEM text, which has the line -----BEGIN CERTIFICATE-----")
    return value if filled else ""


def _url(value, default, rest):
    wanted = "an address that begins with http:// or https://, of at most %s characters, or empty" % rest
    _need(isinstance(value, str) and len(value) <= int(rest), wanted)
    if value:
        try:
            fetch("wattport.url", "split")(value.replace("{chip}", "chip"))
        except ValueError:
            raise ValueError(wanted)
    return value


def _zone(value, default, rest):
    from wattport import posixzone
    from wattport.modules import forget
    try:
        posixzone.parse(value)
    except (ValueError, TypeError, AttributeError):
        raise ValueError("a POSIX time zone, such as CET-1CEST,M3.5.0,M10.5.0/3")
    finally:
        del posixzone
        forget("wattport.posixzone")
    return value


def _profile(value, default, rest):
    _need(isinstance(value, dict), "a profile, or {}")
    if value:
        from wattport.decode import profile
        profile.check(value)
    return value


def _currency(value, default, rest):
    _need(isinstance(value, str) and len(value) == 3 and _all_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
          "three capital letters, such as EUR, NOK or GBP")
    return value


_HEX = "0123456789abcdefABCDEF"
_SHUT = {"password": "pbkdf2:1:00:" + "0" * 64, "private": True}  # the hash of no password that anybody knows
_NAME = "abcdefghijklmnopqrstuvwxyz0123456789-"
_RULES = dict(zip(
    "flag whole one text bytes wpa key token password label host hosts ip net topic pem url zone profile "
    "currency".split(),
    (_flag, _whole, _one, _text, _bytes, _wpa, _key, _token, _password, _label, _host, _hosts, _ip, _net, _topic, _pem,
     _url, _zone, _profile, _currency)))


def _together(whole, refuse):
    """What must fit to something else."""
    wifi, mqtt = whole["wifi"], whole["mqtt"]
    if wifi["ssid2"] and not wifi["ssid"]:
        refuse("wifi.ssid: the first network comes before a second one")
    if wifi["address"]:
        address, _, bits = wifi["address"].partition("/")
        bits = 32 - int(bits)
        if not wifi["gateway"]:
            refuse("wifi.gateway: a fixed address needs the gateway, the router's address")
        elif _numbers(wifi["gateway"]) >> bits != _numbers(address) >> bits:
            refuse("wifi.gateway: it is not in the network of wifi.address")
    if mqtt["tls"] and not mqtt["ca"]:
        refuse("mqtt.ca: TLS needs the certificate of the authority that signed the broker's")


def check(document, groups, wrong):
    """The whole settings, see `settings.check`; `groups`: as settings.groups() gives them."""
    refuse = wrong.append
    whole = {}
    if not isinstance(document, dict):
        refuse("the settings are no JSON object")
        document = {"web": _SHUT}
    for group, rows in groups:
        given = document.get(group, {})
        if not isinstance(given, dict):
            refuse("%s: a JSON object is needed" % group)
            given = _SHUT if group == "web" else {}
        values = whole[group] = {}
        for key, default, rule in rows:
            value = default
            if key in given:
                rule, _, rest = rule.partition(" ")
                try:
                    value = _RULES[rule](given[key], default, rest)
                except ValueError as error:
                    refuse("%s.%s: %s" % (group, key, error))
                    if group == "web":
                        value = _closed(key, given[key], default)
            values[key] = value
        for key in given:
            if key not in values:
                refuse("%s.%s: there is no such setting" % (group, key))
    for group in document:
        if group not in whole:
            refuse("%s: there is no such group" % group)
    _together(whole, refuse)
    return whole


def _closed(key, value, default):
    """In place of a wrong value: a password that is too short is still one, and who set `private` meant it."""
    if isinstance(default, bool):
        return True
    return str(value) if key.startswith("pass") else default
