"""What the commands of one invocation share: the settings, read when a command first asks for them."""

from typing import IO, Any

import click

from higgins import errors
from higgins.settings import Settings, read


class Misconfigured(click.ClickException):
    """The configuration is wrong: one line, and the exit status of a wrong command line."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"higgins: {self.message}", file=file, err=True)


def settings() -> Settings:
    """The settings of the running command, from the files that were named before it."""
    files = click.get_current_context().find_root().params.get("config_file", ())
    try:
        return read(files)
    except errors.Invalid as failure:
        raise Misconfigured(failure.message) from failure
