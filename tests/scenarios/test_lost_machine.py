"""The machine is lost, its backup and the mirror of its keys are not: on a new one everything can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import Session, select

from cases.tips import Tips
from storage.backup import back_up_now, restore
from storage.key_mirror import BackupProblem, back_up_keys
from storage.sealing import Sealed
from storage.tables import Case, Officer, Tip
from tests.kit.scenario import PRIVATE, Scenario

pytestmark = pytest.mark.one_cell


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'qianshao.sqlite3'}"


def put_back(tmp_path: Path, folder: Path, *, keys: bool = True) -> bool:
    """Restore as the command does; whether everything stayed closed."""
    mirror = tmp_path / "mirror" if keys else None
    return restore(tmp_path / "backup", url(folder), folder / "media", mirror, folder / "keys").closed


def test_a_lost_machine_comes_back_with_its_backup_and_the_mirror_of_its_keys(tmp_path: Path) -> None:
    lost, new, started = tmp_path / "lost", tmp_path / "new", tmp_path / "started"
    with Scenario(lost) as chat:
        chat.say("张阿姨", PRIVATE, "3号楼2单元楼道有人给电动车充电")
        chat.say("林小雨", PRIVATE, "有人在4号楼租房开赌局，天天半夜散场")
        back_up_now(url(lost), lost / "media", tmp_path / "backup")
        back_up_keys(url(lost), lost / "keys", tmp_path / "mirror")
        chat.skip("张阿姨", "林小雨")
        chat.skip_officers()

    with Scenario(started):  # somebody started the bot on the new machine before the restore: that made it keys of its own
        pass
    with pytest.raises(BackupProblem, match="may be the only copy"):
        back_up_keys(url(started), started / "keys", tmp_path / "mirror")

    assert put_back(tmp_path, started, keys=False), "its own keys are none of the backup's"
    assert not put_back(tmp_path, started)
    assert can_be_read(started)
    assert not put_back(tmp_path, started, keys=False), "on the machine itself its database has the newest keys"
    assert can_be_read(started)
    assert put_back(tmp_path, new, keys=False), "without keys it is said that all stays closed"
    assert not put_back(tmp_path, new), "and the keys can still be brought"
    assert can_be_read(new)
    assert not list(new.glob("**/*.restoring"))


def can_be_read(folder: Path) -> bool:
    with Scenario(folder) as chat:

        def read(session: Session) -> str:
            tips = Tips(session, chat.app.services.tip_keys, chat.clock())
            reader = session.exec(select(Officer).where(Officer.name == "李敏")).one()
            name = session.exec(select(Tip.designation)).one()
            try:
                return tips.read(tips.find(name, reader), reader)[0].text
            except Sealed:
                return ""

        case = chat.rows(Case.text) == ["3号楼2单元楼道有人给电动车充电"] and chat.rows(Case.reporter) != [None]
        return case and "开赌局" in chat.app.writer.run_now(read)
