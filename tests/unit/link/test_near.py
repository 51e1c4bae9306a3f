"""Streams that do not leave the process end as those of a connection do."""

import asyncio

from higgins.aio.beside import beside
from higgins.link.near import Near
from tests.patience import PATIENCE


async def test_who_serves_a_stream_is_stopped_when_its_caller_leaves_whatever_it_waits_for() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def serve(_requests: object, _context: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with beside() as start:
        stream = Near(serve, start).dial()
        await begun.wait()
        stream.cancel()
        async with asyncio.timeout(PATIENCE):
            await stopped.wait()
