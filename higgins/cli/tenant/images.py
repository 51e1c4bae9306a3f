"""`higgins images`, `pull`, `rmi`, `search` and `commit`."""

import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.table import Coloured
from higgins.cli.tenant import completion, examples, habits, names, output, progress, session, several, sizes, templates
from higgins.client.cloud import Cloud, Document, path

TITLES = ("image", "id", "size", "host", "state")
_COLOURS = {"failed": "red", "wanted": "yellow"}
_OFTEN = 0.5


@click.command(
    epilog=examples.of("higgins images", "higgins images busybox", "higgins images -f 'reference=shop/*' -q")
)
@habits.needless("-a", "--all")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option(
    "-f", "--filter", "filters", multiple=True, metavar="reference=PATTERN", help="Only those that are called so."
)
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@templates.option()
@output.option()
@click.argument("name", metavar="[NAME[:TAG]]", required=False, shell_complete=completion.images)
def images(
    *, name: str | None, quiet: bool, filters: Sequence[str], no_trunc: bool, template: str | None, output_as: str
) -> None:
    """List the images that were pulled or made here."""
    patterns = [each.removeprefix("reference=") for each in filters]
    if patterns == list(filters) != []:
        raise click.UsageError(f"--filter {filters[0]}: it is reference=PATTERN.")
    found = [
        one
        for one in every(session.cloud())
        if (name is None or name in (one["repo"], reference(one)))
        and (not patterns or any(fnmatch(known, each) for each in patterns for known in (one["repo"], reference(one))))
    ]
    if template is not None:
        templates.show(template, [{"id": one["uuid"], "repository": one["repo"], **one} for one in found])
        return
    if quiet:
        for one in found:
            click.echo(one["uuid"] if no_trunc else names.short(one))
        return

    def row(one: Document) -> Sequence[Any]:
        state = _state(one)
        return (
            reference(one),
            one["uuid"] if no_trunc else names.short(one),
            sizes.decimal(int(one["size"])) if one.get("size") else "",
            one.get("host") or "",
            Coloured(state, _COLOURS[one["state"]]) if one.get("state") in _COLOURS else state,
        )

    output.many(output_as, found, TITLES, row, name=reference, whole=no_trunc)
    if not found and not filters and name is None and output_as == "table" and sys.stdout.isatty():
        click.echo("None was pulled or made here. `higgins run` fetches what it needs by itself.", err=True)


@click.command(epilog=examples.of("higgins pull busybox:1.36"))
@click.option("--host", help="To which host; needed where there are several.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on the way.")
@click.argument("image")
def pull(image: str, *, host: str | None, quiet: bool) -> None:
    """Fetch an image, before a container needs it."""
    cloud = session.cloud()
    wanted = _wanted(cloud, image, host)
    if wanted.get("state") == "present":
        click.echo(f"It is there already; to have it fetched anew: higgins rmi {image}", err=True)
    try:
        with progress.Line(image) as line:
            while (found := cloud.get(path("images", wanted["uuid"]))).get("state") == "wanted":
                if not quiet:
                    line.fetching(found)
                time.sleep(_OFTEN)
    except KeyboardInterrupt:
        click.echo(f"It is fetched all the same; give it up: higgins rmi {image}", err=True)
        sys.exit(trouble.INTERRUPTED)
    if found.get("state") == "failed":
        failure = errors.Unavailable(f"{image} was not fetched: {str(found.get('reason') or '').removesuffix('.')}")
        failure.add_note(
            "Look at its name, and at the registry: `higgins registry list` shows those with stored passwords."
        )
        raise failure
    click.echo(reference(found))


@click.command(epilog=examples.of("higgins rmi busybox:1.36"))
@habits.refused(
    "-f", "--force", why="what containers are made of stays; remove those first, `higgins ps -a` lists them"
)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
def rmi(images: Sequence[str]) -> None:
    """Remove images from their hosts."""
    cloud = session.cloud()

    def remove(given: str) -> None:
        for one in _named(cloud, given):
            cloud.delete(path("images", one["uuid"]))

    several.each(images, remove)


@click.command(epilog=examples.of("higgins search nginx", "higgins search registry.example.org:5000/tools"))
@click.option("--exact", is_flag=True, help="Only the image of this very name.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N.")
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@output.option()
@click.argument("term")
def search(term: str, *, exact: bool, limit: int | None, no_trunc: bool, output_as: str) -> None:
    """Look for images in a registry; REGISTRY/WORD asks another than the usual one."""
    cloud = session.cloud()
    found = cloud.get(path("images", term, "search"), {"exact_match": exact or None})[:limit]

    def row(one: Document) -> Sequence[Any]:
        told = one.get("metadata") or {}
        return (
            one["name"],
            one.get("description") or "",
            str(told.get("star_count", "")),
            "yes" if told.get("is_official") else "",
        )

    output.many(output_as, found, ("name", "description", "stars", "official"), row, whole=no_trunc)


@click.command(epilog=examples.of("higgins commit web mine/web:1"))
@click.argument("container", shell_complete=completion.containers)
@click.argument("image")
def commit(container: str, image: str) -> None:
    """Make an image of what a container is now. Prints the image's id."""
    repository, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = image, "latest"
    cloud = session.cloud()
    query = {"repository": repository, "tag": tag}
    made = names.act(cloud, container, lambda name: cloud.post(path("containers", name, "commit"), query))
    click.echo(made["uuid"])


def _wanted(cloud: Cloud, image: str, host: str | None) -> Document:
    """What is to be fetched, or was before; what could not be fetched before is tried anew."""
    asked = {"repo": image, **({"host": host} if host else {})}
    try:
        made: Document = cloud.post("/images", None, asked)
    except errors.Conflict:
        known = next((one for one in _called(every(cloud), image) if host in (None, one["host"])), None)
        if known is None:
            raise
        if known.get("state") != "failed":
            return known
        cloud.delete(path("images", known["uuid"]))
        made = cloud.post("/images", None, asked)
    return made


def every(cloud: Cloud) -> Sequence[Document]:
    """All images of the project."""
    return list(cloud.pages("/images", "images", {}))


def reference(one: Document) -> str:
    """What it is called in `run`."""
    return f"{one['repo']}:{one['tag']}" if one.get("tag") else str(one["repo"])


def _named(cloud: Cloud, given: str) -> Sequence[Document]:
    """Those of that name, on every host, or the one whose id begins so. Raises NotFound."""
    found = every(cloud)
    if called := _called(found, given):
        return called
    if one := names.beginning(given, found):
        return [one]
    raise names.near(given, [reference(one) for one in found], "higgins images")


def _called(found: Sequence[Document], given: str) -> Sequence[Document]:
    return [one for one in found if given in (reference(one), one["repo"] if one.get("tag") == "latest" else None)]


def _state(one: Document) -> str:
    match one.get("state"):
        case "wanted":
            told = one.get("progress") or {}
            if told.get("layers"):
                return f"fetching, {told['layers_done']} of {told['layers']} layers"
            return f"fetching: {one['reason']}" if one.get("reason") else "fetching"
        case "failed":
            return f"failed: {one['reason']}" if one.get("reason") else "failed"
        case word:
            return str(word or "")
