"""Finds the addresses of machines that tenants name, without anybody else's waiting for a name server that does not answer."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = ThreadPoolExecutor(4, thread_name_prefix="names")
"""Nobody can call back who has asked a name server. Those of the event loop are for what is ours."""


class Names(AbstractResolver):
    """Looks names up, a few at a time. Raises OSError for one that there is not."""

    def __init__(self, look_up: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            _THREADS, self._look_up, host, port, family, socket.SOCK_STREAM
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=each,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for each, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """There is nothing to close."""
