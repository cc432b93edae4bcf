# SPDX-License-Identifier: MIT
"""The English texts that the pages show, found in their sources: what a language has to translate."""

import ast
import json
import re
from html.parser import HTMLParser

from tools.paths import FIRMWARE

# for who writes programs, not for who looks at a page
_TECHNICAL = ("portal", "not_found", "method", "unknown_host", "origin", "json_needed", "bad_request", "too_large",
              "receive_first")


class _Texts(HTMLParser):
    """What stands in elements with data-t: their text up to the next element, or the attributes that it names."""

    def __init__(self):
        super().__init__()
        self.found = set()
        self._text = None

    def _done(self):
        if self._text is not None:
            self.found.add(self._text.strip())
            self._text = None

    def handle_starttag(self, tag, attributes):
        self._done()
        attributes = dict(attributes)
        for part in (attributes["data-t"] or "text").split(" ") if "data-t" in attributes else ():
            if part == "text":
                self._text = ""
            else:
                self.found.add(attributes[part])

    def handle_data(self, data):
        if self._text is not None:
            self._text += data

    def handle_endtag(self, tag):
        self._done()


def page_texts(path):
    parser = _Texts()
    parser.feed(path.read_text())
    parser.close()
    return parser.found


def script_texts(path):
    """What is in t("...") and N("...")."""
    return {json.loads('"%s"' % text) for text in re.findall(r'\b[tN]\(\s*"((?:[^"\\]|\\.)*)"', path.read_text())}


def device_texts():
    """Sentences that the device says and a page shows: of the key, and why something was refused."""
    verdict = ast.parse((FIRMWARE / "wattport" / "frame" / "verdict.py").read_text())
    found = {node.value for node in ast.walk(verdict.body[-1]) if isinstance(node, ast.Constant) and node.value}
    for path in (FIRMWARE / "wattport" / "web").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Refused" and len(call.args) > 2:
                code, detail = call.args[1:3]
                if isinstance(detail, ast.Constant) and getattr(code, "value", "") not in _TECHNICAL:
                    found.add(detail.value)
    return found | contract_texts()


def contract_texts():
    """What is said of a contract that is refused, with {0} and so on for numbers. Names of contracts, %s, nobody types
    on a page."""
    found = set()
    for name in ("check", "keep", "stage"):
        for call in ast.walk(ast.parse((FIRMWARE / "wattport" / "tariff" / (name + ".py")).read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("_refuse", "_term", "TariffError"):
                for argument in call.args:
                    text = getattr(argument.left if isinstance(argument, ast.BinOp) else argument, "value", None)
                    if isinstance(text, str) and " " in text and "%s" not in text:
                        text = re.sub(r"^\w+: ", "", text)
                        for number in range(text.count("%d")):
                            text = text.replace("%d", "{%d}" % number, 1)
                        found.add(text)
    return found
