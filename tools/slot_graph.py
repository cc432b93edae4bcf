# SPDX-License-Identifier: MIT
"""The modules of the program and who needs whom: which come out of tools/slot.py as one, by which names they are asked
for in the slot, and what has to be loaded before them."""

import ast
import re

from tools.names import EVERYWHERE
from tools.slot_module import HEAD, MODULES, STAYING, Module, SlotError, flat, last

# what stays in the heap once it is there: its short texts are names like others (tools/loosen.py)
_STAY = re.compile(r"wattport\.(app|wall|supply|publish\.(publisher|packet)|web\.waiter|net\.wifi|tariff\.window"
                   r"|alert\.(alerts|change)|(%s)\..*)" % "|".join(STAYING))

_BUILT_IN = frozenset("""array binascii board boot btree cmath cryptolib deflate dht errno espnow framebuf gc hashlib
    heapq io json machine main math mip neopixel network ntptime onewire os platform random re requests select socket
    ssl struct sys termios time tls uctypes vfs webrepl websocket""".split())
# what is called so elsewhere: modules of asyncio, main.py, what stands for each module (firmware/wattport/modules.py)
_NO_PLACE = frozenset("annex asyncio builtins collections core event funcs lock main stream e".split())
# they come and go; the copy of their code stays, where there is room for it (wattport/annex.py)
_AGAIN = frozenset("wattport." + name for name in """web.api web.gate web.cost history.past history.place history.rows
    history.segment tariff.capacity tariff.compare tariff.cost tariff.days
    tariff.market tariff.terms""".split())
_ASKED_FOR = frozenset(("wattport.annex",))  # by main.py
_OURS = re.compile(r"wattport(?:\.\w+)+")
WORDS = re.compile(r"[A-Za-z_]\w*")


def stays(name):
    return _STAY.fullmatch(name)


