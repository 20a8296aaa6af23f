"""Help that shows only what the asker may do, and the first words to a person."""

from __future__ import annotations

from sqlmodel import Session

from bot.messages import Inbound, Kind
from bot.notices import Lane
from bot.permissions import Role
from bot.router import Router, Words
from bot.say import Say
from bot.timers import MOST_TRIES, Due
from bot.turn import Menu, Rules
from bot.understanding.meaning import Meaning
from cases.dispatch import dispatchers
from cases.lifecycle import ABOUT, TRANSITIONS
from cases.roster import Roster
from storage.tables import Group, Officer

router = Router("help")

LIFE = ("流程", "lifecycle")
NEIGHBOURS = ("邻里", "更多", "more")


@router.command("帮助", "help", about="看能做什么；一个命令怎么用发 /帮助 命令名；心愿、活动、议事发 /帮助 邻里", names=True)
def show_help(message: Inbound, words: Words, menu: Menu, say: Say) -> None:
    """A few lines in a group, everything in a private chat; officers get their commands, or the life of a case, there.

    Who names a command is told about that one, if it is theirs to use.
    """
    asked = words.strip().lstrip("/／")
    one = next((command for command in menu.commands if asked in (command.name, command.alias)), None)
    if one is not None:
        say.reply("help.one", name=one.name, usage=one.usage, about=one.about, alias=one.alias, quote=False)
        return
    aside = asked in NEIGHBOURS
    shown = [command for command in menu.commands if command.aside == aside]
    own = [(command.name, command.usage, command.about) for command in shown if command.needs]
    everybody = [(command.name, command.usage, command.about) for command in shown if not command.needs]
    if (own or aside) and not message.address.private:
        say.reply("help.sent_privately")
    if own and asked in LIFE:
        say.privately("help.lifecycle", steps=life_of_a_case())
    elif own:
        say.privately("help.officer", own=own, everybody=everybody)
    elif aside:
        say.privately("help.neighbours", commands=everybody)
    elif message.address.private:
        say.reply("help.resident", commands=everybody, quote=False)
    else:
        say.reply("help.resident_in_group", quote=False)


def life_of_a_case() -> list[tuple[str, str, str, str, str]]:
    """The table of steps that a command takes: the command, from where to where, who, on what condition."""
    steps: dict[tuple[str, str, str], list[str]] = {}
    rest: dict[tuple[str, str, str], tuple[str, str]] = {}
    for line in TRANSITIONS:
        key = (line.command, line.name, ABOUT[line.target].name)
        if line.command and line.sources:
            steps.setdefault(key, []).extend(name for state in line.sources if (name := ABOUT[state].name) not in steps[key])
            rest[key] = ("、".join(line.who), "、".join(line.guards))
    return [
        (command, "、".join(sources), target, *rest[command, name, target]) for (command, name, target), sources in steps.items()
    ]


@router.on(Kind.MET)
def first_private_words(message: Inbound, officer: Officer | None, say: Say, rules: Rules) -> None:
    """What it is, what is kept, what to do; once, when the private chat is opened. Officers know."""
    if officer is not None:
        return
    kept = rules.rooms_keep_days if message.address.platform == "web" else None
    say.reply("help.met", name=rules.bot_name, station=rules.station, kept=kept, quote=False)


@router.special("stuck")
def cannot_do(due: Due, roster: Roster, say: Say) -> None:
    """What was to be done by itself goes on failing: the admins hear what it is, once; without admins the supervisors do."""
    who = roster.with_role(Role.ADMIN) or roster.with_role(Role.SUPERVISOR)
    say.to_officers(who, "help.stuck_card", kind=due.kind, tries=MOST_TRIES)


@router.special("failed")
def could_not(
    message: Inbound, meaning: Meaning, group: Group | None, roster: Roster, say: Say, session: Session, rules: Rules
) -> None:
    """A message could not be handled three times over: its sender hears it, and somebody who can look what it was."""
    if meaning.danger is not None:
        say.reply(rules.advice(meaning.danger, message.text), lane=Lane.ALARM)
    elif message.text or message.addressed:
        say.reply("help.failed")
    who = {officer.id: officer for officer in dispatchers(session, group.grid_id if group else None)}
    who |= {officer.id: officer for officer in roster.with_role(Role.ADMIN)}
    say.to_officers(list(who.values()), "help.failed_card", where=group.name if group else "")
