"""The commands that stay: all-in-one, serve and agent run until a signal ends them."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import click

from higgins import errors, wiring
from higgins.cli import context
from higgins.settings import Settings


@click.command("all-in-one")
def all_in_one() -> None:
    """Run the control plane and one agent in one process."""
    settings = context.settings()
    _run(settings, wiring.all_in_one(settings))


@click.command()
def serve() -> None:
    """Run the control plane."""
    settings = context.settings()
    _run(settings, wiring.serve(settings))


@click.command()
@click.option("--join", metavar="TOKEN", envvar="HIGGINS_JOIN", help="Enrol with this one-time token first.")
def agent(join: str | None) -> None:
    """Run the agent of this host."""
    settings = context.settings()
    _run(settings, wiring.agent(settings, join=join))


def _run(settings: Settings, server: Coroutine[Any, Any, None]) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
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
