"""Neighbours decide together: `/提议` an idea, `/议事` leads it, `/表态` is one's word on it."""

from __future__ import annotations

import re

from sqlmodel import Session

from bot.messages import Choice, Inbound
from bot.permissions import Role
from bot.router import Router, Words
from bot.say import Say
from cases.dispatch import on_duty_or_dispatchers
from cases.proposals import OPEN_DAYS, RATINGS, VOTES, Proposals
from content.refusal import Refusal
from content.spelling import named
from storage.tables import Group

router = Router("proposals")

LEAD = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.SUPERVISOR)
LEAD_USAGE = "议题号 讨论（或：表决、决定 结果、办成 情况、不办 原因）"
VOICE_USAGE = "议题号 赞成（反对、弃权），或您的想法"
STATES = {"讨论": "discussing", "表决": "voting", "决定": "decided", "办成": "done", "不办": "declined"}
SHORTEST = 6
_NUMBERED = re.compile(r"\s*(\d{1,8})\s*[号號]?\s*(.*)", re.DOTALL)


@router.command("提议", "propose", usage="您的主意", about="给小区提个主意，大家一起议（在群里说）", aside=True)
def propose(message: Inbound, words: Words, group: Group | None, proposals: Proposals, say: Say, session: Session) -> None:
    """An idea for the group in which it is said."""
    if group is None:
        raise Refusal("proposals.in_a_group")
    if not message.sender.personal:
        raise Refusal("refusal.not_fresh")
    if len(words) < SHORTEST:
        raise Refusal("refusal.usage", command="提议", usage="您的主意")
    address = message.address
    made = proposals.propose(group, words[:500], address.platform, address.account, message.sender.id)
    say.reply("proposals.noted", number=made.id)
    say.to_officers(
        on_duty_or_dispatchers(session, group.grid_id, made.created_at),
        "proposals.card",
        number=made.id,
        group=group.name,
        text=made.text,
    )


@router.command("议事", "council", usage=LEAD_USAGE, about="带一个议题往下走；不写内容看群里的议题", aside=True)
def council(words: Words, group: Group | None, proposals: Proposals, say: Say) -> None:
    """Without words the list of the group, which is its public book of outcomes; officers lead."""
    found = _NUMBERED.fullmatch(words)
    if found is None:
        if group is None:
            raise Refusal("refusal.usage", command="议事", usage=LEAD_USAGE)
        rows = [
            (one.id, one.text[:40], say.word(f"proposals.state.{one.state}"), one.outcome) for one in proposals.of_group(group)
        ]
        say.reply("proposals.list", rows=rows)
        return
    proposal = proposals.find(int(found[1]), group)
    verb, _, text = found[2].strip().partition(" ")
    state = STATES.get(named(verb))
    if state is None or (state in ("decided", "done", "declined") and len(text.strip()) < 2):
        raise Refusal("refusal.usage", command="议事", usage=LEAD_USAGE)
    proposals.move(proposal, state, text.strip()[:300])
    if state == "declined":
        say.reply("proposals.declined", number=proposal.id, outcome=proposal.outcome)
        return
    choices = [Choice(word, f"/表态 {proposal.id} {word}") for word in {"voting": VOTES, "done": RATINGS}.get(state, ())]
    counts = proposals.count(proposal, "vote")
    home = proposals.group(proposal)
    say.to_group(
        home,
        f"proposals.{state}",
        number=proposal.id,
        text=proposal.text,
        outcome=proposal.outcome,
        days=OPEN_DAYS,
        votes=[(word, counts.get(word, 0)) for word in VOTES],
        choices=choices,
    )
    if group is None:
        say.reply("proposals.led_on", number=proposal.id, group=home.name)


@router.command("表态", "voice", usage=VOICE_USAGE, about="对一个议题说想法或表决，一人一票，可以改", aside=True)
def voice(message: Inbound, words: Words, group: Group | None, proposals: Proposals, say: Say) -> None:
    """A vote, a rating, or what one thinks."""
    found = _NUMBERED.fullmatch(words)
    if found is None or not found[2].strip():
        raise Refusal("refusal.usage", command="表态", usage=VOICE_USAGE)
    if not message.sender.personal:
        raise Refusal("refusal.not_fresh")
    proposal = proposals.find(int(found[1]), group)
    word = found[2].strip()
    who = message.address.platform, message.sender.id
    if (choice := named(word)) in (*VOTES, *RATINGS):
        proposals.vote(proposal, *who, choice)
        # everybody's vote in the group's sight would be one line a neighbour; only he reads that it counts
        say.privately("proposals.counted", number=proposal.id, word=choice)
    else:
        kept = proposals.comment(proposal, *who, word[:300])
        say.privately("proposals.heard" if kept else "proposals.enough", number=proposal.id)
