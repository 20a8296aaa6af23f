"""Keys that exist to be destroyed: when such a key is gone, so is what it sealed, in the database and in every backup.

They lie in the table `shred_key`, committed with the case or tip that they belong to, and every backup of the data leaves that
table empty (`storage.backup`).
"""

from __future__ import annotations

from sqlalchemy import delete
from sqlmodel import Session, col

from storage.keyring import keyring_of
from storage.sealing import Sealed, new_key
from storage.tables import ShredKey


def make_key(session: Session, name: str) -> bytes:
    """A new key by this name, inside the caller's transaction."""
    key = new_key()
    put_key(session, name, key)
    return key


def put_key(session: Session, name: str, key: bytes) -> None:
    """Keep a key that exists already by this name, inside the caller's transaction."""
    session.add(ShredKey(name=name, key=key))
    session.flush()


def get_key(session: Session, name: str) -> bytes:
    """The key; Sealed when it was destroyed, or the data came out of a backup without its keys."""
    row = session.get(ShredKey, name)
    if row is None:
        raise Sealed(f"the key {name} was destroyed")
    return row.key


def destroy_key(session: Session, name: str) -> bool:
    """Destroy a key for good; true when there was one. The caller empties the write-ahead log afterwards."""
    keyring = keyring_of(session)
    if keyring is not None:
        keyring.forget(name)
    return bool(session.execute(delete(ShredKey).where(col(ShredKey.name) == name)).rowcount)  # type: ignore[attr-defined]
