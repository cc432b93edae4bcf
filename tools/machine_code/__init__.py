# SPDX-License-Identifier: MIT
"""Run a module's viper functions as the chip would: the machine code that ships, under qemu's user mode.

    crc = Module(FIRMWARE / "wattport/crypto/crc.py", "xtensawin")
    crc.call("crc16_update", 0, 0, b"123456789", 9, table)      # 0xBB3D
    crc.batch("crc16_update", [(0, 0, data, len(data), table) for data in many])    # one process for all
    crc.count("crc16_update", 0, 0, kilobyte, 1024, table)      # instructions

Buffers are bytearray, bytes or array.array; what the kernel wrote is written back into them. An object that
is given twice is one buffer, and calls of one batch run in order, each on what the one before it left.
Kernels are leaf functions: the table of helpers holds nothing but the conversions of arguments and result.
"""

import array
import ast
import signal
import subprocess
import tempfile
from pathlib import Path

from tools import mpy
from tools.compile import compile_file
from tools.machine_code import elf
from tools.paths import PROGRAMS

ARCHITECTURES = tuple(elf.ARCHITECTURES)
TIMEOUT_S = 60
_GUARD = bytes((0xA5 + 7 * i) & 0xFF for i in range(64))  # no constant: a kernel may well write one


class MachineCodeError(Exception):
    """The kernel cannot be run, or did what it must not."""


class Overrun(MachineCodeError):
    """The kernel wrote outside its buffers."""


class ReadOnlyWritten(MachineCodeError):
    """The kernel wrote into a `bytes`, on the chip perhaps a constant in flash or shared with others."""


class HelperCalled(MachineCodeError):
    """The kernel called MicroPython: it is no leaf function."""


class Crashed(MachineCodeError):
    """A bad address, an illegal instruction, or no end."""


def viper_functions(tree):
    """The `@micropython.viper` functions of a syntax tree, in the order of the source."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
             and any(ast.unparse(decorator) == "micropython.viper" for decorator in node.decorator_list)]
    return sorted(found, key=lambda node: node.lineno)


class _Kernel:
    def __init__(self, node, code):
        self.name, self.code = node.name, code
        self.kinds = [ast.unparse(argument.annotation) if argument.annotation else "object"
                      for argument in node.args.args]
        self.returns = ast.unparse(node.returns) if node.returns else None

    def check(self, args):
        """Refuse here what would be an address out of nowhere in the kernel."""
        if len(args) != len(self.kinds):
            raise TypeError("%s takes %d arguments" % (self.name, len(self.kinds)))
        for number, (kind, value) in enumerate(zip(self.kinds, args)):
            wanted = (bytes, bytearray, array.array) if kind.startswith("ptr") else int
            if kind == "object":
                raise MachineCodeError("argument %d of %s has no viper type" % (number, self.name))
            if not isinstance(value, wanted):
                raise TypeError("argument %d of %s is a %s" % (number, self.name, kind))

    def result(self, word):
        if self.returns == "int":
            return word - (1 << 32) if word & 0x80000000 else word
        return {"uint": word, "bool": bool(word)}.get(self.returns)


class _Buffer:
    """One object's place in the image, between two guards."""

    def __init__(self, image, value, label):
        self.value, self.label = value, label
        self.data = bytes(memoryview(value).cast("B")) if len(value) else b""
        image.put(_GUARD)
        self.start = image.put(self.data)
        self.end = self.start + len(self.data)
        image.put(_GUARD, align=1)

    def take(self, data):
        if data == self.data:
            return
        if isinstance(self.value, bytes):
            raise ReadOnlyWritten("the kernel wrote into %s, a bytes" % self.label)
        memoryview(self.value).cast("B")[:] = data

    def distance(self, address):
        """(bytes away, text) of a write outside this buffer."""
        if address >= self.end:
            return address - self.end + 1, "after the end of " + self.label
        return self.start - address, "before the start of " + self.label


