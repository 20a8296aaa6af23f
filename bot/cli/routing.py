"""The routing table from the shell: which units handle what where."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session, col, select

from bot.cli import shell
from bot.cli.shell import CONTENT, Stop
from content.taxonomy import Category, Taxonomy
from storage.tables import Grid, Route, Unit

routes = typer.Typer(help="The routing table: who handles which category in which grid. 派单规则。", no_args_is_help=True)

CategoryCode = Annotated[str, typer.Argument(help='Code of a category ("ebike.charging"), "ebike.*" or "*".')]
InGrid = Annotated[str | None, typer.Option("--grid", help="Code or name of the grid; everywhere if left out.")]


@routes.command("list")
def list_routes() -> None:
    """Every row. What is not in it goes by the route of the taxonomy. 列出规则。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        found: dict[tuple[str, int | None], list[str]] = {}
        order = (col(Route.category), col(Route.grid_id), col(Route.rank))
        for row in session.exec(select(Route).order_by(*order)).all():
            unit = session.get(Unit, row.unit_id)
            found.setdefault((row.category, row.grid_id), []).append(unit.name if unit else f"unit {row.unit_id}")
        return [(code, _grid_name(session, grid), names[0], ", ".join(names[1:])) for (code, grid), names in found.items()]

    with shell.storage() as (_, writer):
        rows = writer.read_now(work)
    shell.table(rows, ("category", "grid", "leads", "assist"))


@routes.command("set")
def set_one(
    category: CategoryCode,
    units: Annotated[list[str], typer.Argument(help="Codes or names of units; the first leads, the others assist.")],
    grid: InGrid = None,
) -> None:
    """These units handle it from now on. 设定谁办。"""
    from cases.routing import set_route

    _known(category)

    def work(session: Session) -> str:
        where = shell.find_grid(session, grid) if grid else None
        chosen = [shell.find_unit(session, words) for words in units]
        if len({unit.id for unit in chosen}) < len(chosen):
            raise Stop("a unit is named twice; name each once, the leading one first")
        set_route(session, category, where.id if where else None, chosen)
        shell.audit(session, "route.set", f"{category} {_where(where)}: {' '.join(unit.code for unit in chosen)}")
        rest = f", with {', '.join(unit.name for unit in chosen[1:])}" if chosen[1:] else ""
        return f"{category} {f'in {where.name}' if where else 'everywhere'}: {chosen[0].name}{rest}"

    with shell.storage() as (_, writer):
        said = writer.run_now(work)
    typer.echo(said)


@routes.command("remove")
def remove(category: CategoryCode, grid: InGrid = None) -> None:
    """Take a row out; the next one that fits, or the taxonomy, decides. 删规则。"""
    from cases.routing import set_route

    def work(session: Session) -> None:
        where = shell.find_grid(session, grid) if grid else None
        known = session.exec(select(Route).where(Route.category == category)).all()
        if not any(row.grid_id == (where.id if where else None) for row in known):
            raise Stop(f"there is no row for {category} {f'in {where.name}' if where else 'everywhere'}; qianshao route list")
        set_route(session, category, where.id if where else None, ())
        shell.audit(session, "route.remove", f"{category} {_where(where)}")

    with shell.storage() as (_, writer):
        writer.run_now(work)
    typer.echo(f"{category}: removed")


@routes.command("test")
def try_one(category: Annotated[str, typer.Argument(help="Code of a category.")], grid: InGrid = None) -> None:
    """Who would get such a case, and how much they have now. 试一试派给谁。"""
    from cases.routing import choose_units, load

    found = _taxonomy().categories.get(category)
    if found is None:
        raise Stop(f"there is no category {category!r}; they are the codes in content/taxonomy.toml")
    wanted: Category = found

    def work(session: Session) -> list[tuple[str, int]]:
        where = shell.find_grid(session, grid) if grid else None
        return list(load(session, choose_units(session, wanted, where.id if where else None)).items())

    with shell.storage() as (_, writer):
        units = writer.read_now(work)
    if not units:
        typer.echo(f"{category}: nobody; a dispatcher is asked. qianshao route set {category} UNIT")
    for number, (name, cases) in enumerate(units):
        typer.echo(f"{'assists' if number else 'leads  '}  {name} ({cases} at work)")


def _known(category: str) -> None:
    from cases.routing import question_about

    subjects = {question_about(folder.name) for folder in (CONTENT / "answers").iterdir() if folder.is_dir()}
    codes = set(_taxonomy().categories) | subjects
    heads = {".".join(code.split(".")[:length]) + ".*" for code in codes for length in range(1, code.count(".") + 1)}
    if category not in codes | heads | {"*"}:
        raise Stop(f'there is no category {category!r}; write a code of content/taxonomy.toml, "ebike.*", or "*"')


def _taxonomy() -> Taxonomy:
    return Taxonomy.load(CONTENT / "taxonomy.toml")


def _where(grid: Grid | None) -> str:
    return f"in {grid.code}" if grid else "everywhere"


def _grid_name(session: Session, grid_id: int | None) -> str:
    grid = session.get(Grid, grid_id) if grid_id is not None else None
    return grid.name if grid else "everywhere"
