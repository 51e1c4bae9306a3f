"""One end of a session over a gRPC stream."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar

import grpc

from higgins import errors
from higgins.aio.pipe import Pipe
from higgins.link.failures import BREAKS

Out = TypeVar("Out")
In = TypeVar("In")
_WAITING = 64
"""So many messages wait at most in each direction; then the sender does."""


class Stream(Generic[Out, In]):
    """A Channel whose stream is read and written by two tasks of its own: grpc breaks a stream when a read or a write is cancelled, and allows one of
    each at a time."""

    def __init__(self, translate: Callable[[Exception], errors.Failure]) -> None:
        """`translate` says what a break of the stream means on this end."""
        self._translate = translate
        self.failure: errors.Failure | None = None
        """Why it is over, if something went wrong."""
        self._outgoing: Pipe[Out] = Pipe(_WAITING)
        self._incoming: Pipe[In] = Pipe(_WAITING)

    async def send(self, message: Out) -> None:
        await self._outgoing.put(message)

    def __aiter__(self) -> AsyncIterator[In]:
        return self._incoming

    def end(self, failure: errors.Failure | None = None) -> None:
        """The session is over."""
        self.failure = self.failure or failure
        self._incoming.end(failure)
        self._outgoing.end(failure or errors.Unavailable("the session is over"))

    async def write(self, write: Callable[[Any], Awaitable[None]], pack: Callable[[Out], Any]) -> None:
        """Write what is sent, until the end."""
        try:
            async for message in self._outgoing:
                await write(pack(message))
        except errors.Failure:
            return
        except BREAKS as error:
            self.end(self._translate(error))

    async def read(
        self,
        read: Callable[[], Awaitable[Any]],
        unpack: Callable[[Any], In | None],
        accept: Callable[[In], bool] = lambda _: True,
    ) -> None:
        """Read what comes, until the end; what `accept` refuses is not passed on. Its failures end the session."""
        try:
            while (envelope := await read()) is not grpc.aio.EOF:
                message = unpack(envelope)
                if message is not None and accept(message):
                    await self._incoming.put(message)
            self.end()
        except errors.Failure as failure:
            self.end(failure)
        except BREAKS as error:
            self.end(self._translate(error))
