"""A whole service in one process: the real store, verbs, loops and agent, over a wire in memory, with a runtime in memory."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from higgins import errors
from higgins.agent.agent import Agent, Custom, Identity
from higgins.agent.contents import Contents
from higgins.agent.holds import Holds
from higgins.agent.live import LiveAnswers
from higgins.agent.mounts import Mounts
from higgins.agent.shelf import Shelf
from higgins.aio.beside import Start, beside
from higgins.api.link.sessions import Session, greeting
from higgins.api.zun.verbs import Services
from higgins.control import fetcher, placer, plane
from higgins.control.fetcher import Fetcher
from higgins.link.certificates import Authority
from higgins.link.client import Answer, connect
from higgins.link.directory import Directory
from higgins.link.messages import ControlChannel, Hello, HostChannel, Welcome
from higgins.link.server import Doors, LinkServer
from higgins.logic import statusword, subnets
from higgins.logic.statusword import Status
from higgins.model.action import Action, Outcome
from higgins.model.capsule import Capsule, CapsuleSpec, Container, Desired
from higgins.model.host import Host, Inventory
from higgins.model.identity import Caller
from higgins.model.ids import ContainerId, HostId, ProjectId, RequestId, UserId
from higgins.model.quota import Allowance, Limits
from higgins.protocols.network import NetworkProvider
from higgins.service.capsules import Capsules
from higgins.service.consoles import Consoles
from higgins.service.containers import Containers
from higgins.service.creation import Customs
from higgins.service.events import Events
from higgins.service.fleet import Fleet
from higgins.service.hints import Hints
from higgins.service.hosts import Hosts
from higgins.service.images import Images
from higgins.service.limits import Deadlines
from higgins.service.live import LiveVerbs
from higgins.service.networks import Networks
from higgins.service.policy import Policy
from higgins.service.quotas import Quotas
from higgins.service.registries import Registries
from higgins.service.repeats import Repeats
from higgins.service.secrets import Secrets
from higgins.service.security_groups import SecurityGroups
from higgins.service.volumes import Volumes
from higgins.store import identity as _identity_tables  # noqa: F401 - its tables belong to the schema
from higgins.store.database import Database
from higgins.store.tables import metadata
from higgins.testing.images import FakeImages
from higgins.testing.networks import FakePlug
from higgins.testing.runtime import FakeRuntime
from higgins.testing.volumes import FakeMount
from higgins.testing.wire import Adversary, Wire
from tests.patience import PATIENCE

log = logging.getLogger(__name__)

HOST = HostId("11111111-1111-1111-1111-111111111111")


def caller(project: str = "p1", *roles: str) -> Caller:
    """A member of a project, or whoever has these roles there."""
    return Caller(
        user_id=UserId(f"u-{project}"), project_id=ProjectId(project), roles=frozenset(roles or ("member", "reader"))
    )


def admin(project: str = "p0") -> Caller:
    return caller(project, "admin", "manager", "member", "reader")


def request() -> RequestId:
    return RequestId(f"req-{uuid.uuid4()}")


def container(*command: str, name: str = "", image: str = "busybox", **rest: object) -> Container:
    """A container as a user would ask for it; without a command it runs on."""
    return Container(
        id=ContainerId(str(uuid.uuid4())),
        name=name,
        image=image,
        command=command or ("sleep", "inf"),
        **rest,  # type: ignore[arg-type]
    )


def alone(one: Container, *, run: bool = False, **rest: Any) -> CapsuleSpec:
    """A container alone as a user would ask for it."""
    return CapsuleSpec(containers=(one,), desired=Desired.RUNNING if run else Desired.CREATED, **rest)


class Link:
    """Where sessions are opened; a wire each."""

    def __init__(self, adversary: Adversary | None = None) -> None:
        self.adversary = adversary or Adversary()
        """How the wires of sessions to come treat their messages."""
        self.serve: Callable[[ControlChannel], Coroutine[Any, Any, None]] | None = None
        """The control plane; None while there is none."""
        self.opened = 0
        self._sessions: dict[Wire, asyncio.Task[None] | None] = {}

    def cut(self) -> None:
        """End every session, without a word."""
        for wire in self._sessions:
            wire.cut()

    def kill(self) -> None:
        """The control plane's end of every session dies, wherever it stands."""
        for serving in self._sessions.values():
            if serving is not None:
                serving.cancel()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[HostChannel]:
        """The host's end of a new session."""
        serve = self.serve
        if serve is None:
            raise errors.Unavailable("nobody answers")
        self.opened += 1
        wire = Wire(replace(self.adversary, seed=self.adversary.seed * 1000 + self.opened))
        self._sessions[wire] = None

        async def until_over() -> None:
            try:
                await serve(wire.control)
            except errors.Failure as failure:
                log.info("a session ended: %s", failure)
            finally:
                wire.cut()

        try:
            async with beside() as start:
                self._sessions[wire] = start(until_over())
                yield wire.host
        finally:
            del self._sessions[wire]


