"""Tasks that serve a block of code and end with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


@asynccontextmanager
async def beside() -> AsyncIterator[Start]:
    """Gives a function that starts tasks; they are cancelled when the block ends. What the block raises comes out as it is, not in a group.

    A task that raises ends the block, as in any TaskGroup.
    """
    failure: Exception | None = None
    tasks: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:

        def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            task = group.create_task(work)
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            return task

        try:
            yield start
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            failure = error
        finally:
            for task in tasks:
                task.cancel()
    if failure is not None:
        raise failure
