# SPDX-License-Identifier: MIT
"""What is wrong with something, by the name that the firmware has for it."""

from wattport.errors import MeterError


def kind_of(function, *arguments):
    """The kind of the MeterError that a call ends with; None without one."""
    try:
        function(*arguments)
    except MeterError as error:
        return error.kind
    return None
