"""`higgins rename`, `update` and `rebuild`."""

from collections.abc import Sequence

import click

from higgins.cli import trouble
from higgins.cli.tenant import completion, examples, names, progress, session, several, sizes, waiting
from higgins.client.cloud import path

_several = click.argument(
    "containers", metavar="CONTAINER...", nargs=-1, required=True, shell_complete=completion.containers
)


@click.command(epilog=examples.of("higgins rename web shop"))
@click.argument("container", shell_complete=completion.containers)
@click.argument("name")
def rename(container: str, name: str) -> None:
    """Give a container another name."""
    cloud = session.cloud()
    names.act(cloud, container, lambda found: cloud.patch(path("containers", found), {"name": name}))


@click.command(epilog=examples.of("higgins update -m 512m --cpus 1 web"))
@click.option("-m", "--memory", metavar="SIZE", help="How much memory it may use, such as 512m or 1g.")
@click.option("--cpus", type=float, metavar="N", help="How many cores it may use, such as 0.5.")
@click.option("--auto-heal/--no-auto-heal", default=None, help="Make it anew when it stays unhealthy, or do not.")
@_several
def update(containers: Sequence[str], *, memory: str | None, cpus: float | None, auto_heal: bool | None) -> None:
    """Change what containers may use, while they run."""
    with trouble.usage():
        asked = {"memory": sizes.mebibytes(memory) if memory else None, "cpu": cpus, "auto_heal": auto_heal}
    body = {name: value for name, value in asked.items() if value is not None}
    if not body:
        raise click.UsageError("Say what is to change: --memory, --cpus or --auto-heal.")
    cloud = session.cloud()
    several.each(
        containers, lambda given: names.act(cloud, given, lambda name: cloud.patch(path("containers", name), body))
    )


@click.command(epilog=examples.of("higgins rebuild --image busybox:1.36 web"))
@click.option("--image", help="From this image instead of its own.", shell_complete=completion.images)
@_several
def rebuild(containers: Sequence[str], *, image: str | None) -> None:
    """Make containers anew, from the same image or another: what was changed in their files is gone."""
    cloud = session.cloud()

    def ask(name: str) -> None:
        cloud.post(path("containers", name, "rebuild"), None, {"image": image} if image else None)
        with progress.Line(f"{name}: rebuilding") as line:
            found = waiting.until(cloud, name, ("Running", "Created", "Stopped"), watch=line.fetching, every=1)
        if found is not None and found["status"] == "Error":
            raise waiting.failure(found)

    several.each(containers, lambda given: names.act(cloud, given, ask))
