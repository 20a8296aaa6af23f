"""Labels say which groups something suits: "class:综合", "board:商圈", "industry:商户", "grid:GX01", "platform:web".

A list means *any of these*; an empty list means every group. Labels belong to groups and places, never to a person.
"""

from __future__ import annotations

from collections.abc import Iterable

KINDS: tuple[str, ...] = ("class", "board", "industry", "grid", "platform")
CLASSES: tuple[str, ...] = ("综合", "专属", "行业", "特殊", "工作")


def matches(wanted: Iterable[str], labels: Iterable[str]) -> bool:
    """Whether a group with these labels is meant."""
    asked = set(wanted)
    return not asked or not asked.isdisjoint(labels)


def label_problem(label: str) -> str | None:
    """What is wrong with the spelling of a label, or None."""
    kind, colon, value = label.partition(":")
    if not colon or kind not in KINDS or not value or value != value.strip():
        return f"label {label!r} must be one of {', '.join(f'{known}:…' for known in KINDS)}"
    if kind == "class" and value not in CLASSES:
        return f"label {label!r}: a class is one of {', '.join(CLASSES)}"
    return None
