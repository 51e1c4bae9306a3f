"""The command `higgins all-in-one`."""

import click

from higgins.cli import context, servers
from higgins.wiring import all_in_one as wired


@click.command("all-in-one")
def all_in_one() -> None:
    """Run the control plane and one agent in one process."""
    settings = context.settings()
    servers.run(settings, wired.run(settings))
