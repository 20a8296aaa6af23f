"""Who can open a tip: its key is sealed to the officers who may read it, and to nobody else.

An officer's own key lies under a passphrase, or with the server for those who have none (docs/security.md says what that means).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from cases.tips.keys import LEAST_PASSPHRASE, Pair, TipKeys, read_receipt
from cases.tips.records import Prepared
from content.refusal import Refusal
from storage.sealing import Sealed, open_sealed, seal_to
from storage.tables import Officer, OfficerKey, OfficerRole, Tip, TipKey

KEPT_FOR = timedelta(days=90)  # GlobaLeaks' default
CUSTODIAN = "custodian"
WORDS, IDENTITY = "words", "identity"


class Access:
    """The keys of tips and of officers inside the caller's transaction."""

    def __init__(self, session: Session, keys: TipKeys, now: datetime, kept_for: timedelta = KEPT_FOR) -> None:
        self._session = session
        self._keys = keys
        self._now = now
        self._kept_for = kept_for

    # --- an officer's own key ---

    def set_passphrase(self, officer: Officer, passphrase: str) -> int:
        """A key pair under a passphrase of the officer's own; what could be read before is sealed anew. Returns how many tips are
        lost to this officer because the former passphrase was not at hand."""
        if len(passphrase.strip()) < LEAST_PASSPHRASE or read_receipt(passphrase):
            raise Refusal("tips.short_passphrase", least=LEAST_PASSPHRASE)
        pair, private = self._keys.make_pair(passphrase.strip())
        row = self._session.get(OfficerKey, officer.id)
        lost = 0
        if row is not None:
            try:
                old: bytes | None = self._keys.private(id_of(officer), _pair(row), self._now)
            except (Refusal, Sealed):
                old = None
            for access in self._session.exec(select(TipKey).where(TipKey.officer_id == officer.id)).all():
                if old is None:
                    self._session.delete(access)
                    lost += access.part == WORDS
                else:
                    access.sealed = seal_to(pair.public, open_sealed(old, access.sealed))
                    self._session.add(access)
        self._store_pair(officer, pair)
        self._keys.remember(id_of(officer), private, self._now)
        return lost

    def has_passphrase(self, officer: Officer) -> bool:
        """Whether the officer's key lies under a passphrase of their own."""
        row = self._session.get(OfficerKey, officer.id)
        return row is not None and row.salt is not None

    def unlock(self, officer: Officer, passphrase: str) -> None:
        """Open the officer's key for ten minutes of use, in memory."""
        row = self._session.get(OfficerKey, officer.id)
        if row is None:
            raise Refusal("tips.no_passphrase")
        self._keys.unlock(id_of(officer), _pair(row), passphrase.strip(), self._now)

    def lock(self, officer: Officer) -> None:
        self._keys.lock(id_of(officer))

    # --- who may read a tip ---

    def who_may_read(self, tip: Tip) -> list[Officer]:
        """Everybody to whom its key is sealed."""
        return list(
            self._session.exec(
                select(Officer)
                .join(TipKey, col(TipKey.officer_id) == col(Officer.id))
                .where(TipKey.tip_id == tip.id, TipKey.part == WORDS)
                .order_by(col(Officer.badge))
            ).all()
        )

    def to_notify(self, tip_name: str) -> list[Officer]:
        """Whom to tell that a tip came or was added to: whoever may read it and is still there; else the custodians."""
        tip = self._session.exec(select(Tip).where(Tip.designation == tip_name)).one()
        return [officer for officer in self.who_may_read(tip) if officer.active] or self._custodians()

    def grant(self, tip: Tip, officer: Officer, to: Officer) -> None:
        """Let another officer read it: its key is sealed to theirs."""
        self.hand_over(tip, to, self.prepare(tip, officer, to))

    def prepare(self, tip: Tip, officer: Officer, to: Officer, part: str = WORDS) -> Prepared:
        """What would let `to` in, made with this officer's key while it is open; nobody has it before `hand_over`."""
        if self._row(tip, to, part) is not None:
            raise Refusal("tips.has_it", badge=to.badge)
        public = self._public_of(to)
        if public is None:
            raise Refusal("tips.no_key", badge=to.badge)
        return Prepared(seal_to(public, self._key_of(tip, officer, part)), public)

    def hand_over(self, tip: Tip, to: Officer, prepared: Prepared, part: str = WORDS) -> None:
        """Let `to` in with what was prepared. Refusal `tips.key_changed` when they have another key by now."""
        if self._row(tip, to, part) is not None:
            raise Refusal("tips.has_it", badge=to.badge)
        if self._public_of(to) != prepared.public:
            raise Refusal("tips.key_changed", badge=to.badge)
        self._session.add(TipKey(tip_id=id_of(tip), officer_id=to.id, part=part, sealed=prepared.sealed))
        self._session.flush()

    def revoke(self, tip: Tip, of: Officer) -> None:
        """Take it back from an officer; the last one who may read it stays."""
        row = self._row(tip, of, WORDS)
        if row is None:
            raise Refusal("tips.has_it_not", badge=of.badge)
        if len(self.who_may_read(tip)) == 1:
            raise Refusal("tips.last_reader")
        self._session.execute(delete(TipKey).where(col(TipKey.tip_id) == tip.id, col(TipKey.officer_id) == of.id))

    def transfer(self, tip: Tip, officer: Officer, to: Officer, prepared: Prepared | None = None) -> None:
        """Give it to another officer and keep nothing; the identity stays with the custodians."""
        if self._row(tip, to, WORDS) is None:
            self.hand_over(tip, to, prepared or self.prepare(tip, officer, to))
        self.revoke(tip, officer)

    # --- inside ---

    def _row(self, tip: Tip, officer: Officer | None, part: str) -> TipKey | None:
        officer_id = officer.id if officer else None
        return self._session.exec(
            select(TipKey).where(TipKey.tip_id == tip.id, TipKey.officer_id == officer_id, TipKey.part == part)
        ).first()

    def _access(self, tip: Tip, officer: Officer, part: str) -> TipKey | None:
        """The officer's own access, or the house's when a tip came before there was a custodian."""
        own = self._row(tip, officer, part)
        return own or (self._row(tip, None, part) if self._is_custodian(officer) else None)

    def _key_of(self, tip: Tip, officer: Officer, part: str) -> bytes:
        row = self._access(tip, officer, part)
        if row is None:
            raise Refusal("tips.no_such_name", name=tip.designation)
        if row.officer_id is None:
            key = open_sealed(self._keys.house_private(), row.sealed)
            self._seal_key(tip, key, officer, part)
            return key
        pair = self._session.get(OfficerKey, officer.id)
        if pair is None:
            raise Refusal("tips.no_such_name", name=tip.designation)
        return open_sealed(self._keys.private(id_of(officer), _pair(pair), self._now), row.sealed)

    def _seal_to_custodians(self, tip: Tip, key: bytes, part: str) -> None:
        sealed = sum(self._seal_key(tip, key, officer, part) for officer in self._custodians())
        if sealed:
            return
        if not self._keys.server_held:
            raise Refusal("tips.nobody")
        self._session.add(TipKey(tip_id=id_of(tip), officer_id=None, part=part, sealed=seal_to(self._keys.house_public(), key)))

    def _public_of(self, officer: Officer) -> bytes | None:
        """The key to which something is sealed for this officer; None when it would not be theirs alone and has to be."""
        row = self._session.get(OfficerKey, officer.id)
        if row is None and self._keys.server_held:
            pair, _ = self._keys.make_pair()
            row = self._store_pair(officer, pair)
        return None if row is None or (row.salt is None and not self._keys.server_held) else row.public

    def _seal_key(self, tip: Tip, key: bytes, to: Officer, part: str) -> bool:
        public = self._public_of(to)
        if public is None:
            return False
        self._session.add(TipKey(tip_id=id_of(tip), officer_id=to.id, part=part, sealed=seal_to(public, key)))
        self._session.flush()
        return True

    def _store_pair(self, officer: Officer, pair: Pair) -> OfficerKey:
        row = self._session.get(OfficerKey, officer.id)
        if row is None:
            row = OfficerKey(
                officer_id=id_of(officer),
                public=pair.public,
                sealed_private=pair.sealed_private,
                salt=pair.salt,
                made_at=self._now,
            )
        row.public, row.sealed_private, row.salt, row.made_at = pair.public, pair.sealed_private, pair.salt, self._now
        self._session.add(row)
        self._session.flush()
        return row

    def _custodians(self) -> list[Officer]:
        return list(
            self._session.exec(
                select(Officer)
                .join(OfficerRole, col(OfficerRole.officer_id) == col(Officer.id))
                .where(col(Officer.active), OfficerRole.role == CUSTODIAN)
                .distinct()
            ).all()
        )

    def _is_custodian(self, officer: Officer) -> bool:
        return any(other.id == officer.id for other in self._custodians())


def id_of(row: Tip | Officer) -> int:
    """The id of a stored row."""
    if row.id is None:
        raise ValueError("the row has to be stored first")
    return row.id


def _pair(row: OfficerKey) -> Pair:
    return Pair(row.public, row.sealed_private, row.salt)
