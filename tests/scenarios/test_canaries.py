"""Canaries: words, numbers and secrets that are nowhere else, through every flow; then every byte of every file is searched.

By default a small flock; QIANSHAO_CANARIES=50 makes 1,000 tips, 500 telephone numbers and 750 secrets of it (docs/security.md
says what a run of it found).
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import random
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from ahocorasick_rs import AhoCorasick
from sqlmodel import Session, select

from bot.cli import main
from bot.logs import set_up_logs
from cases.privacy import Kept, Privacy
from cases.tips import Tips
from content.refusal import Refusal
from storage import failpoints
from storage.backup import back_up_now, restore
from storage.media import opened
from storage.tables import ActivityEntry, Attachment, Case, Officer, Proposal, Tip, TipPicture, Volunteer
from tests.kit.scenario import PRIVATE, Scenario, jpeg

FLOCK = int(os.environ.get("QIANSHAO_CANARIES", "1"))
TIPS, PHONES, SECRETS = 20 * FLOCK, 10 * FLOCK, min(20, 5 * FLOCK)
# where the power goes off: what lies on the disk then is searched, too
CRASHES = (
    "inbox.before_commit",
    "inbox.committed",
    "work.handled",
    "work.committed",
    "outbox.claimed",
    "outbox.sent",
    "photo.stored",
)
GROUP = "港新1号网格"
SYLLABLES = "桓蘅璟沅岫琬翊洵珩钰霁翀骁彧昶翮"


def spellings(canary: str) -> Iterator[bytes]:
    """The bytes under which it could lie somewhere."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        raw = canary.encode(encoding)
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + raw)
            # only what does not depend on the bytes around it
            yield coded[(shift * 8 + 5) // 6 : len(coded) - 4 if (len(raw) + shift) % 3 else len(coded)]
    yield canary.encode("unicode_escape")


def hits(folder: Path, canaries: Iterable[str]) -> list[str]:
    """Which canary lies in which file; every file is read once, for all of them."""
    spelled = {form.decode("latin-1"): canary for canary in canaries for form in spellings(canary) if len(form) > 7}
    names, wanted = tuple(spelled.values()), AhoCorasick(spelled)
    found = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes().decode("latin-1")  # a character per byte
            seen = {number for number, _, _ in wanted.find_matches_as_indexes(data, overlapping=True)}
            found |= {f"{path.relative_to(folder)}: {names[number]}" for number in seen}
    return sorted(found)


class Flock:
    """The canaries of one run; `tips`, `receipts`, `phones` and `secrets` grow as they are let fly."""

    def __init__(self) -> None:
        self._dice = random.Random(26)
        self.tips: list[str] = []
        self.receipts: list[str] = []
        self.phones: list[str] = []
        self.secrets: list[str] = []

    @property
    def all(self) -> list[str]:
        return [*self.tips, *self.receipts, *self.phones, *self.secrets]

    def tip(self) -> str:
        word = "".join(self._dice.choice(SYLLABLES) for _ in range(6))
        self.tips.append(word)
        return f"有人在{word}的租房里开赌局，天天半夜散场"

    def phone(self) -> str:
        self.phones.append("1" + str(self._dice.randint(3, 9)) + "".join(str(self._dice.randint(0, 9)) for _ in range(9)))
        return self.phones[-1]

    def secret(self) -> str:
        self.secrets.append("秘" + "".join(self._dice.choice(SYLLABLES) for _ in range(11)))
        return self.secrets[-1]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged at the loudest level."""
    stream = io.StringIO()
    set_up_logs("debug", stream)
    yield stream
    structlog.reset_defaults()
    set_up_logs("error")


def marked(flock: Flock, shade: int) -> bytes:
    """A photo in whose metadata somebody's secret stands, as a telephone writes its owner there."""
    picture, comment = jpeg(shade), flock.secret().encode()
    return picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[2:]


def let_fly_tips(chat: Scenario, flock: Flock, number: int) -> None:
    """A tip with everything that can become of it."""
    who = f"来源{number}"
    photo = marked(flock, number) if number % 4 < 2 else None  # with every second tip, told either way
    chat.say(who, PRIVATE, flock.tip() if number % 2 else f"/举报 {flock.tip()}", photo=photo)
    chat.settle()
    receipt = next(
        found[0].replace(" ", "")
        for arrival in reversed(chat.platform.arrived)
        if (found := re.search(r"(?:\d{4} ){4}\d{4}", arrival.what.text))
    )
    flock.receipts.append(receipt)
    if number % 3:
        return
    chat.say(who, GROUP, flock.tip())  # in a group nothing of it is kept at all
    chat.say(who, PRIVATE, receipt)
    chat.say(who, PRIVATE, f"补充：{flock.tip()}", photo=marked(flock, number + 1))
    chat.say(who, PRIVATE, receipt)
    chat.say(who, PRIVATE, "留联系方式")
    chat.say(who, PRIVATE, f"我叫{flock.secret()}，{flock.phone()}")
    name = chat.rows(Tip.designation)[-1]
    for step in ("", "", " 延期 3"):
        chat.say("李敏", PRIVATE, f"/线索 {name}" if not step else f"/办线索 {name}{step}")
    chat.say("李敏", PRIVATE, f"/回线索 {name} 请问{flock.tip()}是哪一栋")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 授权 3201")
    chat.say("王建国", PRIVATE, f"/线索 {name}")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 身份 {flock.secret()}")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 申请")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 准 3201")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 看身份")
    chat.say("王建国", PRIVATE, f"/线索 {flock.phone()}")  # a wrong name is audited, and masked there


