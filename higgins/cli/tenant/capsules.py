"""`higgins capsule`: several containers that are made, kept and removed as one."""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click
import yaml

from higgins import errors
from higgins.cli import trouble
from higgins.cli.table import Cell
from higgins.cli.tenant import examples, moments, names, output, session, status
from higgins.client.cloud import Cloud, Document, path

TITLES = ("id", "name", "containers", "created", "status")
_LONG = 60.0
"""Seconds of one long request."""
_names = click.argument("capsules", metavar="CAPSULE...", nargs=-1, required=True)


@click.group()
def capsule() -> None:
    """Capsules: containers that share a host, one network and one fate, made from a template."""


@capsule.command(
    "apply", epilog=examples.of("higgins capsule apply -f web.yaml", "higgins capsule apply -d -f - < web.json")
)
@click.option(
    "-f",
    "--file",
    "file",
    type=click.Path(dir_okay=False, allow_dash=True),
    required=True,
    help="The template, in YAML or JSON; - for standard input.",
)
@click.option("-d", "--detach", is_flag=True, help="Do not wait until it runs.")
def apply(file: str, *, detach: bool) -> None:
    """Make a capsule from a template in Zun's form, and wait until all its containers run."""
    template = _template(file)
    cloud = session.cloud()
    if (name := _name(template)) and _there(cloud, name):
        taken = errors.Conflict(f"there is a capsule {name} already, and capsules do not change")
        taken.add_note(f"Remove it first: higgins capsule rm {name}")
        raise taken
    made = cloud.post("/capsules", None, {"template": template})
    click.echo(made["name"] or made["uuid"])
    if detach:
        return
    found = _until(cloud, made["uuid"], ("Running", "Stopped"))
    if found is None:
        raise errors.NotFound(f"{made['name'] or made['uuid']} was removed before it ran")
    if found["status"] == "Error":
        failed = errors.Conflict(f"{_called(found)}: {found['status_reason'] or 'it is in Error'}")
        failed.add_note(
            f"Look at it: higgins capsule show {_called(found)}   Remove it: higgins capsule rm {_called(found)}"
        )
        raise failed


@capsule.command("ls", epilog=examples.of("higgins capsule ls", "higgins capsule ls -o name"))
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@output.option()
def ls(output_as: str, *, all_projects: bool) -> None:
    """List capsules, the newest first."""
    cloud = session.cloud()
    query: dict[str, Any] = {"sort_key": "created_at", "sort_dir": "desc"}
    found = list(cloud.pages("/capsules", "capsules", query | ({"all_projects": True} if all_projects else {})))
    now = cloud.now
    output.many(output_as, found, TITLES, lambda one: _row(one, now), name=_called, spare=("created", "id"))


@capsule.command("show", epilog=examples.of("higgins capsule show web", "higgins capsule show web -o json"))
@click.argument("capsule", metavar="CAPSULE")
@output.option()
def show(capsule: str, output_as: str) -> None:
    """Show a capsule and how each of its containers is; those that run before the others come first."""
    cloud = session.cloud()
    found = _found(cloud, capsule)
    if output_as != "table":
        output.one(output_as, found, name=_called(found))
        return
    said = {key: found[key] for key in ("uuid", "name", "status", "status_reason", "cpu", "memory", "labels")}
    output.fields(said)
    click.echo()
    inside = [*((one, "first") for one in found["init_containers"]), *((one, "") for one in found["containers"])]
    now = cloud.now
    output.many(
        "table",
        [{**one, "runs": runs} for one, runs in inside],
        ("name", "image", "runs", "status"),
        lambda one: (one["name"], one["image"], one["runs"], status.cell(one, now)),
    )


@capsule.command("rm", epilog=examples.of("higgins capsule rm web"))
@_names
def rm(capsules: Sequence[str]) -> None:
    """Stop all containers of capsules and remove them."""
    cloud = session.cloud()
    failed = False
    for given in capsules:
        try:
            uuid = _found(cloud, given)["uuid"]
            cloud.delete(path("capsules", uuid))
            if (left := _until(cloud, uuid, ("Deleted",))) is not None:
                raise errors.Conflict(f"{given}: {left['status_reason'] or 'it is in Error'}")
            click.echo(given)
        except errors.Failure as failure:
            trouble.tell(failure)
            failed = True
    if failed:
        sys.exit(1)


def _template(file: str) -> Mapping[str, Any]:
    """What stands in the file. Raises Invalid."""
    try:
        with click.open_file(file) as opened:
            found = yaml.safe_load(opened)
        json.dumps(found)
    except OSError as error:
        raise errors.Invalid(f"{file} cannot be read: {error.strerror}") from error
    except TypeError as error:
        raise errors.Invalid(
            f"{file} has something in it that JSON has not, such as a date: put it into quotes"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise errors.Invalid(f"{file} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise errors.Invalid(f"{file} holds no template: it has keys such as kind, metadata and spec")
    return found


def _name(template: Mapping[str, Any]) -> str | None:
    metadata = template.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else None


def _there(cloud: Cloud, name: str) -> bool:
    try:
        cloud.get(path("capsules", name))
    except errors.NotFound:
        return False
    except errors.Conflict:
        return True
    return True


def _found(cloud: Cloud, given: str) -> Document:
    """By name, by id, or by the beginning of an id. Raises NotFound with names that are near."""
    try:
        found: Document = cloud.get(path("capsules", given))
    except errors.NotFound:
        known = list(cloud.pages("/capsules", "capsules", {}))
        if (one := names.beginning(given, known)) is not None:
            return one
        raise names.near(given, [_called(one) for one in known], "higgins capsule ls") from None
    return found


def _until(cloud: Cloud, uuid: str, goals: Collection[str]) -> Document | None:
    """The capsule as soon as its status is one of these, or Error; None once it is gone."""
    query = {"wait": ",".join(goals), "timeout": int(_LONG)}
    while True:
        try:
            found: Document = cloud.get(path("capsules", uuid), query, patience=_LONG + 30)
        except errors.NotFound:
            return None
        if found["status"] in (*goals, "Error"):
            return found


def _row(one: Document, now: float) -> Sequence[Cell]:
    up = sum(each["status"] == "Running" for each in one["containers"])
    created = moments.read(one["created_at"]) or now
    reason = f": {one['status_reason']}" if one["status_reason"] else ""
    told = f"{one['status']}{reason}"
    return names.short(one), one["name"] or "", f"{up}/{len(one['containers'])} up", moments.ago(now - created), told


def _called(one: Mapping[str, Any]) -> str:
    return str(one["name"] or one["uuid"])
