"""The `higgins` command: names its subcommands, and imports one only when it is called."""

import importlib
import sys
from pathlib import Path
from typing import cast

import click

from higgins import __version__, errors

COMMANDS = {
    "all-in-one": ("higgins.cli.all_in_one:all_in_one", "Run the control plane and one agent in one process."),
    "serve": ("higgins.cli.serve:serve", "Run the control plane."),
    "agent": ("higgins.cli.agent:agent", "Run the agent of this host."),
    "status": ("higgins.cli.status:status", "Tell what is up."),
    "host": ("higgins.cli.hosts:host", "Hosts: let one join, list, enable, disable, remove."),
    "user": ("higgins.cli.identity:user", "Users of the local identity."),
    "project": ("higgins.cli.identity:project", "Projects of the local identity."),
    "role": ("higgins.cli.identity:role", "Who has which role in which project."),
    "db": ("higgins.cli.database:db", "The database: bring it up to date, tell its version."),
    "config": ("higgins.cli.config:config", "The configuration: all there is to set, and what is in force."),
}


class Lazy(click.Group):
    """A group whose subcommands are known by a table, so that telling what there is costs no imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        return cast(click.Command, getattr(importlib.import_module(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, purpose) for name, (_, purpose) in COMMANDS.items()])


@click.group(cls=Lazy)
@click.version_option(__version__, message="%(version)s")
@click.option(
    "--config-file",
    type=click.Path(path_type=Path),
    multiple=True,
    envvar="HIGGINS_CONFIG",
    help="Configuration file instead of /etc/higgins/higgins.conf; may be repeated, a later one wins.",
)
def higgins(config_file: tuple[Path, ...]) -> None:
    """Runs containers for many tenants, on one machine or on thousands."""


def main() -> None:
    """Run the command line. What went wrong is one line on standard error: exit status 1, or 2 for what was asked wrongly."""
    try:
        higgins(prog_name="higgins")
    except errors.Failure as failure:
        sys.exit(f"higgins: {failure.message}")


if __name__ == "__main__":
    main()
