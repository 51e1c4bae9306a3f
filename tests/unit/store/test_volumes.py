"""Volumes in the database: who may use them, where they lie, and when they go."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from higgins import errors
from higgins.control.volumes import LocalVolumes
from higgins.model.ids import FileId, HostId, ProjectId, UserId, VolumeId
from higgins.model.volume import Volume
from higgins.store import capsules, volumes
from higgins.store.database import Connection, Database
from higgins.store.tables import metadata
from higgins.testing import builders
from higgins.testing.volume_contract import VolumeContract

HERE, THERE = HostId("h1"), HostId("h2")
P1, P2 = ProjectId("p1"), ProjectId("p2")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    metadata.create_all(opened.engine)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def db(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        yield connection


def added(db: Connection, name: str = "", *, project: ProjectId = P1, auto_remove: bool = False) -> VolumeId:
    volume_id = VolumeId(str(uuid.uuid4()))
    volumes.insert(
        db,
        Volume(
            id=volume_id,
            project_id=project,
            user_id=UserId("u1"),
            name=name,
            created_at=1.0,
            auto_remove=auto_remove,
        ),
    )
    return volume_id


class TestLocalVolumes(VolumeContract):
    @pytest.fixture
    def volumes(self, database: Database) -> list[VolumeId]:
        return database.write_now(lambda db: [added(db), added(db)])

    @pytest.fixture
    def provider(self, database: Database) -> LocalVolumes:
        return LocalVolumes(database)


def test_a_project_has_many_volumes_without_a_name_and_one_of_each_name(db: Connection) -> None:
    added(db), added(db), added(db, "data"), added(db, "data", project=P2)
    with pytest.raises(errors.Conflict, match="data already exists"):
        added(db, "data")


def test_volumes_are_bound_together_or_not_at_all(db: Connection) -> None:
    free, elsewhere, here = added(db), added(db), added(db)
    assert volumes.bind(db, [elsewhere], THERE) == [elsewhere]
    assert volumes.bind(db, [here], HERE) == [here]
    assert volumes.bind(db, [free, elsewhere, here], HERE) is None
    assert volumes.homes(db, [free]) == frozenset()
    assert volumes.bind(db, [free, here], HERE) == [free]
    assert volumes.homes(db, [free, here, elsewhere]) == {HERE, THERE}


def test_gone_from_a_host_is_what_was_deleted_or_lies_elsewhere(db: Connection) -> None:
    free, elsewhere, here, deleted = added(db), added(db), added(db), VolumeId(str(uuid.uuid4()))
    volumes.bind(db, [elsewhere], THERE)
    volumes.bind(db, [here], HERE)
    assert volumes.gone(db, HERE, [free, elsewhere, here, deleted]) == [elsewhere, deleted]
    assert volumes.gone(db, HERE, []) == []


def test_nobody_uses_the_volume_of_another_project(db: Connection) -> None:
    capsule = builders.capsule(project_id=P2)
    capsules.insert(db, capsule, deadline=10.0)
    with pytest.raises(errors.NotFound):
        volumes.use(db, capsule.id, P2, [added(db, project=P1)])


def test_a_capsule_takes_along_what_was_made_for_it_and_nobody_else_uses(db: Connection) -> None:
    own, shared, given = added(db, auto_remove=True), added(db, auto_remove=True), added(db)
    one, other = builders.capsule(project_id=P1), builders.capsule(project_id=P1)
    for capsule, uses in ((one, (own, shared, given)), (other, (shared,))):
        capsules.insert(db, capsule, deadline=10.0)
        volumes.use(db, capsule.id, P1, uses)
    assert volumes.take_along(db, one.id) == [own]
    with pytest.raises(errors.Conflict):
        volumes.delete(db, own)
    capsules.delete(db, one)
    volumes.delete(db, own)
    assert volumes.every(db, [own]) == ()
    assert volumes.take_along(db, other.id) == [shared]


def test_files_go_with_their_capsule(db: Connection) -> None:
    capsule = builders.capsule(project_id=P1)
    capsules.insert(db, capsule, deadline=10.0)
    volumes.write_files(db, capsule.id, {FileId("f1"): b"\0\xff"})
    assert volumes.contents(db, [capsule.id]) == {"f1": b"\0\xff"}
    capsules.delete(db, capsule)
    assert volumes.contents(db, [capsule.id]) == {}
