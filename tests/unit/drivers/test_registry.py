"""Whom a registry may send a host to, for a token."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from higgins.drivers.registry import RegistryApi
from higgins.model.registry import Login


class Stub:
    """A registry that wants a token from a realm, and what was asked of it and of the realm."""

    def __init__(self) -> None:
        self.realm = ""
        self.asked: list[tuple[str, str | None]] = []
        """Path, and what the caller had in the header Authorization."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization")
        self.asked.append((request.path, shown))
        if request.path == "/token":
            return web.json_response({"token": "t"})
        if shown == "Bearer t":
            return web.json_response({"repositories": ["web"], "tags": ["1"]})
        return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{self.realm}",service="s"'})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        application = web.Application()
        application.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()


async def names(port: int, username: str) -> list[str]:
    login = Login(domain=f"127.0.0.1:{port}", username=username, password="sesame")
    async with RegistryApi(login, insecure=True) as registry:
        return [hit.name for hit in await registry.search("web", exact=False)]


async def test_a_registry_that_gives_tokens_itself_is_told_the_credentials() -> None:
    stub = Stub()
    async with stub.running() as port:
        stub.realm = f"http://127.0.0.1:{port}/token"
        assert await names(port, "ann") == [f"127.0.0.1:{port}/web"]
    assert ("/token", f"Basic {base64.b64encode(b'ann:sesame').decode()}") in stub.asked


async def test_nobody_else_is_asked_in_clear() -> None:
    stub = Stub()
    async with stub.running() as port:
        stub.realm = f"http://localhost:{port}/token"
        assert await names(port, "") == []
    assert "/token" not in [path for path, _ in stub.asked]
    assert stub.asked
