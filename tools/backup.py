# SPDX-License-Identifier: MIT
"""Show a backup of the settings as a settings document, its secrets too when the passphrase is given.

    python -m tools.backup FILE [--passphrase TEXT]        asks for it when the backup holds secrets and none is given
"""

import argparse
import getpass
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class BackupError(Exception):
    """Why the backup can't be shown."""


def secrets_of(sealed, passphrase):
    """The secrets, {group: {key: text}}, that a backup's "secrets" hold."""
    try:
        if sealed["kdf"] != "pbkdf2-sha256":
            raise BackupError("it is sealed in a way that is not known here: %s" % sealed["kdf"])
        salt = bytes.fromhex(sealed["salt"])
        key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, sealed["iterations"], 16)
        text = AESGCM(key).decrypt(bytes.fromhex(sealed["nonce"]), bytes.fromhex(sealed["data"] + sealed["tag"]), None)
        return json.loads(text)
    except InvalidTag:
        raise BackupError("the passphrase is wrong, or the backup is damaged")
    except (KeyError, TypeError, ValueError, OverflowError):
        raise BackupError("it is damaged: its secrets cannot be read")


def document(backup, ask):
    """The settings document that a backup stands for; `ask()` gives the passphrase if one is needed."""
    if not isinstance(backup, dict) or backup.get("wattport") != 1 or not isinstance(backup.get("settings"), dict):
        raise BackupError("this is no backup of a Wattport that is known here")
    made = backup["settings"]
    if backup.get("secrets") is not None:
        for group, values in secrets_of(backup["secrets"], ask()).items():
            made.setdefault(group, {}).update(values)
    return made


def main():
    parser = argparse.ArgumentParser(prog="tools.backup", description="Show a backup of the settings.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--passphrase", help="of the secrets; asked for if it is needed and not given")
    options = parser.parse_args()
    try:
        backup = json.loads(options.file.read_text(encoding="utf-8"))
        shown = document(backup, lambda: options.passphrase or getpass.getpass("passphrase: "))
    except (OSError, ValueError) as error:
        print("%s: %s" % (options.file, error), file=sys.stderr)
        return 1
    except BackupError as error:
        print("%s: %s" % (options.file, error), file=sys.stderr)
        return 1
    print(json.dumps(shown, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
