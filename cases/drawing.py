"""The tables of steps as people read them: `python -m cases.drawing` makes docs/lifecycle.md, and a test keeps the two alike."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from cases.chains import CHAINS
from cases.lifecycle import TYPE_NAMES, Chain, Transition

HEAD = """# The life of a case

<!-- made from cases/lifecycle.py and cases/chains.py: python -m cases.drawing > docs/lifecycle.md -->

States and steps are data. `cases/moves.py` executes the first of these tables (the steps of tips are those of
`cases/tips/states.py`), `/帮助 流程` prints them, and a test goes through every state with every action. Where several lines
have the same action, the first one whose conditions hold counts. A step that is in no line cannot be taken.
"""


def draw() -> str:
    """The whole page, Markdown."""
    return HEAD + "".join(_chain(chain) for chain in CHAINS)


def next_steps(state: str, chain: Chain) -> list[Transition]:
    """What a command can do in a state, one line for each command."""
    seen: dict[str, Transition] = {}
    for line in chain.leaving(state):
        if line.command:
            seen.setdefault(line.command, line)
    return list(seen.values())


def _chain(chain: Chain) -> str:
    states = "\n".join(f"| `{state}` | {about.name} | {TYPE_NAMES[about.type]} |" for state, about in chain.states.items())
    return (
        f"\n## {chain.title} (`{chain.name}`)\n\n| state | 名称 | 类型 |\n|---|---|---|\n{states}\n\n"
        f"```mermaid\nstateDiagram-v2\n{_edges(chain)}\n```\n\n"
        "| action | 做什么 | from | to | who | conditions | effects | command |\n|---|---|---|---|---|---|---|---|\n"
        + "\n".join(_row(line) for line in chain.transitions)
        + "\n"
    )


def _edges(chain: Chain) -> str:
    """The drawing, without steps that end where they began or are open to every state."""
    edges: dict[tuple[str, str], list[str]] = {}
    for line in chain.transitions:
        if len(line.sources) > len(chain.states) // 2:
            continue
        for source in line.sources or ("[*]",):
            if source != line.target:
                names = edges.setdefault((source, line.target), [])
                if line.name not in names:
                    names.append(line.name)
    return "\n".join(f"    {source} --> {target}: {'、'.join(names)}" for (source, target), names in edges.items())


def _row(line: Transition) -> str:
    cells = (
        f"`{line.action}`",
        line.name,
        _codes(line.sources) or "（开始）",
        f"`{line.target}`",
        "、".join(line.who),
        "、".join(line.guards),
        "、".join(line.effects),
        f"`/{line.command}`" if line.command else "",
    )
    return "| " + " | ".join(cells) + " |"


def _codes(states: Iterable[str]) -> str:
    return " ".join(f"`{state}`" for state in states)


if __name__ == "__main__":
    sys.stdout.write(draw())
