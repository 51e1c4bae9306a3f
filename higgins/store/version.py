"""How far the tables of a database are."""

import sqlalchemy as sa

from higgins import errors
from higgins.store.database import Connection, Database

LATEST = "0009"
"""The last step that this release knows."""

_walked = sa.table("alembic_version", sa.column("version_num", sa.String))


def of(database: Database) -> str | None:
    """The last step that was walked; None for an empty database."""
    return database.read_now(_read)


def require_latest(database: Database) -> None:
    """Raises Unavailable, with what to do, for a database that is behind or ahead of this release."""
    found = of(database)
    if found != LATEST:
        raise errors.Unavailable(
            f"the database {database.name} is at version {found or 'none'}, this release needs {LATEST}: run `higgins db upgrade`"
        )


def _read(db: Connection) -> str | None:
    if not sa.inspect(db).has_table(_walked.name):
        return None
    found: str | None = db.execute(sa.select(_walked.c.version_num)).scalar_one_or_none()
    return found
