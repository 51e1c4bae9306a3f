"""The host's end of the wire: one session, and a stream for every live call."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import grpc

from higgins import errors
from higgins.aio.beside import Start, beside
from higgins.link import dialling, envelopes, failures, live
from higgins.link.credentials import Credentials
from higgins.link.frames import FRAME, WINDOW, Frames
from higgins.link.higgins_pb2_grpc import LinkStub
from higgins.link.live import Kind
from higgins.link.messages import ControlMessage, HostChannel, HostMessage, OpenCall
from higgins.link.near import Near
from higgins.link.stream import Stream
from higgins.logic import documents
from higgins.model.live import Content, LiveRequest, PathStat, Reply

log = logging.getLogger(__name__)


class Line(Protocol):
    """The line to whoever asked for a live call. What one side does not take, the other cannot send."""

    async def send(self, content: bytes, *, aside: bool = False) -> None:
        """Some output. Returns when there is room for more; never, while the caller takes nothing. Cancelled when the caller leaves."""
        ...

    async def say(self, document: bytes) -> None:
        """The same, but it arrives as one piece, neither joined nor cut."""
        ...

    def head(self, stat: PathStat) -> None:
        """What comes before the first piece."""
        ...

    def begin(self) -> None:
        """Say, before the first piece, that it has begun, where the caller waits for that."""
        ...

    def input(self) -> AsyncIterator[bytes]:
        """What the caller gives. Ends when the caller says that nothing more comes, and never because it has left."""
        ...


Answer = Callable[[LiveRequest, Line], Awaitable[Reply]]
"""Answers a live call. Its failures are the caller's; it is cancelled when the caller leaves."""


@asynccontextmanager
async def connect(
    to: Credentials | Path,
    answer: Answer,
    *,
    near: Near | None = None,
    keepalive: float = dialling.KEEPALIVE,
    within: float = 20.0,
) -> AsyncIterator[HostChannel]:
    """A session with the control plane, over TCP with what enrolment gave, or over its Unix socket; it is open while the block runs.

    Live calls are answered beside, each over a stream of its own; to the control plane in this process if it is `near`. Raises Unavailable if no session
    can be had, which `within` seconds decide; the channel does when it is lost.
    """
    if isinstance(to, Credentials):
        address, trust = to.address, dialling.Trust.of(to)
    else:
        address, trust = f"unix:{to}", None

    async with dialling.dial(address, trust, keepalive=keepalive) as channel:
        call = LinkStub(channel).Session()
        await _accepted(call, address, within)
        stream: Stream[HostMessage, ControlMessage] = Stream(lambda error: _lost(error, address))
        async with beside() as start:
            start(stream.write(call.write, envelopes.pack_host))
            start(
                stream.read(
                    call.read,
                    envelopes.unpack_control,
                    _Answering(near.dial if near else partial(live.dial, channel), answer, start),
                )
            )
            try:
                yield stream
            finally:
                stream.end()


async def _accepted(call: Any, address: str, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            if await is_accepted(call):
                return
            await call.read()
    except TimeoutError as error:
        raise errors.Unavailable(f"the control plane at {address} has not answered within {within:g} s") from error
    except grpc.aio.AioRpcError as error:
        raise errors.Unavailable(dialling.translate(error, address).message) from error
    except failures.BREAKS as error:
        raise _lost(error, address) from error
    raise errors.Unavailable(f"what answers at {address} is no control plane of Higgins")


def _lost(error: Exception, address: str) -> errors.Unavailable:
    # Whatever it is, the remedy of an agent is to come again: an operator may set right what stood in its way.
    why = error.details() if isinstance(error, grpc.aio.AioRpcError) else "the connection was lost"
    return errors.Unavailable(f"the session with the control plane at {address} is over: {why}")


class _Answering:
    """Picks the live calls out of a session and answers them."""

    def __init__(self, dial: Callable[[], Any], answer: Answer, start: Start) -> None:
        self._dial = dial
        self._answer = answer
        self._start = start

    def __call__(self, message: ControlMessage) -> bool:
        if not isinstance(message, OpenCall):
            return True
        self._start(self._serve(message))
        return False

    async def _serve(self, opening: OpenCall) -> None:
        call = self._dial()
        try:
            await call.write(live.pack(Kind.CALL, opening.call_id.encode()))
            # Nothing is done for somebody who has left, nor twice.
            if await is_accepted(call):
                line = _Line(call)
                async with beside() as start:
                    start(line.write())
                    start(self._fill(line, opening.request))
                    await line.listen()
        except failures.BREAKS:
            log.debug("live call %s is over", opening.call_id)
        finally:
            call.cancel()

    async def _fill(self, line: "_Line", request: LiveRequest) -> None:
        try:
            reply = await self._answer(request, line)
        except errors.Failure as failure:
            line.finish(Kind.FAILED, failures.pack(failure))
        except Exception as error:  # the outermost of a live call: the caller must hear of it, whatever it is
            log.exception("cannot answer %s", request)
            broken = errors.Broken(f"the container's host failed to answer ({type(error).__name__}); its log says why")
            line.finish(Kind.FAILED, failures.pack(broken))
        else:
            line.finish(Kind.FINISHED, documents.encode(reply))


class _Line:
    """A Line over a live stream."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._output = Frames()
        # More than what can be on the way: listening never waits for whoever takes, and notices at once when the caller leaves.
        self._input = Frames(room=WINDOW + 2 * FRAME)

    async def send(self, content: bytes, *, aside: bool = False) -> None:
        await self._output.put(Kind.ASIDE if aside else Kind.PIECE, content)

    async def say(self, document: bytes) -> None:
        await self._output.put_whole(Kind.PIECE, document)

    def head(self, stat: PathStat) -> None:
        self._output.add(Kind.HEAD, documents.encode(stat))

    def begin(self) -> None:
        self._output.add(Kind.HEAD)

    def finish(self, kind: Kind, ending: bytes) -> None:
        """How it ended, after all that was sent."""
        self._output.add(kind, ending)
        self._output.close()

    async def input(self) -> AsyncIterator[bytes]:
        taken = 0
        while (given := await self._input.take()) is not None:
            content = _joined(given[1])
            yield content
            taken += len(content)
            if taken >= WINDOW // 2:
                self._output.add(Kind.TAKEN, live.pack_number(taken), first=True)
                taken = 0

    async def write(self) -> None:
        """Write what is sent, to its end."""
        try:
            while (frame := await self._output.take()) is not None:
                kind, parts = frame
                await self._call.write(live.pack(kind, *parts))
            await self._call.done_writing()
        except failures.BREAKS:
            return

    async def listen(self) -> None:
        """Take in what the caller gives, until the caller leaves."""
        while (given := await self._call.read()) is not grpc.aio.EOF:
            match live.kind(given):
                case Kind.PIECE:
                    await self._input.put(Kind.PIECE, live.content(given))
                case Kind.END:
                    self._input.close()


def _joined(parts: Sequence[Content]) -> bytes:
    return parts[0] if len(parts) == 1 and isinstance(parts[0], bytes) else b"".join(parts)


async def is_accepted(call: Any) -> bool:
    """Whether the control plane takes the stream."""
    return any(key == "higgins-link" for key, _ in await call.initial_metadata())
