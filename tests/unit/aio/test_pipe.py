"""Pipes between tasks."""

import asyncio

import pytest

from higgins.aio.pipe import Pipe


async def test_what_is_put_comes_out_in_order_to_the_end():
    pipe: Pipe[int] = Pipe(10)
    for number in range(5):
        await pipe.put(number)
    pipe.end()
    assert [item async for item in pipe] == [0, 1, 2, 3, 4]


async def test_a_full_pipe_makes_its_writers_wait():
    pipe: Pipe[int] = Pipe(1)
    done = []

    async def put(number: int) -> None:
        await pipe.put(number)
        done.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(put(number))
        for _ in range(5):
            await asyncio.sleep(0)
        assert done == [0]
        items = aiter(pipe)
        assert {await anext(items) for _ in range(3)} == {0, 1, 2}


async def test_the_reason_of_the_end_is_told_after_what_was_put():
    pipe: Pipe[int] = Pipe(10)
    await pipe.put(1)
    pipe.end(KeyError("why"))
    pipe.end(ValueError("too late"))
    items = aiter(pipe)
    assert await anext(items) == 1
    with pytest.raises(KeyError):
        await anext(items)
    with pytest.raises(KeyError):
        await pipe.put(2)


async def test_whoever_waits_is_told_of_the_end():
    empty: Pipe[int] = Pipe(1)
    full: Pipe[int] = Pipe(1)
    await full.put(1)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_collect(empty))
        writer = group.create_task(_is_refused(full))
        await asyncio.sleep(0)
        empty.end()
        full.end()
    assert reader.result() == []
    assert writer.result()


async def test_giving_up_a_wait_loses_nothing():
    pipe: Pipe[int] = Pipe(1)
    items = aiter(pipe)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(items), 0.01)
    await pipe.put(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pipe.put(2), 0.01)
    assert await anext(items) == 1


async def _collect(pipe: Pipe[int]) -> list[int]:
    return [item async for item in pipe]


async def _is_refused(pipe: Pipe[int]) -> bool:
    try:
        await pipe.put(2)
    except BrokenPipeError:
        return True
    return False
