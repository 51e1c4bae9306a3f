"""Words that docker has and people type by habit: those that mean one of ours, those that cannot be had here, and those that say nothing new."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from higgins.cli import meant

_SAME = (("ls", "list"), ("rm", "remove", "delete"), ("show", "inspect"))
"""Words for one thing, whichever of them a noun has."""


class Noun(click.Group):
    """The commands of a noun, under whichever word for them people know; what there is not is answered with what is near, or with what to do `instead`."""

    def __init__(self, *args: Any, instead: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._instead = instead or {}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        others = next((words for words in _SAME if cmd_name in words), ())
        return next((self.commands[word] for word in (cmd_name, *others) if word in self.commands), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        given = args[0]
        # A shell that completes has typed half of it, and wants to hear nothing of that.
        if not (ctx.resilient_parsing or given.startswith("-") or self.get_command(ctx, given)):
            shown = [name for name, command in self.commands.items() if not command.hidden]
            remedy = self._instead.get(given) or meant.question(given, shown, likeness=0.5)
            raise click.UsageError(f"No such command '{given}'. {remedy}".rstrip(), ctx)
        return super().resolve_command(ctx, args)


def refused(*flags: str, why: str) -> Callable[[Any], Any]:
    """An option that cannot be had here; it says why."""

    def refuse(_: click.Context, parameter: click.Parameter, value: object) -> None:
        if value not in (None, (), False):
            raise click.UsageError(f"{parameter.opts[-1]} cannot be had: {why}")

    return click.option(*flags, hidden=True, expose_value=False, multiple=True, callback=refuse)


def needless(*flags: str) -> Callable[[Any], Any]:
    """A flag for what is so in any case."""
    return click.option(*flags, hidden=True, expose_value=False, is_flag=True)