def let_fly_phones(chat: Scenario, flock: Flock, number: int) -> None:
    """Telephone numbers in reports of every kind, in additions, answers and results."""
    told = (
        "3号楼2单元楼道有人给电动车充电，我电话{}",
        "楼上天天半夜吵架摔东西，找我{}",
        "想请人教我奶奶用手机，联系{}",
        "我在小区门口丢了一个黑色钱包，捡到请打{}",
        "捡到一串钥匙，失主打{}",
        "有个{}的电话说我涉嫌洗钱，要我转账",
        "港新路路灯不亮，物业电话{}打不通",
    )[number % 7]
    where = (GROUP, PRIVATE)[number % 2]
    who = f"居民{number}"
    chat.say(who, where, told.format(flock.phone()), photo=jpeg(number), mention=where == GROUP)
    newest = chat.rows(Case.number)
    if not newest:
        return
    case = newest[-1]
    chat.say(who, where, f"/补充 {case} 还可以打{flock.phone()}")
    for officer, words in (("王建国", "/接单 {}"), ("王建国", "/追问 {} 您的电话{}对吗"), ("王建国", "/联系 {} 打了{}")):
        chat.say(officer, PRIVATE, words.format(case, flock.phone()))
    chat.say(who, where, f"对，{flock.phone()}", mention=where == GROUP)
    chat.say("王建国", PRIVATE, f"/办结 {case} 已经清走，有事打{flock.phone()}")
    chat.say(who, where, f"没解决，{flock.phone()}还在充电", mention=where == GROUP)
    chat.say(who, PRIVATE, "/我的数据")
    chat.say("王建国", PRIVATE, f"/查 {case}")
    chat.say("王建国", PRIVATE, "/待办")


def let_fly_secrets(chat: Scenario, flock: Flock) -> None:
    chat.say("李敏", PRIVATE, f"/设口令 {flock.secret()}")
    chat.say("李敏", PRIVATE, f"/解锁 {flock.secret()}")
    chat.say("李敏", PRIVATE, f"/解锁 {flock.secrets[-2]}")
    chat.say("林小雨", GROUP, f"/举报 {flock.secret()}")
    chat.say("林小雨", GROUP, f"周末一起吃饭吧{flock.secret()}")  # small talk


