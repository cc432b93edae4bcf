# SPDX-License-Identifier: MIT
"""Makes the parts of the application from the settings: imported at the start, then forgotten."""

import gc
import os
import sys
from binascii import hexlify

import board
import machine
from micropython import const

from wattport.health import Health
from wattport.led import Led
from wattport.modules import fetch, load
from wattport.net.wifi import Wifi
from wattport.supervisor import Supervisor
from wattport.version import VERSION
from wattport.wall import Wall

_PORT = const(80)  # of the portal, where the dashboard is off


def parts(app, document, log, asked):
    """Give an App what it consists of. `document`, `asked`: as App has them."""
    app.device_id = hexlify(machine.unique_id()).decode()
    app.slot = getattr(sys.modules.get("slot"), "runs", None)  # boot.py has left it, where there are slots
    app.settings = document["meter"]
    app.update = document["update"]
    app.update.update({"latest": None, "error": "", "detail": ""})
    if app.slot:
        fetch("wattport.update.state", "begin")(app)
        fetch("wattport.update.state", "let_go")()
    app.zone = document["time"]["zone"]
    app.supervisor = Supervisor(log)
    app.wifi = Wifi(document["wifi"], log)
    app.portal = asked or not (document["wifi"]["ssid"] or app.wifi.connected)
    app.asked = asked
    app.unset = not (document["wifi"]["ssid"] or document["web"].get("password"))
    app.publisher = None
    if document["mqtt"]["host"] and not app.portal:
        from wattport.publish.publisher import Publisher
        app.publisher = Publisher(document["mqtt"], app.device_id, VERSION, log)
        app.publisher.room = app.room
        if app.slot:
            app.publisher.takers["update"] = "wattport.update.command"
        if "contracts" in os.listdir():
            fetch("wattport.tariff.order", "adopt")(app.publisher)
    app.about = {"slot": app.slot, "chip": fetch("wattport.update.running", "running")(VERSION)["chip"],
                 "board": board.NAME}
    app.supply = None
    if getattr(board, "SUPPLY", None) is not None:
        app.supply = load("wattport.supply", "Supply")(log)
    app.secure = document["mqtt"]["tls"]
    app.on_frame = app.publisher.raw if app.publisher and document["mqtt"]["raw"] else None
    app.meter, app.line, app.place = fetch("wattport.port", "build")(
        app, document["mqtt"], "wattport-%s-glow" % app.device_id)
    times = document["time"]
    zone = fetch("wattport.posixzone", "parse")(app.zone)
    # pulses have no clock: their time is ours
    app.wall = Wall(zone, "ntp" if app.settings["source"] == "pulse" else times["source"], times["server"], log)
    app.servers = times["server"]
    app.health = Health(log, app.meter, app.line, app.publisher.status if app.publisher else {}, app.wifi,
                        app.supervisor.status, machine.reset_cause(), app.wall)
    if app.supply:
        app.supply.attach(app)
    app.guard = None
    # the portal needs the heap for other things, and nothing that it reads is kept
    if app.settings["limit_w"] and not app.portal:
        from wattport.plausible import Guard
        app.guard = app.health.guard = Guard(app.settings["limit_w"])
    app.half = None
    if document["history"]["enabled"] and not app.portal:
        from wattport.history.halfhour import HalfHour
        app.half = HalfHour()
        if app.publisher:
            app.publisher.half = app.half
    app.window = app.alerts = None
    alert = document["alert"]
    if alert["on"] and not app.portal:
        silent_s = alert["silent_s"] and max(alert["silent_s"], 3 * app.settings["request_s"])
        app.alerts = fetch("wattport.alert.store", "load")(
            app, alert, silent_s, machine.reset_cause())
    if alert["peak_preset"] and not app.portal:
        app.window = fetch("wattport.tariff.peaks", "load")(
            alert["peak_preset"], alert["peak_limit_w"], app.settings["limit_w"], zone)
    app.pin = _led_pin()
    app.led = Led(app.pin, app.health.led_state)
    app.served = served = document["web"]
    served["port"] = served["port"] or (_PORT if app.portal else 0)
    served["hostname"] = document["wifi"]["hostname"]
    served["device"] = app.device_id
    served["wifi"] = bool(document["wifi"]["ssid"])
    tariff = document["tariff"]
    prices = [tariff[name] for name in tariff if name != "currency"]
    served["tariff"] = tariff if any(prices) else None
    app.hour = app.day = app.today = None
    if served["port"] and not app.portal:
        from wattport.means import Means
        app.hour = Means(10, 360)
        if app.half:
            app.day = Means(60, 1440)
        app.today = fetch("wattport.midnight", "load")(zone)
    gc.collect()
    log("info", "Wattport %s, device %s, meter %s" % (VERSION, app.device_id, app.place))
    _tasks(app, log, app.supervisor.add)


def _tasks(app, log, add):
    """What runs side by side."""
    add("meter", app.line.run)
    add("watch", app.watch)
    add("led", app.led.run)
    add("time", app.sync)
    if app.portal:
        add("portal", app.open)
    else:
        add("wifi", app.wifi.run)
        if board.BUTTON is not None:
            add("button", app.press)
    if app.slot:
        add("trial", app.prove)
        if app.update["interval_h"] and app.update["url"]:
            add("update", app.poll)
    if app.half:
        add("history", app.remember)
    if app.served["port"]:
        add("web", app.serve)
    if app.publisher:
        add("mqtt", app.publish)
    elif not app.portal:
        log("warning", "no broker is set; readings stay here")


def _led_pin():
    """The one of the board's LED, on with 1, or None."""
    if board.LED is None:
        return None
    found = machine.Pin(board.LED, machine.Pin.OUT)
    return found if getattr(board, "LED_ON", 1) else machine.Signal(found, invert=True)
