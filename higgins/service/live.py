"""The live verbs: what a caller asks of a container's host, which answers at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from higgins import errors
from higgins.logic import allowed, statusword
from higgins.model.action import Action, Outcome
from higgins.model.capsule import Capsule
from higgins.model.console import Console
from higgins.model.identity import Caller
from higgins.model.ids import ContainerId, ExecId, HostId, ProjectId, RequestId
from higgins.model.image import Image
from higgins.model.live import (
    Attach,
    Commit,
    Done,
    Ended,
    Enter,
    ExecResult,
    Execute,
    GetArchive,
    ImageFacts,
    Kill,
    Launch,
    ListProcesses,
    LiveRequest,
    PathStat,
    Processes,
    PutArchive,
    ReadLogs,
    ReadUsage,
    Reply,
    Resize,
    Usage,
)
from higgins.protocols.live import Exchange, LiveCalls
from higgins.service import pouring
from higgins.service.consoles import Consoles, Ticket
from higgins.service.limits import Deadlines
from higgins.service.lookup import Lookup
from higgins.service.policy import Policy
from higgins.service.readings import Readings
from higgins.service.turnstile import Turnstile
from higgins.store import actions, capsules
from higgins.store.database import Connection, Database

Record = Callable[[Capsule, HostId, str, str, ImageFacts], Awaitable[Image]]
"""Writes down an image that a host has made: of which capsule, where, repository, tag, what the host said of it."""

R = TypeVar("R", bound=Reply)

_GRACE = 5.0
"""Seconds in which an answer that a host gives at its own deadline still arrives."""
_PATIENCE = 60.0
"""Seconds in which a host finds a path, or says that it cannot."""
_LONGEST_OUTPUT = 16 << 20
"""Bytes of output of a command that is run to its end for a caller who waits."""
_SOON = 3.0
"""Seconds after its WebSocket has come in which the terminal of a command may still be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a container uses now."""

    name: str
    usage: Usage
    cores: float
    """Cores in use, between this reading and the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Somebody at a terminal."""

    console: Console
    exchange: Exchange[Ended]
    resize: Callable[[int, int], Awaitable[None]]
    """To so many columns and rows. Raises Invalid or Conflict while there is no such terminal."""


class LiveVerbs:
    """What a caller can ask of containers that is answered by their hosts at once and stored nowhere.

    Checks and refusals are those of `Containers`; besides, Unavailable while the host is not connected, and whatever failure it answers. The verbs
    that change something record an action under `request` when they are over, also if their caller has left.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        live: LiveCalls,
        consoles: Consoles,
        record: Record,
        deadlines: Deadlines | None = None,
        *,
        turnstile: Turnstile | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._lookup = Lookup(database, policy)
        self._policy = policy
        self._live = live
        self._consoles = consoles
        self._record = record
        self._deadlines = deadlines or Deadlines()
        self._turnstile = turnstile or Turnstile()
        self._clock = clock
        self._readings = Readings(clock)

    async def kill(self, caller: Caller, request: RequestId, ref: str, *, signal: str) -> None:
        """`signal` is a name in upper case with SIG. If the container ends by it, its restart policy has the next word."""
        capsule = await self._ready(caller, ref, "kill")
        async with self._recorded(caller, request, capsule, "kill"):
            await self._live.ask(_host(capsule), Kill(container_id=_container(capsule), signal=signal), Done)

    @asynccontextmanager
    async def logs(
        self,
        caller: Caller,
        ref: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        timestamps: bool = False,
        tail: int | None = None,
        since: float | None = None,
        follow: bool = False,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The pieces of what it has printed, as they are taken; with `follow` until it ends."""
        capsule = await self._ready(caller, ref, "logs")
        wanted = ReadLogs(
            container_id=_container(capsule),
            stdout=stdout,
            stderr=stderr,
            timestamps=timestamps,
            tail=tail,
            since=since,
            follow=follow,
        )
        async with self._open(caller.project_id, capsule, wanted, Done) as exchange:
            yield pouring.contents(exchange)

    async def execute(
        self, caller: Caller, ref: str, command: Sequence[str], *, interactive: bool = False
    ) -> ExecResult:
        """Conflict when it takes longer, or prints more, than the service allows."""
        capsule = await self._ready(caller, ref, "execute")
        wanted = Execute(
            container_id=_container(capsule),
            command=tuple(command),
            interactive=interactive,
            timeout=self._deadlines.execute,
        )
        async with (
            _within(self._deadlines.execute + _GRACE),
            self._open(caller.project_id, capsule, wanted, Ended) as exchange,
        ):
            output = bytearray()
            async for piece in exchange:
                output += piece.content
                if len(output) > _LONGEST_OUTPUT:
                    raise errors.Conflict(
                        f"The command has printed more than {_LONGEST_OUTPUT >> 20} MiB; let it write to a file, or enter the container."
                    )
            return ExecResult(output=bytes(output), exit_code=exchange.reply.exit_code or 0)

    async def launch(self, caller: Caller, ref: str, command: Sequence[str], *, terminal: bool = False) -> ExecId:
        """Begin a command that nobody waits for; it goes on until it ends, or its container does. Invalid if it cannot be executed."""
        capsule = await self._ready(caller, ref, "execute")
        exec_id = self._consoles.new_exec_id()
        wanted = Launch(container_id=_container(capsule), exec_id=exec_id, command=tuple(command), terminal=terminal)
        await self._live.ask(_host(capsule), wanted, Done)
        return exec_id

    async def enter(
        self, caller: Caller, ref: str, command: Sequence[str], *, terminal: bool = True, stdin: bool = True
    ) -> Ticket:
        """A ticket with which a command is run; it begins when somebody comes with the ticket."""

        def request(capsule: Capsule) -> Enter:
            return Enter(
                container_id=_container(capsule),
                exec_id=self._consoles.new_exec_id(),
                command=tuple(command),
                terminal=terminal,
                stdin=stdin,
            )

        return await self._ticket(caller, ref, "execute", request)

    async def attach(
        self, caller: Caller, ref: str, *, stdin: bool = True, logs: bool = False, early: bool = False
    ) -> Ticket:
        """A ticket for the container's own input and output. `early`: also before a start, and of one that is not interactive."""

        def request(capsule: Capsule) -> Attach:
            interactive = capsule.spec.containers[0].interactive
            if not interactive and not early:
                raise errors.Invalid(
                    "Container doesn't support to be attached, please check the interactive set properly",
                    code="no-interactive-flag",
                )
            # Whoever comes to one that runs, and finds that it has ended, shall not wait for what may never come.
            again = statusword.describe(capsule).status is not statusword.Status.RUNNING
            return Attach(container_id=_container(capsule), stdin=stdin and interactive, logs=logs, again=again)

        return await self._ticket(caller, ref, "attach", request, state="attach_early" if early else "attach")

    @asynccontextmanager
    async def seated(self, ticket: Ticket) -> AsyncIterator[Seat]:
        """The terminal that the ticket is for, for as long as the block runs. Forbidden for a ticket that is not good or not allowed any more."""
        async with self._consoles.redeemed(ticket) as console:
            capsule = await self._still_allowed(console)
            async with self._open(console.project_id, capsule, console.request, Ended) as exchange:
                if isinstance(console.request, Attach):
                    # Who is let in starts the container: attached any later, the first that it prints would be lost.
                    async with _within(_PATIENCE):
                        await exchange.begun()

                async def resize(width: int, height: int) -> None:
                    await self._resized(capsule, console.exec_id, width, height)

                yield Seat(console=console, exchange=exchange, resize=resize)

    async def execute_resize(self, caller: Caller, ref: str, exec_id: str, *, width: int, height: int) -> None:
        """The terminal of a command; Invalid for one that the caller's project has not asked for in that container.

        Whoever has just connected may ask before the command has begun: then this waits for it a little.
        """
        capsule = await self._ready(caller, ref, "execute_resize")
        console = await self._database.read(lambda db: self._consoles.entered(db, caller, capsule.id, exec_id))
        until = (console.used_at or self._clock()) + _SOON
        while True:
            try:
                return await self._resized(capsule, console.exec_id, width, height)
            except errors.Invalid:
                if self._clock() >= until:
                    raise
                await asyncio.sleep(0.05)

    async def resize(self, caller: Caller, ref: str, *, width: int, height: int) -> None:
        """The container's own terminal; Invalid if it has none."""
        capsule = await self._ready(caller, ref, "resize")
        if not capsule.spec.containers[0].tty:
            raise errors.Invalid(f"Container {capsule.id} has no terminal.")
        await self._resized(capsule, None, width, height)

    async def top(self, caller: Caller, ref: str, *, arguments: str | None = None) -> Processes:
        """`arguments` are those of `ps`; None: the runtime's usual ones."""
        capsule = await self._ready(caller, ref, "top")
        wanted = ListProcesses(container_id=_container(capsule), arguments=arguments)
        return await self._live.ask(_host(capsule), wanted, Processes)

    async def stats(self, caller: Caller, ref: str) -> Load:
        """Takes a second for a container that nobody has asked about just before."""
        capsule = await self._ready(caller, ref, "stats")
        wanted = ReadUsage(container_id=_container(capsule))

        async def read() -> Usage:
            return await self._live.ask(_host(capsule), wanted, Usage)

        usage, cores = await self._readings.rate(wanted.container_id, read)
        return Load(name=capsule.name, usage=usage, cores=cores)

    @asynccontextmanager
    async def get_archive(
        self, caller: Caller, ref: str, path: str
    ) -> AsyncIterator[tuple[PathStat, AsyncIterator[bytes]]]:
        """What is at the path, and a tar archive of it in pieces. NotFound if there is nothing."""
        capsule = await self._ready(caller, ref, "get_archive")
        wanted = GetArchive(container_id=_container(capsule), path=path)
        async with self._open(caller.project_id, capsule, wanted, Done) as exchange:
            async with _within(_PATIENCE):
                stat = await exchange.head()
            yield stat, pouring.contents(exchange)

    async def put_archive(self, caller: Caller, ref: str, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Unpack a tar archive into a directory. NotFound if there is no such directory, Invalid for what is no archive or breaks off."""
        capsule = await self._ready(caller, ref, "put_archive")
        wanted = PutArchive(container_id=_container(capsule), path=path)
        async with self._open(caller.project_id, capsule, wanted, Done) as exchange:
            await pouring.pour(pieces, exchange)

    async def commit(
        self, caller: Caller, request: RequestId, ref: str, *, repository: str, tag: str = "latest"
    ) -> Image:
        """An image of what the container is now, on its host. Goes on if its caller leaves."""
        capsule = await self._ready(caller, ref, "commit")
        host_id = _host(capsule)
        wanted = Commit(container_id=_container(capsule), project_id=capsule.project_id, repository=repository, tag=tag)
        async with self._recorded(caller, request, capsule, "commit"):
            with self._turnstile.through(caller.project_id):
                facts = await self._live.ask(host_id, wanted, ImageFacts, within=self._deadlines.commit)
            return await self._record(capsule, host_id, repository, tag, facts)

    @asynccontextmanager
    async def _open(
        self, project_id: ProjectId, capsule: Capsule, request: LiveRequest, reply: type[R]
    ) -> AsyncIterator[Exchange[R]]:
        """One that may last. Those who ask at most wait for an answer, and are not counted."""
        with self._turnstile.through(project_id):
            async with self._live.open(_host(capsule), request, reply) as exchange:
                yield exchange

    async def _ready(self, caller: Caller, ref: str, verb: str) -> Capsule:
        """The container, if the caller may do this to it and its state allows it."""
        capsule = await self._lookup.read(caller, ref, f"container:{verb}")
        allowed.check(verb, statusword.describe(capsule).status, capsule.id)
        return capsule

    async def _ticket(
        self,
        caller: Caller,
        ref: str,
        verb: str,
        request: Callable[[Capsule], Attach | Enter],
        *,
        state: str | None = None,
    ) -> Ticket:
        def work(db: Connection) -> Ticket:
            capsule = self._lookup.find(db, caller, ref, f"container:{verb}")
            allowed.check(state or verb, statusword.describe(capsule).status, capsule.id)
            _host(capsule)
            return self._consoles.issue(db, caller, capsule, request(capsule))

        return await self._database.write(work)

    async def _still_allowed(self, console: Console) -> Capsule:
        """The world may have changed since the ticket was given."""
        capsule = await self._database.read(lambda db: capsules.get(db, console.capsule_id))
        if capsule is None:
            raise errors.NotFound(f"Container {console.capsule_id} could not be found.", code="container-not-found")
        verb = "attach" if console.exec_id is None else "execute"
        who = Caller(user_id=console.user_id, project_id=console.project_id, roles=console.roles)
        self._policy.check(who, f"container:{verb}", project_id=capsule.project_id, user_id=capsule.user_id)
        early = isinstance(console.request, Attach) and console.request.again
        allowed.check("attach_early" if early else verb, statusword.describe(capsule).status, capsule.id)
        return capsule

    async def _resized(self, capsule: Capsule, exec_id: ExecId | None, width: int, height: int) -> None:
        wanted = Resize(container_id=_container(capsule), exec_id=exec_id, width=width, height=height)
        await self._live.ask(_host(capsule), wanted, Done)

    @asynccontextmanager
    async def _recorded(self, caller: Caller, request: RequestId, capsule: Capsule, verb: str) -> AsyncIterator[None]:
        """The action, with how the block ended. Written when it is over: an action that nobody lives to close must not exist."""
        begun = self._clock()
        outcome = Outcome.ERROR
        message: str | None = "The call was broken off; whether it had its effect is unknown."
        try:
            yield
            outcome, message = Outcome.SUCCESS, None
        except errors.Failure as failure:
            message = failure.message
            raise
        finally:
            action = Action(
                request_id=request,
                capsule_id=capsule.id,
                project_id=caller.project_id,
                user_id=caller.user_id,
                verb=verb,
                generation=capsule.spec.generation,
                started_at=begun,
                finished_at=self._clock(),
                outcome=outcome,
                message=message,
            )
            await self._database.write(lambda db: _insert(db, action))


def _container(capsule: Capsule) -> ContainerId:
    return capsule.spec.containers[0].id


def _host(capsule: Capsule) -> HostId:
    if capsule.assignment.host_id is None:
        raise errors.Conflict("Cannot operate an uncreated container.")
    return capsule.assignment.host_id


def _insert(db: Connection, action: Action) -> None:
    if capsules.get(db, action.capsule_id) is not None:
        actions.insert(db, action)


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise errors.Unavailable("the container's host has not answered in time; try again") from error
