"""A container on a network of Higgins, in a sandbox from the store, against one on the bridge of the Docker Engine; and what a sandbox costs."""

import asyncio
import json
import time
from pathlib import Path

import click

from bench import figures, options, report, running
from bench.running import Both, Trouble

STORE = 4
_WARM = 2
_BREATH = 0.15
"""Seconds between two measurements: an engine goes on cleaning up after it has answered."""


@click.command()
@click.option("--rounds", default=15, show_default=True, help="Rounds to measure.")
@options.socket
@options.kept
def main(rounds: int, socket: str, kept: Path | None) -> None:
    """Measure Docker's own start on its bridge and Higgins' on a network of its own in turn, the store being full. Needs root, ip, nft and dnsmasq."""
    running.command(_measure(rounds, socket, kept))


async def _measure(rounds: int, socket: str, kept: Path | None) -> None:
    store = f"[agent]\nwarm_sandboxes = {STORE}\n"
    async with running.both(socket, options=running.ON_NETWORKS + store) as there:
        # Else the network itself would come and go with each container.
        stays = await there.client.run("stays")
        same = await there.engine.imitate(f"higgins-{stays}")
        pairs = [await _pair(there) for _ in range(_WARM + rounds)][_WARM:]
        costs = [_cost(pid) for pid in await _store(there)]
        await there.client.end(stays)
    values = {name: [pair[name] for pair in pairs] for name in pairs[0]}
    sandbox, shim = (sum(each) / len(each) for each in zip(*costs, strict=True))
    report.show(
        f"From a create to Running on a network, {rounds} rounds in turn: milliseconds, median (95th percentile)",
        there.where,
        ["", "Higgins", "Docker on its bridge", "difference", "ratio"],
        [("create to Running", *figures.compared(values["create"], values["floor"]))],
        f"The answer itself comes after {figures.of(values['answered']).median:.0f} ms. A sandbox in store has {sandbox:.1f} MiB of its own, and the"
        f" engine's process beside it {shim:.1f} MiB (PSS).",
    )
    costs_kept = {"sandbox_mib": sandbox, "shim_mib": shim}
    report.keep(kept, "sandbox", there.where, {"host_config": same, "milliseconds": values, "memory": costs_kept})


async def _pair(there: Both) -> dict[str, float]:
    engine, client = there.engine, there.client
    await _store(there)
    await asyncio.sleep(_BREATH)
    taken = {}
    began = time.perf_counter()
    floor = await engine.create()
    await engine.start(floor)
    taken["floor"] = figures.since(began)
    await engine.remove(floor)
    await asyncio.sleep(_BREATH)
    began = time.perf_counter()
    container = await client.create("timed")
    taken["answered"] = figures.since(began)
    await client.until_running(container)
    taken["create"] = figures.since(began)
    await client.end(container)
    return taken


async def _store(there: Both) -> list[int]:
    """The processes of the sandboxes in store, once it is full."""
    wanted = {"label": [f"org.higgins.owner={there.service.owner}", "org.higgins.warm"], "status": ["running"]}
    for _ in range(600):
        found = await there.engine.call("GET", "containers/json", filters=json.dumps(wanted))
        ready = [each["Id"] for each in found if each["Names"][0].startswith("/higgins-warm-")]
        if len(ready) == STORE:
            return [(await there.engine.call("GET", f"containers/{each}/json"))["State"]["Pid"] for each in ready]
        await asyncio.sleep(0.1)
    raise Trouble("the store of sandboxes does not fill")


def _cost(pid: int) -> tuple[float, float]:
    """MiB of the process, and of the one that started it."""
    status = Path(f"/proc/{pid}/status").read_text()
    parent = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))
    return running.mebibytes(pid, "Pss"), running.mebibytes(parent, "Pss")


if __name__ == "__main__":
    main()
