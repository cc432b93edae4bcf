# SPDX-License-Identifier: MIT
"""Tries a broker: connects, says who it is, reads the CONNACK and leaves. Loaded when somebody sets one up."""

import asyncio

from micropython import const

from wattport.modules import fetch, forget
from wattport.net import stream
from wattport.publish import packet

_LONGEST_MS = const(15000)
_CONNECT_MS = const(12000)
_CONNACK_SIZE = const(4)
_DISCONNECT = b"\xe0\x00"

# reason and sentence; the pages translate the sentences
_NO_NETWORK = "no_network|there is no network connection yet: test the Wi-Fi first"
_NOT_FOUND = "not_found|there is no host of this name: check it, or use its address"
_REFUSED = "refused|the host is there, but nothing answers on this port: is it the right one, and does the broker run?"
_NO_ANSWER = "no_answer|nothing answers at this address"
_NO_BROKER = "no_broker|what answers there is no MQTT broker, or it wants TLS"
_FULL = "busy|the dongle's memory is full at the moment: try again"
_TLS = "tls|the secure connection fails: this port has no TLS, or a kind that is not known here"
_CERTIFICATE = ("tls|the broker's certificate is not accepted: another CA has signed it, it is for another name, or it "
                "has run out")
_LOGIN = "login|the broker refuses the user name or the password"
_NOT_ALLOWED = "not_allowed|"


def why(text, host, port):
    """The reason for what a StreamError says: what is wrong with the connection stands behind "host:port: ", what is
    wrong with the name does not."""
    start = "%s:%d: " % (host, port)
    connected = text.startswith(start)
    if connected:
        text = text[len(start):]
    if text.startswith("TLS"):
        return _CERTIFICATE if "certificate" in text.lower() or "X509" in text else _TLS
    if not connected:
        return _NOT_FOUND
    if "ECONN" in text or text.endswith("refused"):
        return _REFUSED
    return _NO_ANSWER


def judge(answer):
    """The reason for what a broker answers to CONNECT (MQTT 3.1.1, 3.2); "" when it says yes."""
    if len(answer) < _CONNACK_SIZE or answer[:2] != b"\x20\x02":
        return _NO_BROKER
    code = answer[3]
    if code in (4, 5):  # some say "not authorised" to a wrong password
        return _LOGIN
    return _NOT_ALLOWED + fetch("wattport.publish.connack", "words")(code) if code else ""


async def _ask(connection, settings, client_id):
    """What the broker answers; less than a whole CONNACK when it closes the connection."""
    connection.write(packet.connect(client_id, settings["keepalive_s"], settings["user"], settings["password"]))
    await connection.drain()
    answer = b""
    while len(answer) < _CONNACK_SIZE:
        more = await connection.read(_CONNACK_SIZE - len(answer))
        if more == b"":
            break
        answer += more or b""
    if not judge(answer):
        connection.write(_DISCONNECT)
        await connection.drain()
    return answer


async def _try(settings, client_id):
    host, port = settings["host"], settings["port"]
    try:
        connection = await stream.connect(host, port, settings["ca"] if settings["tls"] else None, _CONNECT_MS)
    except OSError as error:
        return why(str(error), host, port)
    try:
        return judge(await _ask(connection, settings, client_id))
    except OSError:  # it breaks off, as what is no broker does
        return _NO_BROKER
    finally:
        connection.close()


async def run(app, settings, client_id, told):
    """settings: the group `mqtt`. told: the dict that tells of it, {"state", "reason", "detail"}; what is good stands
    in app.tried afterwards."""
    found = _NO_NETWORK
    try:
        if app.wifi.connected:
            found = await asyncio.wait_for_ms(_try(settings, client_id), _LONGEST_MS)
    except asyncio.TimeoutError:  # connected, and then nothing more
        found = _NO_BROKER
    except MemoryError:
        found = _FULL
    except Exception as error:
        app.log("error", "mqtt trial: %s %s" % (type(error).__name__, error))
        found = _NO_ANSWER
    finally:
        if app.portal:  # nobody else needs it
            forget("wattport.publish.packet")
    if not found:
        app.tried["mqtt"] = settings
    told["reason"], _, told["detail"] = found.partition("|")
    told["state"] = "failed" if found else "ok"
