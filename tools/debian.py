# SPDX-License-Identifier: MIT
"""Debian programs unpacked privately, each run through its own loader: nothing of the system is changed.

    python3 -m tools.debian .build/debian

leaves `bin/micropython` (64 bits), `bin/micropython32` (i386), `bin/mosquitto`, `bin/qemu-xtensa` and
`bin/qemu-riscv32` there; on a Raspberry Pi only the first. A `micropython` of 1.25 or newer in PATH is used as it is.
Standard library only: this runs before there is a virtual environment.
"""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LOADER = {
    "amd64": "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "i386": "usr/lib/i386-linux-gnu/ld-linux.so.2",
    "arm64": "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
    "armhf": "usr/lib/arm-linux-gnueabihf/ld-linux-armhf.so.3",
}
# machine → program name → (architecture, package, path inside the package)
PROGRAMS = {
    "x86_64": {
        "micropython": ("amd64", "micropython", "usr/bin/micropython"),
        "micropython32": ("i386", "micropython", "usr/bin/micropython"),
        "mosquitto": ("amd64", "mosquitto", "usr/sbin/mosquitto"),
        "qemu-xtensa": ("amd64", "qemu-user", "usr/bin/qemu-xtensa"),
        "qemu-riscv32": ("amd64", "qemu-user", "usr/bin/qemu-riscv32"),
    },
    # a Raspberry Pi: enough to run the firmware with a cable in the meter's port, not for the tests
    "aarch64": {"micropython": ("arm64", "micropython", "usr/bin/micropython")},
    "armv7l": {"micropython": ("armhf", "micropython", "usr/bin/micropython")},
}
MINIMUM = (1, 25)


class SetupError(Exception):
    """A set-up step that this machine cannot do; the text says what a person can do about it."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SetupError("%s failed:\n%s" % (command[0], (done.stderr or done.stdout).strip()[-2000:]))
    return done.stdout


def mirror():
    """The Debian mirror that this machine is set up with."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(f.read_text() for f in files if f.is_file() and f.suffix in (".list", ".sources"))
    for url in re.findall(r"https?://\S+", re.sub(r"#.*", "", text)):
        if re.search(r"/debian/?$", url):
            return url
    raise SetupError("no Debian mirror in /etc/apt: is this Debian? Otherwise put %s into PATH yourself, `micropython` "
                     "in version 1.25 or newer." % ", ".join(PROGRAMS[platform.machine()]))


def fetch(folder, arch, packages):
    """Download `packages` of one architecture with all they depend on, and unpack them below folder/arch."""
    apt = folder / "apt" / arch
    for part in ("lists/partial", "archives/partial"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "status").write_text("")  # an empty system: the whole closure is downloaded, the C library included
    (apt / "sources.list").write_text("deb [signed-by=%s] %s %s main\n" % (KEYRING, mirror(), SUITE))
    options = {
        "Dir::State::Lists": apt / "lists", "Dir::State::status": apt / "status",
        "Dir::Etc::sourcelist": apt / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Cache": apt, "Dir::Cache::archives": apt / "archives", "APT::Architecture": arch,
        "APT::Architectures": arch, "APT::Sandbox::User": "", "APT::Install-Recommends": "false",
        "Debug::NoLocking": "true", "Acquire::Retries": "3",
    }
    command = ["apt-get", "-q", "-y"]
    for key, value in options.items():
        command += ["-o", "%s=%s" % (key, value)]
    run(*command, "update")
    run(*command, "--download-only", "install", *packages)
    for package in sorted((apt / "archives").glob("*.deb")):
        run("dpkg", "-x", str(package), str(folder / arch))


def recent(program):
    """True when `program` runs and is MicroPython 1.25 or newer."""
    try:
        text = subprocess.run([program, "-c", "import sys; print(*sys.implementation[1][:2])"],
                              capture_output=True, text=True, timeout=20).stdout
        return tuple(int(part) for part in text.split()) >= MINIMUM
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False


def install(folder):
    folder = Path(folder).resolve()
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    wanted = {}
    programs = PROGRAMS.get(platform.machine())
    if not programs:
        raise SetupError("this is a machine of the kind %s; MicroPython is unpacked on %s"
                         % (platform.machine(), ", ".join(PROGRAMS)))
    interpreters = [name for name in programs if name.startswith("micropython")]
    for name, (arch, package, path) in programs.items():
        found = shutil.which(name)
        if found and (name != "micropython" or recent(found)):
            link = folder / "bin" / name
            link.unlink(missing_ok=True)
            link.symlink_to(found)
        else:
            wanted.setdefault(arch, {})[name] = (package, path)
    for arch, missing in wanted.items():
        for tool in ("apt-get", "dpkg"):
            if not shutil.which(tool):
                raise SetupError("%s is missing; install %s yourself and put it into PATH"
                                 % (tool, ", ".join(missing)))
        print("unpacking %s (%s) from Debian %s" % (", ".join(missing), arch, SUITE), flush=True)
        fetch(folder, arch, sorted({package for package, _ in missing.values()} | {"libc6"}))
        libraries = folder / arch / Path(LOADER[arch]).parent
        for emulator in (folder / arch).glob("usr/bin/qemu-*"):  # half a gigabyte for machines nobody asked for
            if emulator.name not in missing:
                emulator.unlink()
        for name, (_, path) in missing.items():
            wrapper = folder / "bin" / name
            wrapper.unlink(missing_ok=True)
            wrapper.write_text('#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n'
                               % (folder / arch / LOADER[arch], libraries, folder / arch / path))
            wrapper.chmod(0o755)
    for name in interpreters:
        if not recent(str(folder / "bin" / name)):
            raise SetupError("%s was unpacked but does not run here as MicroPython 1.25 or newer "
                             "(an x86-64 Linux has to be able to run i386 programs)" % name)
    for arch in wanted:
        shutil.rmtree(folder / "apt" / arch / "archives", ignore_errors=True)


if __name__ == "__main__":
    try:
        install(sys.argv[1])
    except SetupError as error:
        sys.exit("set-up: %s" % error)
