"""Keys of this installation and what is sealed with them, so that a copied database alone tells nobody's words.

`keys/inbox.key` seals kept events until they are done; `keys/tips.key` seals tips. Both are 32 random bytes, readable by the
owner only. Losing `tips.key` loses the tips: it belongs into the backup of secrets, never into the backup of the data.
"""

from __future__ import annotations

import os
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox


class Sealed(Exception):
    """Something cannot be opened with the key at hand; the text names the key file."""


class Sealer:
    """Authenticated secret-key encryption (libsodium SecretBox) with one key file."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._box = SecretBox(_read_or_make(key_file))

    def seal(self, plain: str) -> bytes:
        """Nonce, tag and ciphertext."""
        return bytes(self._box.encrypt(plain.encode()))

    def unseal(self, sealed: bytes) -> str:
        """The words again; `Sealed` when the key is another one or a byte was changed."""
        try:
            return self._box.decrypt(sealed).decode()
        except CryptoError as problem:
            raise Sealed(f"cannot be opened with {self._file.name}: another key, or damaged") from problem


def _read_or_make(key_file: Path) -> bytes:
    try:
        return key_file.read_bytes()
    except FileNotFoundError:
        key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = os.urandom(SecretBox.KEY_SIZE)
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return key