@asynccontextmanager
async def live_link(live: Directory, socket: Path) -> AsyncIterator[None]:
    """The real link, for live calls: the wire in memory carries none."""

    async def serve(_proved: HostId | None, channel: ControlChannel) -> None:
        await greeting(channel)
        await channel.send(Welcome(session=1, heartbeat=60.0))
        async for _ in channel:
            pass

    async def allowed(_host_id: HostId, _serial: str) -> bool:
        return False

    server = LinkServer(
        directory=live,
        authority=Authority.open(socket.parent),
        tokens=NoTokens(),
        serve_session=serve,
        allowed=allowed,
    )
    async with server.listen(Doors(socket=socket)):
        yield


class NoTokens:
    """Lets nobody in."""

    async def consume(self, digest: str, host_id: HostId, name: str) -> bool:
        return False


@asynccontextmanager
async def live_host(socket: Path, answer: Answer) -> AsyncIterator[None]:
    """The host's end of it."""

    async def until_over(channel: HostChannel) -> None:
        async for _ in channel:
            pass

    async with connect(socket, answer) as channel:
        await channel.send(Hello(host_id=HOST, name="here", availability_zone="nova", inventory=Inventory(runtime="")))
        await anext(aiter(channel))
        async with beside() as start:
            start(until_over(channel))
            yield


