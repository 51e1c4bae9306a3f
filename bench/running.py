"""A Higgins of its own: processes over a temporary state directory, and a client that speaks plain HTTP."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench import report
from bench.engine import COMMAND, IMAGE, ROOT, Engine, Refused, make_image
from bench.report import Machine
from higgins.service.accounts import Accounts
from higgins.store import schema
from higgins.store.database import Database

POLL = 0.02
"""Seconds between two looks of a client that waits."""
PATIENCE = 120.0
PASSWORD = secrets.token_urlsafe(18)
ON_NETWORKS = "[networks]\nprovider = local\n"
"""Options of a Higgins whose containers are on networks of its own."""


class Trouble(Exception):
    """What went wrong, for the one who measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Higgins as it runs: where it answers, and its processes by what they are."""

    url: str
    owner: str
    """The mark of its containers on the engine."""
    log: Path
    processes: Mapping[str, subprocess.Popen[bytes]]


@dataclass(slots=True)
class Client:
    """Somebody who is logged in."""

    url: str
    http: aiohttp.ClientSession
    token: str = ""

    async def call(
        self, method: str, path: str, body: object = None, *, microversion: str = "1.40", **query: str
    ) -> tuple[int, Any]:
        """The status and the decoded answer."""
        headers = {"X-Auth-Token": self.token, "OpenStack-API-Version": f"container {microversion}"}
        async with self.http.request(method, f"{self.url}{path}", json=body, headers=headers, params=query) as answer:
            content = await answer.read()
            self.token = answer.headers.get("X-Subject-Token", self.token)
            return answer.status, json.loads(content) if content else None

    async def login(self, name: str, password: str) -> None:
        domain = {"name": "Default"}
        user = {"name": name, "domain": domain, "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": name, "domain": domain}}
        body = {"auth": {"identity": identity, "scope": scope}}
        status, answer = await self.call("POST", "/identity/v3/auth/tokens", body)
        if status != 201:
            raise Trouble(f"the login was answered with {status} {answer}")

    async def create(self, name: str) -> str:
        """Ask for a container that runs; its id, at once. A request that is refused is Trouble."""
        body = {"name": name, "image": IMAGE, "command": list(COMMAND), "image_pull_policy": "ifnotpresent"}
        status, answer = await self.call("POST", "/v1/containers", body, run="true")
        if status != 202:
            raise Trouble(f"a create was answered with {status} {answer}")
        made: str = answer["uuid"]
        return made

    async def until_running(self, container: str) -> None:
        """Ask every 20 ms, as the aim says; Trouble if it comes to something else."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            _, answer = await self.call("GET", f"/v1/containers/{container}")
            if answer.get("status") == "Running":
                return
            if answer.get("status") != "Creating":
                raise Trouble(f"{container} came to be {answer.get('status')}: {answer.get('status_reason')}")
            await asyncio.sleep(POLL)
        raise Trouble(f"{container} is not running after {PATIENCE:.0f} s")

    async def delete(self, container: str) -> None:
        """Ask for its end, whatever it does."""
        status, answer = await self.call("DELETE", f"/v1/containers/{container}", force="true")
        if status != 204:
            raise Trouble(f"a delete was answered with {status} {answer}")

    async def until_gone(self, container: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, _ = await self.call("GET", f"/v1/containers/{container}")
            if status == 404:
                return
            await asyncio.sleep(POLL)
        raise Trouble(f"{container} is not gone after {PATIENCE:.0f} s")

    async def run(self, name: str) -> str:
        """Have one that runs; its id."""
        container = await self.create(name)
        await self.until_running(container)
        return container

    async def end(self, container: str) -> None:
        """Have it gone."""
        await self.delete(container)
        await self.until_gone(container)

    async def statuses(self) -> list[str]:
        """The status words of all of them."""
        _, answer = await self.call("GET", "/v1/containers", limit="1000")
        return [one["status"] for one in answer["containers"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """What is compared."""

    engine: Engine
    where: Machine
    service: Running
    client: Client


@asynccontextmanager
async def client(running: Running, name: str = "bench") -> AsyncIterator[Client]:
    """Logged in at a running Higgins, as the user of this name in the project of the same name; connections are kept, and there are as many as calls."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        one = Client(url=running.url, http=http)
        await one.login(name, PASSWORD)
        yield one


@asynccontextmanager
async def control_plane(state: Path, options: str = "") -> AsyncIterator[Running]:
    """`higgins serve` over this directory, without a host, while the block runs."""
    ports = _free_ports(3)
    config, log = state / "higgins.conf", state / "higgins-bench.log"
    config.write_text(_configuration(state, "/nowhere", "nobody", ports) + options)
    url = f"http://127.0.0.1:{ports[0]}"
    with _process(["serve"], config, log) as process:
        processes = {"serve": process}
        await _until_answering(url, processes)
        yield Running(url=url, owner="nobody", log=log, processes=processes)


@asynccontextmanager
async def floor(state: Path) -> AsyncIterator[Running]:
    """A server that does nothing, made of what Higgins is made of, while the block runs."""
    (port,) = _free_ports(1)
    url, log = f"http://127.0.0.1:{port}", state / "floor.log"
    with _started(["-m", "bench.floor", str(port)], log) as process:
        processes = {"floor": process}
        await _until_answering(f"{url}/0", processes)
        yield Running(url=url, owner="nobody", log=log, processes=processes)


def mebibytes(process: int, field: str) -> float:
    """What it has of memory, Rss or Pss. Raises Trouble where that cannot be seen."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError as error:
        raise Trouble(
            f"process {process} cannot be looked into: {error.strerror}; it ended, or belongs to another user"
        ) from error
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def cpu_seconds(process: int) -> float:
    """What it has used until now, all its threads together."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def prepared(path: str) -> AsyncIterator[tuple[Engine, Machine]]:
    """An engine with the image, and what machine it is on before anything is measured there."""
    make_image(path)
    async with Engine(path) as engine:
        yield engine, await report.machine(engine)


@asynccontextmanager
async def both(path: str, *, apart: bool = False, options: str = "") -> AsyncIterator[Both]:
    """The engine at this socket and a Higgins on it, with somebody who is logged in, while the block runs."""
    async with prepared(path) as (engine, where), higgins(engine, apart=apart, options=options) as service:
        async with client(service) as one:
            yield Both(engine=engine, where=where, service=service, client=one)


@asynccontextmanager
async def higgins(engine: Engine, *, apart: bool = False, options: str = "") -> AsyncIterator[Running]:
    """All-in-one, or `apart` a control plane and an agent, while the block runs; its containers go with it.

    `options` are lines to add to the configuration file.
    """
    owner = f"bench-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="higgins-bench-") as directory, ExitStack() as stack:
        state = Path(directory)
        ports = _free_ports(3)
        await _settle_in(state)
        config = state / "higgins.conf"
        config.write_text(_configuration(state, engine.socket, owner, ports) + options)
        url, log = f"http://127.0.0.1:{ports[0]}", state / "higgins-bench.log"
        processes = {}
        try:
            for name in ("serve",) if apart else ("all-in-one",):
                processes[name] = stack.enter_context(_process([name], config, log))
            await _until_answering(url, processes)
            if apart:
                processes["agent"] = stack.enter_context(_process(["agent", "--join", _token(config)], config, log))
            running = Running(url=url, owner=owner, log=log, processes=processes)
            await _until_ready(running)
            yield running
        except Trouble as trouble:
            kept = Path(tempfile.gettempdir()) / log.name
            kept.write_bytes(log.read_bytes())
            raise Trouble(f"{trouble}; see {kept}") from trouble
        finally:
            stack.close()
            await engine.clear(f"org.higgins.owner={owner}")


def _configuration(state: Path, docker: str, owner: str, ports: list[int]) -> str:
    return (
        f"[DEFAULT]\nstate_dir = {state}/state\n[api]\nport = {ports[0]}\n[link]\nport = {ports[1]}\n"
        f"enrol_port = {ports[2]}\n[docker]\napi_url = unix://{docker}\nowner = {owner}\n"
        # The engine's own network, as the floor has it; `options` come later, and have the last word.
        "[quota]\ncontainers = -1\n[networks]\nprovider = none\n"
    )


async def _settle_in(state: Path) -> None:
    """A database with one user in it, as an operator would leave it."""
    (state / "state").mkdir(mode=0o700)
    database = Database(f"sqlite:///{state}/state/higgins.sqlite")
    database.open()
    try:
        schema.upgrade(database)
        accounts = Accounts(database)
        await accounts.create_project("bench")
        await accounts.create_user("bench", PASSWORD)
        await accounts.grant("bench", "bench", "admin")
    finally:
        database.close()


def _process(
    arguments: list[str], config: Path, log: Path
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return _started(["-m", "higgins.cli.main", "--config-file", str(config), *arguments], log)


@contextmanager
def _started(arguments: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        command = [sys.executable, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _token(config: Path) -> str:
    """What lets one host join."""
    command = [sys.executable, "-m", "higgins.cli.main", "--config-file", str(config), "host", "token"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode != 0 or not told.stdout.strip():
        raise Trouble(f"there is no token to join with: {told.stderr.strip()}")
    return told.stdout.split()[-1]


async def _until_answering(url: str, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(300):
            for name, process in processes.items():
                if process.poll() is not None:
                    raise Trouble(f"{name} ended at once")
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url):
                    return
            await asyncio.sleep(0.1)
    raise Trouble(f"nothing answers at {url}")


async def imitated(there: Both) -> dict[str, object]:
    """Have the floor make its containers just as Higgins makes its own; what it adds to image and command."""
    container = await there.client.run("model")
    same = dict(await there.engine.imitate(f"higgins-{container}"))
    await there.client.end(container)
    return same


def command(measurement: Coroutine[Any, Any, None]) -> None:
    """Run it. Trouble is one line on standard error, and status 1."""
    try:
        asyncio.run(measurement)
    except (Trouble, Refused, aiohttp.ClientError) as trouble:
        sys.exit(str(trouble))


async def _until_ready(running: Running) -> None:
    """A first container goes through: its host is up, and whatever is done only once is done."""
    async with client(running) as one:
        await one.end(await one.run("first"))


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
