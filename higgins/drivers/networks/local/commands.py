"""How a host's networks are changed: by its programs, in this namespace or another, several at the same time."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from higgins.drivers import programs

run = partial(programs.run, trouble="The network of its host cannot be set up")


def inside(namespace: Path) -> tuple[str, ...]:
    """What to put before a command so that it acts in this network namespace."""
    return "nsenter", f"--net={namespace}"


async def together(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of it at the same time. The first failure ends the rest, and comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
