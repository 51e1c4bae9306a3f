"""Bytes on their way between a caller and a host."""

from collections.abc import AsyncIterator

from higgins import errors
from higgins.aio.bell import Bell
from higgins.aio.beside import beside
from higgins.aio.race import unless
from higgins.model.live import Done, Reply
from higgins.protocols.live import Exchange


async def pour(pieces: AsyncIterator[bytes], exchange: Exchange[Done]) -> None:
    """Send all of an archive, until the host has taken it or refuses it. Raises what either side does."""
    broken: errors.Failure | None = None
    broke = Bell()

    async def send() -> None:
        nonlocal broken
        try:
            async for piece in pieces:
                await exchange.send(piece)
            await exchange.end()
        except errors.Failure as failure:
            broken = failure
            broke.ring()

    async def taken() -> None:
        async for _ in exchange:
            pass

    async with beside() as start:
        start(send())
        await unless(broke, taken())
    if broken is not None:
        raise broken


async def contents(exchange: Exchange[Reply]) -> AsyncIterator[bytes]:
    """What the host gives, as it comes."""
    async for piece in exchange:
        yield piece.content
