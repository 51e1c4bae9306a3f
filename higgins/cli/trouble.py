"""What went wrong, as the command line tells it: a line on what, a line on what to do."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def ending_with(status: int) -> Iterator[None]:
    """Failures of the block end the command with this status."""
    try:
        yield
    except errors.Failure as failure:
        tell(failure)
        sys.exit(status)
