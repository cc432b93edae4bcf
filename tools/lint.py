# SPDX-License-Identifier: MIT
"""Refuse in firmware/ what compiles and then differs: between compilers, 32 and 64 bits, the PC and the chip.

    python -m tools.lint        file:line: message, a line each; exit 1 when there is one

Viper takes an idiom that is wrong on one architecture without a word. Testing the results (that is done too,
in host_tests/test_machine_code.py) finds it only with the right input; forbidding the idiom finds it always.
"""

import ast
import re
import sys
import tempfile
from pathlib import Path

from tools.compile import CompileError, compile_file
from tools.machine_code import ARCHITECTURES, viper_functions
from tools.paths import FIRMWARE
from tools.shorten import is_private

LICENCE = "# SPDX-License-Identifier: MIT"
# rooms below firmware/wattport that are the same source on every platform, and so cannot import what is not
CORE = ("frame/", "crypto/", "decode/", "history/", "tariff/", "reading.py", "errors.py", "plausible.py", "clock.py",
        "civil.py", "wall.py", "adjust.py", "today.py", "midnight.py", "hour.py")
PLATFORM = {"machine", "network", "esp32"}
ABSENT = {"typing", "__future__"}  # not on MicroPython

LITERAL_LIMIT = 0x40000000  # a small int on the chip has 31 bits
WIDTHS = {"ptr8": 0xFF, "ptr16": 0xFFFF, "ptr32": 0xFFFFFFFF}
CASTS = {"int", "uint", *WIDTHS}
BIT_BY_BIT = (ast.BitXor, ast.BitOr, ast.BitAnd)
FOLD = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.BitAnd: lambda a, b: a & b, ast.BitOr: lambda a, b: a | b, ast.BitXor: lambda a, b: a ^ b,
    ast.LShift: lambda a, b: a << b if 0 <= b < 64 else None,
    ast.RShift: lambda a, b: a >> b if b >= 0 else None,
}


def constant(node, names):
    """The int that the compiler folds an expression to, or None; `names` are those made with const()."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert)):
        value = constant(node.operand, names)
        return None if value is None else -value if isinstance(node.op, ast.USub) else ~value
    if isinstance(node, ast.BinOp) and type(node.op) in FOLD:
        left, right = constant(node.left, names), constant(node.right, names)
        return None if left is None or right is None else FOLD[type(node.op)](left, right)
    return None


def called(node):
    """The name of a plain function that `node` calls."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def consts(tree):
    names = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and called(node.value) == "const":
            names[node.targets[0].id] = constant(node.value.args[0], names)
    return names


class Kernel:
    """A viper function, with what the rules ask about its names."""

    def __init__(self, node, names):
        self.node, self.consts = node, names
        self.body = [inner for statement in node.body for inner in ast.walk(statement)]
        self.parents = {child: inner for inner in self.body for child in ast.iter_child_nodes(inner)}
        self.pointers = {argument.arg: argument.annotation.id for argument in node.args.args
                         if isinstance(argument.annotation, ast.Name) and argument.annotation.id in WIDTHS}
        self.hoisted = {}  # constants that a local holds: name → value
        stored = [argument.arg for argument in node.args.args]
        stored += [inner.id for inner in self.body
                   if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)]
        for inner in self.body:
            if isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                name, value = inner.targets[0].id, inner.value
                if called(value) in WIDTHS:
                    self.pointers[name] = called(value)
                value = self.constant(value.args[0] if called(value) == "int" and value.args else value)
                if value is not None and stored.count(name) == 1:
                    self.hoisted[name] = value

    def constant(self, node):
        return constant(node, self.consts)

    def mask(self, node):
        return constant(node, {**self.consts, **self.hoisted})

    def width(self, node):
        """The largest value behind p[i] when p is a pointer, or None."""
        if not isinstance(node, ast.Subscript):
            return None
        kind = self.pointers.get(node.value.id) if isinstance(node.value, ast.Name) else called(node.value)
        return WIDTHS.get(kind)

    def fits(self, node, limit):
        """True when the value cannot be outside 0 ... limit."""
        value, width = self.mask(node), self.width(node)
        if value is not None or width is not None:
            return 0 <= (width if value is None else value) <= limit
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, BIT_BY_BIT):
            return False
        sides = self.fits(node.left, limit), self.fits(node.right, limit)
        return any(sides) if isinstance(node.op, ast.BitAnd) else all(sides)


# -- rules for a viper function: each yields (node, message) -------------------------------------------------

def plain_arguments(kernel):
    arguments = kernel.node.args
    if arguments.defaults or arguments.kw_defaults or arguments.kwonlyargs:
        yield kernel.node, "viper has no default and no keyword arguments"
    if arguments.vararg or arguments.kwarg or arguments.posonlyargs:
        yield kernel.node, "viper has plain positional arguments only"


