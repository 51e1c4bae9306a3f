"""`higgins volume`: directories that outlive the containers that mount them."""

import sys
from collections.abc import Sequence

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.tenant import examples, names, output, session, sizes
from higgins.client.cloud import Cloud, Document, path

_GIB = 1024


@click.group()
def volume() -> None:
    """Volumes: directories that outlive the containers that mount them, as `higgins run -v NAME:/path` does."""


@volume.command("create", epilog=examples.of("higgins volume create data", "higgins volume create -s 10g data"))
@click.option("-s", "--size", metavar="SIZE", help="How much fits, such as 10g; whole gigabytes.")
@click.argument("name")
def create(name: str, *, size: str | None) -> None:
    """Make the volume NAME. It will lie on the host of the first container that mounts it."""
    with trouble.usage():
        wanted = -(-sizes.mebibytes(size) // _GIB) if size else None
    body = {"name": name} | ({"size": wanted} if wanted else {})
    click.echo(session.cloud().post("/volumes", None, body)["name"])


@volume.command("ls", epilog=examples.of("higgins volume ls"))
@output.option()
def ls(output_as: str) -> None:
    """List volumes; those that were made along with a container have no name."""
    found = list(session.cloud().pages("/volumes", "volumes", {}))
    output.many(output_as, found, ("name", "size", "used by", "created", "id"), _row, name=_called)


@volume.command("show", epilog=examples.of("higgins volume show data"))
@output.option()
@click.argument("name", metavar="VOLUME")
def show(output_as: str, name: str) -> None:
    """Show all that is known of a volume."""
    cloud = session.cloud()
    try:
        found = cloud.get(path("volumes", name))
    except errors.NotFound as missing:
        raise _near(cloud, name) from missing
    output.one(output_as, {key: value for key, value in found.items() if key != "links"}, name=_called(found))


@volume.command("rm", epilog=examples.of("higgins volume rm data"))
@click.argument("volumes", metavar="VOLUME...", nargs=-1, required=True)
def rm(volumes: Sequence[str]) -> None:
    """Delete volumes that no container mounts, with what lies in them."""
    cloud = session.cloud()
    failed = False
    for given in volumes:
        try:
            cloud.delete(path("volumes", given))
            click.echo(given)
        except errors.NotFound:
            trouble.tell(_near(cloud, given))
            failed = True
        except errors.Failure as failure:
            trouble.tell(failure)
            failed = True
    if failed:
        sys.exit(1)


def _near(cloud: Cloud, given: str) -> errors.NotFound:
    known = [_called(one) for one in cloud.pages("/volumes", "volumes", {})]
    return names.near(given, known, "higgins volume ls")


def _called(one: Document) -> str:
    return str(one["name"] or one["uuid"])


def _row(one: Document) -> Sequence[str]:
    size = f"{one['size']}GiB" if one["size"] else ""
    return (str(one["name"] or ""), size, str(one["users"] or ""), str(one["created_at"])[:19], names.short(one))
