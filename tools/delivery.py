# SPDX-License-Identifier: MIT
"""`tools.bundle push` as a person sees it: which bundle is for a dongle, how far it is, and how it ended."""

import getpass
import os
import sys
from pathlib import Path

from tools import push
from tools.paths import DIST
from tools.push import PushError
from wattport.update import bundle as device

PASSWORD, TOKEN = "WATTPORT_PASSWORD", "WATTPORT_TOKEN"  # of the dashboard, in the environment
_WIDTH = 30
_WHY = {
    "crash": "it crashed", "hang": "it hung", "start": "it did not start",
    "damaged": "what lies in the flash is damaged", "wifi": "it did not get into the Wi-Fi",
    "meter": "it did not read the meter", "mqtt": "it did not reach the broker",
    "heap": "it had too little memory", "task": "a part of it failed again and again",
    "micropython": "MicroPython did not prove itself"}
_ENDS = {
    "confirmed": "%s runs, and has proved itself: it stays.",
    "trial": "%s runs and is still tried out. The dongle decides by itself: its settings page says how.",
    "silent": "%s is in the dongle, which has not told since how it fares. It is undone when it is not well.",
    "safe": "%s does not start, nor does the version before: the dongle is in its safe mode."}


def choose(paths, chip):
    """Which of these bundles is for a chip family; without any, the newest one in dist/."""
    if paths and (len(paths) == 1 or not chip):
        if len(paths) > 1:
            raise PushError("chip", "The dongle does not say which chip it has: give one file.")
        return paths[0]
    if not chip:
        raise PushError("file", "The dongle does not say which chip it has: give a file.")
    found = []
    for path in paths or DIST.glob("wattport-*.wpb"):
        try:
            manifest = push.head(push.read(path), path)
        except PushError:
            if paths:
                raise
            continue
        if manifest["kind"] == "application" and manifest["chip"] == chip:
            found.append((device.version(manifest["version"]), str(path)))
    if not found:
        raise PushError("chip" if paths else "file", "None of these files is for %s." % chip if paths else
                        "There is no bundle for %s in %s: make one with make bundle." % (chip, DIST))
    return Path(max(found)[1])


def words(ended):
    """How a push ended, as `push` returns it, in a sentence."""
    state, version = ended["state"], ended["version"]
    if state == "undone":
        return "%s was undone, the version before runs again: %s." % (
            version, _WHY.get(ended["why"], ended["why"] or "the dongle does not say why"))
    return _ENDS[state] % version


def _secret(path, variable):
    """A password or a token, never an argument: other users of a machine can see those."""
    text = push.read(path).decode(errors="replace") if path else os.environ.get(variable, "")
    return text.strip("\r\n") or None


class _Told:
    """What a push is at, on the terminal: a bar that grows, or in a file a line for each tenth."""

    def __init__(self, out):
        self._out, self._tenth, self._line = out, -1, out.isatty()

    def say(self, text):
        print(text, file=self._out, flush=True)

    def progress(self, done, total):
        tenth = 10 * done // total
        text = "%3d %%  %d of %d KB" % (100 * done // total, done + 512 >> 10, total + 512 >> 10)
        if self._line:
            filled = _WIDTH * done // total
            print("\r[%s%s] %s" % ("#" * filled, "." * (_WIDTH - filled), text),
                  end="\n" if done == total else "", file=self._out, flush=True)
        elif tenth != self._tenth:
            self.say(text)
        self._tenth = tenth


def _deliver(dongle, options):
    """The exit code."""
    status = dongle.status()
    path = choose(options.files, status.get("chip"))
    data = push.read(path)
    manifest = push.head(data, path)
    told = _Told(sys.stdout)
    told.say("%s: %s %s for %s, to %s, which runs %s" % (
        path, manifest["kind"], manifest["version"], manifest["chip"], options.host,
        "its safe mode" if status.get("state") == "safe" else status.get("version")))
    ended = dongle.push(data, manifest, options.downgrade, told.progress, say=told.say)
    told.say(words(ended))
    return {"confirmed": 0, "trial": 3, "silent": 3}.get(ended["state"], 1)


def _run(options):
    password, token = _secret(options.password_file, PASSWORD), _secret(options.token_file, TOKEN)
    dongle = push.Dongle(options.host, password, token)
    try:
        return _deliver(dongle, options)
    except PushError as error:
        if error.kind != "login" or password or token or not sys.stdin.isatty():
            raise
    dongle.password = getpass.getpass("Password of the dashboard: ")
    return _deliver(dongle, options)


def add(verbs):
    """The verb for argparse."""
    pushes = verbs.add_parser("push", help="bring one to a dongle, and see how it fares", description=(
        "Exit codes: 0 it runs and is confirmed, 1 it is not, 3 it is there and not decided yet."))
    pushes.add_argument("host", metavar="HOST", help="name or address, :PORT")
    pushes.add_argument("files", metavar="FILE", nargs="*", type=Path,
                        help="the one for the dongle's chip is taken; without any, the newest in dist/")
    pushes.add_argument("--password-file", metavar="FILE", help="of the dashboard; or the variable " + PASSWORD)
    pushes.add_argument("--token-file", metavar="FILE", help="in place of the password; or the variable " + TOKEN)
    pushes.add_argument("--downgrade", action="store_true", help="an older version than the one that runs, too")
    pushes.set_defaults(run=_run)