@pytest.fixture
def crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Lets the power go off at a named point: the disk as it is then is kept as it is."""
    armed = ""

    def power_off(_process: int, _signal: int) -> None:
        shutil.copytree(tmp_path / "data", tmp_path / f"crash-{armed}", dirs_exist_ok=True)

    def at(point: str) -> None:
        nonlocal armed
        armed = point
        failpoints.arm(point)

    monkeypatch.setattr(failpoints, "os", SimpleNamespace(kill=power_off, getpid=os.getpid))
    yield at
    failpoints.arm("")


@pytest.mark.timeout(3600 if FLOCK > 1 else 180)
@pytest.mark.one_cell
def test_not_one_canary_lies_in_any_file(
    tmp_path: Path,
    log: io.StringIO,
    crash: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flock = Flock()
    folder = tmp_path / "data"
    points = list(CRASHES)
    with Scenario(folder) as chat:
        let_fly_secrets(chat, flock)
        number = 0
        while len(flock.tips) < TIPS or number < 4:
            if number % 3 == 0 and points:
                crash(points.pop(0))
            let_fly_tips(chat, flock, number)
            number += 1
        chat.restart()
        number = 0
        while len(flock.phones) < PHONES or number < 3:
            if points:
                crash(points.pop(0))
            let_fly_phones(chat, flock, number)
            number += 1
        while len(flock.secrets) < SECRETS:
            let_fly_secrets(chat, flock)
        shutil.copytree(folder, tmp_path / "crash")  # what a machine that lost its power now would have on its disk
        back_up_now(chat.settings.database_url, folder / "media", tmp_path / "backup")
        control = flock.phone()
        chat.say("居民0", PRIVATE, f"3号楼楼道有人给电动车充电，我电话{control}")
        assert control in chat.rows(Case.text)[-1]  # whoever may read it reads it: it is there, only sealed
        pictures = chat.rows(TipPicture.id)
        for row in chat.platform.arrived:
            chat._seen[(row.to.chat, row.to.private)] = len(chat.platform.arrived)
    (tmp_path / "log.txt").write_text(log.getvalue(), encoding="utf-8")
    (tmp_path / "exports.txt").write_text(exports(folder, monkeypatch, capsys), encoding="utf-8")
    assert len(flock.tips) >= TIPS
    assert len(flock.phones) >= PHONES
    assert len(flock.secrets) >= SECRETS
    assert len(list(tmp_path.glob("crash-*"))) == len(CRASHES) - len(points)
    assert "turn_failed" not in log.getvalue()
    searched = [path for path in tmp_path.rglob("*") if path.is_file()]
    if FLOCK > 1:
        kinds = {"tips": flock.tips, "receipts": flock.receipts, "phones": flock.phones, "secrets": flock.secrets}
        counts = ", ".join(f"{len(canaries):,} {kind}" for kind, canaries in kinds.items())
        with capsys.disabled():
            print(f"\n{counts}; {len(searched):,} files, {sum(path.stat().st_size for path in searched):,} bytes")
    assert hits(tmp_path, flock.all) == []
    assert pictures, "control: tips came with pictures"
    assert [path.name for path in searched if path.read_bytes()[:3] == b"\xff\xd8\xff"] == [], "no picture lies open"


def exports(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says about this data."""
    monkeypatch.delenv("QIANSHAO_CANARIES", raising=False)  # no setting
    monkeypatch.setenv("QIANSHAO_BOT__DATA_DIR", str(folder))
    said = ""
    for arguments in (("audit", "list", "--most", "10000"), ("erase", "--dry-run"), ("group", "list"), ("officer", "list")):
        monkeypatch.setattr(sys, "argv", ["qianshao", *arguments])
        with contextlib.suppress(SystemExit):
            main()
        out = capsys.readouterr()
        said += out.out + out.err
    assert "tip.read" in said
    return said


@pytest.mark.one_cell
def test_control_the_search_finds_them_in_every_spelling(tmp_path: Path) -> None:
    canary = "13812345678"
    for number, spelled in enumerate(
        (
            canary.encode(),
            canary.encode("utf-16-le"),
            b"x" + base64.b64encode(b"ab" + canary.encode() + b"yz"),
            base64.b64encode(b"a" + canary.encode() + b"z"),
            canary.encode().hex().encode(),
        )
    ):
        (tmp_path / str(number)).write_bytes(b"..." + spelled + b"...")
    assert len(hits(tmp_path, [canary])) == 5


