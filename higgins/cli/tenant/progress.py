"""How far something is, on one line of a terminal that is gone when it is done; anywhere else only trouble, once."""

import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from higgins.cli import plain
from higgins.cli.tenant import sizes

_PATIENCE = 0.3
"""Seconds that something may take without a line about it."""
_OFTEN = 0.1
_BAR = 24
_SPARE = 3
"""Columns left free, for a `^C` that is typed there."""
SINCE = " could not be fetched, since "
"""What stands before the reason why an image is not there yet."""


class Line:
    """The line. What is written twice in a moment is written once."""

    def __init__(self, what: str) -> None:
        self._what = plain.line(what)
        self._began = time.monotonic()
        self._last = 0.0
        self._shown = False
        self._told = ""
        self._on = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def tell(self, words: str, part: float | None = None) -> None:
        """Where it stands; `part` of it, from 0 to 1, is done."""
        now = time.monotonic()
        if not self._on or now - self._began < _PATIENCE or now - self._last < _OFTEN:
            return
        self._last, self._shown = now, True
        bar = "" if part is None else f"{_bar(part)} "
        said = plain.fitted(f"{self._what}  {bar}{plain.line(words)}", _width() - _SPARE)
        sys.stderr.write(f"\r{said}\x1b[K")
        sys.stderr.flush()

    def fetching(self, found: Mapping[str, Any]) -> None:
        """Where a container that is being made stands, or an image that is fetched."""
        told = found.get("progress")
        if not told:
            # Trouble that may pass is what somebody who waits wants to know; of which image is known.
            trouble = str(found.get("reason") or found.get("status_reason") or "").rpartition(SINCE)[2]
            if trouble:
                self.trouble(f"trying again: {trouble}")
            else:
                self.tell(str(found.get("status_detail") or ""))
        elif told.get("size"):
            amount = f"{sizes.decimal(told['done'])} of {sizes.decimal(told['size'])}"
            self.tell(f"{amount}, {told['layers_done']} of {told['layers']} layers", told["done"] / told["size"])
        else:
            self.tell(f"{told['layers_done']} of {told['layers']} layers")

    def trouble(self, words: str) -> None:
        """Whoever waits in vain has to know what for, wherever it is read."""
        if self._on:
            self.tell(words)
        elif words != self._told:
            self._told = words
            sys.stderr.write(f"{self._what}: {plain.line(words)}\n")


def _bar(part: float) -> str:
    full = round(min(1.0, max(0.0, part)) * _BAR)
    return "━" * full + "╌" * (_BAR - full)


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
