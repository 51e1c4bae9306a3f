"""Something that answers like a Docker Engine in whatever state a test needs, on a socket of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from aiohttp import web


class StubEngine:
    """Answers what it was told to, by method and path without the version; everything else is missing."""

    def __init__(self, socket: Path, *, api: str = "1.41", oldest: str = "1.12") -> None:
        self.url = f"unix://{socket}"
        self.asked: list[str] = []
        """The methods and paths, with their version, in the order they were asked."""
        self._socket = socket
        self._version = {"ApiVersion": api, "MinAPIVersion": oldest, "Version": "stub"}
        self._answers: dict[tuple[str, str], Callable[[web.Request], Awaitable[web.StreamResponse]]] = {}
        self.answer("GET", "containers/json", [])

    def refuse(self, method: str, path: str, status: int, message: str) -> Self:
        """Answer with an error, as the engine words it."""
        return self.answer(method, path, {"message": message}, status=status)

    def answer(self, method: str, path: str, document: object, *, status: int = 200) -> Self:
        """Answer with a document."""

        async def reply(_: web.Request) -> web.StreamResponse:
            return web.json_response(document, status=status)

        self._answers[method, path] = reply
        return self

    def stream(self, method: str, path: str, pieces: Sequence[bytes], *, breaks: bool = False) -> Self:
        """Answer in pieces, and break off the connection if told so."""

        async def reply(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for piece in pieces:
                await response.write(piece)
                await asyncio.sleep(0.005)
            if breaks and request.transport is not None:
                request.transport.abort()
            return response

        self._answers[method, path] = reply
        return self

    def in_turn(self, method: str, path: str, *contents: bytes) -> Self:
        """Answer with the first, the next time with the second and so on."""
        coming = iter(contents)

        async def reply(_: web.Request) -> web.StreamResponse:
            return web.Response(body=next(coming))

        self._answers[method, path] = reply
        return self

    def promise(self, method: str, path: str, document: object, *, when: asyncio.Event) -> Self:
        """Begin to answer at once, and finish with a document when that comes."""

        async def reply(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await when.wait()
            await response.write(json.dumps(document).encode())
            return response

        self._answers[method, path] = reply
        return self

    def hand_over(self, method: str, path: str, pieces: Sequence[bytes], *, keeps: bool = False) -> Self:
        """Speak no HTTP any more on that connection: say the pieces, and end it, or keep it for ever and read nothing."""

        async def reply(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(status=101, headers={"Connection": "Upgrade", "Upgrade": "tcp"})
            await response.prepare(request)
            assert request.transport is not None
            for piece in pieces:
                await asyncio.sleep(0.005)
                request.transport.write(piece)
            if keeps:
                request.transport.pause_reading()
                await asyncio.Event().wait()
            request.transport.close()
            return response

        self._answers[method, path] = reply
        return self

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """It answers within the block."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._reply)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(self._socket)).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/version":
            return web.json_response(self._version)
        path = request.path.split("/", 2)[2]
        reply = self._answers.get((request.method, path))
        return await reply(request) if reply else web.json_response({"message": f"page not found: {path}"}, status=404)
