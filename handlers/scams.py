"""Bait that is brought to us: a pasted message or a screenshot, with or without the question whether it is true."""

from __future__ import annotations

from bot.router import Router
from bot.say import Say
from bot.turn import Brought, Verdict
from cases.desk import CaseDesk

router = Router("scams")


@router.special("brought")
def tell(brought: Brought, desk: CaseDesk, say: Say) -> None:
    """What kind of fraud it is, its tell-tale step and what to do; to whoever asked also that we cannot tell."""
    if brought.verdict is not Verdict.BAIT:
        say.reply(f"scams.{brought.verdict}")
        return
    about = desk.taxonomy.scams.get(brought.scam.type or "") or desk.taxonomy.scams["other"]
    say.reply(
        "scams.answer", name=about.name, start=about.start, telltale=about.telltale, todo=about.todo, code=brought.codes > 0
    )
