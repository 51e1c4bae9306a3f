"""Which hosts have a session here, and the live calls to them."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from higgins import errors
from higgins.aio.pipe import Pipe
from higgins.link import failures
from higgins.link import higgins_pb2 as wire
from higgins.link.messages import OpenCall
from higgins.model.ids import HostId
from higgins.model.live import ExecResult, Execute, Kill, LiveRequest, ReadLogs

_GRACE = 5.0
"""Seconds in which an answer that a host gives at its own deadline still arrives."""


class Session:
    """A host's session, as far as live calls need it."""

    def __init__(
        self, host_id: HostId, send: Callable[[OpenCall], Awaitable[None]], end: Callable[[errors.Failure], None]
    ) -> None:
        self.host_id = host_id
        self.send = send
        self.end = end


class Call:
    """A live call on its way: the caller takes what the host's stream brings."""

    def __init__(self, session: Session) -> None:
        self.session = session
        # One, so that a caller who stops taking soon stops the host.
        self.answers: Pipe[wire.Answer] = Pipe(1)
        self.opened = asyncio.Event()
        self.over = asyncio.Event()

    def break_off(self, message: str) -> None:
        """No more answers come."""
        self.answers.end(errors.Unavailable(message))
        self.opened.set()
        self.over.set()


class Directory:
    """The sessions of this process; the LiveCalls of the hosts that have one."""

    def __init__(self, *, within: float = 10.0) -> None:
        """`within`: seconds in which a host must begin to answer, and deliver a signal."""
        self._within = within
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

    async def logs(self, host_id: HostId, request: ReadLogs) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._ask(host_id, request)) as answers:
            async for answer in answers:
                if answer.HasField("piece"):
                    yield answer.piece

    async def execute(self, host_id: HostId, request: Execute) -> ExecResult:
        return await self._ask_within(host_id, request, request.timeout + _GRACE)

    async def kill(self, host_id: HostId, request: Kill) -> None:
        await self._ask_within(host_id, request, self._within)

    async def _ask_within(self, host_id: HostId, request: LiveRequest, seconds: float) -> ExecResult:
        output, exit_code = bytearray(), 0
        try:
            async with asyncio.timeout(seconds), aclosing(self._ask(host_id, request)) as answers:
                async for answer in answers:
                    output += answer.piece
                    exit_code = answer.finished.exit_code
        except TimeoutError as error:
            raise errors.Unavailable(_silent(seconds)) from error
        return ExecResult(output=bytes(output), exit_code=exit_code)

    async def _ask(self, host_id: HostId, request: LiveRequest) -> AsyncGenerator[wire.Answer, None]:
        """What the host answers, its end included; raises the failure that it answers."""
        session = self._sessions.get(host_id)
        if session is None:
            raise _absent()
        call_id = secrets.token_hex(16)
        call = self._calls[call_id] = Call(session)
        try:
            await self._open(call_id, call, request)
            async for answer in call.answers:
                if answer.HasField("failed"):
                    raise failures.unpack(answer.failed)
                yield answer
                if answer.HasField("finished"):
                    return
        finally:
            del self._calls[call_id]
            call.break_off("the caller has left")

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
