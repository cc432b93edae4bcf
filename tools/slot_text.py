# SPDX-License-Identifier: MIT
"""The new text of a module in a slot: its names are those that tools/slot.py has given."""

import ast

from tools.scopes import FUNCTIONS
from tools.slot_module import HEAD, MODULES, SlotError, last_part


class Writer(ast.NodeTransformer):
    """Gives one module its new names, in place."""

    def __init__(self, program, module):
        self._program, self._module = program, module
        self._trace = program.trace[last_part(program.places[module.out])]
        places = [(name, scope) for _, _, _, name, scope in module.places]
        private = {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)} | {
            name for name, scope in places if scope.kind == "class" and name in scope.bound}
        self._private = dict(zip(sorted(private & program.private_attributes), program.private_targets))
        self._locals = {}  # id of a scope → {name: new name}
        self._count = 0
        self._loads = MODULES in program.modules and program.modules[MODULES].out == HEAD
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

    def _loaded(self, name, member):
        """What loads a global of another module that comes out."""
        module = self._program.modules[name]
        member = module.globals.get(member, member)
        if module.out == self._module.out:
            return ast.Name(member, ast.Load())
        if self._module.out == HEAD:
            load = self._program.modules[MODULES].globals["load"]
        else:
            load = self._program.load
            self._program.loaders.add(self._module.out)
        texts = [ast.Constant(self._program.needs(module.out)), ast.Constant(member)]
        return ast.Call(ast.Name(load, ast.Load()), texts, [])

    # ---- nodes

    def visit_Name(self, node):
        if node.id == "__file__":  # what lies beside it in the sources lies there still
            path = "/%s.mpy" % self._module.name.replace(".", "/")
            return ast.parse("(__file__.rpartition('/')[0] + %r)" % path, mode="eval").body
        return self._values.get(id(node), node)

    def visit_Constant(self, node):
        if id(node) in self._program.asked:
            name, member = self._program.asked[id(node)]
            return ast.Constant(self._program.modules[name].globals.get(member, member))
        if id(node) in self._program.loads:
            return ast.Constant(self._program.needs(self._program.modules[node.value].out))
        if isinstance(node.value, str):
            return ast.Constant(self._program.places.get(node.value, node.value))
        return node

    def visit_Call(self, node):
        asked = self._program.asked.get(id(node.args[1])) if len(node.args) == 2 else None
        if asked and self._program.modules[asked[0]].out == HEAD:  # it is there, and is not to be forgotten
            return self._loaded(*asked)
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
            self._program.keyword_texts.add(node.arg)
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
            if member is not None and module.out != HEAD and self._loads and (
                    self._module.out != HEAD or owner.kind != "module"):
                # the statement would leave the name and the path of the module in the heap for ever
                value = self._loaded(module.name, member)
                statements.append(ast.Assign([ast.Name(new, ast.Store())], value, lineno=node.lineno))
                continue
            place, new_member = self._program.places[module.out], module.globals.get(member, member)
            if member is None:
                place, _, new_member = place.rpartition(".")
            one = ast.alias(new_member, new if new != new_member else None)
            statements.append(ast.ImportFrom(place, [one], 0) if place else ast.Import([one]))
        return statements or ast.Pass()
