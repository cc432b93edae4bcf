# SPDX-License-Identifier: MIT
"""Joins a Wi-Fi network: loaded while there is no connection, or when somebody sets one up, then forgotten.

What the driver says is ESP-IDF's wifi_err_reason_t, as MicroPython passes it on (ports/esp32/network_wlan.c). Which
code a wrong password brings is up to the access point and the chip: 202 or 205 (told as 202), 15 or 204 when the
handshake is never answered, 2 from some routers.
"""

import asyncio
import time

from micropython import const

# codes, reason, sentence. 1000 and above are no failure; what is not here is a timeout
_FAILURES = """2 14 15 23 202 204|wrong_password|the password is wrong
210 211|wrong_password|the network wants a password, or a kind of security that is not known here
201|not_found|no network of this name can be received; only 2.4 GHz works
200 212|weak|the connection was lost: the signal is weak
4 5 10 12 17 34 203 208|refused|the access point turns this device away
-1|no_address|the password is right, but the network gives no address
-2|timeout|the access point does not answer"""
_NO_ADDRESS = const(-1)
_TIMEOUT = const(-2)

_LOOK_MS = const(250)
_TRY_MS = const(18000)  # a scan of every channel, a handshake, DHCP
_SAME_MS = const(10000)  # the same failure again is one after so long; before, it may be what is left of the last
_QUICK_MS = const(8000)
_FIRST_PAUSE_MS = const(5000)
_LONGEST_PAUSE_MS = const(60000)
_DRIVER_TIRES = const(5)
_LISTED = const(20)


def failure(code):
    """(reason, sentence) for a code of the driver."""
    lines = _FAILURES.split("\n")
    for line in lines:
        codes, reason, sentence = line.split("|")
        if str(code) in codes.split():
            return reason, sentence
    return lines[-1].split("|")[1:]


def fixed(settings):
    """What ifconfig() takes, (address, mask, gateway, name server), or None for DHCP.

    settings: the group `wifi`; `address` as 192.168.1.7/24. Without a gateway only the network itself is reached;
    without a name server the gateway is asked.
    """
    address, _, bits = settings["address"].partition("/")
    if not address:
        return None
    mask = 0xFFFFFFFF00000000 >> int(bits) & 0xFFFFFFFF
    gateway = settings["gateway"] or "0.0.0.0"
    return (address, "%d.%d.%d.%d" % (mask >> 24, mask >> 16 & 255, mask >> 8 & 255, mask & 255), gateway,
            settings["dns"] or gateway)


def _text(name):
    """The text of a name, or "" for one that is no UTF-8 (RFC 3629); MicroPython alone would take more for such."""
    try:
        text = name.decode()
        points = [ord(char) for char in text]
        if "".join([chr(point) for point in points]).encode() == name and not [
                point for point in points if 0xD800 <= point < 0xE000]:
            return text
    except (UnicodeError, ValueError):
        pass
    return ""


def listed(found):
    """[{"ssid", "rssi", "secure"}] of what scan() gives: each name once, where it is strongest; no hidden ones, none
    whose name is no UTF-8, as nobody could type it; the strongest first, 20 at most."""
    best = {}
    for ssid, _, _, rssi, security, _ in found:
        ssid = _text(ssid)
        if ssid and (ssid not in best or rssi > best[ssid][0]):
            best[ssid] = rssi, security
    ordered = sorted([(-rssi, ssid, security) for ssid, (rssi, security) in best.items()])
    return [{"ssid": ssid, "rssi": -weak, "secure": security != 0} for weak, ssid, security in ordered[:_LISTED]]


def _start(station):
    """A station that the driver leaves alone: its own reconnecting scans channels for ever, in the background, which
    throws the phones off our access point; this loop does it in its own time."""
    station.active(True)
    station.config(reconnects=0)


async def received(station):
    """What the driver's scan() gives. It listens for 2.5 s: in a thread, where it does so without MicroPython's lock,
    it holds nobody up for more than 20 ms, as an emulated ESP32 showed."""
    station.active(True)
    found = []

    def listen():
        try:
            found.append(station.scan())
        except Exception:  # whatever it was, there is nothing to show
            found.append(())

    try:
        __import__("_thread").start_new_thread(listen, ())  # by a text, as names that begin so are ours and made short
    except (OSError, RuntimeError):  # no room for its stack: then everything stands still
        listen()
    while not found:
        await asyncio.sleep_ms(_LOOK_MS)
    return found[0]


async def scan(station):
    return listed(await received(station))


