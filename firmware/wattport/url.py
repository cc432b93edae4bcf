# SPDX-License-Identifier: MIT
"""Addresses of files: http and https (RFC 3986, 3). Loaded for one, then forgotten."""

from micropython import const

_MOST = const(1536)


def expand(url, chip):
    """An address with the chip family in the place of {chip}; ValueError."""
    url = url.replace("{chip}", chip)
    split(url)
    return url


def split(url):
    """(is_secure, host, port, path) of an address; ValueError."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    if scheme not in ("http", "https") or len(url) > _MOST:
        raise ValueError
    for char in url:
        if not "!" <= char <= "~":
            raise ValueError
    host, colon, port = host.partition(":")
    for char in host:
        if not (char.isdigit() or "a" <= char.lower() <= "z" or char in ".-_"):
            raise ValueError
    if not host or colon and not (port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise ValueError
    secure = scheme == "https"
    return secure, host, int(port) if colon else 443 if secure else 80, "/" + path.partition("#")[0]
