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
from tools.scopes import FUNCTIONS, Source

# module → others that are always there together with it, and come out as one
GROUPS = {head: ["wattport." + name if name != "microdot" else name for name in names.split()] for head, names in {
    "wattport.app": """clock errors health history.halfhour hour led log modules supervisor today version wall meter
        reading plausible frame.framer link.uart net.wifi net.sync net.stream crypto.crc""",
    "wattport.publish.publisher": "publish.mqtt publish.packet",
    "wattport.web.api": "web.server web.client web.refused microdot",
    "wattport.decode.p1": "decode.p1line decode.p1lists",
    "wattport.frame.decrypt": "crypto.gcm crypto.ghash",
    "wattport.link.pulse": "link.count",
    "wattport.tariff.cost": "tariff.price",
}.items()}

_HEAD = "wattport.app"  # what main.py imports
_MODULES = "wattport.modules"
# in there: what the slot does instead, `flat`
_PLACE = "    return name  # as it is", """    if not name.startswith("wattport."):
        return name
    room, _, last = name[9:].rpartition(".")
    return room[:1] + last"""
_BUILT_IN = frozenset("""array binascii board boot btree cmath cryptolib deflate dht errno espnow framebuf gc hashlib
    heapq io json machine main math mip neopixel network ntptime onewire os platform random re requests select socket
    ssl struct sys termios time tls uctypes vfs webrepl websocket""".split())
_ROM = EVERYWHERE | ON_THE_CHIP | ON_UNIX
# the compiler knows them, or something built in looks for them in any object
_SPECIAL = frozenset("""const micropython native viper bytecode ptr ptr8 ptr16 ptr32 uint int bool object super self
    args value errno send throw close pend_throw read readinto readline write ioctl seek tell flush fileno keys pop
    append index count data state done""".split())
_PARAMETER, _KEYWORD, _GLOBAL = range(3)
_PARAMETERS = 24  # names set aside for them: a parameter must never hide a global
_WORDS = re.compile(r"[A-Za-z_]\w*")
_OURS = re.compile(r"wattport(?:\.\w+)+")


def flat(name):
    """The name in the slot of a module that is not always there: "wattport.web.gate" → "wgate". With packages, each
    import leaves three names in the heap for ever, and there are the packages themselves. firmware/wattport/modules.py
    does the same with what it is given."""
    if name == _HEAD or not name.startswith("wattport."):
        return name
    room, _, last = name[len("wattport."):].rpartition(".")
    return room[:1] + last


class SlotError(Exception):
    """The program does what the slot can't do; the text says where."""


def _is_dunder(name):
    return name.startswith("__") and name.endswith("__")


def _is_private(name):
    return name.startswith("_") and not _is_dunder(name) and name != "_"


