"""What the commands that stay have in common: they run until a signal ends them."""

import asyncio
import logging
import resource
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from higgins import errors
from higgins.settings import Settings


def run(settings: Settings, server: Coroutine[Any, Any, None]) -> None:
    """Run a server until SIGTERM or SIGINT. Raises the Failure that ended it before."""
    # What Alembic says of every look at the version is of no use to an operator.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    # Every client takes a file. What a program gets at first is little, for the sake of those that cannot deal with more.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        asyncio.run(_until_signalled(server))
    except BaseExceptionGroup as group:
        # However deep in task groups it happened: for the operator it is the line of the first known trouble.
        known, unknown = group.split(errors.Failure)
        if known is None or unknown is not None:
            raise
        raise _first(known) from group


async def _until_signalled(server: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)


def _first(failures: BaseExceptionGroup[errors.Failure]) -> errors.Failure:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
