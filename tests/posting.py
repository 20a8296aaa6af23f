"""What the tests of campaigns and schedules share: a small district, a post library, a clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import Session, SQLModel, col, select

from bot.campaigns import Campaigns, PostRules
from bot.campaigns.lots import its_part
from bot.clock import ManualClock
from bot.config import BotSettings
from bot.demo import load_district, seed
from bot.notices import Lane
from content.phrases import PhraseBook
from content.posts import PostLibrary
from storage.tables import CampaignGroup, CampaignPart, Group, Notice
from storage.writer import Writer, open_engine

ROOT = Path(__file__).parent.parent
PHRASES = PhraseBook.load(ROOT / "content/phrases")
SHANGHAI = BotSettings().zone
MONDAY_TEN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
DAY = timedelta(days=1)


def write_post(
    folder: Path, slug: str, *, labels: Sequence[str] = (), status: str = "ready", expires: str = "2099-01-01"
) -> None:
    """A post file with two openings that name the group."""
    path = folder / f"{slug}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'+++\ntitle = "{slug} 标题"\ncategory = "{path.parent.name}"\nlabels = {list(labels)}\nsource = "x"\n'
        f'checked_on = 2026-01-01\nexpires_on = {expires}\nstatus = "{status}"\n'
        'variants = ["{{ group }}好。", "各位好。"]\n+++\n'
        f"{slug}：找{{{{ officer }}}}，{{{{ grid }}}}，{{{{ station }}}}。\n",
        encoding="utf-8",
    )


def library(folder: Path, *slugs: str) -> PostLibrary:
    for slug in slugs:
        write_post(folder, slug)
    return PostLibrary.load(folder)


class District:
    """The sample district in a database of its own, with the services on it."""

    def __init__(self, posts: PostLibrary, rules: PostRules | None = None, url: str = "sqlite://") -> None:
        self.writer = Writer(open_engine(url))
        SQLModel.metadata.create_all(self.writer.engine)
        self.clock = ManualClock(MONDAY_TEN)
        self.posts = posts
        self.rules = rules or PostRules(SHANGHAI, trial_groups=0, approve_over=1_000_000)
        self.writer.run_now(lambda session: seed(session, load_district(ROOT / "content/demo/district.toml"), MONDAY_TEN))

    def campaigns(self, session: Session, now: datetime) -> Campaigns:
        return Campaigns(session, now, self.posts, PHRASES, self.rules)

    def notices(self) -> list[Notice]:
        return self.writer.run_now(
            lambda session: list(session.exec(select(Notice).where(Notice.lane == Lane.CAMPAIGN).order_by(col(Notice.id))).all())
        )

    def outcomes(self, campaign_id: int) -> dict[str, str]:
        """By group: the post that went there, or the reason in brackets."""
        return self.writer.run_now(
            lambda session: {
                group.chat: f"[{part.skipped}]" if part.skipped else part.post
                for part, group in session.exec(
                    select(CampaignPart, Group)
                    .join(CampaignGroup, its_part())
                    .join(Group, col(Group.id) == col(CampaignGroup.group_id))
                    .where(CampaignGroup.campaign_id == campaign_id)
                ).all()
            }
        )

    def change_group(self, chat: str, **values: object) -> None:
        def work(session: Session) -> None:
            group = session.exec(select(Group).where(Group.chat == chat)).one()
            for name, value in values.items():
                setattr(group, name, value)
            session.add(group)

        self.writer.run_now(work)
