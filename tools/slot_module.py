# SPDX-License-Identifier: MIT
"""A module of the program on its way into a slot, and what its nodes say: for tools/slot.py, which gives it new names,
and tools/slot_text.py, which writes it."""

import ast

from tools.scopes import Source

HEAD = "wattport.app"  # what main.py imports
MODULES = "wattport.modules"
# rooms whose modules stay in the heap once they are there
STAYING = "crypto", "decode", "frame", "link"
# in there: what the slot does instead, `flat`, with a mark for what stays (firmware/slot.py)
_PLACE = "    return name  # as it is", """    if not name.startswith("wattport.") or name == "wattport.app":
        return name
    room, _, last = name[9:].rpartition(".")
    return "=" * (room in %r) + room[:1] + last""" % (STAYING,)


def flat(name):
    """The name in the slot of a module that is not always there: "wattport.web.gate" → "wgate". With packages, each
    import leaves three names in the heap for ever, and there are the packages themselves. firmware/wattport/modules.py
    does the same with what it is given."""
    if name == HEAD or not name.startswith("wattport."):
        return name
    room, _, last = name[len("wattport."):].rpartition(".")
    return room[:1] + last


def last_part(place):
    """What a traceback calls a module."""
    return place.rpartition(".")[2]


class SlotError(Exception):
    """The program does what the slot can't do; the text says where."""


def is_dunder(name):
    return name.startswith("__") and name.endswith("__")


def is_private(name):
    return name.startswith("_") and not is_dunder(name) and name != "_"


def last(node):
    """The last name of what is called: f, x.f → "f"."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def whole(node, values):
    """The int that an expression of constants is, or None."""
    if isinstance(node, ast.Call) and last(node.func) == "const" and len(node.args) == 1:
        node = node.args[0]
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            if part.id not in values:
                return None
        elif isinstance(part, ast.Constant):
            if type(part.value) is not int:
                return None
        elif not isinstance(part, (ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)):
            return None
    value = eval(compile(ast.Expression(node), "", "eval"), {}, dict(values))
    return value if type(value) is int else None


class Module(Source):
    """One module of the sources. `out`: the name of the module that it goes into."""

    def __init__(self, name, text):
        super().__init__(text.replace(*_PLACE) if name == MODULES else text)
        self.name = self.out = name
        self.constants = {}  # global → int, written out wherever it is used
        self.globals = {}  # global → its new name
        self.imports = {}  # id of an alias → (module, name or None for the module itself), of our own ones
        self.wanted = False  # by a statement, somewhere

    def texts(self):
        """(node, text) of its texts, without those that only describe."""
        loose = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and id(node) not in loose:
                yield node, node.value if isinstance(node.value, str) else node.value.decode("latin1")

    def strings(self):
        return [text for _, text in self.texts()]
