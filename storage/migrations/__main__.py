"""Write a revision from the difference between storage/tables and the revisions so far."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from storage.database import alembic_config, upgrade
from storage.writer import open_engine

VERSIONS = Path(__file__).parent / "versions"


def write_revision(message: str) -> Path:
    """Bring an empty database to the newest revision, compare, and write what is missing."""
    engine = open_engine("sqlite://")
    config = alembic_config()
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    number = sum(1 for path in VERSIONS.glob("[0-9]*.py")) + 1
    with engine.connect() as connection:
        if number > 1:
            upgrade(connection)
        config.attributes.update(connection=connection, batch=number > 1)
        script = command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
    engine.dispose()
    if script is None or isinstance(script, list):
        raise SystemExit("Alembic wrote nothing")
    return Path(script.path)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["first"]:
            others = sorted(VERSIONS.glob("[0-9]*.py"))[1:]
            if others:
                raise SystemExit(f"there are later revisions ({others[0].name} …): the first one stays as it is")
            for path in VERSIONS.glob("0001_*.py"):
                path.unlink()
            path = write_revision("first tables")
        case ["new", message]:
            path = write_revision(message)
        case ["head"]:
            sys.stdout.write(f"{ScriptDirectory.from_config(alembic_config()).get_current_head()}\n")
            return
        case _:
            raise SystemExit('usage: python -m storage.migrations first | new "what changed" | head')
    sys.stdout.write(f"{path.read_text(encoding='utf-8')}\nwritten: {path}\nread it, then set HEAD in {__package__}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
