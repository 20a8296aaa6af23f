"""What the bot knows beside its own content: imported laws, and answers that officers let it keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session, select

from bot.cli import shell
from bot.cli.shell import Stop
from cases.kept import KeptAnswers
from content.laws import FILE, read_laws, save_laws
from storage.tables import Grid

content = typer.Typer(help="What the bot knows beside its own content: laws, kept answers. 知识库。", no_args_is_help=True)


@content.command("import-laws")
def import_laws(
    folder: Annotated[Path, typer.Argument(help="Folder of laws in Markdown, one file a law, searched with its subfolders.")],
) -> None:
    """Take in a collection of laws by article, in the place of the one before. 导入法条。"""
    if not folder.is_dir():
        raise Stop(f"{folder} is no folder; name one with laws in Markdown, see docs/content.md")
    articles, broken = read_laws(folder)
    for file in broken:
        typer.echo(f"problem  {file}")
    if not articles:
        raise Stop(f"{folder}: no article was found; an article is a line that begins with “第一条”, see docs/content.md")
    if broken:
        raise Stop(f"nothing was imported: mend the {len(broken)} files above, or take them out of {folder}")
    with shell.storage() as (chosen, writer):
        data = chosen.bot.data_dir
        shell.note(writer, "laws.import", f"{len(articles)} articles")
    save_laws(data, articles)
    today = shell.clock().date()
    in_force = [article for article in articles if article.holds(today)]
    laws = {article.law for article in in_force}
    over = len(articles) - len(in_force)
    typer.echo(f"{data / FILE}: {len(in_force)} articles of {len(laws)} laws in force, {over} not in force today")
    typer.echo("A running bot reads them with the next question.")


@content.command("kept")
def list_kept() -> None:
    """Answers of officers that the bot gives again. 列出留下的答复。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        grids = {grid.id: grid.code for grid in session.exec(select(Grid)).all()}
        rows = KeptAnswers(session, shell.clock()).served()
        return [
            (row.id, grids.get(row.grid_id, "everywhere"), f"{row.expires_at:%Y-%m-%d}", row.question, row.body) for row in rows
        ]

    with shell.storage() as (_, writer):
        rows = writer.read_now(work)
    shell.table(rows, ("number", "grid", "until", "question", "answer"))


@content.command("drop")
def drop(number: Annotated[int, typer.Argument(help="Its number, as `qianshao content kept` shows it.")]) -> None:
    """Stop giving a kept answer. 停用一条留下的答复。"""

    def work(session: Session) -> None:
        if KeptAnswers(session, shell.clock()).drop(number) is None:
            raise Stop(f"there is no kept answer {number}; qianshao content kept lists them")
        shell.audit(session, "answer.drop", f"answer {number}")

    with shell.storage() as (_, writer):
        writer.run_now(work)
    typer.echo(f"answer {number} is not given any more")
