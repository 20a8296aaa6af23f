"""What an export says, and that no spreadsheet computes it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from bot.campaigns import Request
from bot.campaigns.proof import Proof, prove, reach_by_label, safe_cell, write_csv
from storage.tables import Campaign, Notice
from tests.posting import MONDAY_TEN, SHANGHAI, District, library


@pytest.fixture
def district(tmp_path: Path) -> Iterator[District]:
    district = District(library(tmp_path, "law/a"))
    yield district
    district.writer.close()


def sent(district: District) -> list[Proof]:
    """A campaign with every possible end."""

    def work(session: Session) -> list[Proof]:
        campaigns = district.campaigns(session, district.clock())
        campaign, _ = campaigns.send(Request("law/a"))
        ends = {
            "gx01": {"state": "sent", "message_id": "m77", "sent_at": MONDAY_TEN, "attempt": 2},
            "gx02": {"state": "unknown", "problem": "no answer in time", "attempt": 1},
            "hotpot": {"state": "dead", "problem": "no right to write", "attempt": 1},
            "market": {"state": "cancelled", "problem": "daily cap"},
            "riders": {"state": "cancelled"},
        }
        for notice in session.exec(select(Notice).where(Notice.campaign_id == campaign.id)).all():
            for name, value in ends.get(notice.chat, {}).items():
                setattr(notice, name, value)
            session.add(notice)
        session.flush()
        return prove(campaigns, campaign)

    return district.writer.run_now(work)


def test_every_group_has_its_end_and_its_reason(district: District) -> None:
    district.change_group("school", posts_off=True)
    proofs = {proof.chat: proof for proof in sent(district)}
    assert {chat: (proof.outcome, proof.why) for chat, proof in proofs.items()} == {
        "gx01": ("sent", ""),
        "gx02": ("unknown", "no answer in time"),
        "hotpot": ("failed", "no right to write"),
        "riders": ("cancelled", ""),
        "market": ("skipped", "今天够多了"),
        "school": ("skipped", "不收推送"),
        "elders": ("waiting", ""),
        "work": ("waiting", ""),
    }
    assert (proofs["gx01"].receipt, proofs["gx01"].attempts, proofs["gx01"].sent_at) == ("m77", 2, MONDAY_TEN)
    assert proofs["school"].posts_off


def test_reach_by_label(district: District) -> None:
    found = {one.label: (one.groups, one.sent) for one in reach_by_label(sent(district))}
    assert found["class:综合"] == (2, 1)
    assert found["platform:web"] == (8, 1)
    assert found["grid:GX01"][0] == 3, "the groups of the grid and of the grid inside it"


def test_the_table_reads_back_as_it_was_meant(district: District) -> None:
    district.change_group("gx01", name='=HYPERLINK("http://x")')
    text = write_csv(sent(district), SHANGHAI)
    assert text.startswith("\ufeff"), "or Excel shows Chinese as rubbish"
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert len(rows) == 8
    first = next(row for row in rows if row["群号"] == "gx01")
    assert first["群"] == '\'=HYPERLINK("http://x")'
    assert (first["结果"], first["发出时间"], first["回执号"]) == ("已发", "2026-11-23 10:00:00", "m77")
    assert next(row for row in rows if row["群号"] == "hotpot")["结果"] == "失败"


def test_few_people_are_not_told_and_no_total_gives_them_back(district: District) -> None:
    proofs = [
        replace(one, members=members, replies=replies, opt_outs=outs)
        for one, members, replies, outs in zip(
            sent(district), (3, 120, 80, 60, None, 7, 5, 0), (1, 9, 6, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0, 0, 0), strict=True
        )
    ]
    rows = list(csv.DictReader(io.StringIO(write_csv(proofs, SHANGHAI).removeprefix("\ufeff"))))
    assert [row["人数"] for row in rows] == ["少于5", "120", "80", "60", "", "7", "5", "0"]
    # with 6 alone beside it, whoever knows the sum of 7 and that 6 is no small number would know that it is 1 or 2
    assert [row["回复数"] for row in rows][:4] == ["少于5", "不列", "不列", "0"]
    assert {row["要求不发数"] for row in rows} == {"不列", "0"}, "alone it could only be hidden with its total"
    everything = csv.DictReader(io.StringIO(write_csv(proofs, SHANGHAI, 1).removeprefix("\ufeff")))
    assert next(everything)["人数"] == "3"
    small = [replace(one, outcome="sent", labels="class:a", members=3) for one in proofs[:2]]
    assert [one.members for one in reach_by_label([*small, replace(proofs[2], outcome="sent", labels="class:a")])] == [80]
    assert [one.members for one in reach_by_label(small)] == [-1]


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "|cmd", "%0A"),
        *("＝1+1", "＋1", "－1", "＠SUM", "  =1", "　＝1", "\u200b=1", "\u00a0+1", '"=1', "'=1", "\ufeff=1", "\x00=1"),
    ],
)
def test_what_could_be_a_formula_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "港新1号网格", "12", "2026-11-23 10:00", "a=b", "m-1", "【普法】"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


def test_a_campaign_that_nobody_made_has_no_lines(district: District) -> None:
    nothing = district.writer.run_now(
        lambda session: prove(district.campaigns(session, district.clock()), Campaign(id=99, origin="x", created_at=MONDAY_TEN))
    )
    assert nothing == []
    assert district.writer.run_now(lambda session: session.exec(select(Notice).order_by(col(Notice.id))).all()) == []
