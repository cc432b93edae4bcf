# SPDX-License-Identifier: MIT
"""TLS for a stream: imported when the settings ask for it."""

import asyncio
import binascii

import tls
from micropython import const

from wattport.net.stream import StreamError, left

_POLL_MS = const(20)


def _certificates(pem):
    """Each certificate of a PEM text in DER: what every build of the TLS library takes."""
    found = []
    for part in pem.split("-----BEGIN CERTIFICATE-----")[1:]:
        try:
            found.append(binascii.a2b_base64(part.split("-----END CERTIFICATE-----")[0].strip()))
        except ValueError:
            raise StreamError("TLS: the CA certificate is damaged")
    if not found:
        raise StreamError("TLS needs the certificate (PEM) of the CA that signed the server's")
    return found


def context(pem):
    """An SSLContext that trusts the certificates of a PEM text and nothing else. Raises StreamError."""
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    made.verify_mode = tls.CERT_REQUIRED
    for certificate in _certificates(pem):
        try:
            made.load_verify_locations(certificate)
        except (OSError, ValueError):
            raise StreamError("TLS: the CA certificate is damaged")
    return made


async def handshake(sock, start, timeout_ms):
    """Bring the TLS handshake to its end, which reading does step by step. Raises OSError, ValueError."""
    while True:
        if sock.read(1) is not None:
            raise StreamError("TLS: the server closed the connection or spoke first")
        # there is a peer's certificate when the handshake is over; a build without this call does it with the
        # first write
        if not hasattr(sock, "getpeercert") or sock.getpeercert(True) is not None:
            return
        if left(start, timeout_ms) <= 0:
            raise StreamError("TLS: no answer")
        await asyncio.sleep_ms(_POLL_MS)
