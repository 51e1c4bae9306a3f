"""`-o`: the same answer for a person, for a program, and for the next command in a pipe."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from higgins.cli import plain, table
from higgins.cli.table import Cell
from higgins.cli.tenant import yamls

FORMS = ("table", "json", "yaml", "name")


def option(default: str = "table") -> Callable[[Any], Any]:
    """`-o`, given to the command as `output_as`. Whoever says `inspect`, as with docker, gets what docker's gives: JSON."""
    return click.option(
        "-o",
        "--output",
        "output_as",
        type=click.Choice(FORMS),
        default=lambda: "json" if click.get_current_context().info_name == "inspect" else default,
        help=f"How it is shown.  [default: {default}]",
    )


def many(
    output_as: str,
    found: Sequence[Mapping[str, Any]],
    titles: Sequence[str],
    row: Callable[[Mapping[str, Any]], Sequence[Cell]],
    *,
    name: Callable[[Mapping[str, Any]], str] = lambda one: str(one["name"]),
    whole: bool = False,
    first: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """A list; in a table each is a row, the columns named `first` give way first, and the `spare` ones are left out where room is scarce."""
    match output_as:
        case "json":
            click.echo(document(list(found)))
        case "yaml":
            click.echo(yamls.written(list(found)), nl=False)
        case "name":
            for one in found:
                click.echo(plain.line(name(one)))
        case _:
            table.show(titles, [row(one) for one in found], whole=whole, first=first, spare=spare)


def one(output_as: str, found: Mapping[str, Any], *, name: str) -> None:
    """One thing; in a table each field is a row."""
    match output_as:
        case "json":
            click.echo(document(found))
        case "yaml":
            click.echo(yamls.written(found), nl=False)
        case "name":
            click.echo(plain.line(name))
        case _:
            fields(found)


def document(found: object, *, indent: int | None = 2) -> str:
    """The same as JSON: what a terminal would obey stands as its escape, all else as people read it."""
    written = json.dumps(found, indent=indent, ensure_ascii=False)
    return "".join(
        f"\\u{ord(char):04x}" if not char.isascii() and plain.unsafe(char) else char
        # The only control character that JSON itself leaves in.
        for char in written.replace("\x7f", "\\u007f")
    )


def fields(found: Mapping[str, Any]) -> None:
    """Field by field, nothing left out."""
    table.show(("field", "value"), [(field, cell(value)) for field, value in found.items()])


def cell(value: object) -> str:
    """A value of a document in a table."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case list() if all(isinstance(each, str | int | float) for each in value):
            return ", ".join(map(str, value))
        case list() | dict():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case _:
            return str(value)
