"""Answers live calls from a host's runtime, by what it can do."""

import asyncio

from higgins import errors
from higgins.link.client import Line
from higgins.model.live import Done, Ended, Execute, Kill, LiveRequest, ReadLogs, Reply
from higgins.protocols.runtime import Executes, Logs, Runtime, Signals


class LiveAnswers:
    """The answers of one runtime. Raises Invalid for what it cannot do."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, request: LiveRequest, line: Line) -> Reply:
        """Cancelled when the caller leaves."""
        match request:
            case ReadLogs():
                return await self._logs(request, line)
            case Execute():
                return await self._execute(request, line)
            case Kill():
                return await self._kill(request)
            case _:
                raise _lacking("do that")

    async def _logs(self, request: ReadLogs, line: Line) -> Done:
        if not isinstance(self._runtime, Logs):
            raise _lacking("keep the logs of containers")
        pieces = self._runtime.logs(
            request.container_id,
            stdout=request.stdout,
            stderr=request.stderr,
            timestamps=request.timestamps,
            tail=request.tail,
            since=request.since,
        )
        async for piece in pieces:
            await line.send(piece)
        return Done()

    async def _execute(self, request: Execute, line: Line) -> Ended:
        if not isinstance(self._runtime, Executes):
            raise _lacking("run commands inside containers")
        try:
            async with asyncio.timeout(request.timeout):
                result = await self._runtime.execute(
                    request.container_id, request.command, terminal=request.interactive
                )
        except TimeoutError as error:
            raise errors.Conflict(f"Timeout on executing command: {' '.join(request.command)}") from error
        await line.send(result.output)
        return Ended(exit_code=result.exit_code)

    async def _kill(self, request: Kill) -> Done:
        if not isinstance(self._runtime, Signals):
            raise _lacking("send signals to containers")
        await self._runtime.kill(request.container_id, request.signal)
        return Done()


def _lacking(what: str) -> errors.Invalid:
    return errors.Invalid(f"the runtime of the container's host cannot {what}")