def _last(node):
    """The last name of what is called: f, x.f → "f"."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def _whole(node, values):
    """The int that an expression of constants is, or None."""
    if isinstance(node, ast.Call) and _last(node.func) == "const" and len(node.args) == 1:
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


class _Module(Source):
    """One module of the sources. `out`: the name of the module that it goes into."""

    def __init__(self, name, text):
        super().__init__(text.replace(*_PLACE) if name == _MODULES else text)
        self.name = self.out = name
        self.constants = {}  # global → int, written out wherever it is used
        self.globals = {}  # global → its new name
        self.imports = {}  # id of an alias → (module, name or None for the module itself), of our own ones
        self.wanted = False  # by a statement, somewhere

    def strings(self):
        """Its texts, without those that only describe."""
        loose = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and id(node) not in loose:
                yield node.value if isinstance(node.value, str) else node.value.decode("latin1")


class Program:
    """`sources`: {module: text}. `groups`: {module: names of others that go into it}. `foreign`: texts of sources that
    are none of ours, whose names stay. `build()` gives {module: text}; then `trace` is {module: {new: [old, ...]}}."""

    def __init__(self, sources, groups=None, foreign=()):
        self.modules = {name: _Module(name, text) for name, text in sorted(sources.items())}
        named = {name for module in self.modules.values() for text in module.strings() for name in _OURS.findall(text)}
        self.groups = {}
        for head, names in (groups or {}).items():
            for name in names:
                if name in self.modules and name not in named:  # what a text names can't be inside of another
                    self.modules[name].out = head
        for module in self.modules.values():
            self.groups.setdefault(module.out, []).append(module)
        places = {}
        for out in self.groups:
            if places.setdefault(flat(out), out) != out or flat(out) in _BUILT_IN:
                raise SlotError("%s and %s would both be %s" % (out, places[flat(out)], flat(out)))
        self.foreign = set()
        for text in foreign:
            tokens = tokenize.generate_tokens(io.StringIO(text).readline)
            self.foreign.update(token.string for token in tokens if token.type == tokenize.NAME)
        self.trace = {}

    # ---- who imports what

    def _own_imports(self):
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
                elif isinstance(node, ast.Call) and _last(node.func) == "__import__" and module.name != _MODULES:
                    if not isinstance(node.args[0], ast.Constant):
                        raise SlotError("%s imports what no text names: load() of %s can" % (module.name, _MODULES))
                elif (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
                      and _last(node.value.func) == "__import__" and isinstance(node.value.args[0], ast.Constant)):
                    if node.value.args[0].value in self.modules:
                        module.imports[id(node.targets[0])] = node.value.args[0].value, None
            for wanted, _ in module.imports.values():
                self.modules[wanted].wanted = True

    def _texts(self):
        self.words = set()
        self.reached = set()  # attributes that getattr and its like are given
        for module in self.modules.values():
            for text in module.strings():
                self.words.update(_WORDS.findall(text))
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and _last(node.func) in ("getattr", "hasattr", "setattr", "delattr"):
                    texts = [node.args[1].value] if isinstance(node.args[1], ast.Constant) else module.strings()
                    if isinstance(node.args[1], ast.Constant) or module.name != _MODULES:
                        for text in texts:
                            self.reached.update(_WORDS.findall(text))

    def _is_kept(self, module, name):
        """A global that somebody may ask for by its name."""
        return module.out == module.name and not _is_private(name) and (
            name in _ROM or name in self.words or not module.wanted)

    # ---- constants

    def _constants(self):
        for module in self.modules.values():
            for node in list(module.tree.body):
                if not isinstance(node, ast.Assign) or len(node.targets) > 1 or _last(node.targets[0]) is None:
                    continue
                name = _last(node.targets[0])
                value = _whole(node.value, module.constants)
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
        return sorted((name for name in EVERYWHERE - _SPECIAL - used if not _is_private(name)
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
                called = _last(call.func)
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
        public = sorted(name for name in defined - fixed if not _is_private(name) and not _is_dunder(name))
        every = {node.attr for module in self.modules.values() for node in ast.walk(module.tree)
                 if isinstance(node, ast.Attribute)} | defined
        targets = [name for name in free if name not in every - set(public)]
        self.private_attributes = {name for name in defined - self.reached if _is_private(name)}
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
                    if imported or self._is_kept(module, name) or _is_dunder(name) or name.endswith("Error"):
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
        given = self._shared_out(counts, free)
        self.parameters = [given[_PARAMETER, number] for number in range(_PARAMETERS)]
        self.keywords = {name: given[_KEYWORD, number] for number, name in enumerate(passed)}
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
        return {out: flat(out).replace(".", "/") + ".mpy" for out in self.groups}

    def _order(self, modules):
        """Modules of one group, each behind those that it imports from at its top."""
        done, order = set(), []

        def add(module):
            if module.name in done:
                return
            done.add(module.name)
            for node in module.tree.body:
                for alias in getattr(node, "names", ()) if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
                    wanted = module.imports.get(id(alias))
                    if wanted and self.modules[wanted[0]] in modules:
                        add(self.modules[wanted[0]])
            order.append(module)

        for module in modules:
            add(module)
        return order

    def _text(self, out):
        self.trace[out] = {}
        texts, seen = [], set()
        for module in self._order(self.groups[out]):
            tree = _Writer(self, module).visit(module.tree)
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
        return "\n".join(texts) + "\n"


class _Writer(ast.NodeTransformer):
    """Gives one module its new names, in place."""

    def __init__(self, program, module):
        self._program, self._module = program, module
        self._trace = program.trace[module.out]
        places = [(name, scope) for _, _, _, name, scope in module.places]
        private = {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)} | {
            name for name, scope in places if scope.kind == "class" and name in scope.bound}
        self._private = dict(zip(sorted(private & program.private_attributes), program.private_targets))
        self._locals = {}  # id of a scope → {name: new name}
        self._count = 0
        for _, scope in module.functions:
            self._parameters(scope)
        self._values = {}  # id of a Name → what stands there instead
        self._roots = {}  # id of a Name that is a module of ours → that module
        for place in module.places:
            self._rename(*place)

    # ---- names

    def _attribute(self, name):
        return self._private.get(name) or self._program.attributes.get(name, name)

    def _around(self, scope):
        """New names in the functions around a scope."""
        names = set()
        while scope:
            names.update(self._locals.get(id(scope), {}).values())
            scope = scope.parent
        return names

    def _parameters(self, scope):
        """They are stored with the function, so they get names of the ROM; other locals cost nothing."""
        taken = self._around(scope.parent)
        names = self._locals[id(scope)] = {}
        free = [name for name in self._program.parameters if name not in taken]
        for name in scope.params:
            if name in self._program.passed:
                names[name] = self._program.keywords.get(name, name)
            else:
                names[name] = name if name == "self" else free.pop(0)
        for name, nodes in scope.bound.items():
            if isinstance(nodes[0], FUNCTIONS) and name not in names:
                names[name] = free.pop(0)  # the name is stored too

    def _new(self, scope, name):
        """The new name of what a scope owns."""
        if scope.kind == "module":
            return self._module.globals.get(name, name)
        if scope.kind == "class":
            return self._attribute(name)
        names = self._locals.setdefault(id(scope), {})
        if name not in names:
            self._count += 1
            names[name] = "v%d_" % self._count
        return names[name]

    def _rename(self, node, field, index, name, scope):
        owner = scope.owner(name)
        if owner is None:
            return
        if isinstance(node, ast.Name):
            meaning = self._program.meaning(self._module, owner, name)
            if meaning and meaning[1] is None:
                self._roots[id(node)] = meaning[0]
            value = self._value(*(meaning or (self._module if owner.kind == "module" else None, name)))
            if value and isinstance(node.ctx, ast.Load):
                self._values[id(node)] = value
                return
        new = self._new(owner, name)
        if scope.kind == "class" and owner.kind == "module" and new in map(self._attribute, scope.bound):
            raise SlotError("%s: %s means two things in class %s" % (self._module.name, new, scope.name))
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            whole = "%s.%s%s" % (self._module.name, owner.name + "." if owner.name else "", name)
            if new != name and whole not in self._trace.setdefault(new, []):
                self._trace[new].append(whole)
        if index is None:
            setattr(node, field, new)
        else:
            getattr(node, field)[index] = new

    def _value(self, module, name):
        """What a global of ours becomes when it needs no import: a constant, or a global of this same module."""
        if module is None or name is None:
            return None
        if name in module.constants:
            return ast.parse(str(module.constants[name]), mode="eval").body
        if module.out == self._module.out and name in module.globals:
            return ast.Name(module.globals[name], ast.Load())
        return None

    # ---- nodes

    def visit_Name(self, node):
        if node.id == "__file__":  # what lies beside it in the sources lies there still
            path = "/%s.mpy" % self._module.name.replace(".", "/")
            return ast.parse("(__file__.rpartition('/')[0] + %r)" % path, mode="eval").body
        return self._values.get(id(node), node)

    def visit_Call(self, node):
        if _last(node.func) == "__import__" and isinstance(node.args[0], ast.Constant):
            node.args[0] = ast.Constant(flat(node.args[0].value))
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node):
        root = self._roots.get(id(node.value))
        if root:
            module, name = self._program.resolved(root.name, node.attr)
            value = self._value(module, name)
            if value:
                return value
            if module.out != root.out:
                module, name = root, node.attr
            node.attr = module.globals.get(name, name)
            return node
        self.generic_visit(node)
        node.attr = self._attribute(node.attr)
        return node

    def visit_keyword(self, node):
        self.generic_visit(node)
        if node.arg:
            node.arg = self._program.keywords.get(node.arg, node.arg)
        return node

    def visit_Delete(self, node):
        node.targets = [target for target in node.targets
                        if not (id(target) in self._roots and self._roots[id(target)].out == self._module.out)]
        self.generic_visit(node)
        return node if node.targets else ast.Pass()

    def visit_Import(self, node):
        return self._imports(node)

    def visit_ImportFrom(self, node):
        return self._imports(node)

    def _imports(self, node):
        scope = self._module.inside[id(node)]
        statements = []
        for alias in node.names:
            name = alias.asname or alias.name
            owner = self._module.scope if name in scope.is_global else scope
            new = self._new(owner, name)
            if id(alias) not in self._module.imports:
                one = ast.alias(alias.name, new if new != alias.name else None)
                statements.append(ast.Import([one]) if isinstance(node, ast.Import) else
                                  ast.ImportFrom(node.module, [one], node.level))
                continue
            module, member = self._program.resolved(*self._module.imports[id(alias)])
            alone = self._program.meaning(self._module, owner, name)
            if alone and (module.out == self._module.out or member in module.constants):
                continue
            if not alone and (module.out == self._module.out or member in module.constants):
                raise SlotError("%s binds %s more than once" % (self._module.name, name))
            if member is not None:
                source, member = flat(module.out), module.globals.get(member, member)
            else:
                source, _, member = flat(module.out).rpartition(".")
            one = ast.alias(member, new if new != member else None)
            statements.append(ast.ImportFrom(source, [one], 0) if source else ast.Import([one]))
        return statements or ast.Pass()
