"""From a create to Running and from a delete to 404 through the API, against create and start, and remove, by the Docker Engine API."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import click

from bench import figures, options, report, running
from bench.engine import Engine
from bench.running import Client

AIM = 1.15
_WARM = 3
_BREATH = 0.15
"""Seconds between two measurements: an engine goes on cleaning up after it has answered."""


@click.command()
@click.option("--rounds", default=20, show_default=True, help="Pairs to measure.")
@options.socket
@options.kept
def main(rounds: int, socket: str, kept: Path | None) -> None:
    """Measure one container at a time, floor and Higgins in turn. A client of Higgins asks every 20 ms."""
    running.command(_measure(rounds, socket, kept))


async def _measure(rounds: int, socket: str, kept: Path | None) -> None:
    async with running.both(socket) as there:
        same = await running.imitated(there)
        pairs = [await _pair(there.engine, there.client) for _ in range(_WARM + rounds)][_WARM:]
    values = {name: [pair[name] for pair in pairs] for name in pairs[0]}
    rows = [_row("create to Running", values, "create"), _row("delete to 404", values, "delete")]
    answered = figures.of(values["create answered"]), figures.of(values["delete answered"])
    report.show(
        f"One container at a time, {rounds} rounds in turn: milliseconds, median (95th percentile)",
        there.where,
        ["", "Higgins", "Docker alone", "difference", "ratio", "aim"],
        rows,
        f"The answers themselves come after {answered[0].median:.0f} ms (create) and {answered[1].median:.0f} ms (delete).",
    )
    ratios = {name: figures.ratio(values[name], values[f"{name} floor"]) for name in ("create", "delete")}
    report.keep(
        kept, "latency", there.where, {"host_config": same, "ratios": ratios, "aim": AIM, "milliseconds": values}
    )


async def _pair(engine: Engine, client: Client) -> dict[str, float]:
    taken = {}
    began = time.perf_counter()
    container = await engine.create()
    await engine.start(container)
    taken["create floor"] = figures.since(began)
    await asyncio.sleep(_BREATH)
    began = time.perf_counter()
    await engine.remove(container)
    taken["delete floor"] = figures.since(began)
    await asyncio.sleep(_BREATH)

    began = time.perf_counter()
    container = await client.create("timed")
    taken["create answered"] = figures.since(began)
    await client.until_running(container)
    taken["create"] = figures.since(began)
    await asyncio.sleep(_BREATH)
    began = time.perf_counter()
    await client.delete(container)
    taken["delete answered"] = figures.since(began)
    await client.until_gone(container)
    taken["delete"] = figures.since(began)
    await asyncio.sleep(_BREATH)
    return taken


def _row(title: str, values: dict[str, list[float]], name: str) -> Sequence[str]:
    return (title, *figures.compared(values[name], values[f"{name} floor"]), f"{AIM:.2f}")


if __name__ == "__main__":
    main()
