# SPDX-License-Identifier: MIT
"""The program as it lies in a dongle's slot: modules that are always there together are one, and names of our own are
names that MicroPython has in its ROM anyway.

Each module costs its dict, its name, its path and a copy of every name that it imports; each distinct name some eight
bytes and its letters, for ever. The sources keep their modules and names; what comes out of here is compiled, and
nobody reads it but for the names in a traceback: `python -m tools.trace`. What most modules need gets the names that
take the least of a module's file.

What is renamed: globals (for each module that comes out), attributes that the program stores or defines somewhere (the
same everywhere), parameters. What is not: names that ROM has already, as they may be someone else's; names that are
reached by a text (`load`, `getattr`); attributes of what is imported from outside; names that the simulation shares
with the chip (`foreign`); the classes of exceptions, which the log tells.
"""

import ast
import io
import keyword
import re
import tokenize
from collections import Counter
from itertools import count

from tools.names import EVERYWHERE, IN_MPY, ON_THE_CHIP, ON_UNIX
from tools.slot_module import (
    HEAD,
    MODULES,
    STAYING,
    Module,
    SlotError,
    flat,
    is_dunder,
    is_private,
    last,
    last_part,
    whole,
)
from tools.slot_text import Writer

# module → others that are always there together with it, and come out as one
GROUPS = {head: ["wattport." + name if name != "microdot" else name for name in names.split()] for head, names in {
    "wattport.app": """clock errors health history.halfhour led log means modules supervisor today version wall meter
        reading plausible frame.framer link.uart net.wifi net.sync net.stream crypto.crc""",
    "wattport.publish.publisher": "publish.mqtt publish.packet",
    "wattport.web.api": "web.server web.client web.refused microdot",
    "wattport.decode.p1": "decode.p1line decode.p1lists",
    "wattport.frame.decrypt": "crypto.gcm crypto.ghash",
    "wattport.link.pulse": "link.count",
    "wattport.tariff.cost": "tariff.price",
}.items()}

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
_ROM = EVERYWHERE | ON_THE_CHIP | ON_UNIX
# the compiler knows them, or something built in looks for them in any object
_SPECIAL = frozenset("""const micropython native viper bytecode ptr ptr8 ptr16 ptr32 uint int bool object super self
    args value errno send throw close pend_throw read readinto readline write ioctl seek tell flush fileno keys pop
    append index count data state done""".split())
_PARAMETER, _KEYWORD, _GLOBAL = range(3)
_LOAD = -1, 0  # modules.load
_PARAMETERS = 24  # names set aside for them: a parameter must never hide a global
_WORDS = re.compile(r"[A-Za-z_]\w*")
_OURS = re.compile(r"wattport(?:\.\w+)+")


def stays(name):
    return _STAY.fullmatch(name)


