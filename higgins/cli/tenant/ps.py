"""`higgins ps` and `inspect`."""

import itertools
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from higgins import errors
from higgins.cli import plain, trouble
from higgins.cli.table import Cell
from higgins.cli.tenant import (
    completion,
    examples,
    moments,
    names,
    networks,
    output,
    ports,
    session,
    status,
    templates,
    yamls,
)
from higgins.client.cloud import Cloud, Document, path

TITLES = ("id", "name", "image", "command", "created", "status", "ports", "addresses")
_FIRST = ("image", "command")
_SPARE = ("created", "addresses", "command", "image", "ports", "id")
_MOST = 32
"""Columns for a command, and for a status: the reason of an Error can be a long story."""
Holds = Callable[[Document], bool]


@click.command(
    epilog=examples.of(
        "higgins ps -a", "higgins ps --filter status=exited -q", "higgins ps --format '{{.names}}: {{.status}}'"
    )
)
@click.option("-a", "--all", "everything", is_flag=True, help="Those too that do not run.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option(
    "-n", "--last", type=click.IntRange(min=1), metavar="N", help="Only the N newest, whether or not they run."
)
@click.option("-l", "--latest", is_flag=True, help="Only the newest, whether or not it runs.")
@click.option(
    "-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE",
    help="Only those with: name, id, status, label, ancestor, health or exited; may be repeated.",
)  # fmt: skip
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@templates.option()
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@output.option()
def ps(
    *,
    everything: bool,
    quiet: bool,
    last: int | None,
    latest: bool,
    filters: Sequence[str],
    no_trunc: bool,
    template: str | None,
    all_projects: bool,
    output_as: str,
) -> None:
    """List containers, the newest first: those that run, or are on their way."""
    holds = _conditions(filters)
    newest = 1 if latest else last
    cloud = session.cloud()
    found = _found(cloud, all_projects=all_projects, page=newest if newest and not filters else None)
    of_any_state = everything or newest is not None or any(each.startswith(("status=", "exited=")) for each in filters)
    wanted = (
        one for one in found if (of_any_state or one["status"] not in status.AT_REST) and all(h(one) for h in holds)
    )
    shown = list(itertools.islice(wanted, newest))
    if quiet:
        for one in shown:
            click.echo(one["uuid"] if no_trunc else names.short(one))
        return
    now = cloud.now
    if template is not None:
        templates.show(template, shown if template == "json" else [_told(one, now, whole=no_trunc) for one in shown])
        return
    output.many(
        output_as, shown, TITLES, lambda one: _row(one, now, whole=no_trunc), whole=no_trunc, first=_FIRST, spare=_SPARE
    )
    if not shown and not of_any_state and not filters and output_as == "table" and sys.stdout.isatty():
        if next(iter(_found(cloud, all_projects=all_projects, page=1)), None):
            click.echo("None runs. `higgins ps -a` lists the others too.", err=True)


@click.command(
    epilog=examples.of(
        "higgins inspect web", "higgins inspect -o yaml web db", "higgins inspect -f '{{.State.ExitCode}}' web"
    )
)
@click.argument("containers", metavar="CONTAINER...", nargs=-1, required=True, shell_complete=completion.containers)
@templates.option("-f")
@output.option("json")
def inspect(containers: Sequence[str], *, template: str | None, output_as: str) -> None:
    """Show all that is known of containers."""
    cloud = session.cloud()
    found, missed = [], False
    for given in containers:
        try:
            found.append(names.act(cloud, given, lambda name: cloud.get(path("containers", name))))
        except errors.NotFound as failure:
            trouble.tell(failure)
            missed = True
    match output_as:
        case _ if template is not None:
            templates.show(template, found if template == "json" else [{**_nested(one), **one} for one in found])
        case "json":
            click.echo(output.document(found))
        case "yaml":
            click.echo(yamls.written(found), nl=False)
        case "name":
            for one in found:
                click.echo(plain.line(one["name"]))
        case _:
            for place, one in enumerate(found):
                click.echo() if place else None
                output.fields(one)
    if missed:
        sys.exit(1)


def _found(cloud: Cloud, *, all_projects: bool, page: int | None) -> Iterable[Document]:
    query: dict[str, Any] = {"sort_key": "created_at", "sort_dir": "desc"}
    if all_projects:
        query["all_projects"] = True
    if page is not None:
        query["limit"] = page
    return cloud.pages("/containers", "containers", query)


