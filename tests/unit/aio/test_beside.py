"""Tasks beside a block."""

import asyncio

import pytest

from higgins.aio.beside import beside


async def test_they_end_with_the_block():
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with beside() as start:
        start(serve())
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_what_the_block_raises_comes_out_as_it_is():
    async def block() -> None:
        async with beside() as start:
            start(asyncio.sleep(60))
            raise KeyError

    with pytest.raises(KeyError):
        await block()


async def test_a_task_that_fails_ends_the_block():
    async def fail() -> None:
        raise ValueError

    async def block() -> None:
        async with beside() as start:
            start(fail())
            await asyncio.sleep(60)

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    assert caught.group_contains(ValueError)


async def test_the_block_can_be_cancelled():
    async def block() -> None:
        async with beside() as start:
            start(asyncio.sleep(60))
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(block(), 0.01)
