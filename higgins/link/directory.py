"""Which hosts have a session here, and the live calls to them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from higgins import errors
from higgins.aio.pipe import Pipe
from higgins.link import failures, live
from higgins.link.frames import WINDOW, Frames
from higgins.link.live import Kind
from higgins.link.messages import OpenCall
from higgins.logic import documents
from higgins.model.ids import HostId
from higgins.model.live import Content, LiveRequest, PathStat, Piece, Reply
from higgins.protocols.live import Exchange

R = TypeVar("R", bound=Reply)


class Session:
    """A host's session, as far as live calls need it."""

    def __init__(
        self, host_id: HostId, send: Callable[[OpenCall], Awaitable[None]], end: Callable[[errors.Failure], None]
    ) -> None:
        self.host_id = host_id
        self.send = send
        self.end = end
        self.calls = 0
        """Under way."""


class Call:
    """A live call on its way: the caller takes what the host's stream brings, and it takes what the caller gives."""

    def __init__(self, session: Session) -> None:
        self.session = session
        # One, so that a caller who stops taking soon stops the host.
        self.answers: Pipe[bytes] = Pipe(1)
        self.input = Frames(window=WINDOW)
        self.opened = asyncio.Event()
        self.over = asyncio.Event()

    def break_off(self, message: str) -> None:
        """No more answers come, and nobody takes input."""
        self.answers.end(errors.Unavailable(message))
        self.input.drop()
        self.opened.set()
        self.over.set()


class _Caller(Generic[R]):
    """An Exchange over a host's stream."""

    def __init__(self, call: Call, reply: type[R]) -> None:
        self._call = call
        self._kind = reply
        self._head: PathStat | None = None
        self._reply: R | None = None

    async def __aiter__(self) -> AsyncIterator[Piece]:
        if self._reply is not None:
            return
        async for answer in self._call.answers:
            content = live.content(answer)
            match live.kind(answer):
                case Kind.PIECE:
                    yield Piece(content)
                case Kind.ASIDE:
                    yield Piece(content, aside=True)
                case Kind.HEAD if content:
                    self._head = documents.decode(content, PathStat)
                case Kind.FINISHED:
                    self._reply = documents.decode(content, self._kind)
                    return
                case Kind.FAILED:
                    raise failures.unpack(content)

    async def send(self, content: Content) -> None:
        await self._call.input.put(Kind.PIECE, content)

    async def end(self) -> None:
        self._call.input.add(Kind.END)

    async def head(self) -> PathStat:
        if self._head is None:
            self._head = documents.decode(await self._first(), PathStat)
        return self._head

    async def begun(self) -> None:
        await self._first()

    async def _first(self) -> bytes:
        first = await anext(self._call.answers)
        if live.kind(first) is Kind.FAILED:
            raise failures.unpack(live.content(first))
        return live.content(first)

    @property
    def reply(self) -> R:
        if self._reply is None:
            raise errors.Broken("a live call was asked for its reply before it was over")
        return self._reply


class Directory:
    """The sessions of this process; the LiveCalls of the hosts that have one."""

    def __init__(self, *, within: float = 10.0, most: int = 1000) -> None:
        """`within`: seconds in which a host must begin to answer, and answer what is only asked. `most`: calls to one host at the same time."""
        self._within = within
        self._most = most
        self._sessions: dict[HostId, Session] = {}
        self._calls: dict[str, Call] = {}

    def join(self, session: Session) -> None:
        """The host is reached over this session from now on; one that it had before ends."""
        former = self._sessions.get(session.host_id)
        self._sessions[session.host_id] = session
        if former is not None:
            self.leave(former)
            former.end(
                errors.Unavailable("the host has begun another session; do two agents run with the same credentials?")
            )

    def leave(self, session: Session) -> None:
        """The session is over, and whoever waits for an answer over it is told."""
        if self._sessions.get(session.host_id) is session:
            del self._sessions[session.host_id]
        for call in self._calls.values():
            if call.session is session:
                call.break_off("the connection to the container's host was lost; try again")

    def connected(self, host_id: HostId) -> bool:
        return host_id in self._sessions

    def claim(self, call_id: str, host_id: HostId | None) -> Call | None:
        """The call that a host wants to answer; None if it may not, or nobody waits any more, or it is being answered. `host_id` None: any host."""
        call = self._calls.get(call_id)
        if call is None or call.opened.is_set() or host_id not in (None, call.session.host_id):
            return None
        call.opened.set()
        return call

    @asynccontextmanager
    async def open(self, host_id: HostId, request: LiveRequest, reply: type[R]) -> AsyncIterator[Exchange[R]]:
        session = self._sessions.get(host_id)
        if session is None:
            raise _absent()
        if session.calls >= self._most:
            raise errors.Unavailable(
                f"{self._most} live calls to the container's host are under way, as many as it takes; try again later",
                retry_after=10,
            )
        call_id = secrets.token_hex(16)
        call = self._calls[call_id] = Call(session)
        session.calls += 1
        try:
            await self._open(call_id, call, request)
            yield _Caller(call, reply)
        finally:
            del self._calls[call_id]
            session.calls -= 1
            call.break_off("the caller has left")

    async def ask(self, host_id: HostId, request: LiveRequest, reply: type[R], *, within: float | None = None) -> R:
        seconds = self._within if within is None else within
        try:
            async with asyncio.timeout(seconds), self.open(host_id, request, reply) as exchange:
                async for _ in exchange:
                    pass
                return exchange.reply
        except TimeoutError as error:
            raise errors.Unavailable(_silent(seconds)) from error

    async def _open(self, call_id: str, call: Call, request: LiveRequest) -> None:
        try:
            async with asyncio.timeout(self._within):
                await call.session.send(OpenCall(call_id=call_id, request=request))
                await call.opened.wait()
        except TimeoutError as error:
            raise errors.Unavailable(_silent(self._within)) from error
        except errors.Unavailable as error:
            raise _absent() from error


def _absent() -> errors.Unavailable:
    return errors.Unavailable("the container's host is not connected now; try again later", retry_after=10)


def _silent(seconds: float) -> str:
    return f"the container's host has not answered within {seconds:g} s; try again"
