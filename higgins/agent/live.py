"""Answers live calls from a host's runtime, by what it can do."""

import asyncio
from typing import assert_never

from higgins import errors
from higgins.link.client import Sink
from higgins.model.live import Execute, Kill, LiveRequest, ReadLogs
from higgins.protocols.runtime import Executes, Logs, Runtime, Signals


class LiveAnswers:
    """The answers of one runtime. Raises Invalid for what it cannot do."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, request: LiveRequest, sink: Sink) -> int | None:
        """The exit code, where there is one. Cancelled when the caller leaves."""
        match request:
            case ReadLogs():
                await self._logs(request, sink)
                return None
            case Execute():
                return await self._execute(request, sink)
            case Kill():
                await self._kill(request)
                return None
            case _:
                assert_never(request)

    async def _logs(self, request: ReadLogs, sink: Sink) -> None:
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
            await sink.send(piece)

    async def _execute(self, request: Execute, sink: Sink) -> int:
        if not isinstance(self._runtime, Executes):
            raise _lacking("run commands inside containers")
        try:
            async with asyncio.timeout(request.timeout):
                result = await self._runtime.execute(
                    request.container_id, request.command, terminal=request.interactive
                )
        except TimeoutError as error:
            raise errors.Conflict(f"Timeout on executing command: {' '.join(request.command)}") from error
        await sink.send(result.output)
        return result.exit_code

    async def _kill(self, request: Kill) -> None:
        if not isinstance(self._runtime, Signals):
            raise _lacking("send signals to containers")
        await self._runtime.kill(request.container_id, request.signal)


def _lacking(what: str) -> errors.Invalid:
    return errors.Invalid(f"the runtime of the container's host cannot {what}")
