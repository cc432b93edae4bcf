# SPDX-License-Identifier: MIT
"""Files that a power cut must not take: imported when one is written."""

import json
import os


def replace(path, data, sync=True):
    """Write `data`, a text, bytes, or a dict as JSON, new and then rename: a power cut leaves the old file or the new
    one. OSError when the flash is full. `sync`: the whole system's buffers too, where there are some."""
    with open(path + ".new", "w" if isinstance(data, (str, dict)) else "wb") as file:
        if isinstance(data, dict):
            json.dump(data, file)  # never the whole text in one piece
        else:
            file.write(data)
    if sync and hasattr(os, "sync"):
        os.sync()
    os.rename(path + ".new", path)
