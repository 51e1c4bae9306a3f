"""Brings the tables of a database up to date. Apart from `version`, because walking the steps takes long to import."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from higgins import errors
from higgins.store.database import Connection, Database


def upgrade(database: Database) -> None:
    """Walk all steps that are missing; none if it is up to date. Raises Broken for a database that a newer release has changed."""
    database.write_now(lambda db: _upgrade(db, database.name))


def latest() -> str:
    """The last step that this release knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _upgrade(db: Connection, name: str) -> None:
    config = _config()
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(db).get_current_revision()
    if found is not None and found not in known:
        raise errors.Broken(
            f"the database {name} is at version {found}, which this release does not know: use the newer release that wrote it"
        )
    config.attributes["connection"] = db
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
