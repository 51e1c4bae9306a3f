"""Other commands inside a container on a Docker Engine, run to their end."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aiodocker

from higgins import errors
from higgins.drivers import documents, lost
from higgins.drivers.engine import Engine, demultiplex
from higgins.drivers.runtimes.docker import terms
from higgins.drivers.runtimes.docker.terms import name
from higgins.model.ids import ContainerId
from higgins.model.live import ExecResult

_PAUSES = (0.01, 0.05, 0.2, 1.0, 2.0)
_PATIENCE = 5.0
"""Seconds in which an engine says where the process of a command is."""
_DENIED, _MISSING = 126, 127
"""The exit codes that shells have for what cannot be executed, and for what is not there."""
_OURS = base64.b64encode(bytes(terms.KEYS)).decode()
"""What tells our commands from those that others have started in the same container: the keys that nobody can press."""


class DockerCommands:
    """Makes commands, runs them and tells how they ended."""

    def __init__(self, engine: Engine, output_limit: int) -> None:
        self._engine = engine
        self._output_limit = output_limit
        self._attended: set[str] = set()
        self._left: set[str] = set()
        """Those whose caller has left, and that have not been told yet."""

    async def execute(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> ExecResult:
        """As `Executes` promises."""
        async with self.made(container_id, command, terminal=terminal, stdin=False) as made:
            try:
                output = await self._output(made, terminal=terminal)
            except aiodocker.DockerError as error:
                refused = await self.refused(error)
                return ExecResult(output=refused.output, exit_code=refused.exit_code)
            code = await self.exit_code(made)
        if code is None:
            raise errors.Unavailable("The command closed its output, and Docker does not say how it ended.")
        return ExecResult(output=output, exit_code=code)

    async def launch(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> None:
        """As `Executes` promises."""
        # Without our mark: nobody attends to it, and it is not hung up for that.
        made = await self._make(container_id, {"Cmd": list(command), "Tty": terminal})
        try:
            await self._engine.call("POST", f"exec/{made}/start", body={"Detach": True, "Tty": terminal})
        except aiodocker.DockerError as error:
            denied = (await self.refused(error)).exit_code == _DENIED
            why = "permission denied" if denied else "it was not found in the container"
            raise errors.Invalid(f"The command {command[0]!r} cannot be executed: {why}.") from error

    @asynccontextmanager
    async def made(
        self, container_id: ContainerId, command: Sequence[str], *, terminal: bool, stdin: bool
    ) -> AsyncIterator[str]:
        """The engine's id of a command that is yet to be started, and that somebody attends to as long as the block runs.

        One whose block is cancelled is hung up, even if the engine is only about to start it.
        """
        body = {
            "Cmd": list(command),
            "AttachStdin": stdin,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": terminal,
            "DetachKeys": terms.NEVER_DETACH,
        }
        made = await self._make(container_id, body)
        self._attended.add(made)
        try:
            yield made
        except asyncio.CancelledError:
            self._left.add(made)
            # Whoever is cancelled may be cancelled once more before this is done: then the next look at everything does it.
            await self.hang_up(made)
            self._left.discard(made)
            raise
        finally:
            self._attended.discard(made)

    async def hang_up_left(self) -> None:
        """All whose caller has left, and that have not been told yet."""
        await self.hang_up_forsaken(list(self._left))

    async def hang_up_forsaken(self, commands: Sequence[str]) -> None:
        """Of these, what we started and nobody attends to any more: our last life may have ended before it could."""
        for command in commands:
            if command in self._attended:
                continue
            self._left.discard(command)
            try:
                ran = await self.look(command)
            except errors.Failure:
                continue  # It has just ended, or the next look finds it.
            # Asked again: it may be one that was made just now.
            if ran.running and ran.detach_keys == _OURS and command not in self._attended:
                await self.hang_up(command)

    async def _make(self, container_id: ContainerId, body: Mapping[str, object]) -> str:
        try:
            path = f"containers/{name(container_id)}/exec"
            return (await self._engine.read(path, documents.Made, method="POST", body=body)).id
        except aiodocker.DockerError as error:
            raise await self._sorted(error) from error

    async def refused(self, error: aiodocker.DockerError) -> ExecResult:
        """What a start that the engine refused comes to: newer engines refuse what older ones print. Raises what is no fault of the command."""
        if error.status == 400 and "exec failed" in error.message:
            return ExecResult(
                output=error.message.encode(), exit_code=_DENIED if "permission denied" in error.message else _MISSING
            )
        if error.status == 404 and not terms.no_container(error):
            raise _too_late() from error
        raise await self._sorted(error) from error

    async def exit_code(self, command: str) -> int | None:
        """How it ended; None if it runs on. Its output can end a moment before the engine learns of its end."""
        for pause in (*_PAUSES, None):
            ran = await self.look(command)
            if not ran.running and ran.exit_code is not None:
                return ran.exit_code
            if pause is not None:
                await asyncio.sleep(pause)
        return None

    async def hang_up(self, command: str) -> bool:
        """Tell it that its caller is gone; False if it runs on where nothing can tell it."""
        try:
            async with asyncio.timeout(_PATIENCE):
                told = True
                for pause in _PAUSES:
                    ran = await self.look(command)
                    if ran.running:
                        told = await asyncio.to_thread(lost.hang_up, ran.container, ran.process)
                    elif ran.exit_code is not None:
                        return True
                    # Asked again: it may be about to begin, and not hear anything yet.
                    await asyncio.sleep(pause)
                return told
        except (errors.Failure, TimeoutError):
            return True  # It went away with its container, or with the engine.

    async def runs(self, command: str) -> bool:
        """False once it has ended, by itself or with its container."""
        try:
            return (await self.look(command)).running
        except errors.Conflict:
            return False

    async def look(self, command: str) -> documents.Ran:
        """Where it stands. Raises Conflict if the container went away with it."""
        try:
            return await self._engine.read(f"exec/{command}/json", documents.Ran)
        except aiodocker.DockerError as error:
            if error.status == 404:
                raise _too_late() from error
            raise await self._sorted(error) from error

    async def _output(self, command: str, *, terminal: bool) -> bytes:
        """All that a command prints, up to the limit. The rest is read and dropped, or the command would wait for ever."""
        kept, dropped = bytearray(), 0
        body = {"Detach": False, "Tty": terminal}
        async with self._engine.stream("POST", f"exec/{command}/start", body=body) as response:
            async for piece in response.content.iter_any() if terminal else demultiplex(response):
                room = self._output_limit - len(kept)
                kept += piece[:room]
                dropped += max(0, len(piece) - room)
        if dropped:
            kept += f"\n[{dropped} more bytes of output are not shown]\n".encode()
        return bytes(kept)

    async def _sorted(self, error: aiodocker.DockerError) -> errors.Failure:
        if error.status in (404, 409):
            return errors.Conflict("The command cannot be executed: the container does not run, or is paused.")
        return await terms.sorted_by_remedy(self._engine, error, "execute the command")


def _too_late() -> errors.Conflict:
    return errors.Conflict("The container ended before the command did.")
