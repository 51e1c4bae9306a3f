"""What the commands of one invocation share: the settings, read when a command first asks for them."""

from pathlib import Path
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


def directory(path: Path) -> None:
    """Make it, for its owner only, if need be. Raises Unavailable if that cannot be done."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.Unavailable(f"the directory {path} cannot be used: {error.strerror}") from error
