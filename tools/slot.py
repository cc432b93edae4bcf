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
from tools.slot_graph import WORDS, Graph
from tools.slot_module import HEAD, MODULES, SlotError, is_dunder, is_private, last, last_part, whole
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

_ROM = EVERYWHERE | ON_THE_CHIP | ON_UNIX
# the compiler knows them, or something built in looks for them in any object
_SPECIAL = frozenset("""const micropython native viper bytecode ptr ptr8 ptr16 ptr32 uint int bool object super self
    args value errno send throw close pend_throw read readinto readline write ioctl seek tell flush fileno keys pop
    append index count data state done""".split())
_PARAMETER, _KEYWORD, _GLOBAL = range(3)
_LOAD = -1, 0  # modules.load
_PARAMETERS = 24  # names set aside for them: a parameter must never hide a global


class Program(Graph):
    """`sources`, `groups`: see Graph. `foreign`: texts of sources that are none of ours, whose names stay. `build()`
    gives {module: text}; then `trace` is {module: {new: [old, ...]}}."""

    def __init__(self, sources, groups=None, foreign=()):
        super().__init__(sources, groups)
        self.foreign = set()
        for text in foreign:
            tokens = tokenize.generate_tokens(io.StringIO(text).readline)
            self.foreign.update(token.string for token in tokens if token.type == tokenize.NAME)
        self.trace = {}
        self.loaders = set()  # modules that come out and load others
        self.keyword_texts = set()  # names by which something is passed: these have to stay names

    def _texts(self):
        self.words = set()
        self.reached = set()  # attributes that getattr and its like are given
        for module in self.modules.values():
            for text in module.strings():
                self.words.update(WORDS.findall(text))
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and last(node.func) in ("getattr", "hasattr", "setattr", "delattr"):
                    texts = [node.args[1].value] if isinstance(node.args[1], ast.Constant) else module.strings()
                    if isinstance(node.args[1], ast.Constant) or module.name != MODULES:
                        for text in texts:
                            self.reached.update(WORDS.findall(text))

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
        self.see_imports()
        self._texts()
        self._constants()
        free = self._targets()
        passed = self._keywords()
        self._name_the_rest(passed, [name for name in free if name not in self.passed | self.foreign])
        self.attributes = self._attributes([name for name in free if name not in self.keywords.values()])
        return {out: self._text(out) for out in self.groups}

    def _text(self, out):
        self.trace[last_part(self.places[out])] = {}
        texts, seen = [], set()
        for module in self.order(self.groups[out]):
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
