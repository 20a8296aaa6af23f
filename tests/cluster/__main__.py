"""Four nodes and a PostgreSQL on this machine send to thousands of simulated groups while residents talk.

    python -m tests.cluster [--groups 6017] [--bots 2] [--talk 4] [--kill]

Every bot bears 30 messages in any second and is used at 29, as on Telegram; two bots need 1 min 44 s for 6,017 groups, which
takes a quarter of two processors for the nodes, the database and this program together. The campaign is one as the bot makes it:
a row for each group, the first five, and the others in lots that the nodes make while they send (decision 0276). More bots need
more: the summary says how much was used. `--talk` is how many residents write in a second; `--kill` kills a node that sends and
makes lots with signal 9 in the middle and starts it again. Prints what happened, and a verdict in one line. The exit code is 1
when a figure misses its limit or a node ends by itself, and then the end of its log says why.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlmodel import Session, col, func, select

from bot.campaigns.progress import progress_of
from storage.tables import Campaign, Notice
from tests.cluster.story import Cluster, NotUp, Nursery
from tests.cluster.world import World
from tests.kit.postgres import MISSING, PostgresServer
from tests.kit.proxy import FaultProxy

BEARS, PACE = 30, 29.0
MOST_OF_PLAN = 1.03  # of the time that the platform's limits allow
PATIENCE = 3.0  # times the planned duration


def tell(words: str) -> None:
    print(words, flush=True)


def chats_of(groups: int, bots: int) -> list[tuple[str, str]]:
    """The groups, dealt out to the bots."""
    return [(f"bot{n % bots + 1}", f"group{n}") for n in range(groups)]


async def talk(cluster: Cluster, over: asyncio.Event, per_second: float) -> None:
    """Residents say a line here and there."""
    chance = random.Random(7)
    chats, said = list(cluster.chats), Counter[str]()
    while not over.is_set():
        account, chat = chance.choice(chats)
        said[chat] += 1
        cluster.world.say(account, chat, f"{chat}-resident", f"/回声 {said[chat]}")
        await asyncio.sleep(1 / per_second)


def open_notices(session: Session, campaign: int) -> int:
    """Groups of the campaign that still wait for it."""
    return progress_of(session, session.get_one(Campaign, campaign)).open


def uncertain(session: Session) -> int:
    """Groups of which nobody knows whether they have it: the node died before the answer, and an officer decides."""
    doubtful = col(Notice.campaign_id).is_not(None), Notice.state == "unknown"
    return session.exec(select(func.count()).select_from(Notice).where(*doubtful)).one()


async def watch(cluster: Cluster, campaign: int, total: int, began: float, deadline: float) -> float:
    """Say how far it is; returns when the last group had it. NotUp when a node ends by itself."""
    world, last_told, its = cluster.world, began, f"post:{campaign}:"
    while True:
        cluster.all_live()
        there = {attempt.key for attempt in world.attempts if attempt.arrived and attempt.key.startswith(its)}
        now = time.monotonic()
        over = len(there) >= total or now > deadline
        if now - last_told >= 3:
            last_told = now
            tell(f"  {now - began:5.1f} s   {len(there):5d} of {total} groups")
            over = over or not await cluster.writer.read(lambda session: open_notices(session, campaign))
        if over:
            ended = [a.ended for a in world.attempts if a.arrived and a.key.startswith(its)]
            return max(ended, default=now) - began
        await asyncio.sleep(0.2)


def report(cluster: Cluster, groups: int, bots: int, took: float, began: float, used: dict[str, float]) -> bool:
    """What happened, in figures; whether each kept its limit."""
    world = cluster.world
    verdict = cluster.judge()
    late = sorted(attempt.began - attempt.left for attempt in world.attempts if attempt.left)
    by_node = Counter(attempt.node for attempt in world.attempts if attempt.arrived)
    waits = sorted(
        attempt.ended - world.said_at[event]
        for attempt in world.attempts
        if attempt.arrived and (event := attempt.key.split(":")[3] if attempt.key.startswith("e:") else "") in world.said_at
        if world.said_at[event] >= began
    )
    # a resident's answer goes first and takes a slot of its bot, so that the plan has to count it, too
    bare, plan = (messages / (bots * PACE) for messages in (groups, groups + len(waits)))
    tell(
        f"groups {groups}, bots {bots}, nodes {len(cluster.ROLES)}: {took:.1f} s; planned {bare:.1f} s for the groups alone, "
        f"{took / bare:.3f} times; {plan:.1f} s with the residents' answers, {took / plan:.3f} times"
    )
    if doubtful := cluster.writer.read_now(uncertain):
        tell(f"uncertain in {doubtful} groups: a campaign is not repeated by itself, an officer decides")
    tell(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, in the mean of the last minute")
    tell(f"refused by the platform: {verdict.refused}; requests inside a pause: {world.in_pause}")
    tell("sent by node: " + ", ".join(f"{node} {count}" for node, count in sorted(by_node.items())))
    tell(
        f"processor seconds ({os.cpu_count()} processors, {took:.0f} s): "
        + ", ".join(f"{name} {seconds:.1f}" for name, seconds in used.items())
    )
    if late:
        tell(
            f"from a node's hand to this program's eyes: p50 {statistics.median(late) * 1000:.1f} ms, "
            f"p99 {late[int(len(late) * 0.99)] * 1000:.0f} ms, longest {late[-1] * 1000:.0f} ms"
        )
    if waits:
        tell(
            f"residents: {len(waits)} answered; from word to answer p50 {statistics.median(waits) * 1000:.0f} ms, "
            f"p95 {waits[int(len(waits) * 0.95)] * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms "
            f"(a slot is {1000 / PACE:.0f} ms)"
        )
    tell(str(verdict))
    if verdict.faults:
        tell(cluster.what_happened(verdict))
    longest = waits[int(len(waits) * 0.95)] if waits else 0.0
    passed, words = summary(took / plan, verdict.refused, world.in_pause, longest, len(verdict.faults))
    tell(words)
    return passed


def summary(ratio: float, refused: int, in_pause: int, wait: float, faults: int) -> tuple[bool, str]:
    """Whether all figures keep their limits, and one line that names each with its own.

    `wait` is what 19 of 20 residents did not exceed, in seconds. It is shown and not judged, because a word's way through a busy
    machine takes longer than the slot that it waits for.
    """
    judged = [
        (f"time {ratio:.3f} of the plan with residents' answers (limit {MOST_OF_PLAN})", ratio <= MOST_OF_PLAN),
        (f"refused {refused} (limit 0)", refused == 0),
        (f"requests in a pause {in_pause} (limit 0)", in_pause == 0),
        (f"lost, doubled or out of order {faults} (limit 0)", faults == 0),
    ]
    passed = all(kept for _, kept in judged)
    verdict = "PASSED" if passed else "MISSED"
    told = "; ".join(words if kept else f"{words} MISSED" for words, kept in judged)
    return passed, f"VERDICT {verdict}: {told}; residents' p95 {wait * 1000:.0f} ms; load {os.getloadavg()[0]:.1f}"


async def send(cluster: Cluster, bots: int, per_second: float, kill: bool) -> bool:
    """A campaign through the running nodes while residents talk; whether every figure kept its limit."""
    over = asyncio.Event()
    talking = asyncio.create_task(talk(cluster, over, per_second))
    try:
        before = cluster.processor_seconds
        began = time.monotonic()
        campaign, total = await cluster.writer.run(cluster.editor.send)
        tell(f"a campaign to {total} groups planned and written in {(time.monotonic() - began) * 1000:.0f} ms")
        plan = total / (bots * PACE)
        watching = asyncio.create_task(watch(cluster, campaign, total, began, began + PATIENCE * plan + 30))
        if kill:
            await asyncio.sleep(plan / 2)
            tell("  kill -9 right, which sends and makes lots")
            cluster.kill("right")
            cluster.start("right")
        took = await watching
        used = {name: now - before.get(name, 0.0) for name, now in cluster.processor_seconds.items()}
    finally:
        over.set()
        await talking
    await cluster.quiet(60, cluster.all_live)
    return report(cluster, total, bots, took, began, used)


async def go(cluster: Cluster, bots: int, per_second: float, kill: bool) -> int:
    """Start the nodes and send; the exit code. Whoever cannot go on says why, with the last lines of the logs."""
    try:
        cluster.start()
        await cluster.up()
        if cluster.unheard:
            raise NotUp(f"nobody hears {', '.join(cluster.unheard)}\n{cluster.logs()}")
        tell(
            f"{len(cluster.ROLES)} nodes are up: "
            + ", ".join(f"{name} ({' '.join(roles)})" for name, roles in cluster.ROLES.items())
        )
        return 0 if await send(cluster, bots, per_second, kill) else 1
    except NotUp as problem:
        tell(f"STOPPED: {problem}")
        return 1


async def run(groups: int, bots: int, per_second: float, kill: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="cluster") as folder, PostgresServer() as server:
        tell("PostgreSQL is up; reading the content ...")
        nursery = Nursery(Path(folder) / "nursery.log")
        async with World(per_second=BEARS) as world, FaultProxy(server.socket_path) as proxy:
            cluster = Cluster(nursery, server, world, proxy, Path(folder), chats_of(groups, bots))
            cluster.per_second = PACE
            cluster.lot = 0  # as in service
            cluster.hurry = False  # the times of service: a busy machine must not cost a node its accounts
            try:
                return await go(cluster, bots, per_second, kill)
            finally:
                await cluster.close()
                nursery.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=6017)
    parser.add_argument("--bots", type=int, default=2)
    parser.add_argument("--talk", type=float, default=4.0)
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    try:
        code = asyncio.run(run(given.groups, given.bots, given.talk, given.kill))
    except ImportError:
        raise SystemExit(MISSING) from None
    raise SystemExit(code)


if __name__ == "__main__":
    main()
