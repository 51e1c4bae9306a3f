"""The steps lead to the tables that the code has, and a database says how far it is."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from higgins import errors
from higgins.model.ids import ProjectId
from higgins.model.network import Published
from higgins.model.quota import Allowance, Belongings
from higgins.store import belongings, capsules, identity, schema, version
from higgins.store.database import Database
from higgins.store.tables import metadata
from higgins.testing import builders


@pytest.fixture
def database(tmp_path: Path) -> Database:
    assert identity.users.metadata is metadata
    opened = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    opened.open()
    return opened


def test_the_steps_make_exactly_the_tables_that_the_code_has(database: Database) -> None:
    schema.upgrade(database)
    assert database.read_now(lambda db: compare_metadata(MigrationContext.configure(db), metadata)) == []


def test_the_last_step_is_the_one_that_servers_require(database: Database) -> None:
    assert schema.latest() == version.LATEST
    with pytest.raises(errors.Unavailable, match="higgins db upgrade"):
        version.require_latest(database)
    schema.upgrade(database)
    version.require_latest(database)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    schema.upgrade(database)
    schema.upgrade(database)
    assert version.of(database) == version.LATEST


def test_a_database_of_a_newer_release_is_left_alone(database: Database) -> None:
    schema.upgrade(database)
    database.write_now(lambda db: db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(errors.Unavailable, match="9999"):
        version.require_latest(database)
    with pytest.raises(errors.Broken, match="newer release"):
        schema.upgrade(database)


def test_what_was_published_before_it_was_counted_counts(database: Database) -> None:
    schema.upgrade(database)
    ports = (Published(host_port=0, port=80), Published(host_port=0, port=81))
    made = builders.capsule(builders.spec(published=ports))
    database.write_now(lambda db: capsules.insert(db, made, deadline=1.0))
    for statement in (
        "DROP INDEX ix_capsules_listed",
        "CREATE INDEX ix_capsules_project_id_number ON capsules (project_id, number)",
        "DROP INDEX ix_capsules_project_id_published",
        "ALTER TABLE capsules DROP COLUMN published",
        "UPDATE alembic_version SET version_num = '0007'",
    ):
        database.write_now(lambda db, told=statement: db.exec_driver_sql(told))  # type: ignore[misc]
    schema.upgrade(database)
    with pytest.raises(errors.Forbidden, match="2 of 2 are in use"):
        database.read_now(
            lambda db: belongings.check(
                db, ProjectId(made.project_id), Belongings(published_ports=1), Allowance(published_ports=2)
            )
        )
