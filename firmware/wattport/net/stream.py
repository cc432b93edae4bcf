# SPDX-License-Identifier: MIT
"""A TCP or TLS connection within a time-out.

`asyncio.open_connection` looks names up with everything standing still, does not look whether it is connected
and leaves the socket open when cancelled. This one does none of that.
"""

import asyncio
import errno
import select
import socket
import time

from micropython import const

from wattport.modules import forget

NAME_SERVERS = []  # addresses, set by whoever knows the network; without any, what the system says

_POLL_MS = const(20)
_EVENTS = select.POLLOUT | select.POLLERR | select.POLLHUP


class StreamError(OSError):
    """No connection; the text says why, in words."""


class Stream(asyncio.StreamReader):
    """asyncio's stream, with a close() that closes, at once."""

    def __init__(self, plain, outer):
        super().__init__(outer)
        self._plain = plain

    def close(self):
        # a TLS socket that failed has let go of the one below and will not close it
        for sock in (self.s, self._plain):
            try:
                sock.close()
            except OSError:
                pass

    async def wait_closed(self):
        self.close()


def left(start, timeout_ms):
    """Milliseconds that are left of a time-out that began at the tick `start`."""
    return timeout_ms - time.ticks_diff(time.ticks_ms(), start)


async def _connected(sock, start, timeout_ms):
    """Wait until the connection stands. Raises OSError."""
    poller = select.poll()
    # HUP has to be asked for on the ESP32, where it means an error
    poller.register(sock, _EVENTS)
    while True:
        for item in poller.poll(0):
            if item[1] & ~select.POLLOUT:
                sock.recv(1)  # brings the error itself
                raise StreamError("refused")
            return
        if left(start, timeout_ms) <= 0:
            raise StreamError("no answer")
        await asyncio.sleep_ms(_POLL_MS)


async def _address(host, port, timeout_ms):
    """What connect() of a socket takes. Names are looked up by `dns`, which is forgotten afterwards."""
    if host.strip("0123456789.") == "" and host.count(".") == 3:
        return socket.getaddrinfo(host, port)[0][-1]
    from wattport.net import dns
    dns.SERVERS = NAME_SERVERS
    try:
        return await dns.resolve(host, port, timeout_ms)
    except dns.ResolveError as error:
        raise StreamError(str(error))
    finally:
        del dns
        forget("wattport.net.dns")


async def connect(host, port, tls_ca=None, timeout_ms=10000):
    """A Stream to host:port; with TLS when there is a CA's certificate (PEM): the server's is always checked.

    Raises StreamError, in words; after timeout_ms at the latest.
    """
    start = time.ticks_ms()
    if tls_ca is not None:
        from wattport.net import secure
        context = secure.context(tls_ca)
    address = await _address(host, port, timeout_ms)
    plain = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    done = False
    try:
        plain.setblocking(False)
        try:
            plain.connect(address)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        await _connected(plain, start, timeout_ms)
        if tls_ca is not None:
            sock = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
            await secure.handshake(sock, start, timeout_ms)
        done = True
        return Stream(plain, sock)
    except StreamError as error:
        raise StreamError("%s:%d: %s" % (host, port, error))
    except (OSError, ValueError) as error:  # a certificate that is not good is a ValueError
        layer = "TLS: " if sock is not plain else ""
        raise StreamError("%s:%d: %s%s" % (host, port, layer, str(error).strip()))
    finally:
        if not done:  # cancelled as well
            Stream(plain, sock).close()
