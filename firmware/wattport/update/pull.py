# SPDX-License-Identifier: MIT
"""Fetches a bundle into an Install: where the connection broke off, or the power, it goes on from there."""

import asyncio

from micropython import const

from wattport.net import http
from wattport.net.stream import StreamError
from wattport.update.refusal import BundleError

_PIECE = const(512)
_HEAD = const(2048)  # most heads are shorter
_TRIES = const(6)  # in a row without a byte
_WAIT_MS = const(2000)  # before the second one, doubled each time


async def pull(url, ca, install, told):
    """`told()` is called whenever something has come. BundleError: "network", in words, for the way to the address."""
    buf = bytearray(_PIECE)
    view = memoryview(buf)
    tag = ""
    tries = 0
    most = _HEAD if install.may_go_on() else 0  # what follows is in the flash already, if it is the same bundle
    while True:
        before = install.offset
        file = None
        try:
            file = await http.get(url, ca, before, most, tag)
            if tag and file.tag != tag:
                raise http.Missing("the file at the address has changed meanwhile")
            tag = file.tag
            if file.start > before:
                raise http.Missing("the server sends another part of the file than was asked for")
            at = file.start
            while install.offset < file.total:
                if most and at >= before + most:
                    break
                size = await file.readinto(buf)
                if not size:
                    raise StreamError("the connection broke off")
                skip = max(0, install.offset - at)
                at += size
                if skip < size:
                    install.feed(bytes(view[skip:size]))
                    told()
                if most and install.manifest:
                    break
            else:
                return
            if install.manifest:
                most = 0
            continue
        except http.Missing as error:
            raise BundleError("network", str(error))
        except StreamError as error:
            tries = 0 if install.offset > before else tries + 1
            if tries >= _TRIES:
                raise BundleError("network", str(error))
        finally:
            if file:
                file.close()
        await asyncio.sleep_ms(_WAIT_MS << tries)
