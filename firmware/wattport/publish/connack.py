# SPDX-License-Identifier: MIT
"""What a broker that lets nobody in says, in words. Pure; loaded for that."""


def words(code):
    """A CONNACK return code in words, 3.2.2.3."""
    return (
        "accepted",
        "the broker does not speak MQTT 3.1.1",
        "the broker refuses the client id",
        "the broker's service is not available",
        "the broker refuses the user name or password",
        "the broker says not authorised",
    )[code] if 0 <= code <= 5 else "the broker refuses with code %d" % code
