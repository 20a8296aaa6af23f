"""The key files of the data folder: whether they are those with which the database was written, before anything is heard.

A key that is missing is made anew when it is first needed; beside a database that was sealed with another one that would end in
tips that nobody can read and one-time passwords that never fit. So the database remembers which keys it knows, and a start with
others is refused until they are put back, or given up for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import delete
from sqlmodel import Session, col, select

from storage.sealing import KEY_BYTES, Sealed, Sealer
from storage.tables import Counter, OfficerKey, OfficerTotp, TipKey

REMEMBERED = {"inbox key": "inbox.key", "tips key": "tips.key", "one-time password key": "totp.key"}


def fingerprint(sealer: Sealer) -> int:
    """A number by which a key is known again; it tells nothing about the key."""
    return int.from_bytes(sealer.fingerprint_key[:4], "big") >> 1


def file_problems(folder: Path) -> Iterator[str]:
    """Key files that cannot be read or are none, each with the mend."""
    try:
        files = sorted(folder.glob("*.key"))
    except OSError as problem:
        yield f"{folder}: cannot be read ({problem.strerror}); it has to belong to the user who runs the bot"
        return
    for file in files:
        try:
            length = len(file.read_bytes())
        except OSError as problem:
            yield f"{file}: cannot be read ({problem.strerror}); it has to belong to the user who runs the bot"
            continue
        if length != KEY_BYTES:
            yield f"{file}: is damaged, {length} bytes instead of {KEY_BYTES}; {_mend(file)}"


def key_problems(session: Session, folder: Path) -> Iterator[str]:
    """Keys with which the database was written and that are not there; each with the mend. Nothing is made or changed."""
    for name, file in REMEMBERED.items():
        known, place = session.get(Counter, name), folder / file
        if known is None:
            continue
        if not place.exists():
            yield f"{place}: is missing, and what this database holds was sealed with it; {_mend(place)}"
        elif fingerprint(Sealer(place)) != known.value:
            yield f"{place}: is another key than the one with which this database was written; {_mend(place)}"


def remember_keys(session: Session, folder: Path) -> None:
    """Write down which keys the database knows; those that are missing are made."""
    for name, file in REMEMBERED.items():
        session.merge(Counter(name=name, value=fingerprint(Sealer(folder / file))))


def give_up_keys(session: Session, folder: Path) -> None:
    """Go on without the keys that are lost: officers whose own keys or one-time passwords cannot be opened get new ones.
    What the lost keys sealed stays closed."""
    tips, totp = Sealer(folder / "tips.key"), Sealer(folder / "totp.key")
    for pair in session.exec(select(OfficerKey).where(col(OfficerKey.salt).is_(None))).all():
        if not _opens(tips, pair.sealed_private):
            session.delete(pair)
            session.execute(delete(TipKey).where(col(TipKey.officer_id) == pair.officer_id))
    known = session.get(Counter, "tips key")
    if known is not None and known.value != fingerprint(tips):
        session.execute(delete(TipKey).where(col(TipKey.officer_id).is_(None)))  # sealed to the house, whose key follows from it
    for secret in session.exec(select(OfficerTotp)).all():
        if not all(_opens(totp, sealed) for sealed in (secret.sealed, secret.sealed_next) if sealed is not None):
            session.delete(secret)
    remember_keys(session, folder)


def _opens(sealer: Sealer, sealed: bytes) -> bool:
    try:
        sealer.unseal_bytes(sealed)
    except Sealed:
        return False
    return True


def _mend(file: Path) -> str:
    return (
        f"put the right one there, from the folder of `qianshao backup --keys` (cp FOLDER/{file.name} {file}; qianshao restore "
        "BACKUP --keys FOLDER does so as well). Lost for good? qianshao run --new-keys goes on without what it sealed"
    )
