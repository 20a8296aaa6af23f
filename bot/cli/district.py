"""The district from the shell: units and grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import shapely
import typer
from sqlmodel import Session, col, select

from bot.cli import shell
from bot.cli.shell import Stop
from cases.places import BadBoundary, boundary_changed, ground_of, read_boundary
from content.taxonomy import Taxonomy
from storage.tables import Grid, Unit

grids = typer.Typer(help="Grids. 网格。", no_args_is_help=True)
units = typer.Typer(help="Units that handle cases. 单位。", no_args_is_help=True)


@units.command("list")
def list_units() -> None:
    """Every unit. 列出单位。"""
    with shell.storage() as (_, writer):
        found = writer.read_now(lambda session: session.exec(select(Unit).order_by(col(Unit.code))).all())
    shell.table([(unit.code, unit.name, unit.kind, unit.phone) for unit in found], ("code", "name", "kind", "phone"))


@units.command("add")
def add_unit(
    code: Annotated[str, typer.Argument(help="Short code.")],
    name: Annotated[str, typer.Argument(help="Name.")],
    kind: Annotated[str, typer.Option(help="What the routing goes by: police, community, property, fire, power, municipal …")],
    phone: Annotated[str, typer.Option(help="Telephone.")] = "",
) -> None:
    """Add a unit. 加单位。"""
    code, name, kind = shell.short_code(code, "code"), shell.readable_name(name, "name"), shell.short_code(kind, "kind")

    def work(session: Session) -> None:
        if session.exec(select(Unit).where(Unit.code == code)).first():
            raise Stop(f"there is a unit {code} already; qianshao unit list shows it")
        session.add(Unit(code=code, name=name, kind=kind, phone=phone))
        shell.audit(session, "unit.add", f"{code} kind {kind}")

    with shell.storage() as (chosen, writer):
        writer.run_now(work)
        shell.note_sample(writer, chosen)
    typer.echo(f"unit {code} added")
    routed = {each for category in Taxonomy.load(shell.CONTENT / "taxonomy.toml").categories.values() for each in category.route}
    if kind not in routed:
        typer.echo(
            f"note: nothing is sent to units of the kind {kind} by itself (there are {', '.join(sorted(routed))}); "
            f"qianshao route set CATEGORY {code} sends it some",
            err=True,
        )


@grids.command("list")
def list_grids() -> None:
    """Every grid. 列出网格。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        found = session.exec(select(Grid).order_by(col(Grid.code))).all()
        codes = {grid.id: grid.code for grid in found}
        names = {unit.id: unit.name for unit in session.exec(select(Unit)).all()}
        return [
            (
                grid.code,
                grid.name,
                codes.get(grid.parent_id, ""),
                names.get(grid.unit_id, ""),
                "drawn" if grid.boundary else "-",
            )
            for grid in found
        ]

    with shell.storage() as (_, writer):
        rows = writer.read_now(work)
    shell.table(rows, ("code", "name", "inside", "unit", "boundary"))


@grids.command("add")
def add_grid(
    code: Annotated[str, typer.Argument(help="Short code.")],
    name: Annotated[str, typer.Argument(help="Name.")],
    inside: Annotated[str | None, typer.Option(help="Code of the grid around it.")] = None,
    unit: Annotated[str | None, typer.Option(help="Code or name of the responsible unit.")] = None,
    police_code: Annotated[str, typer.Option(help="Number of the police grid for the same ground.")] = "",
    boundary: Annotated[Path | None, typer.Option(help="GeoJSON file of its boundary, one Polygon or MultiPolygon.")] = None,
) -> None:
    """Add a grid. 加网格。"""
    code, name = shell.short_code(code, "code"), shell.readable_name(name, "name")
    drawn = _boundary_of(boundary) if boundary is not None else None

    def work(session: Session) -> None:
        if session.exec(select(Grid).where(Grid.code == code)).first():
            raise Stop(f"there is a grid {code} already; qianshao grid list shows it")
        parent = shell.find_grid(session, inside).id if inside else None
        unit_id = shell.find_unit(session, unit).id if unit else None
        session.add(Grid(code=code, name=name, parent_id=parent, unit_id=unit_id, police_code=police_code, boundary=drawn))
        around = f" inside {inside}" if inside else ""
        handled = f" unit {unit}" if unit else ""
        shell.audit(session, "grid.add", f"{code}{around}{handled}{' drawn' if drawn else ''}")

    with shell.storage() as (chosen, writer):
        writer.run_now(work)
        shell.note_sample(writer, chosen)
    typer.echo(f"grid {code} added")


@grids.command("boundary")
def draw_grids(
    file: Annotated[Path, typer.Argument(help="GeoJSON: a FeatureCollection whose features carry the grid's code, or one area.")],
    grid: Annotated[str | None, typer.Option(help="Code or name of the grid, when the file holds one area only.")] = None,
    key: Annotated[str, typer.Option(help="The property of a feature that holds the code of its grid.")] = "code",
) -> None:
    """Draw the boundaries of grids that exist; all of the file or, when something is wrong, nothing. 画网格边界。"""
    features = [(grid, _boundary_of(file))] if grid is not None else _features(file, key)

    def work(session: Session) -> int:
        for code, text in features:
            found = shell.find_grid(session, code)
            found.boundary = text
            session.add(found)
            shell.audit(session, "grid.boundary", found.code)
        boundary_changed(session)
        return len(features)

    with shell.storage() as (_, writer):
        number = writer.run_now(work)
    typer.echo(f"{number} boundaries drawn; a running bot goes by them from the next report on")


def _boundary_of(file: Path) -> str:
    """The one area of a GeoJSON file, as it is stored."""
    try:
        return str(shapely.to_geojson(read_boundary(_text_of(file))))
    except BadBoundary as problem:
        raise Stop(f"{file}: {problem}") from problem


def _features(file: Path, key: str) -> list[tuple[str, str]]:
    """The code and the area of every feature."""
    try:
        plain = json.loads(_text_of(file))
    except ValueError as problem:
        raise Stop(f"{file}: this is not JSON: {problem}") from problem
    features = plain.get("features") if isinstance(plain, dict) else None
    if not isinstance(features, list) or not features:
        raise Stop(f"{file}: no FeatureCollection with features; for one area say which: --grid CODE")
    drawn = []
    for number, feature in enumerate(features, 1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        code = properties.get(key) if isinstance(properties, dict) else None
        if not isinstance(code, str | int) or not str(code):
            raise Stop(f"{file}: feature {number} has no property {key!r} with the code of a grid; --key names another property")
        try:
            drawn.append((str(code), str(shapely.to_geojson(ground_of(feature)))))
        except BadBoundary as problem:
            raise Stop(f"{file}: feature {number} ({code}): {problem}") from problem
    return drawn


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "is not UTF-8"
        raise Stop(f"{file}: cannot be read: {why}") from problem
