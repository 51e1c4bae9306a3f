"""Reading ahead: a wait for the next item can be given up without breaking off the reading."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from higgins.aio.beside import beside
from higgins.aio.pipe import Pipe

Item = TypeVar("Item")


@asynccontextmanager
async def ahead(source: AsyncIterable[Item]) -> AsyncIterator[Pipe[Item]]:
    """What the source gives, at most two items before it is asked for. The pipe ends as the source does, with what it raises."""
    pipe: Pipe[Item] = Pipe(1)

    async def read() -> None:
        try:
            async for item in source:
                await pipe.put(item)
        except Exception as error:  # noqa: BLE001 - raised again to whoever takes the items
            pipe.end(error)
        else:
            pipe.end()

    async with beside() as start:
        start(read())
        yield pipe
