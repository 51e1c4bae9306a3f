"""One command for several things: one that fails does not keep the others, and the exit status tells."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.tenant import names, session
from higgins.client.cloud import path


def each(given: Sequence[str], ask: Callable[[str], object]) -> None:
    """One after the other; who is done is printed."""
    failed: list[errors.Failure] = []
    for one in dict.fromkeys(given):
        with _told(failed):
            ask(one)
            click.echo(one)
    _end(failed)


def together(given: Sequence[str], ask: Callable[[str], str], then: Callable[[str], None]) -> None:
    """All are asked before any is waited for. `ask` returns the name by which the API found it."""
    failed: list[errors.Failure] = []
    underway = {}
    for one in dict.fromkeys(given):
        with _told(failed):
            underway[one] = ask(one)
    for one, name in underway.items():
        with _told(failed):
            then(name)
            click.echo(one)
    _end(failed)


def remove(given: Sequence[str], noun: str, *, users: str) -> None:
    """Of what others use. `users`: how one that is refused for that goes on, before the command that shows them."""
    cloud = session.cloud()

    def ask(one: str) -> None:
        try:
            names.act(cloud, one, lambda name: cloud.delete(path(noun, name)), noun)
        except errors.Conflict as refusal:
            if not getattr(refusal, "__notes__", ()):
                refusal.add_note(f"{users}: {names.showing(noun, one)}")
            raise

    each(given, ask)


@contextmanager
def _told(failed: list[errors.Failure]) -> Iterator[None]:
    try:
        yield
    except errors.Failure as failure:
        trouble.tell(failure)
        failed.append(failure)


def _end(failed: Sequence[errors.Failure]) -> None:
    if failed:
        sys.exit(1)