def no_none_annotation(kernel):
    if isinstance(kernel.node.returns, ast.Constant) and kernel.node.returns.value is None:
        yield kernel.node, "`-> None` is a SyntaxError in viper: leave it out"


def no_try(kernel):
    for node in kernel.body:
        if isinstance(node, ast.Try):
            yield node, "`try` in viper evicts the locals from registers"


def no_yield(kernel):
    for node in kernel.body:
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            yield node, "viper cannot yield"


def no_negation(kernel):
    """Compilers before 1.29 overwrite the operand itself (micropython#14397)."""
    for node in kernel.body:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert)):
            if not isinstance(node.operand, ast.Constant):
                yield node, "unary - and ~ only on a literal: write `0 - x`, `x ^ -1`"


def small_literals(kernel):
    def big(node):
        value = kernel.constant(node)
        return value is not None and not -LITERAL_LIMIT < value < LITERAL_LIMIT

    for node in kernel.body:
        if big(node) and not any(map(big, ast.iter_child_nodes(node))):
            parent = kernel.parents.get(node)
            if not (called(parent) == "int" and parent.args == [node]):
                yield node, "a literal of 31 bits or more only as int(0x...)"


def right_shifts_masked(kernel):
    """A shift fills with the sign on 32 bits and with zeros on 64.

    `^` and `|` may stand between a shift and its mask: they move no bit.
    """
    for node in kernel.body:
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.RShift):
            yield node, "`>>=` cannot be masked: write `x = (x >> n) & mask`"
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift)):
            continue
        if kernel.constant(node) is not None:
            continue
        inner, outer = node, kernel.parents.get(node)
        while isinstance(outer, ast.BinOp) and isinstance(outer.op, (ast.BitXor, ast.BitOr)):
            inner, outer = outer, kernel.parents.get(outer)
        mask, count = None, kernel.mask(node.right)
        if isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.BitAnd):
            mask = kernel.mask(outer.right if outer.left is inner else outer.left)
        if mask is None:
            yield node, "a right shift must be masked at once: `(x >> n) & mask`"
        elif not 0 <= mask <= (0xFFFFFFFF >> count % 32 if count else LITERAL_LIMIT - 1):
            yield node, "the mask lets through bits that the shift filled"


def short_shifts(kernel):
    for node in kernel.body:
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, (ast.LShift, ast.RShift)):
            count = kernel.mask(node.right if isinstance(node, ast.BinOp) else node.value)
            if count is not None and not 0 <= count <= 31:
                yield node, "a shift by %d is not the same everywhere: 0 to 31" % count


def uint_only_returned(kernel):
    for node in kernel.body:
        if isinstance(node, ast.Name) and node.id == "uint":
            call = kernel.parents.get(node)
            if not (called(call) == "uint" and isinstance(kernel.parents.get(call), ast.Return)):
                yield node, "uint only as the type of what is returned"
    for argument in kernel.node.args.args:
        if isinstance(argument.annotation, ast.Name) and argument.annotation.id == "uint":
            yield argument, "uint only as the type of what is returned"


def no_negative_index(kernel):
    for node in kernel.body:
        if isinstance(node, ast.Subscript) and (kernel.mask(node.slice) or 0) < 0:
            yield node, "a negative index reads before the buffer"


def stores_masked(kernel):
    """The native code cuts a value off silently; CPython raises, and a mask says that it is meant."""
    message = "mask what is stored through %s: `p[i] = x & 0x%X`"

    def store(target, fitting):
        limit = kernel.width(target)
        if limit in (0xFF, 0xFFFF) and not fitting(limit):
            kind = next(kind for kind in WIDTHS if WIDTHS[kind] == limit)
            yield target, message % (kind, limit)

    for node in kernel.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple):
                    for one in target.elts:
                        yield from store(one, lambda limit: False)
                yield from store(target, lambda limit, value=node.value: kernel.fits(value, limit))
        elif isinstance(node, ast.AugAssign):
            whole = ast.BinOp(node.target, node.op, node.value)
            yield from store(node.target, lambda limit, value=whole: kernel.fits(value, limit))


def leaf_only(kernel):
    """A call goes through objects on the heap, and so does a cast when it runs in a loop."""
    def visit(node, looping):
        if isinstance(node, ast.Call) and (looping or called(node) not in CASTS):
            yield node, "no calls in a leaf kernel: casts outside of loops, and `for ... in range()`"
        for field, value in ast.iter_fields(node):
            inside = looping or (isinstance(node, ast.While) and field in ("test", "body")
                                 or isinstance(node, ast.For) and field == "body")
            for child in value if isinstance(value, list) else [value]:
                if isinstance(node, ast.For) and field == "iter" and called(child) == "range":
                    for argument in child.args:
                        yield from visit(argument, inside)
                elif isinstance(child, ast.AST):
                    yield from visit(child, inside)

    for statement in kernel.node.body:
        yield from visit(statement, False)


