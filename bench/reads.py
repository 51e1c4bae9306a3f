"""How many reads one control plane answers in a second: one container, and a list of 1,000 out of 100,000."""

import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import click

from bench import options, report, running
from bench.running import Client, Running, Trouble
from higgins.model.capsule import (
    Assignment,
    Capsule,
    CapsuleSpec,
    CapsuleStatus,
    Container,
    ContainerStatus,
    Desired,
    Kind,
    Observation,
    PullPolicy,
    Resources,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.model.host import Host, Inventory
from higgins.model.ids import CapsuleId, ContainerId, HostId, ProjectId, UserId
from higgins.service.accounts import Accounts
from higgins.store import capsules, hosts, schema
from higgins.store.database import Connection, Database

PAGE = 1000
_AT_ONCE = 5000
_PROJECTS = 20
_HOST = HostId("11111111-1111-1111-1111-111111111111")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of read, and what is aimed at."""

    title: str
    paths: Sequence[str]
    who: str
    connections: int
    aim: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it. Times are milliseconds."""

    a_second: float
    p50: float
    p99: float
    cpu: float
    """Of the server, for one answer."""
    kilobytes: float
    failed: int


Pair = tuple[Result, Result]
"""Higgins, and right after it the floor: as many bytes from a handler that does nothing."""


@click.command()
@click.option(
    "--containers", default=100_000, show_default=True, help="Containers in the database, in twenty projects."
)
@click.option("--seconds", default=5, show_default=True, help="Of load for each kind of read in a round.")
@click.option("--rounds", default=3, show_default=True, help="Of Higgins and the floor in turn.")
@click.option("--version", default="1.40", show_default=True, help="Microversion to ask in.")
@options.kept
def main(containers: int, seconds: int, rounds: int, version: str, kept: Path | None) -> None:
    """Measure one `higgins serve` with `wrk`, which takes a part of the same machine."""
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk is needed: apt install wrk")
    running.command(_measure(containers, seconds, rounds, version, kept))


async def _measure(containers: int, seconds: int, rounds: int, version: str, kept: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="higgins-bench-") as directory:
        state = Path(directory)
        ids = await _furnish(state, containers)
        async with (
            running.control_plane(state, "[hosts]\nlease = 100000000\n") as service,
            running.floor(state) as bare,
        ):
            where = report.machine_alone()
            cases = _cases(ids)
            results: dict[str, list[Pair]] = {case.title: [] for case in cases}
            for case in cases * rounds:
                async with running.client(service, case.who) as client:
                    told = await asyncio.to_thread(_load, service, client, case, seconds, version, state)
                    empty = replace(case, paths=[f"/v1/{told.kilobytes * 1000:.0f}"])
                    under = await asyncio.to_thread(_load, bare, client, empty, seconds, version, state)
                results[case.title].append((told, under))
    rows = [_row(case, results[case.title]) for case in cases]
    head = ["", "a second", "aim", "p50 ms", "p99 ms", "CPU ms", "floor a second", "CPU ms", "ratio", "KB", "failed"]
    report.show(
        f"Reads of {containers:,} containers, {rounds} rounds of {seconds} s, version {version}, by wrk on the same machine",
        where,
        head,
        rows,
        "CPU ms: of the server, for one answer. The floor: as many bytes from an aiohttp handler that does nothing, right after; ratio of the rates.",
    )
    values = {title: [[asdict(one) for one in pair] for pair in pairs] for title, pairs in results.items()}
    report.keep(kept, "reads", where, values)


def _cases(ids: Mapping[str, Sequence[str]]) -> Sequence[Case]:
    own, everybodys = ids["bench"], [one for project in ids.values() for one in project]
    marked = [f"/v1/containers?limit={PAGE}&marker={one}" for one in random.sample(own[: -PAGE - 1], 200)]
    everywhere = [
        f"/v1/containers?limit={PAGE}&all_projects=true&marker={one}"
        for one in random.sample(everybodys[: -PAGE - 1], 200)
    ]
    return [
        Case(
            title="one container, by a member",
            paths=[f"/v1/containers/{one}" for one in own],
            who="bench",
            connections=16,
            aim=5000,
        ),
        Case(
            title="one of all, by an admin",
            paths=[f"/v1/containers/{one}" for one in everybodys],
            who="root",
            connections=16,
        ),
        Case(
            title=f"a list of {PAGE:,} of the project's, by a member", paths=marked, who="bench", connections=4, aim=120
        ),
        Case(title=f"a list of {PAGE:,} of all, by an admin", paths=everywhere, who="root", connections=4),
    ]


def _load(service: Running, client: Client, case: Case, seconds: int, version: str, state: Path) -> Result:
    paths = state / "paths"
    paths.write_text("\n".join(case.paths) + "\n")
    environment = {"READS_PATHS": str(paths), "READS_TOKEN": client.token, "READS_VERSION": version}
    script = str(Path(__file__).with_name("reads.lua"))

    def wrk(duration: int) -> dict[str, int]:
        command = [
            "wrk",
            "-t1",
            f"-c{case.connections}",
            f"-d{duration}s",
            "--timeout",
            "10s",
            "-s",
            script,
            service.url,
        ]
        ran = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise Trouble(f"wrk failed: {ran.stderr.strip() or ran.stdout.strip()}")
        told: dict[str, int] = json.loads(ran.stdout.strip().splitlines()[-1])
        if not told["requests"] and duration > 1:
            raise Trouble(f"nothing was answered in {duration} s; give it more of them")
        return told

    wrk(1)  # Whatever is done only once is done.
    (process,) = (each.pid for each in service.processes.values())
    before = running.cpu_seconds(process)
    told = wrk(seconds)
    taken = running.cpu_seconds(process) - before
    return Result(
        a_second=told["requests"] / told["microseconds"] * 1e6,
        p50=told["p50"] / 1000,
        p99=told["p99"] / 1000,
        cpu=taken / max(1, told["requests"]) * 1000,
        kilobytes=told["bytes"] / max(1, told["requests"]) / 1000,
        failed=told["failed"],
    )


def _row(case: Case, pairs: Sequence[Pair]) -> Sequence[str]:
    def middle(value: Callable[[Result], float], which: int = 0) -> float:
        return statistics.median(value(pair[which]) for pair in pairs)

    return (
        case.title,
        f"{middle(lambda one: one.a_second):,.0f}",
        f"{case.aim:,.0f}" if case.aim else "",
        f"{middle(lambda one: one.p50):.1f}",
        f"{middle(lambda one: one.p99):.1f}",
        f"{middle(lambda one: one.cpu):.2f}",
        f"{middle(lambda one: one.a_second, 1):,.0f}",
        f"{middle(lambda one: one.cpu, 1):.2f}",
        f"{statistics.median(under.a_second / told.a_second for told, under in pairs):.1f}",
        f"{middle(lambda one: one.kilobytes):,.1f}",
        f"{sum(told.failed for told, _ in pairs)}",
    )


async def _furnish(state: Path, containers: int) -> Mapping[str, Sequence[str]]:
    """A database with people and containers in it, and one host that nobody takes for lost; the ids by project, in the order of creation."""
    (state / "state").mkdir(mode=0o700)
    database = Database(f"sqlite:///{state}/state/higgins.sqlite")
    database.open()
    try:
        schema.upgrade(database)
        accounts = Accounts(database)
        projects = {}
        for name in ["bench", "root", *(f"project-{number}" for number in range(_PROJECTS - 2))]:
            projects[name] = (await accounts.create_project(name)).id
        for name, role in (("bench", "member"), ("root", "admin")):
            await accounts.create_user(name, running.PASSWORD)
            await accounts.grant(name, name, role)
        await database.write(_register)
        names = list(projects)
        ids: dict[str, list[str]] = {name: [] for name in names}
        for start in range(0, containers, _AT_ONCE):
            made = []
            for number in range(start, min(containers, start + _AT_ONCE)):
                name = names[number % len(names)]
                made.append(_capsule(projects[name], number))
                ids[name].append(made[-1].id)
            await database.write(partial(_insert, made=made))
    finally:
        database.close()
    return ids


def _register(db: Connection) -> None:
    capacity = Resources(cpu=1e6, memory=10**9, disk=10**9)
    inventory = Inventory(runtime="docker", handlers=("runc",), default_handler="runc", capacity=capacity)
    hosts.register(db, Host(id=_HOST, name="somewhere", created_at=1.0, inventory=inventory))
    hosts.connected(db, _HOST, name="somewhere", availability_zone="nova", inventory=inventory, now=time.time())


def _insert(db: Connection, made: Sequence[Capsule]) -> None:
    for capsule in made:
        capsules.insert(db, capsule, deadline=time.time() + 1e7)


def _capsule(project: ProjectId, number: int) -> Capsule:
    """One that runs, with the usual things said about it."""
    container = Container(
        id=ContainerId(str(uuid.uuid4())),
        name=f"web-{number}",
        image=f"registry.example.org/shop/frontend:{number % 50}",
        pull=PullPolicy.IF_NOT_PRESENT,
        image_driver="docker",
        command=("nginx", "-g", "daemon off;"),
        environment={"STAGE": "production", "PORT": "8080", "DATABASE": f"postgres://db-{number % 9}.example.org/shop"},
        labels={"app": "shop", "tier": "frontend", "release": f"{number % 50}"},
        workdir="/srv",
        limits=Resources(cpu=0.5, memory=512, disk=10),
        restart=RestartPolicy(name=RestartName.ON_FAILURE, maximum=3),
    )
    seen = Observation(
        container_id=container.id,
        capsule_id=CapsuleId(container.id),
        epoch=1,
        restarts=1,
        stage=Stage.RUNNING,
        started_at=1_790_000_000.0 + number,
        image="sha256:" + f"{number % 50:064x}",
        hostname=container.id[:12],
        ports=(80, 443),
        command=("nginx", "-g", "daemon off;"),
        entrypoint=("/docker-entrypoint.sh",),
    )
    known = {container.id: ContainerStatus(observed=seen, restarts=1)}
    return Capsule(
        id=CapsuleId(container.id),
        project_id=project,
        user_id=UserId(f"user-of-{project}"),
        name=container.name,
        kind=Kind.CONTAINER,
        created_at=1_790_000_000.0 + number,
        updated_at=1_790_000_001.5 + number,
        spec=CapsuleSpec(containers=(container,), desired=Desired.RUNNING, restarts=1),
        assignment=Assignment(host_id=_HOST, epoch=1, claim=container.limits),
        status=CapsuleStatus(generation=1, settled=True, containers=known),
    )


if __name__ == "__main__":
    main()
