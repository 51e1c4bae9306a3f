"""Options that docker has and people type by habit: those that cannot be had here, and those that say nothing new."""

from collections.abc import Callable
from typing import Any

import click


def refused(*flags: str, why: str) -> Callable[[Any], Any]:
    """An option that cannot be had here; it says why."""

    def refuse(_: click.Context, parameter: click.Parameter, value: object) -> None:
        if value not in (None, (), False):
            raise click.UsageError(f"{parameter.opts[-1]} cannot be had: {why}")

    return click.option(*flags, hidden=True, expose_value=False, multiple=True, callback=refuse)


def needless(*flags: str) -> Callable[[Any], Any]:
    """A flag for what is so in any case."""
    return click.option(*flags, hidden=True, expose_value=False, is_flag=True)
