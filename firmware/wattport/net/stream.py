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

from wattport.net import dns

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


def _certificates(pem):
    """Each certificate of a PEM text in DER: what every build of the TLS library takes."""
    import binascii
    found = []
    for part in pem.split("-----BEGIN CERTIFICATE-----")[1:]:
        try:
            found.append(binascii.a2b_base64(part.split("-----END CERTIFICATE-----")[0].strip()))
        except ValueError:
            raise StreamError("TLS: the CA certificate is damaged")
    if not found:
        raise StreamError("TLS needs the certificate (PEM) of the CA that signed the server's")
    return found


def _context(pem):
    import tls
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    for certificate in _certificates(pem):
        try:
            context.load_verify_locations(certificate)
        except (OSError, ValueError):
            raise StreamError("TLS: the CA certificate is damaged")
    return context


def _left(start, timeout_ms):
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
        if _left(start, timeout_ms) <= 0:
            raise StreamError("no answer")
        await asyncio.sleep_ms(_POLL_MS)


async def _handshake(sock, start, timeout_ms):
    """Bring the TLS handshake to its end, which reading does step by step. Raises OSError, ValueError."""
    while True:
        if sock.read(1) is not None:
            raise StreamError("TLS: the server closed the connection or spoke first")
        # there is a peer's certificate when the handshake is over; a build without this call does it with the
        # first write
        if not hasattr(sock, "getpeercert") or sock.getpeercert(True) is not None:
            return
        if _left(start, timeout_ms) <= 0:
            raise StreamError("TLS: no answer")
        await asyncio.sleep_ms(_POLL_MS)


async def connect(host, port, tls_ca=None, timeout_ms=10000):
    """A Stream to host:port; with TLS when there is a CA's certificate (PEM): the server's is always checked.

    Raises StreamError, in words; after timeout_ms at the latest.
    """
    start = time.ticks_ms()
    context = None if tls_ca is None else _context(tls_ca)
    try:
        address = await dns.resolve(host, port, timeout_ms)
    except dns.ResolveError as error:
        raise StreamError(str(error))
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
        if context:
            sock = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
            await _handshake(sock, start, timeout_ms)
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
