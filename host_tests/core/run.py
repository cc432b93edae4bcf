# SPDX-License-Identifier: MIT
"""Runs under MicroPython: every test_* of the module named, one JSON line each."""

import io
import json
import sys

module = __import__(sys.argv[1])
for name in dir(module):
    if name.startswith("test_"):
        failure = None
        try:
            getattr(module, name)()
        except Exception as error:
            text = io.StringIO()
            sys.print_exception(error, text)
            failure = text.getvalue()
        print(json.dumps({"test": name, "failure": failure}))
