"""Waiting for something, but not longer than until a bell rings."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from higgins.aio.bell import Bell


async def unless(bell: Bell, work: Coroutine[Any, Any, object]) -> bool:
    """Do `work`; True when it is done, False if the bell rang first and it was cancelled. What it raises comes out."""
    failure: Exception | None = None

    async def attempt() -> None:
        nonlocal failure
        try:
            await work
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            failure = error

    async def interrupt() -> None:
        await bell.wait(None)
        doing.cancel()

    async with asyncio.TaskGroup() as group:
        doing = group.create_task(attempt())
        ringing = group.create_task(interrupt())
        doing.add_done_callback(lambda _: ringing.cancel())
    if failure is not None:
        raise failure
    return not doing.cancelled()