class Part:
    """Something that runs, can be killed wherever it stands, and started again with nothing in memory."""

    def __init__(self, begin: Start, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._begin = begin
        self._run = run
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = self._begin(self._run())

    async def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def restart(self) -> None:
        await self.kill()
        self.start()


@dataclass(kw_only=True)
class Cloud:
    """What a flow test works with."""

    database: Database
    containers: Containers
    capsules: Capsules
    live: LiveVerbs
    hosts: Hosts
    hints: Hints
    runtime: FakeRuntime
    images: FakeImages
    registries: Registries
    calls: Directory
    link: Link
    limits: Limits
    allowance: Allowance
    mount: FakeMount
    networks: Networks
    control: Part
    agent: Part

    async def show(self, capsule: Capsule) -> Capsule | None:
        """As an admin sees it; None when it is gone."""
        try:
            return await self.containers.show(admin(), capsule.id)
        except errors.NotFound:
            return None

    async def run(self, *command: str, **rest: Any) -> Capsule:
        """A new container of the first project, running."""
        made = await self.containers.create(caller(), request(), alone(container(*command, **rest), run=True))
        found = await self.until(made, Status.RUNNING)
        assert found is not None
        return found

    async def until(
        self,
        capsule: Capsule,
        status: Status | None,
        *,
        task: str | None = None,
        reason: str | None = None,
        clear: bool = False,
        within: float = PATIENCE,
    ) -> Capsule:
        """Wait until it has this status and nothing, or this task, is being done to it; None: until it is gone.

        With `reason`, until that is in its reason; with `clear`, until it has none.
        """
        found: Capsule | None = None
        try:
            async with asyncio.timeout(within):
                while True:
                    found = await self.show(capsule)
                    word = statusword.describe(found) if found is not None else None
                    if word is None or found is None:
                        if status is None:
                            return capsule
                    elif word.status is status and word.task == task and (reason or "") in (word.reason or ""):
                        if not (clear and word.reason):
                            return found
                    await asyncio.sleep(0.01)
        except TimeoutError:
            word = statusword.describe(found) if found is not None else None
            there = await self.runtime_shows(capsule)
            raise AssertionError(f"waited for {status}, found {word}; {found}; its host has {there}") from None

    async def until_done(self, capsule: Capsule, asked: RequestId, within: float = PATIENCE) -> Outcome:
        """Wait until a request has ended, and how."""
        async with asyncio.timeout(within):
            while (outcome := (await self.action(capsule, asked)).outcome) is None:
                await asyncio.sleep(0.01)
        return outcome

    async def until_at_rest(self, capsule: Capsule, within: float = PATIENCE) -> Capsule:
        """Wait until its host has settled on what is asked for now."""
        async with asyncio.timeout(within):
            while True:
                found = await self.show(capsule)
                if found and found.status.settled and found.status.generation == found.spec.generation:
                    return found
                await asyncio.sleep(0.01)

    async def runtime_shows(self, capsule: Capsule) -> str:
        """For a failed test to print."""
        try:
            return repr([seen for seen in (await self.runtime.list()).values() if seen.capsule_id == capsule.id])
        except errors.Failure as failure:
            return failure.message

    async def until_there(self, ids: Set[str], within: float = PATIENCE) -> None:
        """Wait until the runtime has these containers and no others."""
        there: Set[str] = set()
        try:
            async with asyncio.timeout(within):
                while (there := set(await self.runtime.list())) != ids:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited for {ids}, there are {there}") from None

    async def until_empty(self, within: float = PATIENCE) -> None:
        await self.until_there(set(), within)

    async def until_host(self, true: Callable[[Host], bool], within: float = PATIENCE) -> None:
        async with asyncio.timeout(within):
            while not true(await self.host()):
                await asyncio.sleep(0.01)

    async def action(self, capsule: Capsule, asked: RequestId) -> Action:
        return await self.containers.action(admin(), capsule.id, asked)

    async def host(self) -> Host:
        (found,) = await self.hosts.list()
        return found


@asynccontextmanager
async def cloud(
    directory: Path,
    *,
    runtime: FakeRuntime | None = None,
    images: FakeImages | None = None,
    link: Link | None = None,
    deadlines: Deadlines | None = None,
    agent: Custom | None = None,
    patience: float = 5.0,
    lease: float = 30.0,
    heartbeat: float = 0.3,
    patrol: float = 0.5,
    allotting: float = 60.0,
    hosted: bool = True,
    database: Database | None = None,
    unique_names: str = "",
    limits: Limits | None = None,
    allowance: Allowance | None = None,
    networks: NetworkProvider | None = None,
    mount: FakeMount | None = None,
    pool: str | None = None,
    plug: FakePlug | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Cloud]:
    """A service with one host that runs until the block ends; with the same directory and runtime, it carries on from there.

    With a `pool` of subnets, containers are on networks that hosts make by themselves.
    """
    images = images or FakeImages(present=("busybox",))
    runtime = runtime or FakeRuntime(images=images, clock=time.time)
    link = link or Link()
    mount = mount or FakeMount()
    database = database or Database(f"sqlite:///{directory}/higgins.sqlite")
    database.open()
    metadata.create_all(database.engine)
    deadlines, limits, allowance = deadlines or Deadlines(), limits or Limits(), allowance or Allowance()
    own = subnets.pool(pool) if pool is not None else None
    plug = plug or (FakePlug() if networks is not None or own is not None else None)
    if plug is not None:
        plug.gone = runtime.gone
    custom = placer.Custom(patience=patience)
    rhythm = plane.Rhythm(patrol=patrol, lease=lease, allotting=allotting, retry=0.1)

    def replica() -> tuple[Hints, Hosts, Containers, Capsules, Registries]:
        hints = Hints()
        secrets = Secrets(directory / "secrets.key", make=True)
        registries = Registries(database, Policy(), secrets, hints, clock=clock)
        hosts = Hosts(database, hints, deadlines, registries, clock=clock)
        customs = Customs(
            deadlines=deadlines, unique_names=unique_names, limits=limits, allowance=allowance, networks=own
        )
        containers = Containers(database, Policy(), hints, customs, clock=clock)
        return hints, hosts, containers, Capsules(database, Policy(), hints, customs, clock=clock), registries

    async def control_plane() -> None:
        # A new one knows nothing but the rows: not even who was about to be woken.
        hints, hosts, there.containers, there.capsules, registries = replica()
        there.hints, there.hosts, there.registries = hints, hosts, registries

        async def serve(channel: ControlChannel) -> None:
            hello = await greeting(channel)
            await Session(hosts, hints, channel, heartbeat=heartbeat).serve(hello, local=True)

        link.serve = serve
        try:
            fetching = fetcher.Custom(lease=1.0, word=0.05, retry=0.1)
            images_loop = Fetcher(database, hints, live, registries, clock, fetching)
            await plane.run(database, hints, custom, rhythm, networks=networks, fetcher=images_loop, clock=clock)
        finally:
            link.serve = None
            link.kill()

    async def host() -> None:
        identity, holds, shelf = Identity(host_id=HOST, name="here"), Holds(), Shelf(images)
        async with live_host(socket, LiveAnswers(runtime, images, shelf, holds)):
            custom = agent or Custom(sweep=0.5, retry=0.2, silence=1.0)
            mounts = Mounts(mount, Contents(directory / "files"))
            await Agent(identity, link.connect, runtime, shelf, custom, holds=holds, plug=plug, mounts=mounts).run()

    live, socket = Directory(), directory / "link.sock"
    consoles = Consoles(database, clock=clock)
    try:
        async with live_link(live, socket), beside() as begin:
            hints, hosts, containers, capsules, registries = replica()
            record = Images(database, Policy(), live, hints, registries).record
            there = Cloud(
                database=database,
                containers=containers,
                capsules=capsules,
                live=LiveVerbs(database, Policy(), live, consoles, record, deadlines, clock=clock),
                hosts=hosts,
                hints=hints,
                runtime=runtime,
                images=images,
                registries=registries,
                calls=live,
                link=link,
                limits=limits,
                allowance=allowance,
                mount=mount,
                networks=Networks(database, Policy(), own, allowance, clock=clock),
                control=Part(begin, control_plane),
                agent=Part(begin, host),
            )
            there.control.start()
            if hosted:
                there.agent.start()
            await asyncio.sleep(0)  # The control plane makes its own verbs as it starts.
            try:
                yield there
            finally:
                await there.agent.kill()
                await there.control.kill()
    finally:
        database.close()


def services(there: Cloud) -> Services:
    """What the Containers API calls."""
    policy = Policy()
    return Services(
        containers=there.containers,
        capsules=there.capsules,
        fleet=Fleet(there.database, policy, there.hosts),
        events=Events(there.database, policy, there.hints, patrol=0.5),
        repeats=Repeats(there.database),
        live=there.live,
        registries=there.registries,
        volumes=Volumes(there.database, policy, there.allowance),
        images=library(there),
        networks=there.networks,
        security_groups=SecurityGroups(there.database, policy, there.allowance),
        quotas=Quotas(there.database, policy, there.limits),
    )


def library(there: Cloud) -> Images:
    """The verbs of images, of the present control plane."""
    return Images(there.database, Policy(), there.calls, there.hints, there.registries)


Predicate = Callable[[], bool]


async def eventually(true: Predicate, within: float = PATIENCE) -> None:
    """Wait for something that can be seen without asking the service."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)
