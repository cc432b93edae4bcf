# SPDX-License-Identifier: MIT
"""The board of `tools.dongle`: this machine."""

import os

NAME = "host"
UART = 1
RX = 16 if os.getenv("WATTPORT_LINE") else None  # a cable's level can't be looked at, a simulated line's can
TX = LED = None
BUTTON = 2 if os.getenv("WATTPORT_BUTTON") else None  # the name of a file: pressed while it is there
PULSE = 0
PORTAL_S = int(os.getenv("WATTPORT_PORTAL_S") or 900)  # see app.py
DNS_PORT = int(os.getenv("WATTPORT_DNS_PORT") or 0)  # of the portal's name server; 0: any, for nobody asks
MDNS = os.getenv("WATTPORT_MDNS") or "224.0.0.251:5353"  # where brokers are asked for
SAFE_PORT = int(os.getenv("WATTPORT_SAFE_PORT") or 0)  # of the page of the safe mode
SETTLE_S = int(os.getenv("WATTPORT_SETTLE_S") or 30)  # see update/trial.py
RECEIVE_S = int(os.getenv("WATTPORT_RECEIVE_S") or 300)  # see update/receiver.py
TRIAL_S = int(os.getenv("WATTPORT_TRIAL_S") or 600)
if os.getenv("WATTPORT_SUPPLY"):
    from levels import *  # noqa: F403  here, as its names would cost the heap of every other run