def _row(one: Document, now: float, *, whole: bool) -> Sequence[Cell]:
    created = moments.read(one["created_at"]) or now
    command = " ".join(map(_quoted, one["command"] or one.get("entrypoint") or ()))
    told = status.cell(one, now)
    return (
        one["uuid"] if whole else names.short(one),
        one["name"],
        one["image"],
        command if whole else plain.fitted(command, _MOST),
        moments.ago(now - created),
        told if whole else _fitted(told),
        ports.listed(one),
        ", ".join(networks.listed(one)),
    )


def _told(one: Document, now: float, *, whole: bool) -> Document:
    """What stands in the row, under docker's names for it, and all else that is known."""
    uuid, _, _, command, running_for, *_ = _row(one, now, whole=whole)
    return {
        **one,
        "id": uuid,
        "names": one["name"],
        "command": command,
        "running_for": running_for,
        "state": _state(one),
        "status": status.words(one, now),
        "ports": ports.listed(one),
    }


def _nested(one: Document) -> Document:
    """What people ask docker's own documents for, where it stands there."""
    picked = ("started_at", "finished_at", "exit_code", "health")
    return {
        "id": one["uuid"],
        "created": one["created_at"],
        "state": {
            "status": _state(one),
            "running": one["status"] in ("Running", "Paused"),
            "paused": one["status"] == "Paused",
            "error": one.get("status_reason"),
            **{name: one.get(name) for name in picked},
        },
        "config": {
            "image": one["image"],
            "env": [f"{name}={value}" for name, value in (one.get("environment") or {}).items()],
            "cmd": one.get("command"),
            "working_dir": one.get("workdir"),
            **{name: one.get(name) for name in ("labels", "entrypoint", "hostname", "tty")},
        },
        "network_settings": {
            "ip_address": next(iter(networks.listed(one)), ""),
            "ports": ports.nested(one),
            "networks": {name: {"ip_address": there[0]} for name, there in networks.addresses(one).items() if there},
        },
    }


def _state(one: Document) -> str:
    """In docker's word."""
    return "exited" if one["status"] == "Stopped" else str(one["status"]).lower()


def _fitted(told: Cell) -> Cell:
    if isinstance(told, str):
        return plain.fitted(told, _MOST)
    return told._replace(text=plain.fitted(told.text, _MOST))


def _quoted(word: str) -> str:
    """As somebody would have typed it: a shell's own way of quoting a quote is hard to read."""
    return shlex.quote(word) if "'" not in word else f'"{word}"'


def _conditions(filters: Sequence[str]) -> Sequence[Holds]:
    """What `--filter` asks for. Values of one key are alternatives, but for labels; docker has it so."""
    asked: dict[str, list[str]] = {}
    for each in filters:
        key, _, value = each.partition("=")
        if key not in _FILTERS or not value:
            raise click.UsageError(f"--filter {each}: it is KEY=VALUE with a key of {', '.join(_FILTERS)}.")
        asked.setdefault(key, []).append(value)
    return [_condition(key, values) for key, values in asked.items()]


def _condition(key: str, values: Sequence[str]) -> Holds:
    test = _FILTERS[key]
    combine = all if key == "label" else any
    return lambda one: combine(test(one, value) for value in values)


def _has_label(one: Document, asked: str) -> bool:
    key, given, value = asked.partition("=")
    labels: Mapping[str, str] = one.get("labels") or {}
    return key in labels and (not given or labels[key] == value)


def _is_of(one: Document, image: str) -> bool:
    """With or without its tag."""
    return image in (one["image"], one["image"].partition("@")[0], one["image"].rpartition(":")[0])


_STATES = {"exited": "stopped"}
"""Docker's words for ours."""
_FILTERS: Mapping[str, Callable[[Document, str], bool]] = {
    "name": lambda one, value: value in one["name"],
    "id": lambda one, value: one["uuid"].startswith(value),
    "status": lambda one, value: one["status"].lower() == _STATES.get(value.lower(), value.lower()),
    "label": _has_label,
    "ancestor": _is_of,
    "health": lambda one, value: ((one.get("health") or {}).get("status") or "none") == value,
    "exited": lambda one, value: str(one.get("exit_code")) == value,
}
