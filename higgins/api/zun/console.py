"""The WebSocket of a console: who may open it, and what goes over it until one side leaves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Meta, Struct

from higgins import errors
from higgins.aio.ahead import ahead
from higgins.aio.bell import Bell
from higgins.aio.beside import beside
from higgins.aio.pipe import Pipe
from higgins.aio.race import unless
from higgins.api import requestid
from higgins.api.zun import speech
from higgins.api.zun.form import Form
from higgins.api.zun.pace import Pace
from higgins.api.zun.speech import Failed, Finished, Sized, Speech, Trouble, Typed
from higgins.api.zun.values import said
from higgins.api.zun.verbs import Ask, Door, Socket
from higgins.model.ids import CapsuleId, ExecId
from higgins.model.live import Piece
from higgins.service.consoles import Ticket
from higgins.service.live import Seat

_log = logging.getLogger(__name__)

_LONGEST_FRAME = 1 << 20
"""Bytes of a client's frame; a longer one ends the session."""
_SECURE = ("https", "wss")
_PLAIN = ("http", "ws")
_REASON = 120
"""Bytes of the reason in a close frame; it may have 123."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
"""Seconds between two tries to give a terminal its size that is not there yet."""


class OpenConsole(Struct, forbid_unknown_fields=True, kw_only=True):
    """The token, and what it was given for."""

    token: Annotated[Annotated[str, Meta(min_length=1, max_length=64)], said("As attach or execute gave it.")]
    uuid: Annotated[Annotated[str, Meta(min_length=1, max_length=64)], said("The id of the container.")]
    exec_id: Annotated[Annotated[str, Meta(min_length=1, max_length=64)] | None, said("As execute gave it.")] = None


CONSOLE = Form(params=OpenConsole, strict=False)


async def connect(door: Door, ask: Ask[OpenConsole]) -> Socket:
    """The WebSocket of a console: its token, good once, is the right to open it. Speaks `binary` (raw bytes) or `v1.channels.higgins`."""
    asked = ask.params
    _check_origin(door, ask)
    protocols = _agreed(ask.headers)
    ticket = Ticket(
        token=asked.token,
        capsule_id=CapsuleId(asked.uuid),
        exec_id=ExecId(asked.exec_id) if asked.exec_id is not None else None,
    )
    return Socket(partial(_serve, door, ticket, protocols))


def _check_origin(door: Door, ask: Ask[OpenConsole]) -> None:
    """A browser says whose page it is that wants to connect: nobody's but ours may use what its visitor may. Others say nothing."""
    origin = ask.headers.get("Origin")
    if origin is None:
        return
    ours = [door.console_url or "", f"//{ask.headers.get('Host', '')}"]
    # A proxy that ends TLS says what its clients speak.
    secure = (door.console_url or ask.headers.get("X-Forwarded-Proto") or ask.address).startswith(_SECURE)
    try:
        page = urlsplit(origin)
        names = {urlsplit(one).hostname for one in ours} - {None} | door.origins
    except ValueError as error:
        raise _foreign(origin) from error
    if page.hostname not in names or page.scheme not in (_SECURE if secure else _PLAIN):
        raise _foreign(origin)


def _foreign(origin: str) -> errors.Forbidden:
    return errors.Forbidden(
        f"Pages of {origin[:200]} may not open consoles; an operator can allow it.", code="origin-not-allowed"
    )


