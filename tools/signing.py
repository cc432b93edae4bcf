# SPDX-License-Identifier: MIT
"""The keys that updates are signed with: RSA of 3072 bits, as PEM files that OpenSSL reads too."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tools import cpython

cpython.install()

from wattport.update import bundle as device  # noqa: E402
from wattport.update.rsa import EXPONENT, SIZE  # noqa: E402

VARIABLE = "WATTPORT_SIGNING_KEY"  # the private key itself, PEM, for machines that have no file of it
SUCCESSION = b"WATTPORT KEY "  # signed before the modulus of the key that follows


class KeyProblem(Exception):
    """What is wrong with a key; the text is for the person who named it."""


def make(folder, name="update"):
    """Make a pair: (path of the private key, path of the public one). KeyProblem when there is one already."""
    folder = Path(folder)
    private, public = folder / (name + ".pem"), folder / (name + ".pub.pem")
    for path in (private, public):
        if path.exists():
            raise KeyProblem("%s is there already, and dongles may trust it: it is not overwritten" % path)
    key = rsa.generate_private_key(EXPONENT, SIZE * 8)
    folder.mkdir(parents=True, exist_ok=True)
    with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise KeyProblem("%s: %s" % (path, error.strerror))


def _fine(key, path):
    number = (key if isinstance(key, rsa.RSAPublicKey) else key.public_key()).public_numbers()
    if key.key_size != SIZE * 8 or number.e != EXPONENT:
        raise KeyProblem("%s: RSA of %d bits with the exponent %d is needed" % (path, SIZE * 8, EXPONENT))
    return number.n.to_bytes(SIZE, "big")


def private(path=None):
    """The private key of a file, or without one of the environment variable."""
    if path is None and not os.environ.get(VARIABLE):
        raise KeyProblem("which key signs it? Name its file, or put it into %s; `make keys` makes one" % VARIABLE)
    try:
        key = serialization.load_pem_private_key(_read(path) if path else os.environ[VARIABLE].encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyProblem("%s is no private key in PEM, without a passphrase" % (path or VARIABLE))
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyProblem("%s is no RSA key" % (path or VARIABLE))
    _fine(key, path or VARIABLE)
    return key


def public(path):
    """The modulus, as a dongle has it in the file `key`, of a public or a private key's file."""
    data = _read(path)
    try:
        key = (serialization.load_pem_public_key(data) if b"PUBLIC" in data else
               serialization.load_pem_private_key(data, None))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyProblem("%s is no key in PEM" % path)
    if not isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        raise KeyProblem("%s is no RSA key" % path)
    return _fine(key, path)


def modulus(key):
    """The same of a private key that is loaded."""
    return _fine(key, "the key")


def key_id(number):
    """What manifests call it."""
    return device.key_id(number)


def sign(key, data):
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
