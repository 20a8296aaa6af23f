"""Keys of this installation and what is sealed with them, so that a copied database alone tells nobody's words.

`keys/inbox.key` seals kept events until they are done; `keys/tips.key` seals secrets on their way out and the private keys of
officers without a passphrase of their own; `keys/receipts.key` is the salt of receipts; `keys/rooms.key` seals the web rooms.
Each is 32 random bytes, readable by the owner only. They belong into the backup of secrets, never into the backup of the data.

Everything is libsodium's: secret boxes (XSalsa20-Poly1305), sealed boxes (Curve25519), BLAKE2b, and Argon2id.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from nacl.bindings import crypto_secretbox_easy, crypto_secretbox_NONCEBYTES, crypto_secretbox_open_easy
from nacl.encoding import RawEncoder
from nacl.exceptions import CryptoError
from nacl.hash import blake2b
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.utils import random

KEY_BYTES = 32
# OWASP's minimum for Argon2id (password storage cheat sheet); the writer computes it, so it must not take a tenth of a second
_PASSES, _KIBIBYTES = 2, 19_456


class Sealed(Exception):
    """Something cannot be opened with the key at hand; the text names the key."""


class Sealer:
    """Authenticated secret-key encryption (libsodium SecretBox) with one key file."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._key = read_or_make(key_file)
        # what names something by a keyed hash must not use the key that seals
        self.fingerprint_key = hashlib.blake2b(b"fingerprint", key=self._key, digest_size=32).digest()

    def seal(self, plain: str) -> bytes:
        """Nonce, tag and ciphertext."""
        return seal_with(self._key, plain.encode())

    def unseal(self, sealed: bytes) -> str:
        """The words again; `Sealed` when the key is another one or a byte was changed."""
        return self.unseal_bytes(sealed).decode()

    def seal_bytes(self, plain: bytes) -> bytes:
        """`seal` for bytes."""
        return seal_with(self._key, plain)

    def unseal_bytes(self, sealed: bytes) -> bytes:
        """`unseal` for bytes."""
        try:
            return open_with(self._key, sealed)
        except Sealed as problem:
            raise Sealed(f"cannot be opened with {self._file.name}: another key, or damaged") from problem

    def derive(self, purpose: str) -> bytes:
        """Another key of 32 bytes that follows from this one and a purpose."""
        return mix(self._key, purpose.encode())


def new_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def new_pair() -> tuple[bytes, bytes]:
    """(public key, private key) for sealed boxes."""
    private = PrivateKey.generate()
    return bytes(private.public_key), bytes(private)


def public_of(private: bytes) -> bytes:
    """The public key that belongs to a private one."""
    return bytes(PrivateKey(private).public_key)


def seal_to(public: bytes, plain: bytes) -> bytes:
    """What only the holder of the private key opens; who sealed it cannot open it again."""
    return bytes(SealedBox(PublicKey(public)).encrypt(plain))


def open_sealed(private: bytes, sealed: bytes) -> bytes:
    """What `seal_to` sealed; Sealed when it was for another key."""
    try:
        return bytes(SealedBox(PrivateKey(private)).decrypt(sealed))
    except CryptoError as problem:
        raise Sealed("was sealed to another public key, or is damaged") from problem


def seal_with(key: bytes, plain: bytes) -> bytes:
    """Nonce, tag and ciphertext under a key of 32 bytes, as `SecretBox.encrypt` puts them together.

    What SecretBox does beside that costs more than the encryption of a chat message.
    """
    nonce = random(crypto_secretbox_NONCEBYTES)
    return nonce + crypto_secretbox_easy(plain, nonce, key)


def open_with(key: bytes, sealed: bytes) -> bytes:
    """What `seal_with` sealed; Sealed when the key is another one or a byte was changed."""
    try:
        return bytes(crypto_secretbox_open_easy(sealed[crypto_secretbox_NONCEBYTES:], sealed[:crypto_secretbox_NONCEBYTES], key))
    except (CryptoError, ValueError) as problem:
        raise Sealed("another key, or damaged") from problem


def mix(key: bytes, other: bytes) -> bytes:
    """A key of 32 bytes for which both parts are needed (BLAKE2b, keyed)."""
    return bytes(blake2b(other, digest_size=KEY_BYTES, key=key, encoder=RawEncoder))


def stretch(secret: str, salt: bytes, length: int = KEY_BYTES) -> bytes:
    """Argon2id of something that people remember or copy down."""
    return hash_secret_raw(
        secret.encode(), salt[:16], time_cost=_PASSES, memory_cost=_KIBIBYTES, parallelism=1, hash_len=length, type=Type.ID
    )


def read_or_make(key_file: Path) -> bytes:
    """The key in a file, which is made when it is not there."""
    try:
        return key_file.read_bytes()
    except FileNotFoundError:
        key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = new_key()
        # whole under another name first: a node that starts at the same time must never read a key that is half written
        unfinished = key_file.with_name(f".{key_file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(unfinished, key_file)
            except FileExistsError:  # another process was faster: its key is everybody's
                return key_file.read_bytes()
            folder = os.open(key_file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            unfinished.unlink(missing_ok=True)
        return key
