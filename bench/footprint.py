"""Resident memory and idle CPU of Higgins' processes with and without containers, beside an empty Python and the Docker Engine."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from bench import options, report, running
from bench.running import Client

AIM_MIB = 80
AIM_PERCENT = 0.5
_IMPORTED = "aiodocker, aiohttp, click, cryptography.x509, google.protobuf, grpc.aio, msgspec, oslo_config.cfg"
_SETTLING = 15.0
"""Seconds after the last request before idleness is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """One process, at rest."""

    name: str
    containers: int
    rss_mib: float
    pss_mib: float
    """Its share of what it has in memory together with others."""
    idle_percent: float
    """Of one core."""


@click.command()
@click.option("--count", default=100, show_default=True, help="Containers in the second measurement of each.")
@click.option("--seconds", default=60.0, show_default=True, help="How long idleness is measured.")
@options.socket
@options.kept
def main(count: int, seconds: float, socket: str, kept: Path | None) -> None:
    """Measure all-in-one, then a control plane and an agent apart, each with no container and with many."""
    running.command(_measure(count, seconds, socket, kept))


async def _measure(count: int, seconds: float, socket: str, kept: Path | None) -> None:
    found: list[Footprint] = []
    async with running.prepared(socket) as (engine, where):
        for apart in (False, True):
            async with running.higgins(engine, apart=apart) as service, running.client(service) as client:
                for containers in (0, count):
                    await _fill(client, containers)
                    with _floors() as floors:
                        pids = {name: process.pid for name, process in service.processes.items()} | floors
                        found += await _watch(pids, containers, seconds)
    report.show(
        f"At rest for {seconds:.0f} s: memory, and CPU as a share of one core",
        where,
        ["", "containers", "RSS MiB", "PSS MiB", "idle CPU"],
        [_row(one) for one in found],
        f"The aim for the agent is {AIM_MIB} MiB and {AIM_PERCENT} %. Python is an interpreter that has imported what an agent needs of others:"
        f" {_IMPORTED}. What dockerd uses is not Higgins' alone where others use the engine.",
    )
    report.keep(kept, "footprint", where, {"seconds": seconds, "found": [asdict(one) for one in found]})


async def _fill(client: Client, wanted: int) -> None:
    """Have so many containers run."""
    for number in range(len(await client.statuses()), wanted):
        await client.run(f"idle-{number}")


async def _watch(pids: Mapping[str, int], containers: int, seconds: float) -> list[Footprint]:
    await asyncio.sleep(_SETTLING)
    before, began = {name: running.cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    await asyncio.sleep(seconds)
    return [
        Footprint(
            name=name,
            containers=containers,
            rss_mib=running.mebibytes(pid, "Rss"),
            pss_mib=running.mebibytes(pid, "Pss"),
            idle_percent=(running.cpu_seconds(pid) - before[name]) / (time.monotonic() - began) * 100,
        )
        for name, pid in pids.items()
    ]


@contextmanager
def _floors() -> Iterator[dict[str, int]]:
    """What the same libraries need in an interpreter that does nothing, and the engine itself where it can be seen."""
    program = f"import {_IMPORTED}, sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as empty:
        assert empty.stdin is not None
        assert empty.stdout is not None
        empty.stdout.readline()
        yield {"Python": empty.pid} | {name: pid for name in ("dockerd", "containerd") if (pid := _pid(name))}
        empty.stdin.close()


def _pid(name: str) -> int | None:
    """The oldest process of that name."""
    told = subprocess.run(["pgrep", "-o", "-x", name], capture_output=True, text=True, check=False).stdout
    return int(told) if told.strip() else None


def _row(one: Footprint) -> tuple[str, ...]:
    return (one.name, str(one.containers), f"{one.rss_mib:.0f}", f"{one.pss_mib:.0f}", f"{one.idle_percent:.2f} %")


if __name__ == "__main__":
    main()
