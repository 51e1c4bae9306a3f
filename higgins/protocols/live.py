"""What the service asks of the link: to pass live calls to the host that has the container."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from higgins.model.ids import HostId
from higgins.model.live import Content, LiveRequest, PathStat, Piece, Reply

R = TypeVar("R", bound=Reply)
Given = TypeVar("Given", bound=Reply, covariant=True)


class Exchange(Protocol[Given]):
    """A live call under way. What one side does not take, the other cannot send: nothing piles up anywhere."""

    def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces of output, until the call is over; then it ends, or raises what the host answered."""
        ...

    async def send(self, content: Content) -> None:
        """A piece of input. Returns when there is room for more; does nothing once the call is over."""
        ...

    async def end(self) -> None:
        """There is no more input."""
        ...

    async def head(self) -> PathStat:
        """What comes before the first piece, where the request has such a thing."""
        ...

    async def begun(self) -> None:
        """Returns, before the first piece is taken, when the host has begun to attach somebody: what is printed from then on comes."""
        ...

    @property
    def reply(self) -> Given:
        """What the host answered in the end. Only after the pieces have been taken to their end."""
        ...


class LiveCalls(Protocol):
    """Live calls to hosts. All raise Unavailable when the host is not connected or the connection breaks, and whatever Failure the host answers."""

    def open(self, host_id: HostId, request: LiveRequest, reply: type[R]) -> AbstractAsyncContextManager[Exchange[R]]:
        """The call lasts as long as the block; leaving it early ends what the host does for it. May last for ever."""
        ...

    async def ask(self, host_id: HostId, request: LiveRequest, reply: type[R], *, within: float | None = None) -> R:
        """A call of which only the reply is wanted. `within` seconds, or the link's own patience."""
        ...
