"""The district's own rows stay with the session that has read them.

A session forgets what nobody holds: a walk from a grid to the grids around it, done five times in one turn, would read them five
times. They are few, and nothing changes them but the session itself.
"""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.orm import QueryContext

from storage.tables import Grid, Officer, Unit


def _stay(row: object, context: QueryContext) -> None:
    context.session.info.setdefault("lasting", []).append(row)


for _kind in (Grid, Officer, Unit):
    event.listen(_kind, "load", _stay)
