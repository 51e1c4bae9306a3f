"""`higgins capsule`: several containers that are placed, kept and removed as one."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from higgins import errors
from higgins.cli import plain, table, trouble
from higgins.cli.table import Cell, Coloured
from higgins.cli.tenant import (
    completion,
    examples,
    habits,
    moments,
    names,
    networks,
    output,
    pods,
    ports,
    progress,
    session,
    several,
    waiting,
)
from higgins.cli.tenant import status as states
from higgins.cli.tenant.pods import Remark, Weight
from higgins.client.cloud import Cloud, Document, path

_NOUN = "capsules"
_TITLES = ("id", "name", "containers", "created", "status", "ports", "addresses")
_SPARE = ("created", "addresses", "containers", "ports", "id")
_UP = ("Running", "Stopped", "Restarting")
"""Once it is one of these, all that had to be made has been."""
_LOOKS = 1.0
"""Seconds between two looks at how far it is."""


@click.group(cls=habits.Noun, instead={"create": "From a file: higgins capsule apply -f FILE"})
def capsule() -> None:
    """Capsules: several containers that are placed, kept and removed as one.

    Once made, a capsule cannot be changed.
    """


@capsule.command(
    "apply",
    epilog=examples.of(
        "higgins capsule apply -f shop.yaml",
        "kubectl get pod shop -o yaml | higgins capsule apply --ignore-unsupported -f -",
    ),
)
@click.option(
    "-f", "--file", "files", type=click.Path(), multiple=True, required=True, metavar="FILE",
    help="What to make, in YAML or JSON; - is standard input. May be repeated, and hold several documents.",
)  # fmt: skip
@click.option("-d", "--detach", is_flag=True, help="Do not wait until it runs.")
@click.option("--ignore-unsupported", is_flag=True, help="Go without what a capsule cannot be.")
def apply(*, files: Sequence[str], detach: bool, ignore_unsupported: bool) -> None:
    """Make capsules of templates as Zun has them (kind: capsule), and of Kubernetes Pods. Prints their ids when they run.

    Of a Pod it takes containers and initContainers, with image, command, args, env, workingDir, imagePullPolicy, stdin, tty, ports and
    resources; restartPolicy, labels and annotations. What else it says is told by its place, and refused where it would be missed.
    """
    templates = _templates(files, ignore_unsupported=ignore_unsupported)
    cloud = session.cloud()
    _free(cloud, [name for each in templates if (name := _name(each))])
    left: list[Document] = []
    failed = False
    try:
        for template in templates:
            try:
                left.append(_made(cloud, template))
            except errors.Failure as failure:
                trouble.tell(failure)
                failed = True
        while left:
            try:
                if not detach:
                    _awaited(cloud, left[0])
                click.echo(left[0]["uuid"])
            except errors.Failure as failure:
                trouble.tell(failure)
                failed = True
            left.pop(0)
    except KeyboardInterrupt:
        _forget(cloud, left)
    if failed:
        sys.exit(1)


@capsule.command("ls", epilog=examples.of("higgins capsule ls", "higgins capsule ls -o json"))
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@output.option()
def ls(*, quiet: bool, no_trunc: bool, all_projects: bool, output_as: str) -> None:
    """List capsules, the newest first, whether or not they run."""
    cloud = session.cloud()
    query = {"sort_key": "created_at", "sort_dir": "desc", "all_projects": all_projects or None}
    found = list(cloud.pages(path(_NOUN), _NOUN, query))
    if quiet:
        for one in found:
            click.echo(one["uuid"] if no_trunc else names.short(one))
        return
    now = cloud.now

    def row(one: Document) -> Sequence[Cell]:
        return (
            one["uuid"] if no_trunc else names.short(one),
            one["name"] or "",
            _ready(one),
            moments.ago(now - (moments.read(one["created_at"]) or now)),
            _state(one, now),
            ports.listed(one),
            ", ".join(networks.listed(one)),
        )

    output.many(output_as, found, _TITLES, row, name=_called, whole=no_trunc, first=("status",), spare=_SPARE)


@capsule.command("show", epilog=examples.of("higgins capsule show shop", "higgins capsule show -o yaml shop"))
@output.option()
@click.argument("capsule", shell_complete=completion.capsules)
def show(capsule: str, *, output_as: str) -> None:
    """Show a capsule and its containers."""
    cloud = session.cloud()
    found = names.act(cloud, capsule, lambda name: cloud.get(path(_NOUN, name)), _NOUN)
    if output_as != "table":
        output.one(output_as, found, name=_called(found))
        return
    output.fields(_told(found))
    click.echo()
    now = cloud.now
    rows = [
        (_own(found, one), kind, one["image"], states.cell(one, now))
        for kind, ones in (("init", found["init_containers"]), ("", found["containers"]))
        for one in ones
    ]
    table.show(("container", "kind", "image", "status"), rows)


@capsule.command("rm", epilog=examples.of("higgins capsule rm shop"))
@click.argument("capsules", metavar="CAPSULE...", nargs=-1, required=True, shell_complete=completion.capsules)
def rm(capsules: Sequence[str]) -> None:
    """Remove capsules, those too that run: their containers have ten seconds to end."""
    cloud = session.cloud()

    def ask(name: str) -> str:
        cloud.delete(path(_NOUN, name))
        return name

    several.together(capsules, lambda given: names.act(cloud, given, ask, _NOUN), lambda name: _gone(cloud, name))


def _templates(files: Sequence[str], *, ignore_unsupported: bool) -> Sequence[Mapping[str, Any]]:
    """All that is to be made. Raises Invalid, with every place that is wrong or not offered, before anything is."""
    # Reading YAML takes as long as the rest of a command.
    manifests = import_module("higgins.cli.tenant.manifests")
    found: list[Mapping[str, Any]] = []
    noted: list[tuple[str, Remark]] = []
    against: list[tuple[str, Remark]] = []
    for each in (manifest for file in files for manifest in manifests.read(file)):
        translation = pods.translated(each.document)
        found.append(translation.template)
        for remark in translation.remarks:
            heeded = remark.weight is Weight.WRONG or (remark.weight is Weight.REFUSED and not ignore_unsupported)
            (against if heeded else noted).append((each.place, remark))
    if against:
        raise _refusal(against)
    _note(noted)
    return found


def _refusal(against: Sequence[tuple[str, Remark]]) -> errors.Invalid:
    failure = errors.Invalid("nothing was made, because of:")
    for manifest, remark in against:
        failure.add_note(f"  {manifest}: {remark.place}: {remark.words}")
    weights = {remark.weight for _, remark in against}
    if Weight.WRONG in weights:
        failure.add_note("Correct what is wrong.")
    if Weight.REFUSED in weights:
        failure.add_note("Take out what is not offered, or go without it: higgins capsule apply --ignore-unsupported")
    return failure


def _note(noted: Sequence[tuple[str, Remark]]) -> None:
    """What holds for several places in the same words takes one line."""
    places: dict[tuple[str, str], list[str]] = {}
    for manifest, remark in noted:
        left = "left aside, " if remark.weight is Weight.REFUSED else ""
        places.setdefault((manifest, f"{left}{remark.words}"), []).append(remark.place)
    for (manifest, words), each in places.items():
        click.echo(plain.line(f"{manifest}: {', '.join(each)}: {words}"), err=True)


def _free(cloud: Cloud, wanted: Sequence[str]) -> None:
    """Whether nothing is called so yet. Raises Conflict, before anything is made."""
    known = [one["name"] for one in names.every(cloud, _NOUN)] if wanted else []
    for place, name in enumerate(wanted):
        if name in wanted[:place]:
            raise errors.Invalid(f"two of the capsules are called {name}; give each a metadata.name of its own")
        if name in known:
            failure = errors.Conflict(f"there is a capsule {name} already, and a capsule cannot be changed")
            failure.add_note(f"Remove it first: higgins capsule rm {name}   Or give this one another metadata.name.")
            raise failure


def _made(cloud: Cloud, template: Mapping[str, Any]) -> Document:
    try:
        made: Document = cloud.post(path(_NOUN), None, {"template": template})
    except errors.Forbidden as refusal:
        if "image_pull_policy" in refusal.message:
            refusal.add_note("Or take imagePullPolicy out: images are fetched as the operator has set it, then.")
        raise
    return made


def _awaited(cloud: Cloud, made: Document) -> None:
    """Until it runs, with what it waits for in sight."""
    with progress.Line(_called(made)) as line:
        found = waiting.until(cloud, made["uuid"], _UP, watch=lambda one: _tell(line, one), every=_LOOKS, noun=_NOUN)
    if found is None:
        raise errors.Conflict(f"{_called(made)} was removed while it was waited for")
    if found["status"] == "Error":
        raise _failure(found)


def _tell(line: progress.Line, found: Document) -> None:
    """Which of its containers it waits for, and why."""
    fetching = next((one for one in _all(found) if one.get("progress")), None)
    first = next((one for one in found["init_containers"] if one["status"] != "Stopped"), None)
    reason = str(found.get("status_reason") or "")
    if fetching is not None:
        line.fetching(fetching)
    elif reason:
        line.fetching(found) if progress.SINCE in reason else line.trouble(reason)
    elif first is not None:
        line.tell(f"init container {_own(found, first)}: {first['status']}")
    else:
        line.tell(f"{_ready(found)} containers run")


def _failure(found: Document) -> errors.Failure:
    """What became of it instead, and how those ended that ran before the others."""
    name, reason = _called(found), str(found.get("status_reason") or "it is in Error")
    failure = errors.Conflict(f"{name}: {reason.removesuffix('.')}")
    for one in found["init_containers"]:
        if one.get("exit_code") and one["name"] not in reason:
            failure.add_note(f"  init container {_own(found, one)} ended with exit code {one['exit_code']}")
    failure.add_note(f"Look at it: higgins capsule show {name}   Remove it: higgins capsule rm {name}")
    return failure


def _forget(cloud: Cloud, left: Sequence[Document]) -> NoReturn:
    """Whoever interrupts does not want them any more: they are removed."""
    for one in left:
        cloud.delete(path(_NOUN, one["uuid"]))
    for one in left:
        _gone(cloud, one["uuid"])
    gone = ", ".join(plain.line(_called(one)) for one in left) or "nothing"
    click.echo(f"\nInterrupted: {gone} {'are' if len(left) > 1 else 'is'} removed.", err=True)
    sys.exit(trouble.INTERRUPTED)


def _gone(cloud: Cloud, name: str) -> None:
    found = waiting.until(cloud, name, ("Deleted",), noun=_NOUN)
    if found is not None:
        raise _failure(found)


def _told(found: Document) -> Mapping[str, Any]:
    """All but its containers, as a person reads it."""
    restart = found.get("restart_policy")
    return {key: value for key, value in found.items() if key not in ("links", "containers", "init_containers")} | {
        "addresses": networks.listed(found),
        "published_ports": ports.listed(found),
        "restart_policy": restart and restart["Name"],
    }


def _state(found: Document, now: float) -> Cell:
    if found["status"] == "Creating" and found.get("status_reason"):
        return Coloured(f"Creating: {found['status_reason']}", "yellow")
    return states.cell(_as_one(found), now)


def _as_one(found: Document) -> Document:
    """A capsule in the words of a container: it runs since its last one does, and ended with the last one."""
    ones = found["containers"]
    codes = [one.get("exit_code") for one in ones]
    return {
        **found,
        "started_at": max((one.get("started_at") or "" for one in ones), default=None) or None,
        "finished_at": max((one.get("finished_at") or "" for one in ones), default=None) or None,
        "exit_code": next((code for code in codes if code), codes[0] if codes else None),
        "progress": next((one["progress"] for one in _all(found) if one.get("progress")), None),
    }


def _all(found: Document) -> Sequence[Document]:
    """Its containers, in the order in which they begin."""
    return [*found["init_containers"], *found["containers"]]


def _ready(found: Document) -> str:
    """How many of its containers run."""
    return f"{sum(one['status'] == 'Running' for one in found['containers'])} of {len(found['containers'])}"


def _name(template: Mapping[str, Any]) -> str | None:
    match template:
        case {"metadata": {"name": str(name)}}:
            return name
        case _:
            return None


def _called(found: Document) -> str:
    """Its name; its id where it has none."""
    return str(found["name"] or found["uuid"])


def _own(found: Document, one: Document) -> str:
    """The name of a container within its capsule."""
    return str(one["name"]).removeprefix(f"capsule-{_called(found)}-")
