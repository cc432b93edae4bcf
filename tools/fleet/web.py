# SPDX-License-Identifier: MIT
"""Dongles found and updated through their own pages' API, without a broker."""

import http.client
import ipaddress
import json
import socket
from concurrent.futures import ThreadPoolExecutor

from tools import push as pushing
from tools.fleet import mdns
from tools.fleet.attempt import VERDICTS
from tools.fleet.dongle import HEALTH, Dongle, Odd, parse
from tools.fleet.mqtt import address

TIMEOUT_S = 4
AT_ONCE = 32  # hosts
_SWEEP = 1024  # addresses of one network
_MOST = 16384
_STATUS = {"device": "name", "version": "name", "portal": "flag", "private": "flag"}
_UPDATE = {"device": "name", "version": "name", "chip": "name", "board": "name", "slot": "name",
           "state": "text", "done": "count", "total": "count", "trial": "trial", "latest": "name", "error": "text",
           "why": "text"}
_BUSY = ("ready", "receiving", "verifying", "restarting")


class SendError(Exception):
    """A dongle cannot be told to update: `outcome`, a name of attempt.FAILURES."""

    def __init__(self, outcome, detail):
        super().__init__(detail)
        self.outcome = outcome


def expand(hosts):
    """Every HOST:PORT of names, addresses and networks (192.168.1.0/24). ValueError for what is none."""
    found = []
    for host in hosts:
        if "/" in host:
            network = ipaddress.ip_network(host, strict=False)
            if network.num_addresses > _SWEEP:
                raise ValueError("%s has more than %d addresses" % (host, _SWEEP))
            found += [(str(one), 80) for one in network.hosts()]
            continue
        name, port = address(host, 80)
        if name.lower().endswith(".local"):
            found += [(one, port) for one in mdns.resolve(name) or _resolve(name)]
        else:
            found.append((name, port))
    return list(dict.fromkeys(found))


def _resolve(name):
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(name, None, socket.AF_INET)})
    except OSError:
        return []


def _get(host, path, token):
    """(status, body) of a GET; OSError."""
    connection = http.client.HTTPConnection(*host, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Authorization": "Bearer " + token} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST + 1)
    except (http.client.HTTPException, ValueError) as error:
        raise OSError("no HTTP: %r" % error)
    finally:
        connection.close()


def _ask(host, path, token, fields):
    status, body = _get(host, path, token)
    return parse(body, len(body), fields) if status == 200 else None


def report(host, token=None):
    """(device id, report) of what answers there, all of it that it tells; None when it is no dongle. OSError, Odd. In
    its safe mode a dongle has no id: "", and nothing to tell; while it takes an update it tells of that alone."""
    status, body = _get(host, "/api/status", token)
    try:
        found = json.loads(body)
        if status == 200 and found.get("state") == "safe" and "device" not in found:
            return "", {"safe": True}
        if status == 503 and found.get("error") == "updating":
            update = _updates(host, token)
            return (update.pop("device", ""), update) if update.get("in_progress") else None
        if status != 200 or type(found.get("device")) is not str:
            return None
    except (ValueError, RecursionError, AttributeError):
        return None
    found = parse(body, len(body), _STATUS)
    if not found.get("device"):
        return None
    health = _ask(host, "/api/health", token, HEALTH)
    merged = {"private": health is None, **found, **(health or {}), **_updates(host, token)}
    merged.pop("portal", None)
    return merged.pop("device"), merged


def _updates(host, token):
    """What it tells of updates; {} for nothing."""
    update = _ask(host, "/api/update", token, _UPDATE) or {}
    state, done, total = update.pop("state", None), update.pop("done", None), update.pop("total", None)
    if state is not None:
        update["in_progress"] = state in _BUSY
        update["update_percentage"] = 100 * done // total if done and total else 0
    if "latest" in update:
        update["latest_version"] = update.pop("latest")
    return update


def look(host, token=None):
    """The Dongle at a host, or None."""
    try:
        found = report(host, token)
    except Odd as odd:
        dongle = Dongle("%s:%d" % host)
        dongle.strange(odd)
        dongle.host = host
        return dongle
    except OSError:
        return None
    if not found:
        return None
    name, facts = found
    dongle = Dongle(name or "%s:%d" % host)
    dongle.host, dongle.online, dongle.private = host, True, facts.pop("private", False)
    dongle.take(facts, 0)
    return dongle


def sweep(hosts, token=None):
    """Dongles by name, of many hosts asked side by side."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {dongle.name: dongle for dongle in pool.map(lambda host: look(host, token), hosts) if dongle}


def push(host, path, password=None, token=None):
    """A bundle to a dongle, which then tries it out; SendError."""
    try:
        pushing.push("%s:%d" % host, path, password=password, token=token, wait_s=0)
    except Exception as error:  # whatever it is, this dongle has no update and the next may have one
        kind = getattr(error, "kind", None)
        raise SendError("refused" if kind in VERDICTS else "unreachable",
                        "%s: %s" % (kind, error) if kind else str(error))
