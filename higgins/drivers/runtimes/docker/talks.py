"""Connections to what runs in containers on a Docker Engine.

The engine takes a closed connection for the end of the input, so whoever leaves would take the input of a container along. That is why a
container's input has a connection of its own, made when somebody first gives something, and kept until the container ends or we do.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from weakref import WeakValueDictionary

import aiodocker

from higgins import errors
from higgins.drivers import documents
from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker import terms
from higgins.drivers.runtimes.docker.commands import DockerCommands
from higgins.drivers.runtimes.docker.ends import End
from higgins.drivers.runtimes.docker.terms import name
from higgins.drivers.streams import Frames, RawConnection
from higgins.model.capsule import Stage
from higgins.model.ids import ContainerId, ExecId
from higgins.model.live import ExecResult, Piece
from higgins.protocols.runtime import Talk

_PATIENCE = 5.0
"""Seconds in which a terminal takes a key."""
_LULL = 0.5
"""Seconds without output after which a command may have ended without the engine's saying so."""
_PIPE = 65536
"""Bytes of input that an engine always gets rid of, whether anybody takes them or not."""
_SOON = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Pauses between looks at what is about to start."""
_END_OF_FILE = b"\x04"
"""What a terminal takes for the end of its input, at the beginning of a line."""
_INTERRUPT = b"\x03"
_OVER = re.compile("not running|stopped container|process")
"""In the words of the engine and of what runs containers for it."""

Rests = Callable[[documents.State], bool]
"""Whether it is about to be started again, of one that has ended."""


class DockerTalks:
    """Connects to containers and to commands in them."""

    def __init__(self, engine: Engine, commands: DockerCommands) -> None:
        self._engine = engine
        self._commands = commands
        self._inputs: dict[ContainerId, _Input] = {}
        self._opening: WeakValueDictionary[ContainerId, asyncio.Lock] = WeakValueDictionary()
        self._entered: dict[tuple[ContainerId, ExecId], _Entered] = {}
        self._arrival = asyncio.Condition()

    def close(self) -> None:
        """Let go of all inputs. Containers without a terminal find theirs ended."""
        for each in self._inputs.values():
            each.close()
        self._inputs.clear()

    @asynccontextmanager
    async def attach(
        self, container_id: ContainerId, *, stdin: bool, logs: bool, again: bool = False
    ) -> AsyncIterator[Talk]:
        """As `Talks` promises."""
        found, end = await self._living(container_id, lambda state: again and not state.leaving)
        with closing(end):
            raw = await self._attached(container_id, {"stdout": True, "stderr": True, "logs": logs})
            with closing(raw):
                lock = self._opening.setdefault(container_id, asyncio.Lock())

                def enter() -> Awaitable[_Input | None]:
                    # Input for what has ended once more would wait for a start that nobody here asks for.
                    return self._input(
                        container_id, lock, lambda now: again and now.finished_at == found.state.finished_at
                    )

                takes = stdin and found.config.interactive
                yield _Attached(raw, end, terminal=found.config.tty, enter=enter if takes else None)

    @asynccontextmanager
    async def enter(
        self, container_id: ContainerId, exec_id: ExecId, command: Sequence[str], *, terminal: bool, stdin: bool
    ) -> AsyncIterator[Talk]:
        """As `Talks` promises.

        The engine cannot end a command. It is hung up where its process can be reached, which takes root on the engine's machine, else its terminal,
        if it has one, gets the keys that end most; what heeds none of them runs until its container ends.
        """
        # Before it is made: what ends the container from here on is told.
        with closing(await self._end(container_id)) as end:
            async with self._commands.made(container_id, command, terminal=terminal, stdin=stdin) as made:
                raw = await self._started(made, terminal=terminal)
                if isinstance(raw, ExecResult):
                    yield _Refused(raw)
                    return
                with closing(raw):
                    entered = _Entered(raw, end, made, self._commands, terminal=terminal, stdin=stdin)
                    async with self._arrival:
                        self._entered[container_id, exec_id] = entered
                        self._arrival.notify_all()
                    try:
                        yield entered
                    finally:
                        del self._entered[container_id, exec_id]
                        await entered.leave()

    async def resize(self, container_id: ContainerId, exec_id: ExecId | None, width: int, height: int) -> None:
        """As `Talks` promises; waits a moment for what is about to start."""
        if exec_id is None:
            await self._resize_container(container_id, {"w": width, "h": height})
            return
        try:
            async with asyncio.timeout(sum(_SOON)), self._arrival:
                await self._arrival.wait_for(lambda: (container_id, exec_id) in self._entered)
                entered = self._entered[container_id, exec_id]
        except TimeoutError as error:
            raise errors.Invalid(f"no command {exec_id} runs in this container") from error
        if not entered.terminal:
            raise errors.Conflict("The command has no terminal.")
        await self._resize(f"exec/{entered.command}", {"w": width, "h": height})

    async def _resize_container(self, container_id: ContainerId, size: dict[str, int]) -> None:
        for pause in (*_SOON, None):
            found = await self._look(container_id)
            if not found.config.tty:
                raise errors.Conflict("The container has no terminal.")
            if found.state.stage is Stage.CREATED and pause is not None:
                await asyncio.sleep(pause)
                continue
            break
        await self._resize(f"containers/{name(container_id)}", size)

    async def _resize(self, what: str, size: dict[str, int]) -> None:
        try:
            await self._engine.call("POST", f"{what}/resize", size)
        except aiodocker.DockerError as error:
            if error.status in (404, 409) or _OVER.search(error.message):
                raise errors.Conflict("The terminal cannot be resized: what it belongs to does not run.") from error
            raise await terms.sorted_by_remedy(self._engine, error, "resize the terminal") from error

    async def _look(self, container_id: ContainerId) -> documents.Inspected:
        try:
            return await self._engine.read(f"containers/{name(container_id)}/json", documents.Inspected)
        except aiodocker.DockerError as error:
            if error.status == 404:
                raise errors.Conflict("Nobody can talk to the container: it is gone from Docker.") from error
            raise await terms.sorted_by_remedy(self._engine, error, "look at the container") from error

    async def _end(self, container_id: ContainerId) -> End:
        try:
            return await End.of(self._engine, container_id)
        except aiodocker.DockerError as error:
            if error.status == 404:
                raise errors.Conflict("Nobody can talk to the container: it is gone from Docker.") from error
            raise await terms.sorted_by_remedy(self._engine, error, "wait for the container") from error

    async def _living(self, container_id: ContainerId, rests: "Rests") -> tuple[documents.Inspected, End]:
        """What runs, was just made, or `rests`, and word of its end. The engine would let one wait for ever at whatever has ended."""
        with ExitStack() as undone:
            end = undone.enter_context(closing(await self._end(container_id)))
            # Looked at only now: what ends from here on is told.
            found = await self._look(container_id)
            match found.state.stage:
                case Stage.CREATED | Stage.RUNNING:
                    pass
                case Stage.EXITED if rests(found.state):
                    pass
                case _:
                    raise errors.Conflict("Nobody can talk to the container: it does not run, or is paused.")
            undone.pop_all()
        return found, end

    async def _attached(self, container_id: ContainerId, what: dict[str, bool]) -> RawConnection:
        parameters: dict[str, str | int | bool] = {"stream": True, "detachKeys": terms.NEVER_DETACH, **what}
        try:
            return await self._engine.take_over(f"containers/{name(container_id)}/attach", parameters)
        except aiodocker.DockerError as error:
            if error.status in (404, 409):
                raise errors.Conflict("Nobody can talk to the container: it does not run, or is paused.") from error
            raise await terms.sorted_by_remedy(self._engine, error, "connect to the container") from error

    async def _input(self, container_id: ContainerId, lock: asyncio.Lock, rests: "Rests") -> "_Input | None":
        """The one input of the container; None once it has ended."""
        async with lock:
            kept = self._inputs.get(container_id)
            if kept is not None and not kept.lost:
                return kept
            if kept is not None:
                self._inputs.pop(container_id).close()
            try:
                found, end = await self._living(container_id, rests)
            except errors.Conflict:
                return None
            with ExitStack() as undone:
                undone.enter_context(closing(end))
                raw = await self._attached(container_id, {"stdin": True})
                undone.pop_all()
            self._inputs[container_id] = _Input(raw, end, terminal=found.config.tty)
            end.then(lambda: self._inputs.pop(container_id).close())
            return self._inputs.get(container_id)

    async def _started(self, made: str, *, terminal: bool) -> RawConnection | ExecResult:
        try:
            return await self._engine.take_over(f"exec/{made}/start", body={"Detach": False, "Tty": terminal})
        except aiodocker.DockerError as error:
            return await self._commands.refused(error)


class _Input:
    """The input of something that runs."""

    def __init__(self, raw: RawConnection, end: End | None = None, *, terminal: bool) -> None:
        self._raw = raw
        self._end = end
        self._terminal = terminal
        self._last = b"\n"
        self._over = False
        self.given = 0
        """Bytes, so far."""

    @property
    def lost(self) -> bool:
        """The engine has broken off: nothing that is written arrives, and no end of it is told."""
        return self._end is not None and self._end.lost

    async def write(self, content: bytes) -> None:
        if content and not self._over:
            self._last = content[-1:]
            self.given += len(content)
            await self._raw.write(content)

    async def close_input(self) -> None:
        if self._over:
            return
        self._over = True
        if not self._terminal:
            self._raw.end()
        else:
            # In the middle of a line the first only ends the waiting for the rest of it.
            await self._raw.write(_END_OF_FILE if self._last in b"\r\n" else _END_OF_FILE * 2)

    def close(self) -> None:
        self._raw.close()
        if self._end is not None:
            self._end.close()


class _Attached:
    """A talk with a container."""

    def __init__(
        self, raw: RawConnection, end: End, *, terminal: bool, enter: "Callable[[], Awaitable[_Input | None]] | None"
    ) -> None:
        self._end = end
        self._enter = enter
        self._pieces = _pieces(lambda: end.read(raw), terminal=terminal)

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._pieces

    async def write(self, content: bytes) -> None:
        if self._enter and (place := await self._enter()):
            await place.write(content)

    async def close_input(self) -> None:
        if self._enter and (place := await self._enter()):
            await place.close_input()

    async def exit_code(self) -> int | None:
        return await self._end.exit_code()


class _Entered:
    """A talk with a command."""

    def __init__(
        self, raw: RawConnection, end: End, command: str, commands: DockerCommands, *, terminal: bool, stdin: bool
    ) -> None:
        self.command = command
        self.terminal = terminal
        self._raw = raw
        self._end = end
        self._commands = commands
        self._input = _Input(raw, terminal=terminal) if stdin else None
        self._pieces = _pieces(self._read, terminal=terminal)
        self._over = False

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._pieces

    async def write(self, content: bytes) -> None:
        if self._input:
            await self._input.write(content)

    async def close_input(self) -> None:
        if self._input:
            await self._input.close_input()

    async def exit_code(self) -> int | None:
        return await self._commands.exit_code(self.command)

    async def _read(self) -> bytes:
        content = await self._next()
        self._over = not content
        return content

    async def _next(self) -> bytes:
        """What comes next. An engine that has not got rid of all input keeps the output open, though the command that would take it has ended."""
        ended = False
        while True:
            try:
                async with asyncio.timeout(_LULL if self._input and not self._end.come else None):
                    return await self._end.read(self._raw)
            except TimeoutError:
                if ended:
                    # Whoever writes there must not wait on either.
                    self._raw.close()
                    return b""
                if self._input and self._input.given > _PIPE:
                    ended = not await self._commands.runs(self.command)

    async def leave(self) -> None:
        """Hang it up if it runs on."""
        if self._over or await self._commands.hang_up(self.command) or not self.terminal:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._raw.write(_INTERRUPT + _END_OF_FILE)
        except TimeoutError:
            return  # It takes nothing at all.


@dataclass(frozen=True, slots=True)
class _Refused:
    """A talk with a command that could not be executed."""

    result: ExecResult

    async def __aiter__(self) -> AsyncIterator[Piece]:
        yield Piece(self.result.output)

    async def write(self, content: bytes) -> None:
        """Nobody reads it."""

    async def close_input(self) -> None:
        """It has none."""

    async def exit_code(self) -> int | None:
        return self.result.exit_code


async def _pieces(read: Callable[[], Awaitable[bytes]], *, terminal: bool) -> AsyncIterator[Piece]:
    frames = Frames()
    while content := await read():
        if terminal:
            yield Piece(content)
        else:
            for piece in frames.feed(content):
                yield piece
    frames.end()
