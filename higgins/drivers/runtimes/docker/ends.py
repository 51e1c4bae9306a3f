"""The end of a container, as a Docker Engine tells it to whoever waits."""

import asyncio
from collections.abc import Callable
from typing import Self

import aiohttp
import msgspec

from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker.terms import name
from higgins.drivers.streams import RawConnection
from higgins.model.ids import ContainerId

_GRACE = 1.0
"""Seconds in which the last that a container printed has come."""
_PATIENCE = 5.0
"""Seconds in which an engine tells of an end that it knows of."""


class End:
    """The end of a container: an answer that the engine gives when it comes."""

    def __init__(self, engine: Engine, response: aiohttp.ClientResponse) -> None:
        self._engine = engine
        self._response = response
        self.come = False
        self._limit: asyncio.Timeout | None = None
        response.content.on_eof(self._ring)

    @classmethod
    async def of(cls, engine: Engine, container_id: ContainerId) -> Self:
        """The next that it comes to, from now on. Raises DockerError if there is none such."""
        path = f"containers/{name(container_id)}/wait"
        return cls(engine, await engine.ask("POST", path, {"condition": "next-exit"}))

    @property
    def lost(self) -> bool:
        """The engine has broken off, and will never tell it."""
        return self._response.content.exception() is not None

    def then(self, act: Callable[[], None]) -> None:
        """Do that when it comes."""
        self._response.content.on_eof(act)

    async def read(self, raw: RawConnection) -> bytes:
        """The next that comes there.

        The engine does not always close a connection whose container has ended: it waits until somebody has taken all input, be it for ever.
        """
        try:
            async with asyncio.timeout(_GRACE if self.come else None) as self._limit:
                return await raw.read()
        except TimeoutError:
            # Whoever writes there must not wait on either.
            raw.close()
            return b""
        finally:
            self._limit = None

    async def exit_code(self) -> int | None:
        """None if it does not come soon."""
        try:
            async with asyncio.timeout(_PATIENCE), self._engine.reachable():
                return msgspec.json.decode(await self._response.read(), type=_Waited).code
        except TimeoutError:
            return None

    def close(self) -> None:
        self._response.close()

    def _ring(self) -> None:
        self.come = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + _GRACE)


class _Waited(msgspec.Struct, frozen=True):
    code: int = msgspec.field(name="StatusCode")
