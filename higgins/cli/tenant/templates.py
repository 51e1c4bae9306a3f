"""`--format`: what of each thing is shown and how, in as much of docker's templates as people use: `{{.name}} is {{.status}}`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from higgins import errors
from higgins.cli import plain, table, trouble
from higgins.cli.tenant import output

_HOLE = re.compile(r"\{\{\s*(json\s+)?\.([\w-]*(?:\.[\w-]+)*)\s*\}\}")
_TABLE = re.compile(r"table\s+")
_ESCAPES = {r"\t": "\t", r"\n": "\n"}


def option(*flags: str) -> Callable[[Any], Any]:
    """`--format`, given to the command as `template`."""
    return click.option(
        *flags,
        "--format",
        "template",
        metavar="TEMPLATE",
        help="Show of each only this, such as '{{.name}} {{json .labels}}'; json: all of it on a line.",
    )


def shown(template: str | None, output_as: str, found: Mapping[str, Any], *, name: str) -> bool:
    """Show one thing through the template, or as `-o` says; False if neither was given: then it is a table."""
    if template is not None:
        show(template, [found])
    elif output_as != "table":
        output.one(output_as, found, name=name)
    return template is not None or output_as != "table"


def show(template: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Each of them through the template; one that begins with `table` has titles, and columns at its tabs. Raises UsageError for one that means nothing."""
    for written, meant in _ESCAPES.items():
        template = template.replace(written, meant)
    with trouble.usage():
        if start := _TABLE.match(template):
            columns = template[start.end() :].split("\t")
            titles = [_HOLE.sub(lambda hole: hole[2].rpartition(".")[2], column).lower() for column in columns]
            table.show(titles, [[filled(column, one) for column in columns] for one in found], whole=True)
            return
        for one in found:
            click.echo(output.document(one, indent=None) if template == "json" else filled(template, one))


def filled(template: str, found: Mapping[str, Any]) -> str:
    """The template with what stands in its holes. Capitals and underscores make no difference. Raises Invalid for a field that there is not."""
    text = _HOLE.sub(lambda hole: _shown(_at(found, hole[2]), as_json=bool(hole[1])), template)
    if strange := re.search(r"\{\{.*?(\}\}|$)", _HOLE.sub("", template)):
        raise errors.Invalid(f"{strange[0]!r} is not understood: it is {{{{.FIELD}}}} or {{{{json .FIELD}}}}")
    return text


def _at(found: Mapping[str, Any], path: str) -> Any:
    place: Any = found
    for word in path.split(".") if path else ():
        if place is None:
            return None
        known = {_plainly(key): key for key in place} if isinstance(place, Mapping) else {}
        if _plainly(word) not in known:
            there = f"; there are {', '.join(place)}" if known else ""
            raise errors.Invalid(f"there is no .{path}{there}")
        place = place[known[_plainly(word)]]
    return place


def _plainly(word: str) -> str:
    return word.replace("_", "").lower()


def _shown(value: Any, *, as_json: bool) -> str:
    match value:
        case str() if not as_json:
            return plain.line(value)
        case None if not as_json:
            return ""
        case _:
            return output.document(value, indent=None)
