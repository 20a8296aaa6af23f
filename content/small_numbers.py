"""Small numbers of people, left out of tables in such a way that the rest does not give them back.

A table of counts whose exact total stands beside it gives a hidden number back when it is the only hidden one, and often when
there are two (1 and 1 of a total of 2). So more cells are hidden, the smallest first, until every small number could be anything
from 1 to just below the threshold (complementary suppression; L. Willenborg and T. de Waal, "Elements of Statistical Disclosure
Control", 2001, ch. 4). Where no number of hidden cells brings that about, the table is not shown at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

LEAST = 5


def hidden(counts: Sequence[int], sensitive: Collection[int], least: int = LEAST) -> frozenset[int] | None:
    """The positions that must not be shown beside the other counts and their exact total; None: show none of them.

    `sensitive` are the positions whose counts below `least` are to be protected; a count of 0 is nobody and is shown.
    """
    taken = {at for at in sensitive if 0 < counts[at] < least}
    if not taken:
        return frozenset()
    # what is not sensitive goes first: that it is left out says nothing about its size
    rest = sorted(
        (at for at, count in enumerate(counts) if count and at not in taken), key=lambda at: (at in sensitive, counts[at])
    )
    while not _safe(counts, taken, sensitive, least):
        if not rest:
            return None
        taken.add(rest.pop(0))
    return frozenset(taken)


def shown(count: int, least: int = LEAST) -> int:
    """A count that stands alone: itself, or -1 when it is too small to be told."""
    return -1 if 0 < count < least else count


def _safe(counts: Sequence[int], taken: set[int], sensitive: Collection[int], least: int) -> bool:
    """Whether each small number among the hidden could be anything from 1 to `least` - 1, for somebody who knows the rule."""
    total = sum(counts[at] for at in taken)
    large = [at for at in taken if at not in sensitive or counts[at] >= least]
    lows = sum(least if at in sensitive else 1 for at in large)
    small = len(taken) - len(large)
    most = total - lows - (small - 1)
    fewest = 1 if large else total - (least - 1) * (small - 1)
    return most >= least - 1 and fewest <= 1
