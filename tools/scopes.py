# SPDX-License-Identifier: MIT
"""Whose is a name: the scopes of a Python source, and each place where a name stands in it."""

import ast

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Scope:
    """`kind`: "module", "class" or "function" (also of a lambda and a comprehension). `bound`: {name: [node, ...]}."""

    def __init__(self, kind, parent=None, name=""):
        self.kind = kind
        self.name = name
        self.parent = parent
        self.top = parent.top if parent else self
        self.bound = {}
        self.params = []
        self.is_global = set()
        self.is_nonlocal = set()

    def owner(self, name):
        """The scope that a name belongs to when it stands here; None: it is built in."""
        scope = self
        while scope:
            if name in scope.is_global:
                return self.top
            if name in scope.bound and name not in scope.is_nonlocal and (scope.kind != "class" or scope is self):
                return scope
            scope = scope.parent
        return None


class Source:
    """A parsed module. `places`: [(node, field, index or None, name, scope)]; `functions`: [(node, its scope)]."""

    def __init__(self, text):
        self.tree = ast.parse(text)
        self.scope = Scope("module")
        self.places = []
        self.functions = []
        self.inside = {}  # id of a node → the scope that it stands in
        self._all(self.tree.body, self.scope)

    def _all(self, nodes, scope):
        for node in nodes:
            if node is not None:
                self._visit(node, scope)

    def _place(self, scope, node, field, name, binds=True, index=None):
        self.places.append((node, field, index, name, scope))
        if binds:
            scope.bound.setdefault(name, []).append(node)

    def _function(self, node, scope):
        inner = Scope("function", scope)
        self.functions.append((node, inner))
        arguments = node.args
        self._all(arguments.defaults + arguments.kw_defaults, scope)
        plain = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
        for argument in plain + [arguments.vararg, arguments.kwarg]:
            if argument:
                self._all([argument.annotation], scope)
                self._place(inner, argument, "arg", argument.arg)
        inner.params = [argument.arg for argument in plain]
        self._all(node.body if isinstance(node.body, list) else [node.body], inner)

    def _visit(self, node, scope):
        self.inside[id(node)] = scope
        if isinstance(node, FUNCTIONS):
            self._all(node.decorator_list + [node.returns], scope)
            self._place(scope, node, "name", node.name)
            self._function(node, scope)
        elif isinstance(node, ast.Lambda):
            self._function(node, scope)
        elif isinstance(node, ast.ClassDef):
            self._all(node.decorator_list + node.bases + node.keywords, scope)
            self._place(scope, node, "name", node.name)
            self._all(node.body, Scope("class", scope, node.name))
        elif isinstance(node, _COMPREHENSIONS):
            self._all([node.generators[0].iter], scope)
            inner = Scope("function", scope)
            for number, part in enumerate(node.generators):
                self._all([part.target] + ([part.iter] if number else []) + part.ifs, inner)
            self._all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)
        elif isinstance(node, ast.Name):
            self._place(scope, node, "id", node.id, not isinstance(node.ctx, ast.Load))
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            (scope.is_global if isinstance(node, ast.Global) else scope.is_nonlocal).update(node.names)
            for index, name in enumerate(node.names):
                self._place(scope, node, "names", name, False, index)
                if isinstance(node, ast.Global):
                    scope.top.bound.setdefault(name, []).append(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                scope.bound.setdefault(alias.asname or alias.name.split(".")[0], []).append(node)
                self.inside[id(alias)] = scope
        else:
            if isinstance(node, ast.ExceptHandler) and node.name:
                self._place(scope, node, "name", node.name)
            self._all(ast.iter_child_nodes(node), scope)
