# SPDX-License-Identifier: MIT
"""Safe mode: no slot holds a program that starts. It reads no meter; it opens the set-up's Wi-Fi, joins the
household's where it is known, and takes a bundle by its page, as long as that has the right signature.

Written when the dongle is flashed and never updated, so that whatever an update does, this stays. One client at a time,
without asyncio: nothing else runs.
"""

import gc
import json
import select
import socket
import time
from binascii import hexlify

import bundle
import captive
import folder
import install
import machine
import network
import rsa
import running
import slots

try:
    import board
except Exception:  # a board of its own must not keep this from starting
    board = None

_SSID = "Wattport-"
_ADDRESS = "192.168.71.1"
_PIECE = 512
_CLIENT_S = 15  # so long may a client say nothing
_IDLE_S = 1800  # nobody came: the next start may go better, if it was the current that was weak
_CHARGE_S = 600  # for a weak supply, see wattport/supply.py
_PAUSE_S = 300

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Wattport: safe mode</title><style>body{font:1.1em/1.5 sans-serif;max-width:34em;margin:2em auto;padding:0 1em}
progress{width:100%%}button,input{font:inherit}</style><h1>Safe mode</h1>
<p>Neither of the two programs of this dongle starts. Settings and history are still there.
Give it a bundle (wattport-%s-….wpb) to be well again.
<p><label>Bundle <input type="file" id="f"></label> <button id="b">Install</button>
<p><progress id="p" max="1" value="0"></progress><p id="s" role="status">%s
<script>b.onclick=()=>{if(!f.files[0])return;let x=new XMLHttpRequest;x.open("POST","/api/update");
x.upload.onprogress=e=>{p.value=e.loaded/e.total};x.onload=()=>{let a=JSON.parse(x.responseText);
s.textContent=a.detail||"Installed: "+a.version+". The dongle restarts."};
x.onerror=()=>{s.textContent="The connection broke off. Try again."};
x.setRequestHeader("Content-Type","application/octet-stream");x.send(f.files[0])}</script></html>"""
_HEAD = "HTTP/1.0 %s\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"


def _kept(path, otherwise):
    """A JSON object in a file, or `otherwise`."""
    try:
        with open(path) as file:
            found = json.load(file)
        return found if isinstance(found, dict) else otherwise
    except (OSError, ValueError):
        return otherwise


def _group(settings, name):
    found = settings.get(name)
    return found if isinstance(found, dict) else {}


def _supply():
    """What tells the millivolts of a weak supply (boards/README.md), or None."""
    if getattr(board, "SUPPLY", None) is None:
        return None
    adc = machine.ADC(machine.Pin(board.SUPPLY), atten=machine.ADC.ATTN_11DB)
    return lambda: adc.read_uv() // 1000 * board.SUPPLY_DIVIDER // 1000


def _wait(watchdog, most_s, until=lambda: False):
    for _ in range(most_s):
        if until():
            break
        watchdog.feed()
        time.sleep(1)


def _networks(settings):
    """Bring both of them up, as far as that goes; the access point's address, or None."""
    wifi = _group(settings, "wifi")
    station = network.WLAN(network.STA_IF)
    try:
        station.active(True)
        if wifi.get("ssid"):
            station.connect(wifi["ssid"], wifi.get("password", ""))
    except (OSError, ValueError, TypeError, RuntimeError):
        pass
    try:
        with open("ap.txt") as file:
            password = file.read(80).strip()
        if not 8 <= len(password) <= 63:
            return None  # without a password it stays shut
        point = network.WLAN(network.AP_IF)
        point.active(True)
        point.config(ssid=_SSID + hexlify(machine.unique_id()).decode()[-4:], password=password, security=3)
        point.ifconfig((_ADDRESS, "255.255.255.0", _ADDRESS, _ADDRESS))
        return point.ifconfig()[0]
    except (OSError, ValueError, RuntimeError):
        return None


def _line(client):
    """A line of a request's head, within limits."""
    line = client.readline()
    if not line or len(line) > _PIECE or not line.endswith(b"\n"):
        raise OSError("no request")
    return line.strip().decode()


def _request(client):
    """(method, path, length of the body)"""
    method, path, _ = _line(client).split(" ")
    size = 0
    for _ in range(40):
        name, _, value = _line(client).partition(":")
        if not name:
            return method, path.partition("?")[0], size
        if name.lower() == "content-length":
            size = int(value)
    raise OSError("too many headers")


