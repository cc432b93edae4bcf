# SPDX-License-Identifier: MIT
"""What a dongle gets when it is flashed: the start, which no update touches, and the program in its first slot."""

import ast
import hashlib
import json
import keyword
import tempfile
from pathlib import Path

from tools import container, cpython
from tools.compile import shipped, slot_tree
from tools.names import EVERYWHERE
from tools.paths import FIRMWARE
from tools.scopes import Source

cpython.install()

from wattport.settings import SCHEMA  # noqa: E402
from wattport.update import slots  # noqa: E402
from wattport.version import VERSION  # noqa: E402

SLOT = slots.folder("a")
KEY = "key"
RECORD = slots.RECORD
# the lowest and the highest MicroPython that the program is for
MICROPYTHON = ("1.25", "1.29")
_START = ("boot.py", "main.py", "slot.py", "wattport/update/slots.py")
# see firmware/safe.py
_SAFE = ("safe.py", "wattport/net/captive.py", *["wattport/update/%s.py" % name for name in (
    "bundle", "folder", "install", "refusal", "rsa", "running")])
# modules that only programs on a PC import
DEVELOPMENT = ("wattport.decode.codes", "wattport.frame.bare", "wattport.frame.json")


def _in_rom(source):
    """Give what only this source knows names that MicroPython has anyway: any other stays in the heap for ever, a
    local's too, where the chip itself compiles it."""
    owned = [(place, place[4].owner(place[3])) for place in source.places]
    private = {name for name in source.scope.bound if name.startswith("_") and not name.startswith("__")}
    imported = {alias.asname or alias.name for node in ast.walk(source.tree)
                if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
    local = {place[3] for place, owner in owned if owner and owner.kind == "function"}
    seen = {text for node in ast.walk(source.tree) for _, text in ast.iter_fields(node) if isinstance(text, str)}
    free = sorted((name for name in EVERYWHERE - seen if name.islower() and not keyword.iskeyword(name)),
                  key=lambda name: (len(name), name))
    underlined = iter([name for name in free if name.startswith("_")])
    plain = iter([name for name in free if not name.startswith("_")])
    short = {"module": {name: next(underlined) for name in sorted(private)},
             "function": {name: next(plain) for name in sorted(local - imported - EVERYWHERE - {"self"})}}
    for (node, field, index, name, _), owner in owned:
        new = owner and short.get(owner.kind, {}).get(name)
        if new and index is None:
            setattr(node, field, new)
        elif new:
            getattr(node, field)[index] = new
    return source.tree


def _alone(path):
    """A source that runs without the package around it, and without the words that only people read: the chip compiles
    it at each start."""
    text = (FIRMWARE / path).read_text()
    tree = _in_rom(Source(text)) if path in _START else ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("wattport.update"):
            node.module = node.module.removeprefix("wattport.update").lstrip(".")
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(
                body[0].value, ast.Constant):
            body[:1] = [] if len(body) > 1 else [ast.Pass()]
    return ast.unparse(tree).replace("from  import slots", "import slots").encode() + b"\n"


def start(board_text):
    """{path: bytes} of what is never updated: boot.py and all that it needs, as sources."""
    files = {Path(path).name: _alone(path) for path in _START}
    files["board.py"] = board_text
    files["safe/" + container.NAME] = container.pack({Path(path).name: _alone(path) for path in _SAFE})
    return files


def parts(architecture, changed=None):
    """{path: bytes} of the modules, pages and tables that ship. changed: see slot_tree. CompileError."""
    with tempfile.TemporaryDirectory() as folder:  # never what an earlier state of the sources left behind
        top = slot_tree(architecture, Path(folder), changed)
        files = {path.relative_to(top).as_posix(): path.read_bytes() for path in shipped(top)}
        paths = json.loads((top / "places.json").read_text())
    left_out = {paths[name] for name in DEVELOPMENT}
    return {name: data for name, data in files.items() if name not in left_out}


def program(architecture, changed=None):
    """{name: bytes} of the files of a slot: one, the container."""
    return {container.NAME: container.pack(parts(architecture, changed))}


def manifest(files, architecture, **other):
    """The manifest of a program, without what only a bundle has: its payload and its key. other: what is different."""
    return {"name": "wattport", "kind": "application", "version": VERSION, "chip": architecture,
            "micropython": list(MICROPYTHON), "settings": SCHEMA,
            "files": [[name, len(data), hashlib.sha256(data).hexdigest()] for name, data in files.items()], **other}


def first_slot(files, architecture):
    """{path: bytes} of the slot that a dongle starts with."""
    made = {"%s/%s" % (SLOT, name): data for name, data in files.items()}
    made[SLOT + "/manifest"] = json.dumps(manifest(files, architecture)).encode()
    return made
