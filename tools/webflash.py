# SPDX-License-Identifier: MIT
"""The web flasher of a release: a page that writes an image into a board on USB, from a browser with Web Serial.

The work is done by ESP Web Tools, a pinned package of the npm registry that lies beside the page: nothing is fetched
from anywhere else. Whoever publishes a release puts its folder on a server with HTTPS.
"""

import ast
import html
import json

from tools import npm
from tools.paths import ROOT

PACKAGE = "esp-web-tools"
_SOURCE = ROOT / "tools" / "flasher"
_FAMILIES = {"esp32": "ESP32", "esp32s2": "ESP32-S2", "esp32s3": "ESP32-S3", "esp32c3": "ESP32-C3",
             "esp32c6": "ESP32-C6"}
_BOARD = ('<li><label><input type="radio" name="board" value="%s"> <b>%s</b><br>%s</label></li>')


def title(board):
    """The first sentence of a board's description."""
    text = ast.get_docstring(ast.parse(board.FILE.read_text())) or board.NAME
    return " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def manifest(board, version):
    """As ESP Web Tools reads it; without Improv, as the dongle has a set-up of its own."""
    return {"name": "Wattport for " + board.NAME, "version": version, "new_install_improv_wait_time": 0,
            "builds": [{"chipFamily": _FAMILIES[board.CHIP], "parts": [
                {"path": "../wattport-%s-%s.bin" % (board.NAME, version), "offset": 0}]}]}


def files(boards, version):
    """{path: bytes} of the page and all that it needs, for the boards whose images are in the folder above."""
    made = {"%s/%s" % (PACKAGE, name.removeprefix("dist/web/")): data
            for name, data in npm.folder(PACKAGE, "dist/web/").items()}
    made[PACKAGE + "/LICENSE"] = npm.folder(PACKAGE, "LICENSE")["LICENSE"]
    for board in boards:
        made["manifest-%s.json" % board.NAME] = (json.dumps(manifest(board, version), indent=1) + "\n").encode()
    entries = "\n".join(_BOARD % (board.NAME, board.NAME, html.escape(title(board))) for board in boards)
    page = (_SOURCE / "index.html").read_text()
    made["index.html"] = page.replace("{{boards}}", entries).replace("{{version}}", html.escape(version)).encode()
    for name in ("flasher.js", "flasher.css"):
        made[name] = (_SOURCE / name).read_bytes()
    return made
