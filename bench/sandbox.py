"""A container on a network of Higgins, in a sandbox from the store, against one on the bridge of the Docker Engine; and what a sandbox costs."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import click

from bench import figures, report, running
from bench.engine import Engine, make_image
from bench.running import Client, Running, Trouble

STORE = 4
_WARM = 2
_BREATH = 0.15
"""Seconds between two measurements: an engine goes on cleaning up after it has answered."""


@click.command()
@click.option("--rounds", default=15, show_default=True, help="Rounds to measure.")
@click.option("--socket", default="/var/run/docker.sock", show_default=True, help="Socket of the Docker Engine.")
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Write all values there.")
def main(rounds: int, socket: str, kept: Path | None) -> None:
    """Measure Docker's own start on its bridge and Higgins' on a network of its own in turn, the store being full. Needs root, ip, nft and dnsmasq."""
    running.command(_measure(rounds, socket, kept))


async def _measure(rounds: int, socket: str, kept: Path | None) -> None:
    make_image(socket)
    options = f"[networks]\nprovider = local\n[agent]\nwarm_sandboxes = {STORE}\n"
    async with Engine(socket) as engine:
        where = await report.machine(engine)
        async with running.higgins(engine, options=options) as service, running.client(service) as client:
            # Else the network itself would come and go with each container.
            stays = await client.create("stays")
            await client.until_running(stays)
            same = await engine.imitate(f"higgins-{stays}")
            assert isinstance(same, dict)
            same["NetworkMode"] = "bridge"
            pairs = [await _pair(engine, service, client) for _ in range(_WARM + rounds)][_WARM:]
            costs = [_cost(pid) for pid in await _store(engine, service)]
            await client.delete(stays)
            await client.until_gone(stays)
    values = {name: [pair[name] for pair in pairs] for name in pairs[0]}
    sandbox, shim = (sum(each) / len(each) for each in zip(*costs, strict=True))
    report.show(
        f"From a create to Running on a network, {rounds} rounds in turn: milliseconds, median (95th percentile)",
        where,
        ["", "Higgins", "Docker on its bridge", "difference", "ratio"],
        [_row(values)],
        f"The answer itself comes after {figures.of(values['answered']).median:.0f} ms. A sandbox in store has {sandbox:.1f} MiB of its own, and the"
        f" engine's process beside it {shim:.1f} MiB (PSS).",
    )
    costs_kept = {"sandbox_mib": sandbox, "shim_mib": shim}
    report.keep(kept, "sandbox", where, {"host_config": same, "milliseconds": values, "memory": costs_kept})


async def _pair(engine: Engine, service: Running, client: Client) -> dict[str, float]:
    await _store(engine, service)
    await asyncio.sleep(_BREATH)
    taken = {}
    began = time.perf_counter()
    floor = await engine.create()
    await engine.start(floor)
    taken["floor"] = _since(began)
    await engine.remove(floor)
    await asyncio.sleep(_BREATH)
    began = time.perf_counter()
    container = await client.create("timed")
    taken["answered"] = _since(began)
    await client.until_running(container)
    taken["create"] = _since(began)
    await client.delete(container)
    await client.until_gone(container)
    return taken


async def _store(engine: Engine, service: Running) -> list[int]:
    """The processes of the sandboxes in store, once it is full."""
    wanted = {"label": [f"org.higgins.owner={service.owner}", "org.higgins.warm"], "status": ["running"]}
    for _ in range(600):
        there = await engine.call("GET", "containers/json", filters=json.dumps(wanted))
        ready = [each["Id"] for each in there if each["Names"][0].startswith("/higgins-warm-")]
        if len(ready) == STORE:
            return [(await engine.call("GET", f"containers/{each}/json"))["State"]["Pid"] for each in ready]
        await asyncio.sleep(0.1)
    raise Trouble("the store of sandboxes does not fill")


def _cost(pid: int) -> tuple[float, float]:
    """MiB of the process, and of the one that started it."""
    status = Path(f"/proc/{pid}/status").read_text()
    parent = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))
    return _pss(pid), _pss(parent)


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _row(values: dict[str, list[float]]) -> Sequence[str]:
    ours, floor = figures.of(values["create"]), figures.of(values["floor"])
    return (
        "create to Running",
        f"{ours.median:.0f} ({ours.p95:.0f})",
        f"{floor.median:.0f} ({floor.p95:.0f})",
        f"{ours.median - floor.median:+.0f}",
        f"{figures.ratio(values['create'], values['floor']):.2f}",
    )


if __name__ == "__main__":
    main()