class Graph:
    """`sources`: {module: text}. `groups`: {module: names of others that go into it}. `modules`: {name: Module};
    `groups`: {module that comes out: its Modules}; `places`: {module that comes out: its name in the slot}."""

    def __init__(self, sources, groups=None):
        self.modules = {name: Module(name, text) for name, text in sorted(sources.items())}
        self._asked()
        self.groups = {}
        for head, names in (groups or {}).items():
            for name in names:
                if name in self.modules and name not in self.named:  # what a text names can't be inside of another
                    self.modules[name].out = head
        for module in self.modules.values():
            self.groups.setdefault(module.out, []).append(module)
        self._places()

    # ---- who asks for what

    def _asked(self):
        """`asked`: {id of the text: (module, name)} where load or fetch is given both as texts. Of a module that is
        named nowhere else nobody asks for anything else."""
        self.asked, self.loads, loose = {}, set(), []
        for module in self.modules.values():
            plain = set()
            for node in ast.walk(module.tree):
                if not isinstance(node, ast.Call) or last(node.func) not in ("load", "fetch", "forget"):
                    continue
                texts = [part for part in node.args if isinstance(part, ast.Constant) and part.value in self.modules]
                if last(node.func) == "forget":
                    plain.update(map(id, texts))
                    continue
                self.loads.update(map(id, texts[:1]))
                if len(node.args) == 2 and texts and isinstance(node.args[1], ast.Constant):
                    plain.update((id(texts[0]), id(node.args[1])))
                    self.asked[id(node.args[1])] = texts[0].value, node.args[1].value
            if module.name != MODULES:
                loose.extend(text for node, text in module.texts() if id(node) not in plain)
        self.named = {name for text in loose for name in _OURS.findall(text)}
        rooms = {text for text in loose if text.startswith("wattport.") and text.endswith(".")}
        words = {word for text in loose for word in WORDS.findall(text)}
        self.loose = {name for name in self.modules if name in self.named or name in _ASKED_FOR or (
            name.rpartition(".")[0] + "." in rooms and name.rpartition(".")[2] in words)}
        self.literal = set(self.asked.values())

    def _places(self):
        """`places`: {module that comes out: its name in the slot}, names of the ROM but for those that are put
        together at run time."""
        self.places, taken = {}, {}
        words = iter(sorted(name for name in EVERYWHERE - _BUILT_IN - _NO_PLACE if name.isalpha() and name.islower()))
        for out in sorted(self.groups, key=lambda out: (out not in self.loose and out.startswith("wattport."), out)):
            kept = out == HEAD or out in self.loose or not out.startswith("wattport.")
            place = flat(out) if kept else next(word for word in words if word not in taken)
            if taken.setdefault(place, out) != out or place in _BUILT_IN:
                raise SlotError("%s and %s would both be %s" % (out, taken[place], place))
            self.places[out] = place

    # ---- who imports what

    def see_imports(self):
        """Fills in `whole`, names of modules that are imported as such, each Module's `imports` and `wanted`, and what
        `needs` looks at."""
        self.whole = set()  # imported as modules
        for module in self.modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        if alias.name in self.modules:
                            module.imports[id(alias)] = alias.name, None
                elif isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        whole = "%s.%s" % (node.module, alias.name)
                        if whole in self.modules:
                            module.imports[id(alias)] = whole, None
                        elif node.module in self.modules:
                            module.imports[id(alias)] = node.module, alias.name
                elif isinstance(node, ast.Call) and last(node.func) == "__import__" and module.name != MODULES:
                    if not isinstance(node.args[0], ast.Constant):
                        raise SlotError("%s imports what no text names: load() of %s can" % (module.name, MODULES))
                elif (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
                      and last(node.value.func) == "__import__" and isinstance(node.value.args[0], ast.Constant)):
                    if node.value.args[0].value in self.modules:
                        module.imports[id(node.targets[0])] = node.value.args[0].value, None
            for wanted, member in module.imports.values():
                self.modules[wanted].wanted = True
                if member is None:  # it may be handed on, and asked for its globals by who knows no names of ours
                    self.whole.add(wanted)
        outs = {out: [self.modules[name].out for module in modules for name in self._at_top(module)]
                for out, modules in self.groups.items()}
        self._tops = {out: [name for name in names if name != out and not stays(name)] for out, names in outs.items()}

    def _at_top(self, module):
        """The names of modules of ours that a module imports when it is imported itself."""
        for node in module.tree.body:
            for alias in getattr(node, "names", ()) if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
                if id(alias) in module.imports:
                    yield module.imports[id(alias)][0]

    def needs(self, out):
        """What is to be loaded for a module, in this order, it being the last: an import from within another holds on
        to all that is only there while that one is imported."""
        seen, order = set(), []

        def add(name):
            if name in seen:
                return
            seen.add(name)
            for wanted in self._tops[name]:
                add(wanted)
            order.append(name)

        add(out)
        return " ".join(("=" if stays(name) else "+" if name in _AGAIN else "") + self.places[name] for name in order)

    def order(self, modules):
        """Modules of one group, each behind those that it imports from at its top."""
        done, order = set(), []

        def add(module):
            if module.name in done:
                return
            done.add(module.name)
            for name in self._at_top(module):
                if self.modules[name] in modules:
                    add(self.modules[name])
            order.append(module)

        for module in modules:
            add(module)
        return order

    def paths(self):
        """{module that comes out: path of its file}"""
        return {out: place.replace(".", "/") + ".mpy" for out, place in self.places.items()}

    # ---- what an import stands for

    def meaning(self, module, scope, name):
        """(module, global or None) that a name of a scope stands for by an import of ours alone, or None."""
        found = set()
        for node in scope.bound.get(name, ()):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
                continue
            aliases = [alias for alias in node.names if (alias.asname or alias.name) == name] if isinstance(
                node, (ast.Import, ast.ImportFrom)) else [node]
            found.add(module.imports.get(id(aliases[0])) if aliases else None)
        only = found.pop() if len(found) == 1 else None
        return only and self.resolved(*only)

    def resolved(self, name, member):
        """The module that defines it, through whoever passes it on."""
        module = self.modules[name]
        if member is None:
            return module, None
        return self.meaning(module, module.scope, member) or (module, member)
