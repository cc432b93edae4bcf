# SPDX-License-Identifier: MIT
"""Home Assistant's entities for capacity peaks. Loaded by `discovery`, which gives its `_config`."""

_W = "_w", 1, "W", "power", "m", 0


def of_peak(about, config):
    """Yields (topic, payload); what stands in /peak is in `tariff.projection`."""
    for entity, name in (("figure_w", "Peak, this month"), ("average_w", "Peak window, last average"),
                         ("projected_w", "Peak window, projected average"), ("allowed_w", "Power still allowed")):
        yield config(about, "peak_" + entity, name, _W, "{{ value_json.%s }}" % entity, "/peak")
    yield config(about, "peak_until", "Peak window, end", ("_time", 0, "", "timestamp", "", None),
                 "{{ (value_json.until | as_datetime).isoformat() if value_json.until else none }}", "/peak")
    yield config(about, "peak_over", "Peak ahead", None, "{{ 'ON' if value_json.over else 'OFF' }}", "/peak",
                 kind="binary_sensor", more={"device_class": "problem"})
