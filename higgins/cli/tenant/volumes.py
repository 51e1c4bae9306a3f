"""`higgins volume`: directories that outlive the containers that mount them."""

import sys
from collections.abc import Iterator, Sequence

import click

from higgins.cli import table, trouble
from higgins.cli.tenant import completion, examples, habits, moments, names, output, session, several, sizes, templates
from higgins.client.cloud import Cloud, Document, path

_NOUN = "volumes"
_GIB = 1024
_TITLES = ("name", "size", "used by", "created", "id")
_ONE_KIND = "a volume is a directory on the host of whoever mounts it first; with -s SIZE it has a limit"


@click.group(
    cls=habits.Noun, instead={"prune": "All that nothing mounts, with what lies in it: higgins volume rm $(higgins volume ls -q)"}
)  # fmt: skip
def volume() -> None:
    """Volumes: directories that outlive the containers that mount them, as `higgins run -v NAME:/path` does."""


@volume.command("create", epilog=examples.of("higgins volume create data", "higgins volume create -s 10g data"))
@click.option("-s", "--size", metavar="SIZE", help="How much fits, such as 10g; whole gigabytes.")
@habits.refused("-d", "--driver", why=_ONE_KIND)
@habits.refused("-o", "--opt", why=_ONE_KIND)
@habits.refused("--label", why="volumes have no labels")
@click.argument("name")
def create(name: str, *, size: str | None) -> None:
    """Make a volume, and print its name. It will lie on the host of the first container that mounts it."""
    with trouble.usage():
        wanted = -(-sizes.mebibytes(size) // _GIB) if size else None
    body = {"name": name} | ({"size": wanted} if wanted else {})
    click.echo(session.cloud().post(path(_NOUN), None, body)["name"])


@volume.command("ls", epilog=examples.of("higgins volume ls", "higgins volume ls -o json"))
@click.option("-q", "--quiet", is_flag=True, help="Only names, and ids of those without.")
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@templates.option()
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@output.option()
def ls(*, quiet: bool, no_trunc: bool, template: str | None, all_projects: bool, output_as: str) -> None:
    """List volumes. Those that were made along with a container have no name."""
    cloud = session.cloud()
    found = list(cloud.pages(path(_NOUN), _NOUN, {"all_projects": all_projects or None}))
    if template is not None:
        templates.show(template, [{**one, "id": one["uuid"]} for one in found])
        return
    if quiet:
        for one in found:
            click.echo(_called(one))
        return
    now = cloud.now

    def row(one: Document) -> Sequence[str]:
        created = moments.ago(now - (moments.read(one["created_at"]) or now))
        whose = str(one["uuid"]) if no_trunc else names.short(one)
        return (str(one["name"] or ""), _size(one), str(one["users"]), created, whose)

    output.many(output_as, found, _TITLES, row, name=_called, whole=no_trunc, spare=("created", "id"))
    if not found and output_as == "table" and sys.stdout.isatty():
        click.echo("There is none yet: `higgins volume create`, or `higgins run -v NAME:/path`, makes one.", err=True)


@volume.command("show", epilog=examples.of("higgins volume show data", "higgins volume show -o yaml data"))
@templates.option("-f")
@output.option()
@click.argument("volume", shell_complete=completion.volumes)
def show(volume: str, *, template: str | None, output_as: str) -> None:
    """Show a volume, and which containers and capsules mount it."""
    cloud = session.cloud()
    found: Document = names.act(cloud, volume, lambda name: cloud.get(path(_NOUN, name)), _NOUN)
    there = list(_mounting(cloud, found["uuid"]))
    whole = {**found, "mounted": there}
    if templates.shown(template, output_as, whole, name=_called(found)):
        return
    output.fields({key: value for key, value in found.items() if key != "links"} | {"size": _size(found) or "no limit"})
    if there:
        click.echo()
        rows = [
            (one["name"] or "", one["kind"], one["destination"], "ro" if one["read_only"] else "rw", names.short(one))
            for one in there
        ]
        table.show(("name", "kind", "mounted at", "mode", "id"), rows)


@volume.command("rm", epilog=examples.of("higgins volume rm data"))
@habits.refused(
    "-f", "--force", why="a volume goes when nothing mounts it any more; `higgins volume show` tells what does"
)
@click.argument("volumes", metavar="VOLUME...", nargs=-1, required=True, shell_complete=completion.volumes)
def rm(volumes: Sequence[str]) -> None:
    """Delete volumes that nothing mounts, with what lies in them."""
    several.remove(volumes, _NOUN, users="What mounts it")


def _mounting(cloud: Cloud, uuid: str) -> Iterator[Document]:
    """Where it is mounted, in containers and in those of capsules."""
    holders = [("container", one, [one]) for one in names.every(cloud)]
    holders += [
        ("capsule", one, [*one["init_containers"], *one["containers"]]) for one in names.every(cloud, "capsules")
    ]
    for kind, holder, within in holders:
        places = {each["destination"]: each for one in within for each in one["mounts"] if each["source"] == uuid}
        for destination, each in places.items():
            found = {"uuid": holder["uuid"], "name": holder["name"], "kind": kind}
            yield {**found, "destination": destination, "read_only": each["read_only"]}


def _called(one: Document) -> str:
    return str(one["name"] or one["uuid"])


def _size(one: Document) -> str:
    return f"{one['size']}GiB" if one["size"] else ""
