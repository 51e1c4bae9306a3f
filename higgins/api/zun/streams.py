"""Answers of unknown length: written as their pieces come, never held whole, never for a client that has stopped reading."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing

from aiohttp import web

from higgins import errors
from higgins.aio.ahead import ahead
from higgins.aio.beside import beside
from higgins.aio.pipe import Pipe
from higgins.api import requestid
from higgins.api.zun.verbs import Stream

_log = logging.getLogger(__name__)

_STALLED = 60.0
"""Seconds in which a client has to take a piece of what it asked for."""
_LOOK = 1.0
"""Seconds between two looks whether there is still a client: who says nothing and is told nothing is not missed otherwise."""
_PROMPT = 1.0
"""Seconds in which a failure to begin still gets a proper answer, where what follows may be long in coming."""


async def respond(
    request: web.Request, answer: Stream, status: int, headers: Mapping[str, str], leaving: asyncio.Event
) -> web.StreamResponse:
    """The answer, sent. A failure before the first piece is raised; after it, the connection breaks off. `leaving` is set when the server stops."""
    async with AsyncExitStack() as stack:
        if isinstance(answer.pieces, AsyncGenerator):
            await stack.enter_async_context(aclosing(answer.pieces))
        pieces = await stack.enter_async_context(ahead(answer.pieces))
        if answer.lasting:
            start = await stack.enter_async_context(beside())
            start(_cut(pieces, leaving))
        first = await _first(pieces, within=_PROMPT if answer.lasting else None)
        response = web.StreamResponse(status=status, headers={**headers, **answer.headers})
        response.content_type = answer.content_type
        await response.prepare(request)
        if answer.lasting:
            start(_watch(request, pieces))
        if request.method != "HEAD":
            await _write(request, response, first, pieces)
    return response


def gone(request: web.Request) -> bool:
    """Whether the connection has ended that it came over."""
    return request.transport is None or request.transport.is_closing()


async def _first(pieces: Pipe[bytes], within: float | None) -> bytes:
    try:
        async with asyncio.timeout(within):
            return await anext(pieces, b"")
    except TimeoutError:
        return b""


async def _cut(pieces: Pipe[bytes], leaving: asyncio.Event) -> None:
    await leaving.wait()
    pieces.end(errors.Unavailable("the server stops"))


async def _watch(request: web.Request, pieces: Pipe[bytes]) -> None:
    while not gone(request):  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(_LOOK)
    pieces.end(ConnectionResetError("the client went away"))


async def _write(
    request: web.Request, response: web.StreamResponse, first: bytes, pieces: AsyncIterator[bytes]
) -> None:
    try:
        await _taken(response, first)
        async for piece in pieces:
            await _taken(response, piece)
    except ConnectionError:
        pass  # the client went away
    except (errors.Failure, TimeoutError) as failure:
        reason = str(failure) or "its client takes nothing"
        _log.warning("%s: an answer broke off: %s", request[requestid.KEY], reason)
        _break_off(request)
    except Exception:  # noqa: BLE001 - too late for another answer
        _log.exception("%s: an answer broke off", request[requestid.KEY])
        _break_off(request)


def _break_off(request: web.Request) -> None:
    # Cut off in the middle, the client sees that something is missing; a proper end would hide it.
    if request.transport is not None:
        request.transport.abort()


async def _taken(response: web.StreamResponse, piece: bytes) -> None:
    """Raises TimeoutError for a client that has stopped reading: it must not hold a stream to a host for ever."""
    if piece:
        async with asyncio.timeout(_STALLED):
            await response.write(piece)
