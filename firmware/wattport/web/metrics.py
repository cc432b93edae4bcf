# SPDX-License-Identifier: MIT
"""GET /metrics: a reading and the health in the text format of Prometheus, version 0.0.4. Pure.

Names and base units are those of the Reading, with wattport_ before them. What only ever grows is a counter.
"""

_GROWING = ("wh", "varh", "vah", "l", "kj")  # units of registers; "_l1" is none of them
_COUNTED = ("voltage_s", "power_failures", "long_power_f", "telegrams", "bytes", "garbage", "key_unused", "restarts",
            "mqtt_connects", "mqtt_published", "mqtt_dropped", "web_", "errors", "clock_steps")


def _is_number(value):
    return isinstance(value, (int, bool))  # MicroPython's bool is no int


def _type(name):
    grows = name[name.rfind("_") + 1:] in _GROWING
    for start in _COUNTED:
        if name.startswith(start):
            grows = True
    return "# TYPE wattport_%s %s\n" % (name, "counter" if grows else "gauge")


def _text(value):
    """Of a label: what a meter calls itself, say."""
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(values, prefix):
    for name, value in values.items():
        if _is_number(value):
            yield "%swattport_%s%s %d\n" % (_type(prefix + name), prefix, name, value)


def _children(devices):
    """All samples of one name stand together, so name by name."""
    names = set()
    for device in devices.values():
        names.update([name for name in device if name != "channel" and _is_number(device[name])])
    for name in sorted(names):
        yield _type("device_" + name)
        for channel, device in devices.items():
            if _is_number(device.get(name)):
                yield 'wattport_device_%s{channel="%s",type="%s",id="%s"} %d\n' % (
                    name, _text(channel), _text(device.get("type", "")), _text(device.get("id", "")), device[name])


def _lines(reading, health):
    yield "# TYPE wattport_info gauge\nwattport_info{version=\"%s\",family=\"%s\",meter_id=\"%s\"} 1\n" % (
        _text(health["version"]), _text(health["family"]), _text(reading.get("meter_id", "")))
    yield from _plain(reading, "")
    yield from _children(reading.get("devices", {}))
    yield from _plain(health, "")
    yield from _plain(health["mqtt"], "mqtt_")
    yield from _plain(health.get("web", {}), "web_")
    if "supply" in health:
        yield '%swattport_supply{state="%s"} 1\n' % (_type("supply"), health["supply"])
    yield _type("errors")
    for kind, count in health["errors"].items():
        yield 'wattport_errors{kind="%s"} %d\n' % (kind, count)
    yield _type("restarts")
    for task, status in health["tasks"].items():
        yield 'wattport_restarts{task="%s"} %d\n' % (task, status["restarts"])


def get(web, request):
    return ((line.encode() for line in _lines(web.newest or {}, web.report())), 200,
            "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