def range_loops(kernel):
    for node in kernel.body:
        if isinstance(node, ast.For):
            if called(node.iter) != "range":
                yield node, "viper loops over range() only, all else are objects"
            elif len(node.iter.args) == 3 and kernel.constant(node.iter.args[2]) is None:
                yield node, "a step that is no constant makes the loop variable an object"


VIPER_RULES = (plain_arguments, no_none_annotation, no_try, no_yield, no_negation, small_literals,
               right_shifts_masked, short_shifts, uint_only_returned, no_negative_index, stores_masked,
               leaf_only, range_loops)


# -- rules for a file: each yields (node, message); `name` is below firmware/ --------------------------------

def imported(node):
    """The top modules that a statement imports from."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {node.module.split(".")[0]} if isinstance(node, ast.ImportFrom) and node.module else set()


def core_without_platform(tree, name):
    room = name.removeprefix("wattport/")
    if room != name and room.startswith(CORE):
        for node in ast.walk(tree):
            for module in sorted(imported(node) & PLATFORM):
                yield node, "the core never imports %s" % module


def no_absent_modules(tree, name):
    for node in ast.walk(tree):
        for module in sorted(imported(node) & ABSENT):
            yield node, "MicroPython has no %s" % module


def no_bare_except(tree, name):
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node, "a bare `except:` catches cancellation too: name the exception"


def no_match(tree, name):
    for node in ast.walk(tree):
        if isinstance(node, ast.Match):
            yield node, "MicroPython has no `match`"


def no_long_arrays(tree, name):
    for node in ast.walk(tree):
        function = node.func if isinstance(node, ast.Call) else None
        if "array" in (getattr(function, "id", None), getattr(function, "attr", None)) and node.args:
            if isinstance(node.args[0], ast.Constant) and node.args[0].value in ("L", "l"):
                yield node, "array('L') has 8 bytes an item on 64 bits: 'I' or 'i'"


def private_names_stay_home(tree, name):
    """tools.shorten renames private names module by module: none may be used elsewhere, or stand in a text."""
    nodes = list(ast.walk(tree))
    home = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    home |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in home:
            yield node, "%s is private to another module" % node.attr
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if is_private(alias.name):
                    yield node, "%s is private to another module" % alias.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and is_private(node.value) and (
                node.value in home):
            yield node, "%s in a text is not renamed with the name" % node.value
        elif isinstance(node, ast.JoinedStr):
            for part in ast.walk(node):
                text = getattr(part, "id", None) or getattr(part, "attr", None)
                if text and is_private(text):
                    yield node, "%s in a text is not renamed with the name" % text


def private_names_are_not_inherited(tree, name):
    """They get the same few letters in every module: a class overwrites those of a base class from another module."""
    homes = {alias.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             and (node.module or "").startswith("wattport.") for alias in node.names}
    for node in ast.walk(tree):
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            home = homes.get(getattr(base, "id", None))
            if home and "self._" in (FIRMWARE / (home.replace(".", "/") + ".py")).read_text():
                yield node, "%s has private attributes, which get the same short names as those here" % base.id


FILE_RULES = (core_without_platform, no_absent_modules, no_bare_except, no_match, no_long_arrays,
              private_names_stay_home, private_names_are_not_inherited)


def check(text, name):
    """[(line, message), ...] for one source; `name` is its path below firmware/."""
    if not text.strip():
        return []
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [(error.lineno or 1, error.msg)]
    found = [] if text.startswith(LICENCE + "\n") else [(1, "the first line must be `%s`" % LICENCE)]
    for rule in FILE_RULES:
        found += [(node.lineno, message) for node, message in rule(tree, name)]
    names = consts(tree)
    for function in viper_functions(tree):
        kernel = Kernel(function, names)
        for rule in VIPER_RULES:
            found += [(node.lineno, message) for node, message in rule(kernel)]
    return sorted(set(found))


def compile_errors(source, name):
    """[(line, message), ...] of the pinned compiler, for the chips."""
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        for arch in ARCHITECTURES:
            try:
                compile_file(source, Path(folder) / "module.mpy", arch)
            except CompileError as error:
                lines = re.findall(r", line (\d+)", str(error))
                found.add((int(lines[-1]) if lines else 1, str(error).splitlines()[-1].strip()))
    return sorted(found)


def check_tree(firmware):
    """The messages for all of a firmware folder."""
    messages = []
    for source in sorted(firmware.rglob("*.py")):
        name = source.relative_to(firmware).as_posix()
        found = sorted(set(check(source.read_text(), name)) | set(compile_errors(source, name)))
        messages += ["%s/%s:%d: %s" % (firmware.name, name, line, message) for line, message in found]
    return messages


if __name__ == "__main__":
    failures = check_tree(FIRMWARE)
    for failure in failures:
        print(failure)
    sys.exit(bool(failures))
