# SPDX-License-Identifier: MIT
"""Which bundle a dongle gets: one for each chip family, all of one version."""

import urllib.error
import urllib.request
from pathlib import Path

from wattport.update import bundle as device
from wattport.update import rsa

HEAD = 6144  # bytes in which the manifest of any bundle stands
_TIMEOUT_S = 15


class BundlesError(Exception):
    """Why nothing can be begun; the text is for the person who tried."""


def manifest(data, name, key=None):
    """The manifest in the beginning of a bundle; key: the modulus that has to have signed it, looked at as a dongle
    does. Without one nothing is verified: each dongle does that in any case."""
    head = device.Head(rsa.verify if key else lambda *_: True, key)
    try:
        head.feed(data[:HEAD])
    except (device.BundleError, RecursionError) as error:
        raise BundlesError("%s: %s" % (name, error))
    if not head.manifest:
        raise BundlesError("%s ends inside of its head" % name)
    if head.manifest["kind"] != "application":
        raise BundlesError("%s holds MicroPython: a fleet is staged to another application only" % name)
    return head.manifest


class Bundles:
    """`version`, and by chip family the place: a file or an address."""

    def __init__(self):
        self.version = None
        self.places = {}

    def add(self, place, chip, version):
        if self.version not in (None, version):
            raise BundlesError("%s is version %s, the others are %s: one version at a time" % (
                place, version, self.version))
        if chip in self.places:
            raise BundlesError("%s and %s are both for %s" % (self.places[chip], place, chip))
        self.version = version
        self.places[chip] = place


def of_files(paths, key=None):
    bundles = Bundles()
    for path in paths:
        try:
            with open(path, "rb") as file:
                found = manifest(file.read(HEAD), path, key)
        except OSError as error:
            raise BundlesError("%s: %s" % (path, error.strerror))
        bundles.add(str(Path(path).resolve()), found["chip"], found["version"])
    return bundles


def _head(url):
    request = urllib.request.Request(url, headers={"Range": "bytes=0-%d" % (HEAD - 1)})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return answer.read(HEAD)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise BundlesError("%s: %s; with --version (and --chip) it need not be reached from here" % (
            url, getattr(error, "reason", error)))


def of_url(url, chips, version=None, chip=None, key=None):
    """chips: the families there are among the dongles, for an address with {chip} in it."""
    if not url.startswith(("http://", "https://")):
        raise BundlesError("--url takes an address, http:// or https://")
    bundles = Bundles()
    if "{chip}" in url:
        for one in sorted(chips):
            place = url.replace("{chip}", one)
            found = {"chip": one, "version": version} if version else manifest(_head(place), place, key)
            if found["chip"] != one:
                raise BundlesError("%s is for %s" % (place, found["chip"]))
            bundles.add(place, one, found["version"])
    elif version:
        if not chip:
            raise BundlesError("--version needs --chip, too, or {chip} in the address")
        bundles.add(url, chip, version)
    else:
        found = manifest(_head(url), url, key)
        bundles.add(url, found["chip"], found["version"])
    if not bundles.places:
        raise BundlesError("no dongle tells its chip, so there is nothing to put in the place of {chip}")
    return bundles
