# SPDX-License-Identifier: MIT
"""The one way to say no."""


class Refused(Exception):
    """Raised by whatever answers a request. status: of HTTP. code: a word for programs; detail: a sentence for people,
    which the pages translate. `more` goes into the JSON too; "allow", "location" and "wait_s" become headers as well.
    """

    def __init__(self, status, code, detail, **more):
        super().__init__(code)  # without this, MicroPython gives `more` to Exception, which takes no names
        self.status = status
        self.answer = more
        more["error"] = code
        more["detail"] = detail
