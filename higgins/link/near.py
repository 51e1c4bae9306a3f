"""Live streams within one process: an all-in-one's need not leave it, and what goes over them is not copied through a socket."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

import grpc

from higgins.aio.beside import Start
from higgins.aio.pipe import Pipe
from higgins.link.failures import StreamOver

log = logging.getLogger(__name__)

Metadata = Sequence[tuple[str, str]]
Serve = Callable[[object, Any], Awaitable[None]]
"""Serves a live stream: what gRPC calls with the requests, which nobody uses, and the context."""


class Near:
    """The control plane, for an agent in its process. The streams look to both ends as gRPC's do, and take as much of what is not taken: one message."""

    def __init__(self, serve: Serve, start: Start) -> None:
        """Streams are served by tasks of whoever gives `start`, and end with them."""
        self._serve = serve
        self._start = start

    def dial(self) -> "Stream":
        """A live stream to the control plane."""
        stream = Stream()
        stream.serving = self._start(self._until_over(stream))
        return stream

    async def _until_over(self, stream: "Stream") -> None:
        try:
            await self._serve(None, _Context(stream))
        except StreamOver:
            pass  # Refused, and the host sees that it is.
        except Exception:  # the outermost of a stream: what goes wrong in one must not end the others
            log.exception("a live stream failed")
        finally:
            stream.over()


class Stream:
    """The host's end."""

    def __init__(self) -> None:
        self.up: Pipe[bytes] = Pipe(1)
        self.down: Pipe[bytes] = Pipe(1)
        self.metadata: Metadata = ()
        self.answered = asyncio.Event()
        self.serving: asyncio.Task[None] | None = None

    def over(self) -> None:
        self.up.end(StreamOver())
        self.down.end()
        self.answered.set()

    async def initial_metadata(self) -> Metadata:
        """What the control plane says first; nothing if it does not take the stream."""
        await self.answered.wait()
        return self.metadata

    async def write(self, message: bytes) -> None:
        await self.up.put(message)

    async def done_writing(self) -> None:
        self.up.end()

    async def read(self) -> Any:
        return await _next(self.down)

    def cancel(self) -> None:
        if self.serving is not None:
            self.serving.cancel()
        self.over()


class _Context:
    """The control plane's end."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def peer(self) -> str:
        return "unix:"  # Trusted as whoever may connect to the socket is.

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        self._stream.metadata = metadata
        self._stream.answered.set()

    async def read(self) -> Any:
        return await _next(self._stream.up)

    async def write(self, message: bytes) -> None:
        await self._stream.down.put(message)

    async def abort(self, _status: grpc.StatusCode, _message: str) -> NoReturn:
        raise StreamOver


async def _next(pipe: Pipe[bytes]) -> Any:
    try:
        return await anext(pipe)
    except StopAsyncIteration:
        return grpc.aio.EOF
