"""The host's end of the wire: one session, and a stream for every live call."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import grpc

from higgins import errors
from higgins.aio.beside import Start, beside
from higgins.link import dialling, envelopes, failures
from higgins.link import higgins_pb2 as wire
from higgins.link.credentials import Credentials
from higgins.link.higgins_pb2_grpc import LinkStub
from higgins.link.messages import ControlMessage, HostChannel, HostMessage, OpenCall
from higgins.link.stream import Stream
from higgins.model.live import LiveRequest

log = logging.getLogger(__name__)

_FRAME = 256 * 1024
"""Bytes at most; so many again wait to be sent, and so what is on the way stays small."""


class Sink(Protocol):
    """Where the answer to a live call goes."""

    async def send(self, piece: bytes) -> None:
        """Returns when there is room for more; never, while the caller takes nothing. Cancelled when the caller leaves."""
        ...


Answer = Callable[[LiveRequest, Sink], Awaitable[int | None]]
"""Answers a live call and returns the exit code, if there is one. Its failures are the caller's; it is cancelled when the caller leaves."""


@asynccontextmanager
async def connect(
    to: Credentials | Path, answer: Answer, *, keepalive: float = dialling.KEEPALIVE, within: float = 20.0
) -> AsyncIterator[HostChannel]:
    """A session with the control plane, over TCP with what enrolment gave, or over its Unix socket; it is open while the block runs.

    Live calls are answered beside. Raises Unavailable if no session can be had, which `within` seconds decide; the channel does when it is lost.
    """
    if isinstance(to, Credentials):
        address, trust = to.address, dialling.Trust.of(to)
    else:
        address, trust = f"unix:{to}", None

    async with dialling.dial(address, trust, keepalive=keepalive) as channel:
        stub = LinkStub(channel)
        call = stub.Session()
        await _accepted(call, address, within)
        stream: Stream[HostMessage, ControlMessage] = Stream(lambda error: _lost(error, address))
        async with beside() as start:
            start(stream.write(call.write, envelopes.pack_host))
            start(stream.read(call.read, envelopes.unpack_control, _Answering(stub, answer, start)))
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

    def __init__(self, stub: Any, answer: Answer, start: Start) -> None:
        self._stub = stub
        self._answer = answer
        self._start = start

    def __call__(self, message: ControlMessage) -> bool:
        if not isinstance(message, OpenCall):
            return True
        self._start(self._serve(message))
        return False

    async def _serve(self, opening: OpenCall) -> None:
        call = self._stub.Live()
        try:
            await call.write(wire.Answer(call_id=opening.call_id))
            # Nothing is done for somebody who has left, nor twice.
            if await is_accepted(call):
                async with beside() as start:
                    start(self._fill(call, opening.request))
                    # The control plane says nothing on this stream; it only ends it.
                    await call.read()
        except failures.BREAKS:
            log.debug("live call %s is over", opening.call_id)
        finally:
            call.cancel()

    async def _fill(self, call: Any, request: LiveRequest) -> None:
        frames = _Frames(call)
        async with beside() as start:
            start(frames.write())
            last = await self._ending(request, frames)
            await frames.written()
        try:
            await call.write(last)
            await call.done_writing()
        except failures.BREAKS:
            return

    async def _ending(self, request: LiveRequest, sink: Sink) -> wire.Answer:
        try:
            return wire.Answer(finished=wire.Finished(exit_code=await self._answer(request, sink)))
        except errors.Failure as failure:
            return wire.Answer(failed=failures.pack(failure))
        except Exception as error:  # the outermost of a live call: the caller must hear of it, whatever it is
            log.exception("cannot answer %s", request)
            broken = errors.Broken(f"the container's host failed to answer ({type(error).__name__}); its log says why")
            return wire.Answer(failed=failures.pack(broken))


class _Frames:
    """A Sink over a live stream. What is sent while a frame is on its way goes together into the next: a log of short lines would otherwise cost a
    tenth of a millisecond a line."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._waiting = bytearray()
        self._writing = False
        self._turn = asyncio.Condition()

    async def send(self, piece: bytes) -> None:
        async with self._turn:
            await self._turn.wait_for(lambda: len(self._waiting) < _FRAME)
            self._waiting += piece
            self._turn.notify_all()

    async def write(self) -> None:
        """Write what is sent, until the stream is over."""
        while True:
            async with self._turn:
                self._writing = False
                self._turn.notify_all()
                await self._turn.wait_for(lambda: self._waiting)
                frame = bytes(self._waiting[:_FRAME])
                del self._waiting[:_FRAME]
                self._writing = True
                self._turn.notify_all()
            try:
                await self._call.write(wire.Answer(piece=frame))
            except failures.BREAKS:
                return

    async def written(self) -> None:
        """Returns when everything that was sent is on its way."""
        async with self._turn:
            await self._turn.wait_for(lambda: not self._waiting and not self._writing)


async def is_accepted(call: Any) -> bool:
    """Whether the control plane takes the stream."""
    return any(key == "higgins-link" for key, _ in await call.initial_metadata())
