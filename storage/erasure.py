"""Where a person stands in the tables, and how a person is taken out of them.

`PERSONAL` names every column that holds a platform account, a name or a message id of a resident. A test reads all tables and
fails for a column that looks like one and is neither here nor in `NOT_PERSONAL` with its reason.
"""

from __future__ import annotations

from sqlalchemy import and_, delete, select, update
from sqlmodel import Session, col

from storage.outbox import SENDING
from storage.pseudonyms import key_name
from storage.shredding import destroy_key
from storage.tables import (
    ActivityEntry,
    Alarm,
    Attachment,
    Case,
    CaseEntry,
    CaseWitness,
    CodeGuess,
    Dialog,
    LinkCode,
    LinkedAccount,
    Notice,
    Proposal,
    ProposalVoice,
    Volunteer,
    WishClaim,
)

PERSONAL: dict[str, frozenset[str]] = {
    "cases": frozenset({"reporter", "reporter_name", "chat", "message_id", "latitude", "longitude"}),
    "case_entry": frozenset({"message_id"}),
    "alarm": frozenset({"sender", "chat", "message_id"}),
    "attachment": frozenset({"sender"}),
    "case_witness": frozenset({"person", "chat", "message_id"}),
    "linked_account": frozenset({"user_id", "person"}),
    "link_code": frozenset({"user_id"}),
    "code_guess": frozenset({"user_id"}),
    "wish_claim": frozenset({"user_id", "name"}),
    "activity_entry": frozenset({"user_id", "name"}),
    "volunteer": frozenset({"user_id", "name"}),
    "proposal": frozenset({"user_id"}),
    "proposal_voice": frozenset({"user_id", "text"}),
    "dialog": frozenset({"sender", "chat"}),
    "outbox": frozenset({"chat", "mention", "message_id", "reply_to"}),
}

NOT_PERSONAL: dict[str, str] = {
    "chat_group.chat": "a group",
    "officeraccount.user_id": "an officer's own account, bound by them and unbound from the roster",
    "chat_group.members": "a number",
    "wechat_room.chat": "a group",
    "chat_owner.chat": "a group",
    "wechat_room.members": "a number",
    "deed.who": "somebody as the neighbours call them, told with that person's consent alone; sealed, ended with its time",
    "premises.address": "a place",
    "unit.phone": "a unit's, which stands in the telephone book",
    "tip_read.message_id": "a row of ours",
    "block.person": "a keyed fingerprint that ends with the block; who was blocked was told so",
    "tip_picture.message_id": "a row of ours",
}


def forget_person(session: Session, platform: str, account: str) -> None:
    """Take a platform account out of every table, inside the caller's transaction."""
    own = select(col(Case.id)).where(col(Case.platform) == platform, col(Case.reporter) == account)
    by_people = and_(col(CaseEntry.case_id).in_(own), col(CaseEntry.author).in_(("reporter", "resident")))
    session.execute(update(CaseEntry).where(by_people).values(message_id=""))
    theirs = and_(col(Case.platform) == platform, col(Case.reporter) == account)
    # the pin of a private report may be the reporter's own door
    session.execute(update(Case).where(theirs, col(Case.private)).values(chat="", latitude=None, longitude=None))
    session.execute(update(Case).where(theirs).values(reporter=None, reporter_name="", message_id=""))
    seen = and_(col(CaseWitness.platform) == platform, col(CaseWitness.person) == account)
    session.execute(update(CaseWitness).where(seen, col(CaseWitness.private)).values(chat=""))
    session.execute(update(CaseWitness).where(seen).values(person=None, message_id=""))
    for table in (LinkedAccount, LinkCode, CodeGuess, ActivityEntry, Volunteer):
        session.execute(delete(table).where(col(table.platform) == platform, col(table.user_id) == account))
    helped = and_(col(WishClaim.platform) == platform, col(WishClaim.user_id) == account)
    session.execute(update(WishClaim).where(helped).values(user_id="", name=""))
    proposed = and_(col(Proposal.platform) == platform, col(Proposal.user_id) == account)
    session.execute(update(Proposal).where(proposed).values(user_id=""))
    # a vote counts on without its voter; what was said goes
    spoke = and_(col(ProposalVoice.platform) == platform, col(ProposalVoice.user_id) == account)
    session.execute(update(ProposalVoice).where(spoke, col(ProposalVoice.kind) == "comment").values(text=""))
    session.execute(update(ProposalVoice).where(spoke).values(user_id=""))
    raised = and_(col(Alarm.platform) == platform, col(Alarm.sender) == account)
    session.execute(update(Alarm).where(raised, col(Alarm.private)).values(chat=""))
    session.execute(update(Alarm).where(raised).values(sender="", message_id=""))
    shown = and_(col(Attachment.platform) == platform, col(Attachment.sender) == account)
    session.execute(update(Attachment).where(shown).values(sender=""))
    session.execute(delete(Dialog).where(col(Dialog.platform) == platform, col(Dialog.sender) == account))
    to_them = and_(col(Notice.platform) == platform, col(Notice.private), col(Notice.chat) == account)
    session.execute(delete(Notice).where(to_them, ~SENDING))
    session.execute(update(Notice).where(to_them).values(text=""))
    called = and_(col(Notice.platform) == platform, col(Notice.mention) == account)
    session.execute(update(Notice).where(called).values(mention=None, reply_to=None))
    destroy_key(session, key_name(platform, account))  # by which old backups tell who this was
    session.expire_all()
