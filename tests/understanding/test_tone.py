"""The rows of a text as numbers are those of its characters."""

from __future__ import annotations

import pytest

from bot.understanding.tone import LONGEST, Rows, keys_of, rows_of
from tests.understanding.test_signs import texts


def test_rows_are_found_as_in_a_set() -> None:
    said = [*texts(), "", "快", "，", "_^|$", f"快来{'救' * 5}命\ud83d😀a1", "水" * (LONGEST + 5)]
    known = sorted({row for text in said[::2] for row in rows_of(text)})
    rows = Rows(known)
    for text in said:
        found = [rows.name(place) for place in rows.found(keys_of(text)).tolist()]
        assert len(found) == len(set(found))
        assert set(found) == rows_of(text) & set(known), text


@pytest.mark.parametrize(
    ("rows", "what"), [(["快来", "救命啊呀"], "救命啊呀"), (["快来", "😀"], "😀"), (["快来", "救_命", "快来"], "快来")]
)
def test_what_is_no_row_is_named(rows: list[str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Rows(rows)
