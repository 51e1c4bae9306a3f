"""The command `higgins agent`; imports nothing of the control plane, so that a host stays small."""

import click

from higgins.cli import context, servers
from higgins.wiring import host


@click.command()
@click.option("--join", metavar="TOKEN", envvar="HIGGINS_JOIN", help="Enrol with this one-time token first.")
def agent(join: str | None) -> None:
    """Run the agent of this host."""
    settings = context.settings()
    servers.run(settings, host.run(settings, join=join))
