"""Photos from before sealing: files whose name is the hash of the picture, shared by whoever sent the same one (decision 0237).

Each row of such a file gets a sealed copy with a key of its own; the open file goes when no row names it any more. A crash in
between leaves a sealed file without a row, or an open one without a row, and both are swept away.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, func, select, update
from sqlmodel import Session, col

from storage.media import MARK, SUFFIX, Stored, store
from storage.shredding import put_key
from storage.tables import Appeal, Attachment, Campaign, Missing, Notice

AT_ONCE = 100  # photos that one look names; a job goes on where the last one ended


@dataclass(frozen=True, slots=True)
class PlainPhoto:
    """A row whose file may lie open: its id, and its path below the data directory."""

    id: int
    path: str


def count(session: Session) -> int:
    """How many photos lie unsealed."""
    return int(session.execute(select(func.count()).select_from(Attachment).where(_plain())).scalar_one())


def find(session: Session, after: int = 0) -> list[PlainPhoto]:
    """The next photos that lie unsealed, of rows later than `after`."""
    wanted = select(col(Attachment.id), col(Attachment.path)).where(_plain(), col(Attachment.id) > after)
    return [PlainPhoto(row, path) for row, path in session.execute(wanted.order_by(col(Attachment.id)).limit(AT_ONCE))]


def copy_sealed(data_dir: Path, photo: PlainPhoto) -> Stored | None:
    """A sealed copy on disk that no row knows of yet; None when the file is gone. Blocks."""
    try:
        picture = (data_dir / photo.path).read_bytes()
    except FileNotFoundError:
        return None
    if picture.startswith(MARK):
        raise ValueError("a sealed photo under the name of an open one")
    return store(data_dir / "media", picture)


def take_over(session: Session, photo: PlainPhoto, sealed: Stored) -> bool:
    """Everything that names the row's open file names the sealed one. False when somebody else was faster."""
    row = session.get(Attachment, photo.id, with_for_update=True)
    if row is None or row.path != photo.path:
        return False
    put_key(session, sealed.seal, sealed.key)
    row.path = sealed.path
    session.add(row)
    session.flush()
    if row.case_id is not None:
        # what goes out with the case shows the case's own copy
        for table in (Notice, Missing):
            own = (col(table.photo) == photo.path, col(table.case_id) == row.case_id)
            session.execute(update(table).where(*own).values(photo=sealed.path))
    if not is_named(session, photo.path):
        for other in (Notice, Missing, Appeal, Campaign):
            session.execute(update(other).where(col(other.photo) == photo.path).values(photo=sealed.path))
    return True


def is_named(session: Session, path: str) -> bool:
    """Whether a photo's row still names this file."""
    return session.execute(select(col(Attachment.id)).where(col(Attachment.path) == path).limit(1)).first() is not None


def _plain() -> ColumnElement[bool]:
    return col(Attachment.path).not_like(f"%{SUFFIX}")
