"""`higgins db`: brings the database up to date and tells its version."""

import click

from higgins.cli import opened
from higgins.store import schema, version


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring it up to date. All-in-one does so by itself; `higgins serve` waits for it."""
    with opened.database(latest=False) as database:
        before = version.of(database)
        schema.upgrade(database)
        after = version.of(database)
        said = (
            f"is at version {after} already" if before == after else f"went from version {before or 'none'} to {after}"
        )
        click.echo(f"{database.name} {said}")


@db.command("version")
def print_version() -> None:
    """Tell its version, and the one that this release needs; status 1 if they differ."""
    with opened.database(latest=False) as database:
        found, needed = version.of(database), version.LATEST
    click.echo(f"database {found or 'none'}, needed {needed}")
    if found != needed:
        raise SystemExit(1)
