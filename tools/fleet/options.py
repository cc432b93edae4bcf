# SPDX-License-Identifier: MIT
"""The command line of the fleet, read and checked."""

import argparse
import re
import ssl
from pathlib import Path

from tools import signing
from tools.fleet import mqtt, plan, serve
from tools.fleet.stage import Share

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _wrapped(convert):
    """For argparse, which would not tell why."""
    def take(text):
        try:
            return convert(text)
        except (ValueError, OSError) as error:
            raise argparse.ArgumentTypeError(str(error))
    return take


def _seconds(text):
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise ValueError("%r is no time; 90s, 15m and 2h are" % text)
    return float(found[1]) * _UNITS[found[2]]


def _secret(path):
    return Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def _public(path):
    try:
        return signing.public(path)
    except signing.KeyProblem as error:
        raise ValueError(str(error))


def _base(text):
    if "#" in text or not 0 < len(text) <= 128:
        raise ValueError("--base takes a base topic, wattport/+ say")
    return text


def _common(parser):
    network = parser.add_argument_group("where they are")
    network.add_argument("--mqtt", metavar="HOST:PORT", type=_wrapped(mqtt.address), help="the broker they publish at")
    network.add_argument("--user", default="", help="at the broker")
    network.add_argument("--password-file", metavar="FILE", type=_wrapped(_secret), dest="password",
                         help="holds the password at the broker")
    network.add_argument("--tls", action="store_true", help="the broker speaks TLS")
    network.add_argument("--ca", metavar="FILE", help="PEM of who signed the broker's certificate; implies --tls")
    network.add_argument("--base", metavar="TOPIC", action="append", type=_wrapped(_base),
                         help="base topics, wattport/+ by default; again for more")
    network.add_argument("--host", metavar="HOST", action="append", default=[],
                         help="without a broker: a name (wattport.local), an address, a network (192.168.1.0/24); "
                         "again for more")
    network.add_argument("--token-file", metavar="FILE", type=_wrapped(_secret), dest="token",
                         help="holds the token of the dongles' API")
    network.add_argument("--owner-password-file", metavar="FILE", type=_wrapped(_secret), dest="owner",
                         help="holds the password of the dongles' pages")
    network.add_argument("--listen", metavar="TIME", type=_wrapped(_seconds),
                         help="how long to listen for them at the broker; health comes once a minute")
    network.add_argument("--match", metavar="NAME=PATTERN", action="append", type=_wrapped(plan.match), default=[],
                         help="only those: %s; 0.1.*, or several with commas" % ", ".join(plan.MATCHES))


def parser():
    whole = argparse.ArgumentParser(prog="tools.fleet", description="Find, watch and update many dongles.",
                                    epilog="docs/fleet.md tells more.")
    commands = whole.add_subparsers(dest="command", required=True, metavar="list|watch|stage")
    shown = commands.add_parser("list", help="who there is, with version and health")
    _common(shown)
    shown.add_argument("--json", action="store_true", help="one JSON object a line")
    watched = commands.add_parser("watch", help="what changes, a line each, until Ctrl-C")
    _common(watched)
    watched.add_argument("--json", action="store_true", help="one JSON object a line")
    staged = commands.add_parser(
        "stage", help="an update of some, then all",
        epilog="exit codes: 0 all updated, 1 stopped at the limit, 2 nothing was begun, 3 finished but not all are "
        "updated, 130 interrupted")
    _common(staged)
    what = staged.add_argument_group("what")
    what.add_argument("--url", help="address of a bundle; {chip} in it becomes the chip family (over MQTT)")
    what.add_argument("--version", help="what it holds, where it can't be reached from here")
    what.add_argument("--chip", help="for --version and an address without {chip}")
    what.add_argument("--bundle", metavar="FILE", action="append", default=[],
                      help="a bundle here, one for each chip family: pushed to hosts, served to those at a broker")
    what.add_argument("--serve", metavar="[HOST:]PORT", default=str(serve.PORT),
                      help="where dongles at a broker fetch --bundle from: this machine")
    what.add_argument("--key", metavar="PUBLIC", type=_wrapped(_public), help="the public key, to look at the "
                      "signature before any dongle does")
    how = staged.add_argument_group("how")
    share = _wrapped(Share)
    how.add_argument("--first", metavar="N|P%", type=share, default=None, help="canaries (default 5)")
    how.add_argument("--batch", metavar="N|P%", type=share, default=None, help="each time after them (default 10%%)")
    how.add_argument("--max-failures", metavar="N|P%", type=share, default=None,
                     help="stop when more fail than that; a percentage is of those tried so far (default 5%%)")
    how.add_argument("--wait", metavar="TIME", type=_wrapped(_seconds),
                     help="in which a dongle has to prove the new version (default 15m)")
    how.add_argument("--dry-run", action="store_true", help="say who would be updated, in which order, and who not")
    how.add_argument("--state", metavar="FILE", help="where to keep how far it got (default fleet-VERSION.json)")
    how.add_argument("--resume", metavar="FILE", help="go on with that")
    how.add_argument("--retry", action="store_true", help="with --resume: those that failed, too")
    return whole


def check(options, refuse):
    """What argparse can't; refuse(text) does not return."""
    if not options.mqtt and not options.host:
        refuse("where are they? --mqtt HOST:PORT or --host")
    if options.ca or options.tls:
        try:
            options.tls = ssl.create_default_context(cafile=options.ca)
        except (OSError, ssl.SSLError) as error:
            refuse("--ca: %s" % error)
    else:
        options.tls = None
    if options.command != "stage":
        return
    if options.mqtt and options.host:
        refuse("a stage goes over --mqtt or to --host, not both")
    if options.resume and (options.url or options.bundle or options.state or options.match or options.first):
        refuse("--resume goes on as it was begun: without --url, --bundle, --state, --match and --first")
    if not options.resume and bool(options.url) == bool(options.bundle):
        refuse("what is the new version? --url or --bundle, one of them")
    if options.retry and not options.resume:
        refuse("--retry needs --resume")
    if options.url and options.host:
        refuse("--url goes over --mqtt; to --host a --bundle is pushed")
    if options.host and not options.dry_run and not options.token and not options.owner:
        refuse("a push needs --token-file or --owner-password-file")
    host, _, port = options.serve.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        refuse("--serve takes [HOST:]PORT")
    options.serve = host, int(port)
