# SPDX-License-Identifier: MIT
"""Who may ask for what: looked at before a request's body is read, then forgotten.

- Host: an address or a name of ours. A page from elsewhere whose name suddenly means our address (DNS rebinding) has
  another. While the portal is open, every other name leads to the set-up: that is how a phone finds it.
- Origin, which a browser sends with what a page does: has to be that Host.
- Content-Type of a POST: JSON, which no form can send, and no script without being allowed to.
- Access: "free"; "read" needs a login where the settings say so; "owner" always does, but for an open set-up.
"""

import hashlib
import time
from binascii import hexlify

from wattport.web.refused import Refused

# path, and for each method: access, module of wattport.web, most bytes of a body
_ROUTES = """
/ GET free page 0
/wall GET free page 0
/setup GET free page 0
/settings GET free page 0
/history GET free page 0
/metrics GET read metrics 0
/api/status GET free status 0
/api/login POST free login 512
/api/logout POST free logout 512
/api/token POST owner token 512
/api/reading GET read data 0
/api/health GET read data 0
/api/events GET read events 0
/api/hour GET read hour 0
/api/day GET read hour 0
/api/history GET read history 0 POST owner repair 8192
/api/history.csv GET read history 0
/api/peaks GET read peaks 0
/api/alerts GET read alerts 0
/api/settings GET owner settings 0 POST owner settings 6144
/api/backup POST owner backup 1024
/api/restore POST owner restore 8192
/api/diagnostics GET owner diagnostics 0
/api/tariffs GET read tariffs 0 POST owner tariffs 5120
/api/prices POST owner prices 6144
/api/cost GET read cost 0
/api/compare GET read cost 0
/api/restart POST owner restart 512
/api/update GET read update 0 POST free update 0
/api/update/receive POST owner update 512
/api/update/check POST owner update 512
/api/update/install POST owner update 1024
/api/networks GET owner networks 0
/api/brokers GET owner brokers 0
/api/try GET owner trial 0
/api/try/wifi POST owner trial 1024
/api/try/mqtt POST owner trial 6144
/api/try/key POST owner trial 1024
"""
_IDLE_S = 2592000  # 30 days


def _is_address(name):
    parts = name.split(".")
    return len(parts) == 4 and all([part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts])


def _is_ours(settings, name):
    own = settings["hostname"].lower()
    return _is_address(name) or name in ("localhost", own, own + ".local") or (
        name == settings.get("name", "").lower() and name != "")


def away(web):
    """What sends a client to the set-up."""
    port = web.settings["port"]
    return Refused(302, "portal", "The set-up is at this address.", location="http://%s%s/setup" % (
        web.app.access[0], "" if port == 80 else ":%d" % port))


def same(one, other):
    """Whether two bytes of one length are equal, in a time that does not tell where they differ."""
    differ = len(one) ^ len(other)
    for a, b in zip(one, other):
        differ |= a ^ b
    return not differ


def session(web, request):
    """The session that a request's cookie belongs to, [hash of its name, when it was used last], or None."""
    name = request.cookies.get("wattport")
    if name:
        name = hashlib.sha256(name.encode()).digest()
        now = web.app.log.uptime_s()
        for one in web.sessions:
            if same(one[0], name) and now - one[1] < _IDLE_S:
                one[1] = now
                web.sessions.remove(one)
                web.sessions.append(one)  # the first one is the one that was not used for longest
                return one
    return None


def open_setup(app, client):
    """Whether who asks from an address, a text, may change settings without a password: on the access point, which
    has one of its own, or as long as neither a password nor a Wi-Fi is set."""
    if not app.portal:
        return app.unset
    app.visited = time.ticks_ms()
    if not app.access:
        return False
    for one, own, mask in zip(client.split("."), *[text.split(".") for text in app.access]):
        if (int(one) ^ int(own)) & int(mask):
            return False
    return True


def _is_owner(web, request):
    if session(web, request) or open_setup(web.app, request.address):
        return True
    token = web.settings.get("token")
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(token) and kind.lower() == "bearer" and same(
        hexlify(hashlib.sha256(given.strip().encode()).digest()), token.encode())


def _route(request, method):
    path = request.path
    found = _ROUTES.find("\n%s " % path)
    if found < 0:
        if method != "GET" or path.startswith("/api/"):
            raise Refused(404, "not_found", "There is nothing at this address.")
        return "free", "page", "0"  # a file, perhaps
    words = _ROUTES[found + 1:_ROUTES.find("\n", found + 1)].split()
    allowed = [word for word in words if word in ("GET", "POST")]
    if method not in allowed:
        raise Refused(405, "method", "This address does not take this method.",
                      allow=", ".join(allowed).replace("GET", "GET, HEAD"))
    at = words.index(method)
    return words[at + 1:at + 4]


def check(web, request):
    """(module, most bytes of body) for a request, its `address` a text by now and its `owner` set; or Refused."""
    headers = request.headers
    host = headers.get("Host", "").lower()
    if not _is_ours(web.settings, host.partition(":")[0]):
        if web.app.portal and web.app.access:
            raise away(web)
        raise Refused(421, "unknown_host", "The dongle does not go by this name; web.name can be set to it.")
    method = "GET" if request.method == "HEAD" else request.method
    access, module, most = _route(request, method)
    if method == "POST" and module == "update" and access == "free":
        raise Refused(409, "receive_first", "Ask /api/update/receive for a ticket first: the dongle restarts for it.")
    origin = headers.get("Origin")
    if origin is not None and origin.lower().partition("://")[2] != host:
        raise Refused(403, "origin", "Pages from elsewhere may not do that.")
    if method == "POST" and headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "json_needed", "The body must be sent as application/json.")
    if "Transfer-Encoding" in headers:
        raise Refused(400, "bad_request", "The length of the body is needed.")
    where = request.client_addr  # (text, port) on a chip, a struct sockaddr_in elsewhere
    request.address = where[0] if isinstance(where, tuple) else "%d.%d.%d.%d" % tuple(where[4:8])
    request.owner = _is_owner(web, request)
    if not request.owner and (access == "owner" or access == "read" and web.settings.get("private")):
        if web.settings.get("password"):
            raise Refused(401, "login_needed", "The password is needed for this.")
        raise Refused(403, "no_password", "No password is set yet. Press the dongle's button for 5 seconds, join its "
                      "Wi-Fi, and set one.")
    return module, int(most)