def _send(client, status, kind, text):
    data = text.encode()
    client.write((_HEAD % (status, kind, len(data))).encode())
    client.write(data)


def _install(client, size, feed):
    """Take a bundle of `size` bytes: its manifest, or BundleError."""
    gc.collect()
    key = slots.trusted(slots.read())
    if not key:
        raise bundle.BundleError("no_key", "This dongle has no key to check a bundle with: flash it anew.")
    runs = _kept_slot()
    taken = install.Install(key, rsa.verify, running.running("0.0"), {
        "application": lambda manifest, written: folder.Folder(manifest, runs, "", key)})
    try:
        while size:
            piece = client.read(min(size, _PIECE))
            if not piece:
                break
            size -= len(piece)
            taken.feed(piece)
            feed()
        for _ in taken.finish():
            feed()
    except Exception:
        taken.abort()
        raise
    return taken.manifest


def _kept_slot():
    """The slot that is not written to: neither starts, so the one that is sound, if one is."""
    record = slots.read()
    if record.pop("trial", None):
        slots.undo(record, "start")
    record["crashes"] = 0
    if not slots.is_sound(record["slot"]):
        record["slot"] = slots.other(record["slot"])
    slots.write(record)
    return record["slot"]


def _serve(client, feed):
    """One request. True when a bundle has been taken."""
    client.settimeout(_CLIENT_S)
    method, path, size = _request(client)
    if method == "POST" and path == "/api/update":
        try:
            version = _install(client, size, feed)["version"]
        except bundle.BundleError as error:
            _send(client, "422 Refused", "application/json",
                  json.dumps({"error": error.kind, "detail": str(error)}))
            client.settimeout(2)
            while size > 0 and client.read(_PIECE):  # what it still sends: a reset could overtake the answer
                size -= _PIECE
                feed()
            return False
        _send(client, "200 OK", "application/json", json.dumps({"version": version, "restart_s": 2}))
        return True
    if method != "GET":
        _send(client, "405 Method Not Allowed", "application/json", '{"error": "method", "detail": "Not here."}')
    elif path.startswith("/api/"):
        record = slots.read()
        _send(client, "200 OK", "application/json", json.dumps({
            "version": None, "slot": None, "state": "safe", "chip": running.running("0.0")["chip"],
            "why": record.get("why"), "failed": record.get("failed"), "detail": record.get("detail")}))
    else:
        about = running.running("0.0")
        _send(client, "200 OK", "text/html; charset=utf-8", _PAGE % (about["chip"], "Ready."))
    return False


def run():
    """Until a bundle has been taken, or nobody has come for half an hour: then restart."""
    print("safe mode: neither slot can be started: %s" % slots.read())
    watchdog = machine.WDT(timeout=60000)
    settings = _kept("settings.json", {})
    supply = _supply()
    if supply:
        print("safe mode: the supply has %d mV, %d are wanted" % (supply(), board.SUPPLY_AP_MV))
        _wait(watchdog, _CHARGE_S, lambda: supply() >= board.SUPPLY_AP_MV)
    address = _networks(settings)
    port = getattr(board, "SAFE_PORT", 0) or 80
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(socket.getaddrinfo("0.0.0.0", port)[0][-1])
    listener.listen(2)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    names = None
    try:
        names = address and captive.Answerer(address, getattr(board, "DNS_PORT", 53))
    except OSError:
        pass
    print("safe mode: a page that takes a bundle is on port %d" % port)
    seen = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), seen) < _IDLE_S * 1000:
        watchdog.feed()
        if supply and supply() < board.SUPPLY_LOW_MV:
            print("safe mode: the supply can't feed the Wi-Fi: power the dongle over USB")
            for interface in (network.AP_IF, network.STA_IF):
                network.WLAN(interface).active(False)
            _wait(watchdog, _PAUSE_S)
            break
        if names:
            names.turn()
        if not poller.poll(50):
            continue
        client = None
        try:
            client = listener.accept()[0]
            seen = time.ticks_ms()
            if _serve(client, watchdog.feed):
                time.sleep(2)
                break
        except (OSError, ValueError, MemoryError, UnicodeError) as error:
            print("safe mode: %s" % error)
            gc.collect()
        finally:
            if client:
                client.close()
    machine.reset()