class Module:
    """The viper functions of one source file, compiled for one architecture."""

    def __init__(self, path, arch):
        self.arch = arch
        nodes = viper_functions(ast.parse(Path(path).read_text()))
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "module.mpy"
            compile_file(Path(path), target, arch)
            self.objects, code = mpy.read(target.read_bytes(), arch)
        # viper code carries no name, but stands in the file in the order of the source
        codes = code.viper()
        if len(codes) != len(nodes):
            raise MachineCodeError("%s: %d viper functions in the source, %d in the .mpy"
                                   % (path, len(nodes), len(codes)))
        self.kernels = {node.name: _Kernel(node, code) for node, code in zip(nodes, codes)}

    def call(self, name, *args):
        """The result, as the annotation has it: `-> int` signed, `-> uint`, `-> bool`, or None."""
        return self.batch(name, [args])[0]

    def batch(self, name, calls):
        """The results of many calls, [(argument, ...), ...], in one process."""
        return self._run(self.kernels[name], calls, lambda command, code: self._emulate(command))

    def count(self, name, *args):
        """The instructions executed inside the kernel by one call, which has the same effects as `call`.

        Only the kernel's own instructions are in the log: there is no start-up to subtract. The conversion of
        an argument counts as the call of the helper, not what happens in it.
        """
        kernel = self.kernels[name]
        executed = []

        def traced(command, code):
            with tempfile.TemporaryDirectory() as folder:
                log = Path(folder) / "log"
                output = self._emulate(
                    [command[0], *command[1:-1], "-one-insn-per-tb", "-d", "exec,nochain", "-D", str(log),
                     "-dfilter", "0x%x+0x%x" % (code, len(kernel.code)), command[-1]])
                with log.open("rb") as lines:
                    # an interrupted block starts again: that instruction is in the log twice
                    executed.append(sum(line.startswith(b"Trace") - line.startswith(b"Stopped")
                                        for line in lines))
            return output

        self._run(kernel, [args], traced)
        return executed[0]

    def _run(self, kernel, calls, emulate):
        image = elf.Image(self.arch)
        objects = image.put_words(image.helpers if item is mpy.FUN_TABLE else item or 0
                                  for item in self.objects)
        context = image.put_words((0, 0, 0, objects))  # type, globals, qstrs, objects
        function = image.put_words((0, context))
        code = image.put(kernel.code)
        buffers, records = {}, []
        for number, args in enumerate(calls):
            kernel.check(args)
            words = []
            for position, value in enumerate(args):
                if not isinstance(value, int) and id(value) not in buffers:
                    label = "argument %d of %s, call %d" % (position, kernel.name, number)
                    buffers[id(value)] = _Buffer(image, value, label)
                words.append(value if isinstance(value, int) else buffers[id(value)].start)
            records.append((function, len(args), image.put_words(words), code))
        if not records:
            return []
        first = image.finish(records)
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "kernel"
            program.write_bytes(image.memory)
            program.chmod(0o755)
            emulator, *options = image.arch.emulator
            after = emulate([str(PROGRAMS / emulator), *options, str(program)], code)
        results = [first + elf.RECORD.size * number + elf.RESULT for number in range(len(records))]
        _check_memory(image.memory, after, buffers.values(), results)
        for buffer in buffers.values():
            buffer.take(after[buffer.start - elf.BASE:buffer.end - elf.BASE])
        words = [int.from_bytes(after[at - elf.BASE:at - elf.BASE + 4], "little") for at in results]
        return [kernel.result(word) for word in words]

    @staticmethod
    def _emulate(command):
        try:  # in a folder that goes away: qemu leaves its core there
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S,
                                  cwd=Path(command[-1]).parent)
        except subprocess.TimeoutExpired:
            raise Crashed("the kernel does not return")
        helper = done.returncode - elf.HELPER_STATUS
        if 0 <= helper < len(elf.HELPERS):
            raise HelperCalled("the kernel calls MicroPython's %s: it is no leaf function"
                               % elf.HELPERS[helper])
        if done.returncode < 0:
            raise Crashed("the kernel crashed with %s" % signal.Signals(-done.returncode).name)
        if done.returncode:
            raise MachineCodeError("%s failed: %s" % (command[0], done.stderr.decode(errors="replace")))
        return done.stdout


def _check_memory(before, after, buffers, results):
    """Nothing but the buffers and the results may differ."""
    if len(after) != len(before):
        raise Crashed("the kernel destroyed the program around it")
    wanted = bytearray(before)
    for start, end in [(buffer.start, buffer.end) for buffer in buffers] + [(at, at + 4) for at in results]:
        wanted[start - elf.BASE:end - elf.BASE] = after[start - elf.BASE:end - elf.BASE]
    if wanted != after:
        address = elf.BASE + next(at for at, (old, new) in enumerate(zip(wanted, after)) if old != new)
        places = [buffer.distance(address) for buffer in buffers]
        raise Overrun("the kernel wrote %d bytes %s" % min(places) if places else
                      "the kernel wrote into the program")
