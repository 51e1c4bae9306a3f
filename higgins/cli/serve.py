"""The command `higgins serve`."""

import click

from higgins.cli import context, servers
from higgins.wiring import control


@click.command()
def serve() -> None:
    """Run the control plane."""
    settings = context.settings()
    servers.run(settings, control.run(settings))
