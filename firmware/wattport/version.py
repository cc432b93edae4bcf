# SPDX-License-Identifier: MIT
"""The version of the firmware: the one place that says it."""

VERSION = "0.1.0"
