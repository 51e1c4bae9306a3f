"""What went wrong, as the command line tells it: a line on what, a line on what to do."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def ending_with(status: int) -> Iterator[None]:
    """Failures of the block end the command with this status."""
    try:
        yield
    except errors.Failure as failure:
        tell(failure)
        sys.exit(status)
