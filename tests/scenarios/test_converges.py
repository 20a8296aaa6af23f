"""Whatever arrives twice, late or together: the case comes out the same.

The platform may deliver anything again at any time (after a lost confirmation, a restart). What belongs together keeps its order,
as platforms keep it: an edit or a recall never comes before its message; everything else is mixed at will.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest

from bot.messages import Inbound, Kind, Quote, Sender
from storage.tables import Attachment, Case, CaseEntry, Notice
from tests.kit.cells import cell
from tests.kit.scenario import MORNING, PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"


def story(chat: Scenario) -> list[list[Inbound]]:
    """Strands of events; each keeps its own order."""
    group, me = chat.address("张阿姨", GROUP), Sender(chat._people["张阿姨"], "张阿姨")
    other = Sender(chat._people["陈大爷"], "陈大爷")
    line = Quote("", "2611-0001", mine=True)

    def event(number: int, sender: Sender, text: str, kind: Kind = Kind.MESSAGE, message: str = "", **more: object) -> Inbound:
        where = more.pop("where", group)
        return Inbound(
            f"x{number}",
            where,
            sender,
            chat.clock(),
            kind,
            message or f"x{number}",
            text,
            **more,  # type: ignore[arg-type]
        )

    photo = chat.platform.keep_photo("proof", jpeg(3))
    officer = Sender(chat._people["马宏"], "马宏")
    desk = chat.address("马宏", PRIVATE)
    return [
        [
            event(1, me, "补充2611-0001 每天晚上都在充", quote=line),
            event(2, me, "补充2611-0001 每天半夜都在充", Kind.EDIT, "x1"),
            event(3, me, "", Kind.RECALL, "x1"),
        ],
        [event(4, other, "2611-0001 我也看见了，五楼的", quote=line)],
        [event(5, me, "2611-0001 照片在这", quote=line, attachments=(photo,))],
        [event(6, officer, "/接单 2611-0001", where=desk), event(7, officer, "/联系 2611-0001 打过电话了", where=desk)],
        [event(8, chat_sender(chat, "周小琴"), "/接单 2611-0001", where=chat.address("周小琴", PRIVATE))],
    ]


def chat_sender(chat: Scenario, who: str) -> Sender:
    return Sender(chat._people[who], who)


def outcome(chat: Scenario) -> dict[str, object]:
    """What the case has become, whoever was first."""
    [case] = chat.rows(Case)
    lines = [(row.kind, row.author, row.text, row.state) for row in chat.rows(CaseEntry)]
    said = [str(row.text) for row in chat.rows(Notice)]
    return {
        "words": sorted(line for line in lines if line[0] in ("report", "addition", "edit", "recall")),
        "photos": sorted(chat.rows(Attachment.sha256)),
        "taken once": sum(line[3] == "signed" for line in lines),
        "held": case.officer_id is not None,
        "acknowledged": sum(text.startswith("好的，已补充到") for text in said),
        "cases": len(chat.rows(Case.id)),
    }


def lived(seed: int | None) -> dict[str, object]:
    """The story told in one order, with some of it twice or three times; `None`: once, strand after strand."""
    with tempfile.TemporaryDirectory() as folder, Scenario(Path(folder)) as chat:
        chat.hears_clocks = False
        chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
        strands = story(chat)
        chance = random.Random(seed)
        order: list[Inbound] = []
        if seed is None:
            order = [event for strand in strands for event in strand]
        else:
            waiting = [list(strand) for strand in strands]
            while waiting:
                strand = chance.choice(waiting)
                order.append(strand.pop(0))
                waiting = [rest for rest in waiting if rest]
                if chance.random() < 0.5:
                    order.append(chance.choice(order))
        for event in order:
            chat.platform.inject(event)
            if seed is None or chance.random() < 0.6:
                chat.settle()
            if seed is not None and chance.random() < 0.1:
                chat.restart()
        chat.settle()
        end = outcome(chat)
        chat.skip(GROUP, "张阿姨", "陈大爷")
        chat.skip_officers()
        return end


@pytest.mark.slow
def test_any_order_with_repetitions_and_restarts_ends_in_the_same_case() -> None:
    once = lived(None)
    assert once["taken once"] == 1
    assert once["acknowledged"] == 3
    peer = cell.get().peer(lambda: MORNING)
    assert len(once["words"]) == 4 + peer.edits + peer.recalls  # type: ignore[arg-type]
    for seed in range(10):
        assert lived(seed) == once, f"seed {seed}"


@pytest.mark.parametrize("times", [1, 3])
def test_a_report_that_is_recalled_and_delivered_again_stays_withdrawn(chat: Scenario, times: int) -> None:
    said = chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.recall(said)
    for _ in range(times):
        chat.platform.inject(said.event)
        chat.settle()
    assert chat.rows(Case.state) == ["withdrawn"]
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()


def test_control_without_the_inbox_s_memory_a_repetition_would_be_noticed() -> None:
    with tempfile.TemporaryDirectory() as folder, Scenario(Path(folder)) as chat:
        said = chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
        line = Quote("", "2611-0001", mine=True)
        for n in range(2):  # the same words under another id, as a platform without ids would send them
            event = said.event
            chat.platform.inject(
                Inbound(f"again{n}", event.address, event.sender, event.at, message_id=f"again{n}", text="五楼的车", quote=line)
            )
            chat.settle()
        assert len([row for row in chat.rows(CaseEntry) if row.kind == "addition"]) == 2
        chat.skip(GROUP, "张阿姨")
        chat.skip_officers()
