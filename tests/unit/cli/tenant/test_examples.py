"""What the help of the tenants' commands promises: there is an example, and whoever types it is understood."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from higgins.cli.main import COMMANDS, higgins


def _commands() -> Iterator[tuple[str, ...]]:
    for name, (place, _) in COMMANDS.items():
        if place.startswith("higgins.cli.tenant."):
            found = higgins.get_command(click.Context(higgins), name)
            yield from ((name, inner) for inner in found.commands) if isinstance(found, click.Group) else ((name,),)


def _typed(example: str) -> list[list[str]]:
    """The words of each `higgins` in a line for a shell."""
    return [shlex.split(each)[1:] for each in re.findall(r"higgins [^|<>&)\n]*", example)]


@pytest.mark.parametrize("names", tuple(_commands()), ids=" ".join)
def test_the_help_of_every_command_has_examples_that_are_understood(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(higgins, [*names, "--help"]).output
    _, _, examples = shown.partition("For example:\n")
    typed = _typed(examples)
    assert any(words[: len(names)] == list(names) for words in typed)
    for words in typed:
        context = click.Context(higgins)
        name, command, rest = higgins.resolve_command(context, words)
        while isinstance(command, click.Group):
            name, command, rest = command.resolve_command(context, rest)
        assert command is not None
        command.make_context(name, rest)
