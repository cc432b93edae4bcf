# SPDX-License-Identifier: MIT
"""The state of a staged update in a file, so that a run that was cut off goes on: written new, then renamed."""

import json
import os
from pathlib import Path

from tools.fleet.bundles import Bundles
from tools.fleet.stage import Stage


class JournalError(Exception):
    """What is wrong with the file; the text is for the person who tried."""


class Journal:
    def __init__(self, path):
        self.path = Path(path)
        self._last = None

    def write(self, stage, bundles):
        text = json.dumps({**stage.document(), "version": bundles.version, "places": bundles.places})
        if text == self._last:
            return
        new = self.path.with_name("%s.%d" % (self.path.name, os.getpid()))
        with open(new, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        self._last = text

    def read(self, now):
        """(stage, bundles)"""
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            bundles = Bundles()
            for chip, place in document["places"].items():
                bundles.add(place, chip, document["version"])
            return Stage.restored(document, now), bundles
        except OSError as error:
            raise JournalError("%s: %s" % (self.path, error.strerror))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise JournalError("%s is no state of a fleet: %r" % (self.path, error))
