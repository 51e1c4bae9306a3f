"""`higgins quota`: how much a project may have, and how much it has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from higgins.cli import trouble
from higgins.cli.tenant import examples, output, session, sizes
from higgins.client.cloud import Cloud, Document, path

_UNITS = {"containers": "", "memory": " MiB", "disk": " GiB", "cpu": " cores"}
_HELP = {
    "containers": "containers",
    "memory": "memory of all together, such as 64g",
    "disk": "disk of all together, such as 100g",
    "cpu": "cores of all together",
}
_NO_LIMIT = -1
_WORD = "none"
_project = click.argument("project", required=False)


@click.group()
def quota() -> None:
    """How much the containers of a project may have together, and how much they have.

    A PROJECT is the one that is logged in to, or for administrators any, by its id.
    """


@quota.command("show", epilog=examples.of("higgins quota show"))
@output.option()
@_project
def show(project: str | None, output_as: str) -> None:
    """Show what a project may have, and what it has."""
    cloud = session.cloud()
    _tell(output_as, cloud.get(_place(cloud, project), {"usages": True}))


def _limit(what: str, metavar: str = "N") -> Callable[[Any], Any]:
    return click.option(f"--{what}", metavar=metavar, help=f"The most {_HELP[what]}; `{_WORD}`: no limit.")


@quota.command("set", epilog=examples.of("higgins quota set --containers 100 --memory 64g --disk none"))
@_limit("containers")
@_limit("memory", "SIZE")
@_limit("disk", "SIZE")
@_limit("cpu")
@output.option()
@_project
def set_(project: str | None, output_as: str, **limits: str | None) -> None:
    """Give a project limits of its own. For administrators."""
    with trouble.usage():
        body = {name: _read(name, given) for name, given in limits.items() if given is not None}
    if not body:
        raise click.UsageError("Say what is to change: --containers, --memory, --disk or --cpu.")
    cloud = session.cloud()
    place = _place(cloud, project)
    cloud.put(place, body)
    _tell(output_as, cloud.get(place, {"usages": True}))


@quota.command("unset", epilog=examples.of("higgins quota unset"))
@_project
def unset(project: str | None) -> None:
    """Let the limits of everybody hold for a project again. For administrators."""
    cloud = session.cloud()
    cloud.delete(_place(cloud, project))


def _read(name: str, given: str) -> int | str:
    """As the API has it; what it has to refuse, it refuses in its own words."""
    if given == _WORD:
        return _NO_LIMIT
    match name:
        case "memory":
            return sizes.mebibytes(given)
        case "disk":
            return -(-sizes.mebibytes(given) // 1024)
        case _:
            return given


def _place(cloud: Cloud, project: str | None) -> str:
    mine = cloud.session
    named = mine.project_id if project is None or project == mine.project else project
    if named is None:
        raise click.UsageError("This login is in no project: name one by its id.")
    return path("quotas", named)


def _tell(output_as: str, found: Mapping[str, Any]) -> None:
    output.many(output_as, [{"name": name, **found[name]} for name in _UNITS], ("name", "in use", "limit"), _row)


def _row(one: Document) -> Sequence[str]:
    unit, limit = _UNITS[one["name"]], one["limit"]
    return (str(one["name"]), f"{one['in_use']:g}{unit}", "no limit" if limit == _NO_LIMIT else f"{limit}{unit}")
