"""The database as a command of the operator uses it, beside the servers that may be running."""

from collections.abc import Iterator
from contextlib import contextmanager

from higgins.cli import context
from higgins.store import version
from higgins.store.database import Database


@contextmanager
def database(*, latest: bool = True) -> Iterator[Database]:
    """The configured database while the block runs. Raises Unavailable if it cannot be written, or is not what this release needs.

    `latest` False opens it whatever its version is.
    """
    settings = context.settings()
    if not settings.database.connection:
        context.directory(settings.state_dir)
    opened = Database(settings.database_url)
    opened.open()
    try:
        if latest:
            version.require_latest(opened)
        yield opened
    finally:
        opened.close()
