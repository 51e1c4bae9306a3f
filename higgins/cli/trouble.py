"""What went wrong, as the command line tells it: a line on what, a line on what to do."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from higgins import errors
from higgins.cli import plain

INTERRUPTED = 130
"""The exit status after Ctrl-C."""
OURS = 125
"""The exit status when Higgins fails at something whose own exit status would be told otherwise."""


def tell(failure: errors.Failure) -> None:
    """On standard error; with HIGGINS_DEBUG in the environment also where it came from."""
    if os.environ.get("HIGGINS_DEBUG"):
        traceback.print_exception(failure)
    lines = [f"higgins: {failure.message}", *getattr(failure, "__notes__", ())]
    sys.stderr.write("".join(f"{plain.line(each)}\n" for each in lines))


def tell_usage(refusal: click.ClickException) -> None:
    """What was typed wrongly, and where it stands how it is typed."""
    context = refusal.ctx if isinstance(refusal, click.UsageError) else None
    lines = [f"higgins: {refusal.format_message().removesuffix('.')}"]
    if context is not None:
        lines.append(f"How it is used: {context.command_path} --help")
    sys.stderr.write("".join(f"{plain.line(each)}\n" for each in lines))


@contextmanager
def usage() -> Iterator[None]:
    """What the block finds wrong is a command line that was typed wrongly."""
    try:
        yield
    except errors.Invalid as wrong:
        raise click.UsageError(wrong.message, click.get_current_context()) from wrong


class Relaying(click.Command):
    """A command whose exit status is that of something else: whatever goes wrong before has one of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _ours():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _ours():
            return super().invoke(ctx)


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except click.UsageError as wrong:
        tell_usage(wrong)
        sys.exit(OURS)
    except errors.Failure as failure:
        tell(failure)
        sys.exit(OURS)