class Program:
    """`sources`: {module: text}. `groups`: {module: names of others that go into it}. `foreign`: texts of sources that
    are none of ours, whose names stay. `build()` gives {module: text}; then `trace` is {module: {new: [old, ...]}}."""

    def __init__(self, sources, groups=None, foreign=()):
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
        self.foreign = set()
        for text in foreign:
            tokens = tokenize.generate_tokens(io.StringIO(text).readline)
            self.foreign.update(token.string for token in tokens if token.type == tokenize.NAME)
        self.trace = {}
        self.loaders = set()  # modules that come out and load others
        self.keyword_texts = set()  # names by which something is passed: these have to stay names

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
        words = {word for text in loose for word in _WORDS.findall(text)}
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

    def _own_imports(self):
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

    def _texts(self):
        self.words = set()
        self.reached = set()  # attributes that getattr and its like are given
        for module in self.modules.values():
            for text in module.strings():
                self.words.update(_WORDS.findall(text))
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and last(node.func) in ("getattr", "hasattr", "setattr", "delattr"):
                    texts = [node.args[1].value] if isinstance(node.args[1], ast.Constant) else module.strings()
                    if isinstance(node.args[1], ast.Constant) or module.name != MODULES:
                        for text in texts:
                            self.reached.update(_WORDS.findall(text))

    def _is_kept(self, module, name):
        """A global that somebody may ask for by its name."""
        if module.out != module.name or is_private(name):
            return False
        if name in _ROM or name in self.foreign:
            return True
        if module.name in self.loose | self.whole or module.name == HEAD:
            return name in self.words or not module.wanted
        return not module.wanted and (module.name, name) not in self.literal

    # ---- constants

    def _constants(self):
        for module in self.modules.values():
            for node in list(module.tree.body):
                if not isinstance(node, ast.Assign) or len(node.targets) > 1 or last(node.targets[0]) is None:
                    continue
                name = last(node.targets[0])
                value = whole(node.value, module.constants)
                if value is None or len(module.scope.bound.get(name, ())) > 1:
                    continue
                module.constants[name] = value
                if not self._is_kept(module, name):
                    module.tree.body.remove(node)

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

    # ---- new names

    def _targets(self):
        used = set()  # what may stand for itself somewhere: built in, imported, or kept
        for module in self.modules.values():
            used.update(name for _, _, _, name, scope in module.places if not scope.owner(name))
            used.update(module.scope.bound)
        return sorted((name for name in EVERYWHERE - _SPECIAL - used if not is_private(name)
                       and not keyword.iskeyword(name) and not keyword.issoftkeyword(name)),
                      key=lambda name: (0 if name in IN_MPY else len(name), name))

    def _keywords(self):
        """Parameters that are passed by name, and their new names."""
        parameters, greedy, of = set(), set(), {}
        for module in self.modules.values():
            for node, scope in module.functions:
                parameters.update(scope.params)
                for name in (scope.parent.name, getattr(node, "name", "")):
                    of.setdefault(name, set()).update(scope.params)
                if node.args.kwarg:
                    greedy.update((scope.parent.name, getattr(node, "name", "")))
        fixed, passed = set(self.foreign) | _ROM, set()
        for module in self.modules.values():
            for call in ast.walk(module.tree):
                if not isinstance(call, ast.Call):
                    continue
                called = last(call.func)
                for part in call.keywords:
                    # f(**settings): any of them
                    names = of.get(called, ()) if part.arg is None else [part.arg]
                    passed.update(names)
                    # to whom nobody knows, a dict's update() say, they are no names of ours
                    if part.arg not in of.get(called, ()) or called in greedy or called in ("update", "dict"):
                        fixed.update(names)
        self.passed = passed & parameters
        return sorted(self.passed - fixed)

    def _attributes(self, free):
        """{public attribute: new name}; each module's `private_attributes` get `private_targets`."""
        defined, kept = set(), set()
        for module in self.modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Attribute):
                    root = node.value
                    owner = root.id if isinstance(root, ast.Name) else None
                    scope = owner and module.inside[id(root)].owner(owner)
                    nodes = scope.bound[owner] if scope else ()
                    if any(isinstance(one, (ast.Import, ast.ImportFrom)) for one in nodes):
                        if not self.meaning(module, scope, owner):
                            kept.add(node.attr)
                    elif isinstance(node.ctx, ast.Store):
                        defined.add(node.attr)
            for _, _, _, name, scope in module.places:
                if scope.kind == "class" and name in scope.bound:
                    defined.add(name)
        fixed = kept | self.foreign | self.reached | _ROM
        public = sorted(name for name in defined - fixed if not is_private(name) and not is_dunder(name))
        every = {node.attr for module in self.modules.values() for node in ast.walk(module.tree)
                 if isinstance(node, ast.Attribute)} | defined
        targets = [name for name in free if name not in every - set(public)]
        self.private_attributes = {name for name in defined - self.reached if is_private(name)}
        wanted = Counter()
        for modules in self.groups.values():
            names = {name for module in modules for name in self.own_attributes(module)}
            wanted.update(names & set(public))
            wanted.update(range(max(len(self.own_attributes(module) & self.private_attributes) for module in modules)))
        given = self._shared_out(wanted, targets)
        self.private_targets = [given[number] for number in range(len(given)) if number in given]
        return {name: given[name] for name in public}

    @staticmethod
    def own_attributes(module):
        """Attributes that stand in a module, also those that its classes define."""
        return {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)} | {
            name for _, _, _, name, scope in module.places if scope.kind == "class" and name in scope.bound}

    @staticmethod
    def _shared_out(wanted, targets):
        """{what: target} for a Counter of these: what the most modules want gets the first. Where there are more of
        them than targets, short names that no one else has."""
        order = sorted(wanted, key=lambda name: (-wanted[name], isinstance(name, str), name))
        more = ("z%d" % number for number in count())
        targets = iter(targets)
        return {name: next(targets, None) or next(more) for name in order}

    def _own_globals(self):
        """{module that comes out: its globals that get a new name, [(module, name), ...]}; the others keep theirs."""
        found = {}
        for out, modules in self.groups.items():
            taken, wanted = {}, found.setdefault(out, [])
            for module in modules:
                for name, nodes in module.scope.bound.items():
                    meaning = self.meaning(module, module.scope, name)
                    if meaning and (meaning[0].out == out or meaning[1] in meaning[0].constants):
                        continue
                    if name in module.constants and not self._is_kept(module, name):
                        continue
                    imported = not meaning and all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in nodes)
                    if imported or self._is_kept(module, name) or is_dunder(name) or name.endswith("Error"):
                        identity = ast.dump(nodes[0]) if imported else module.name
                        if taken.setdefault(name, identity) != identity:
                            raise SlotError("%s: two modules in it call something %s" % (out, name))
                        module.globals[name] = name
                    else:
                        wanted.append((module, name))
        return found

    def _name_the_rest(self, passed, free):
        """Parameters, those that are passed by their names, and globals: none of them may hide another."""
        wanted = self._own_globals()
        counts = Counter({(_PARAMETER, number): 0 for number in range(_PARAMETERS)})
        for out, modules in self.groups.items():
            most = max([len(scope.params) for module in modules for _, scope in module.functions], default=0)
            counts.update((_PARAMETER, number) for number in range(min(most, _PARAMETERS)))
            counts.update((_GLOBAL, number) for number in range(len(wanted[out])))
            text = {name for module in modules for _, _, _, name, _ in module.places} | {
                part.arg for module in modules for part in ast.walk(module.tree) if isinstance(part, ast.keyword)}
            counts.update((_KEYWORD, passed.index(name)) for name in passed if name in text)
        counts.update({(_KEYWORD, number): 0 for number in range(len(passed))})
        counts[_LOAD] = len(self.groups)
        given = self._shared_out(counts, free)
        self.parameters = [given[_PARAMETER, number] for number in range(_PARAMETERS)]
        self.keywords = {name: given[_KEYWORD, number] for number, name in enumerate(passed)}
        self.load = given[_LOAD]
        for pairs in wanted.values():
            for number, (module, name) in enumerate(pairs):
                module.globals[name] = given[_GLOBAL, number]

    # ---- the new text

    def build(self):
        self._own_imports()
        self._texts()
        self._constants()
        free = self._targets()
        passed = self._keywords()
        self._name_the_rest(passed, [name for name in free if name not in self.passed | self.foreign])
        self.attributes = self._attributes([name for name in free if name not in self.keywords.values()])
        return {out: self._text(out) for out in self.groups}

    def paths(self):
        """{module that comes out: path of its file}"""
        return {out: place.replace(".", "/") + ".mpy" for out, place in self.places.items()}

    def _order(self, modules):
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

    def _text(self, out):
        self.trace[last_part(self.places[out])] = {}
        texts, seen = [], set()
        for module in self._order(self.groups[out]):
            tree = Writer(self, module).visit(module.tree)
            for node in tree.body:
                text = ast.unparse(node)
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    if text in seen:
                        continue
                    seen.add(text)
                elif isinstance(node, ast.Pass) or isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    continue
                texts.append(text)
        if not any(re.search(r"\bconst\(", text) for text in texts):
            texts = [text for text in texts if text != "from micropython import const"]
        if out in self.loaders:
            texts.insert(0, "from %s import %s as %s" % (HEAD, self.modules[MODULES].globals["load"], self.load))
        return "\n".join(texts) + "\n"