async def join(station, ssid, password, address, most_ms=_TRY_MS):
    """One attempt: 0 when there is an address, or the driver's code, or one of ours below 0. address: of fixed().

    Ends after most_ms or little more. An attempt that failed has let go of the driver.
    """
    try:
        station.disconnect()  # connect() refuses while it connects to another
        await asyncio.sleep_ms(_LOOK_MS)
        if address:
            station.ifconfig(address)
        station.connect(ssid, password)
        before = station.status()  # some failures it goes on telling of while the next attempt is under way
        start = time.ticks_ms()
        while True:
            await asyncio.sleep_ms(_LOOK_MS)
            if station.isconnected():
                return 0
            passed = time.ticks_diff(time.ticks_ms(), start)
            code = station.status()
            if code < 1000 and (code != before or passed > _SAME_MS):
                break
            if passed > most_ms:
                code = _NO_ADDRESS
                try:
                    station.status("rssi")
                except OSError:  # not even an access point
                    code = _TIMEOUT
                break
        station.disconnect()
        return code
    except (OSError, RuntimeError):  # the driver is busy with something, or has codes that MicroPython does not know
        return _TIMEOUT


async def _fed(wifi, supply):
    """Wait until the supply can feed the radio, with the radio off."""
    wifi.state = "power"
    wifi.station.active(False)
    while not supply.good:
        await asyncio.sleep_ms(_LOOK_MS)
    wifi.state = "trying"


async def seek(wifi, place):
    """Until there is a connection, for ever; gives the place of the network that answered, 0 or 1. The one at `place`,
    the last good one, is tried first. `wifi`: a Wifi."""
    settings, station, log = wifi.settings, wifi.station, wifi.log
    networks = [(settings["ssid"], settings["password"]), (settings["ssid2"], settings["password2"])]
    address = fixed(settings)
    pause_ms = _FIRST_PAUSE_MS
    attempts = 0
    started = False
    while True:
        supply = getattr(wifi, "supply", None)
        if supply and not supply.good:
            await _fed(wifi, supply)
        if not started or not station.active():  # the supply may have switched it off in the middle of an attempt
            _start(station)
            started = True
        while wifi.trial.get("state") == "trying":
            await asyncio.sleep_ms(_LOOK_MS)
        ssid, password = networks[place]
        code = 0 if wifi.connected else await join(station, ssid, password, address)
        if not code:
            log("info", "Wi-Fi connected, address %s" % wifi.address())
            return place
        wifi.state, sentence = failure(code)
        log.limited("wifi-try", "warning", "no connection to Wi-Fi %s: %s" % (ssid, sentence))
        attempts += 1
        if networks[1][0]:
            place = 1 - place
        if attempts % _DRIVER_TIRES == 0:  # drivers have been seen that find nothing any more until they start anew
            station.active(False)
            _start(station)
        if not networks[1][0] or attempts % 2 == 0:
            await asyncio.sleep_ms(pause_ms)
            pause_ms = min(2 * pause_ms, _LONGEST_PAUSE_MS)


async def _try(station, ssid, password):
    """0, or the code that tells why a trial failed."""
    try:
        station.ifconfig("dhcp")
    except (OSError, RuntimeError):  # what it does already
        pass
    start = time.ticks_ms()
    code = await join(station, ssid, password, None)
    passed = time.ticks_diff(time.ticks_ms(), start)
    # the first attempt at a strange access point fails now and then, for no reason of the person's
    if code and passed < _QUICK_MS:
        code = await join(station, ssid, password, None, _TRY_MS - passed)
    return code


async def _trial(wifi, ssid, password, told):
    from wattport.net import stream
    reason, sentence = failure(_TIMEOUT)
    try:
        _start(wifi.station)
        code = await _try(wifi.station, ssid, password)
        reason, sentence = failure(code) if code else ("", "")
        told["address"] = wifi.address()
        stream.NAME_SERVERS[:] = [wifi.station.ifconfig()[3]]
        if wifi.state:  # `run` is in charge and goes back to its own
            wifi.station.disconnect()
    except (OSError, RuntimeError) as error:
        sentence = "Wi-Fi: %s" % error
    finally:
        told["reason"], told["detail"] = reason, sentence
        told["state"] = "failed" if reason else "ok"


def trial(wifi, ssid, password):
    """Begin a trial; the dict that tells of it."""
    told = {"state": "trying", "reason": "", "detail": "", "ssid": ssid, "address": ""}
    asyncio.create_task(_trial(wifi, ssid, password, told))
    return told