def _agreed(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The sub-protocol that is spoken, if the client has asked for any. Raises Invalid if it knows none of ours."""
    offered = [one.strip() for one in headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
    known = tuple(one for one in (speech.CHANNELS, speech.BINARY) if one in offered)
    if offered and not known:
        raise errors.Invalid(f"Of the sub-protocols only {speech.BINARY} and {speech.CHANNELS} are spoken here.")
    return known[:1]


async def _serve(
    door: Door, ticket: Ticket, protocols: tuple[str, ...], request: web.Request, leaving: asyncio.Event
) -> web.StreamResponse:
    socket = web.WebSocketResponse(
        protocols=protocols,
        autoping=False,
        compress=False,
        max_msg_size=_LONGEST_FRAME,
        timeout=door.pace.farewell,
    )
    if request.method != "GET" or not socket.can_prepare(request).ok:
        raise errors.Invalid("This is a WebSocket: ask for an upgrade of the connection, as RFC 6455 says.")
    # Refused in HTTP, what is not good: clients show that better than a connection that ends without a word.
    async with door.services.live.seated(ticket) as seat:
        try:
            await socket.prepare(request)
        except ConnectionError:
            return socket  # The client has died while its terminal was being made.
        await _Session(request, socket, seat, speech.spoken(*protocols or (None,)), door.pace).run(leaving)
    return socket


class _Session:
    """Somebody at a terminal, at the other end of a WebSocket. What one side does not take, the other cannot send."""

    def __init__(
        self, request: web.Request, socket: web.WebSocketResponse, seat: Seat, speech: Speech, pace: Pace
    ) -> None:
        self._request = request
        self._socket = socket
        self._seat = seat
        self._speech = speech
        self._pace = pace
        self._over = Bell()
        self._resized = Bell()
        self._size: Sized | None = None
        self._clock = asyncio.get_running_loop().time
        self._silent_since: float | None = self._clock()
        """None while what was heard is being passed on: then it is not the client who keeps us waiting."""
        self._code = WSCloseCode.OK
        self._reason = ""
        self._lost = False

    async def run(self, leaving: asyncio.Event) -> None:
        """Until the output ends, the client leaves or vanishes, or the server stops."""
        async with beside() as start:
            start(self._listen())
            start(self._beat())
            start(self._fit())
            start(self._leave(leaving))
            await unless(self._over, self._tell())
        await self._close()

    async def _tell(self) -> None:
        """Pass on the output, and how it ended."""
        try:
            end: speech.Ended | Failed
            try:
                async with ahead(self._seat.exchange) as pieces:
                    async for frame in self._frames(pieces):
                        await self._send(frame)
                end = speech.Ended(self._seat.exchange.reply.exit_code)
            except errors.Failure as failure:
                end = self._failed(failure)
            if last := self._speech.farewell(end):
                await self._send(last)
        except (ConnectionError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                _log.warning("%s: a console was closed: its client takes nothing", self._request[requestid.KEY])
            self._lost = True

    def _failed(self, failure: errors.Failure) -> Failed:
        if isinstance(self._speech, speech.Raw):
            # These clients have no other way to be told.
            self._code, self._reason = WSCloseCode.INTERNAL_ERROR, failure.message
        return Failed(Trouble(failure.name, failure.message))

    async def _frames(self, pieces: Pipe[Piece]) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._pace.lull if self._speech.holding else None):
                    piece = await anext(pieces)
            except (TimeoutError, StopAsyncIteration) as pause:
                for frame in self._speech.rest():
                    yield frame
                if isinstance(pause, StopAsyncIteration):
                    return
            else:
                if frame := self._speech.tell(piece):
                    yield frame

    async def _send(self, frame: bytes) -> None:
        async with asyncio.timeout(self._pace.stalled):
            await self._socket.send_bytes(frame)

    async def _listen(self) -> None:
        """Take what the client says, as fast as it can be passed on."""
        try:
            while True:
                self._silent_since = self._clock()
                message = await self._socket.receive()
                match message.type:
                    case WSMsgType.BINARY:
                        await self._take(message.data)
                    case WSMsgType.TEXT:
                        await self._take(message.data.encode())
                    case WSMsgType.PING:
                        await self._socket.pong(message.data)
                    case WSMsgType.PONG:
                        pass
                    case _:
                        break
        except ConnectionError:
            self._lost = True
        except errors.Invalid as failure:
            self._code, self._reason = WSCloseCode.POLICY_VIOLATION, failure.message
        self._over.ring()

    async def _take(self, frame: bytes) -> None:
        self._silent_since = None
        match self._speech.hear(frame):
            case Typed(content) if content:
                await self._seat.exchange.send(content)
            case Sized() as size:
                self._size = size
                self._resized.ring()
            case Finished():
                await self._seat.exchange.end()

    async def _fit(self) -> None:
        """Give the terminal the size that was asked for last. It may come into being only later, when the container is started or the command begins."""
        pause: float | None = None
        while True:
            if await self._resized.wait(pause):
                pause = _FIRST_PAUSE
            if self._size is None:
                continue
            try:
                await self._seat.resize(self._size.width, self._size.height)
                pause = None
            except errors.Failure:
                pause = min((pause or _FIRST_PAUSE) * 2, _LONGEST_PAUSE)

    async def _beat(self) -> None:
        """Find out whether there is still somebody."""
        try:
            while True:
                await asyncio.sleep(self._pace.heartbeat)
                if self._silent_since is not None and self._clock() - self._silent_since > 3 * self._pace.heartbeat:
                    break
                await self._socket.ping()
        except ConnectionError:
            pass
        self._lost = True
        self._over.ring()

    async def _leave(self, leaving: asyncio.Event) -> None:
        await leaving.wait()
        self._code, self._reason = WSCloseCode.GOING_AWAY, "the server stops"
        self._over.ring()

    async def _close(self) -> None:
        try:
            if not self._lost:
                async with asyncio.timeout(2 * self._pace.farewell):
                    reason = self._reason.encode()[:_REASON].decode(errors="ignore").encode()
                    await self._socket.close(code=self._code, message=reason)
        except TimeoutError:
            self._lost = True
        if self._lost and self._request.transport is not None:
            # What waits to be sent to somebody who takes nothing would be kept for as long as the connection.
            self._request.transport.abort()
