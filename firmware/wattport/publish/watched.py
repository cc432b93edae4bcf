# SPDX-License-Identifier: MIT
"""Home Assistant's entities for peaks, alerts and updates. Loaded by `discovery`, which gives its `_config`."""

_UPDATE = "installed_version latest_version in_progress update_percentage"
_W = "_w", 1, "W", "power", "m", 0


def of_peak_w(about, config):
    """Yields (topic, payload); what stands in /peak is in `tariff.projection`."""
    for entity, name in (("figure_w", "Peak, this month"), ("average_w", "Peak window, last average"),
                         ("projected_w", "Peak window, projected average"), ("allowed_w", "Power still allowed")):
        yield config(about, "peak_" + entity, name, _W, "{{ value_json.%s }}" % entity, "/peak")
    yield config(about, "peak_until", "Peak window, end", ("_time", 0, "", "timestamp", "", None),
                 "{{ (value_json.until | as_datetime).isoformat() if value_json.until else none }}", "/peak")
    yield config(about, "peak_over", "Peak ahead", None, "{{ 'ON' if value_json.over else 'OFF' }}", "/peak",
                 kind="binary_sensor", more={"device_class": "problem"})


def of_alerts(about, config):
    """One binary sensor for all, with what is wrong in its attributes, and an event for each that begins or ends. What
    stands in /alert and /alerts is in `alert.change`; they come when something changes, so nothing expires."""
    yield config(about, "alerts", "Problem", None, "{{ 'ON' if value_json.active else 'OFF' }}", "/alerts",
                 kind="binary_sensor", more={
                     "device_class": "problem", "expire_after": 0,
                     "json_attributes_topic": about[2] + "/alerts"})
    yield config(about, "alert", "Alert", None,
                 "{{ dict(value_json, event_type='begins' if value_json.active else 'ends') | tojson }}", "/alert",
                 kind="event", more={"event_types": ["begins", "ends"], "expire_after": 0})


def of_slot(about, config):
    """What runs from a slot can be updated: the domain `update`, whose state may hold nothing but what Home Assistant
    knows."""
    template = "{{ {%s} | to_json }}" % ", ".join(["'%s': value_json.%s" % (name, name) for name in _UPDATE.split()])
    yield config(about, "firmware", "Firmware", None, template, "/update", "", True, "update", {
        "device_class": "firmware", "command_topic": about[2] + "/update/set", "payload_install": "INSTALL",
        "title": "Wattport", "expire_after": 0})
