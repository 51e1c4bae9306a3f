"""Fifty creates at once until all run, through the API and straight to the Docker Engine at the concurrency that suits it best."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from bench import figures, options, report, running
from bench.engine import LABEL, Engine
from bench.running import PATIENCE, Client, Trouble

AIM = 1.15
_TRIED = (1, 2, 4, 8)
_LOOK = 0.25
"""Seconds between two looks at the list of all."""
_BREATH = 2.0
"""Seconds between two bursts: an engine goes on cleaning up after it has answered."""


@click.command()
@click.option("--count", default=50, show_default=True, help="Containers in one burst.")
@click.option("--rounds", default=5, show_default=True, help="Pairs to measure.")
@click.option(
    "--networks",
    is_flag=True,
    help="On a network of Higgins, and not on the bridge of the engine. The store has sandboxes for a few of them only. Needs root, ip, nft and dnsmasq.",
)
@options.socket
@options.kept
def main(*, count: int, rounds: int, networks: bool, socket: str, kept: Path | None) -> None:
    """Measure bursts, floor and Higgins in turn."""
    running.command(_measure(count, rounds, socket, kept, networks=networks))


async def _measure(count: int, rounds: int, socket: str, kept: Path | None, *, networks: bool) -> None:
    async with running.both(socket, options=running.ON_NETWORKS if networks else "") as there:
        engine, where = there.engine, there.where
        same = await running.imitated(there)
        try:
            tried = {at_once: await _floor(engine, count, at_once) for at_once in _TRIED}
            best = min(tried, key=lambda at_once: tried[at_once])
            floor, ours, lost = [], [], 0
            for _ in range(rounds):
                floor.append(await _floor(engine, count, best))
                seconds, missing = await _through_the_api(there.client, count)
                ours.append(seconds)
                lost += missing
        finally:
            await engine.clear(f"{LABEL}=floor")
    times = figures.ratio(ours, floor)
    report.show(
        f"{count} containers at once{' on a network' * networks} until all run, {rounds} rounds in turn: seconds, median (most)",
        where,
        ["", "Higgins", f"Docker alone, {best} at once", "ratio", "aim", "lost"],
        [("burst", _words(ours), _words(floor), f"{times:.2f}", "" if networks else f"{AIM:.2f}", str(lost))],
        "Docker alone, tried once each: " + ", ".join(f"{each} at once {s:.1f} s" for each, s in tried.items()),
    )
    measured = {"higgins": ours, "floor": floor, "floor_tried": tried, "floor_at_once": best}
    report.keep(
        kept,
        "burst",
        where,
        {"host_config": same, "networks": networks, "ratio": times, "aim": AIM, "lost": lost, "seconds": measured},
    )


async def _floor(engine: Engine, count: int, at_once: int) -> float:
    """Seconds for `count` containers to be made and started, by `at_once` callers."""
    left = list(range(count))

    async def caller() -> None:
        while left:
            left.pop()
            await engine.start(await engine.create())

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(caller())
    taken = time.perf_counter() - began
    await engine.clear(f"{LABEL}=floor")
    await asyncio.sleep(_BREATH)
    return taken


async def _through_the_api(client: Client, count: int) -> tuple[float, int]:
    """Seconds until all run, and how many never did."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(client.create(f"burst-{number}")) for number in range(count)]
    words = Counter(await client.statuses())
    while words["Running"] + words["Error"] < count and time.perf_counter() - began < PATIENCE:
        await asyncio.sleep(_LOOK)
        words = Counter(await client.statuses())
    taken = time.perf_counter() - began
    for creation in made:
        await client.delete(creation.result())
    await _until_empty(client)
    await asyncio.sleep(_BREATH)
    return taken, count - words["Running"]


async def _until_empty(client: Client) -> None:
    deadline = time.monotonic() + PATIENCE
    while await client.statuses():
        if time.monotonic() > deadline:
            raise Trouble(f"the containers of a burst are not gone after {PATIENCE:.0f} s")
        await asyncio.sleep(_LOOK)


def _words(seconds: Sequence[float]) -> str:
    told = figures.of(seconds)
    return f"{told.median:.1f} ({told.most:.1f})"


if __name__ == "__main__":
    main()