@pytest.mark.one_cell
def test_what_was_erased_stays_closed_in_an_old_backup(tmp_path: Path) -> None:
    """A backup of last week, restored on the machine that has the newest keys, and on one that has only the mirror of last week's
    successor: the case and the tip that ended since cannot be opened, those that go on can."""
    folder = tmp_path / "data"
    with Scenario(folder) as chat:
        for number in range(2):
            chat.say("张阿姨", PRIVATE, f"{number + 3}号楼2单元楼道有人给电动车充电", photo=jpeg(number))
            chat.say("林小雨", PRIVATE, f"有人在{number + 3}号楼租房开赌局，天天半夜散场")
        names = chat.rows(Tip.designation)
        back_up_now(chat.settings.database_url, folder / "media", tmp_path / "backup")
        with sqlite3.connect(tmp_path / "backup" / "qianshao.db") as copy:
            assert copy.execute("SELECT count(*) FROM shred_key").fetchone() == (0,)
        copy.close()
        ended = chat.rows(Case.id)[0]

        def close(session: object) -> None:
            case = session.get(Case, ended)  # type: ignore[attr-defined]
            case.state, case.closed_at = "closed_confirmed", chat.clock() - timedelta(days=800)
            session.add(case)  # type: ignore[attr-defined]

        chat.app.writer.run_now(close)
        chat.run(chat.app.tidy.round())
        chat.say("李敏", PRIVATE, f"/办线索 {names[0]} 销毁")
        chat.skip("张阿姨", "林小雨")
        chat.skip_officers()
    restore(tmp_path / "backup", f"sqlite:///{folder / 'qianshao.sqlite3'}", folder / "media")
    with Scenario(folder) as chat:
        texts = chat.rows(Case.text)
        assert texts[0] == ""
        assert "电动车充电" in texts[1]

        def read(name: str) -> str:
            def work(session: Session) -> str:
                tips = Tips(session, chat.app.services.tip_keys, chat.clock())
                reader = session.exec(select(Officer).where(Officer.name == "李敏")).one()
                return tips.read(tips.find(name, reader), reader)[0].text

            return chat.app.writer.run_now(work)

        assert "开赌局" in read(names[1])
        with pytest.raises(Refusal, match=r"tips\.gone"):
            read(names[0])
        photos = [(chat.folder / path).read_bytes() for path in chat.rows(Attachment.path)]
        with pytest.raises(FileNotFoundError):
            opened(photos[0])
        assert opened(photos[1])[6:10] == b"JFIF"


@pytest.mark.one_cell
def test_an_old_backup_does_not_say_who_somebody_was_that_is_forgotten(tmp_path: Path) -> None:
    """Accounts and names lie in a backup under pseudonyms. Restored, they are back for whoever is still known."""
    folder, backup = tmp_path / "data", tmp_path / "backup"
    leaves, stays = "account-3f9c51-leaves", "account-77ab02-stays"
    with Scenario(folder) as chat:
        chat.say("周小琴", GROUP, "/活动 发布 清理倒下的树；明天上午9点；小区东门；2小时；限3人")
        for number, who in enumerate((leaves, stays)):
            chat.say(who, PRIVATE, f"{number + 3}号楼2单元楼道有人给电动车充电")
            chat.say(who, GROUP, "/报名 1")
            chat.say(who, PRIVATE, "/志愿 记")
            chat.say(who, GROUP, "/提议 车棚里装个集中充电柜，大家别往家里拉线")
            chat.say(who, GROUP, f"{number + 5}号楼下水道井盖没了，@前哨", mention=True)
            chat.say(who, PRIVATE, "/关联")
        back_up_now(chat.settings.database_url, folder / "media", backup)
        assert hits(backup, [leaves, stays]) == []
        assert hits(folder, [leaves, stays]), "control: in the running database they stand"
        chat.say(leaves, PRIVATE, "/忘记我")
        chat.say(leaves, PRIVATE, "忘记")
        chat.skip(leaves, stays, GROUP, "周小琴")
        chat.skip_officers()
    restore(backup, f"sqlite:///{folder / 'qianshao.sqlite3'}", folder / "media")
    for old in folder.glob("*.before-restore-*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    assert hits(folder, [leaves]) == []
    with Scenario(folder) as chat:
        chat.skip(leaves, stays, GROUP, "周小琴")
        chat.skip_officers()
        assert set(chat.rows(Case.reporter)) == {None, stays}
        assert chat.rows(ActivityEntry.user_id, ActivityEntry.name) == [(stays, stays)]
        assert set(chat.rows(Proposal.user_id)) == {"", stays}
        assert chat.rows(Volunteer.user_id) == [stays]
        kept = [chat.app.writer.read_now(lambda s, who=who: Privacy(s, chat.clock()).kept("web", who)) for who in (leaves, stays)]
        assert kept[0] == Kept((), 0)
        assert "电动车充电" in kept[1].cases[0].text
        assert {"activity", "hours", "proposal"} <= {mark.kind for mark in kept[1].marks}
