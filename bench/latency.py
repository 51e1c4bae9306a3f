"""From a create to Running and from a delete to 404 through the API, against create and start, and remove, by the Docker Engine API."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import click

from bench import figures, report, running
from bench.engine import Engine, make_image
from bench.running import Client

AIM = 1.15
_WARM = 3
_BREATH = 0.15
"""Seconds between two measurements: an engine goes on cleaning up after it has answered."""


@click.command()
@click.option("--rounds", default=20, show_default=True, help="Pairs to measure.")
@click.option("--socket", default="/var/run/docker.sock", show_default=True, help="Socket of the Docker Engine.")
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Write all values there.")
def main(rounds: int, socket: str, kept: Path | None) -> None:
    """Measure one container at a time, floor and Higgins in turn. A client of Higgins asks every 20 ms."""
    running.command(_measure(rounds, socket, kept))


async def _measure(rounds: int, socket: str, kept: Path | None) -> None:
    make_image(socket)
    async with Engine(socket) as engine:
        where = await report.machine(engine)
        async with running.higgins(engine) as service, running.client(service) as client:
            same = await running.imitated(engine, client)
            pairs = [await _pair(engine, client) for _ in range(_WARM + rounds)][_WARM:]
    values = {name: [pair[name] for pair in pairs] for name in pairs[0]}
    rows = [_row("create to Running", values, "create"), _row("delete to 404", values, "delete")]
    answered = figures.of(values["create answered"]), figures.of(values["delete answered"])
    report.show(
        f"One container at a time, {rounds} rounds in turn: milliseconds, median (95th percentile)",
        where,
        ["", "Higgins", "Docker alone", "difference", "ratio", "aim"],
        rows,
        f"The answers themselves come after {answered[0].median:.0f} ms (create) and {answered[1].median:.0f} ms (delete).",
    )
    ratios = {name: figures.ratio(values[name], values[f"{name} floor"]) for name in ("create", "delete")}
    report.keep(kept, "latency", where, {"host_config": same, "ratios": ratios, "aim": AIM, "milliseconds": values})


async def _pair(engine: Engine, client: Client) -> dict[str, float]:
    taken = {}
    began = time.perf_counter()
    container = await engine.create()
    await engine.start(container)
    taken["create floor"] = _since(began)
    await asyncio.sleep(_BREATH)
    began = time.perf_counter()
    await engine.remove(container)
    taken["delete floor"] = _since(began)
    await asyncio.sleep(_BREATH)

    began = time.perf_counter()
    container = await client.create("timed")
    taken["create answered"] = _since(began)
    await client.until_running(container)
    taken["create"] = _since(began)
    await asyncio.sleep(_BREATH)
    began = time.perf_counter()
    await client.delete(container)
    taken["delete answered"] = _since(began)
    await client.until_gone(container)
    taken["delete"] = _since(began)
    await asyncio.sleep(_BREATH)
    return taken


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _row(title: str, values: dict[str, list[float]], name: str) -> Sequence[str]:
    ours, floor = figures.of(values[name]), figures.of(values[f"{name} floor"])
    times = figures.ratio(values[name], values[f"{name} floor"])
    return (
        title,
        f"{ours.median:.0f} ({ours.p95:.0f})",
        f"{floor.median:.0f} ({floor.p95:.0f})",
        f"{ours.median - floor.median:+.0f}",
        f"{times:.2f}",
        f"{AIM:.2f}",
    )


if __name__ == "__main__":
    main()
