"""What the bot knows beside its own content: imported laws."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli import shell
from bot.cli.shell import Stop
from content.laws import FILE, read_laws, save_laws

content = typer.Typer(help="What the bot knows beside its own content: laws. 知识库。", no_args_is_help=True)


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
        raise Stop(f"{folder}: no article was found; an article begins with “第一条” at the beginning of a line, see docs/content.md")
    if broken:
        raise Stop(f"nothing was imported: mend the {len(broken)} files above, or take them out of {folder}")
    data = shell.settings().bot.data_dir
    save_laws(data, articles)
    today = shell.clock().date()
    in_force = [article for article in articles if article.holds(today)]
    laws = {article.law for article in in_force}
    over = len(articles) - len(in_force)
    typer.echo(f"{data / FILE}: {len(in_force)} articles of {len(laws)} laws in force, {over} not in force today")
    typer.echo("A running bot reads them with the next question.")
