"""Each side of a capsule has one writer, and none undoes what another wrote while it was thinking."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.model.capsule import (
    Assignment,
    Capsule,
    CapsuleSpec,
    CapsuleStatus,
    Container,
    Desired,
    GivenUp,
    Kind,
)
from higgins.model.host import Host
from higgins.model.ids import CapsuleId, ContainerId, HostId, ProjectId, UserId
from higgins.store import capsules, hosts, schema
from higgins.store.database import Connection, Database

HOST = HostId("h1")
ID = CapsuleId("c1")
PLACED = Assignment(host_id=HOST, epoch=1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    database = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    schema.upgrade(database)
    with database.engine.connect() as connection:
        hosts.register(connection, Host(id=HOST, name="h1", created_at=1.0))
        capsules.insert(connection, _created(), deadline=10.0)
        yield connection
    database.engine.dispose()


def _created() -> Capsule:
    container = Container(id=ContainerId(ID), name="web", image="busybox")
    return Capsule(
        id=ID,
        project_id=ProjectId("p1"),
        user_id=UserId("u1"),
        name="web",
        kind=Kind.CONTAINER,
        created_at=1.0,
        spec=CapsuleSpec(containers=(container,), desired=Desired.RUNNING),
    )


def _read(db: Connection) -> Capsule:
    found = capsules.get(db, ID)
    assert found is not None
    return found


def _ask(db: Connection, desired: Desired) -> None:
    now = _read(db)
    capsules.write_spec(db, now, replace(now.spec, desired=desired), deadline=20.0, now=2.0)


def test_a_placement_does_not_undo_what_was_asked_while_it_was_chosen(db: Connection) -> None:
    read_before = _read(db)
    _ask(db, Desired.DELETED)
    capsules.write_assignment(db, read_before, PLACED)
    after = _read(db)
    assert (after.spec.desired, after.spec.generation, after.assignment.host_id) == (Desired.DELETED, 2, HOST)


def test_an_assignment_does_not_undo_what_the_host_has_found_meanwhile(db: Connection) -> None:
    read_before = capsules.write_assignment(db, _read(db), PLACED)
    found = CapsuleStatus(generation=1, settled=True)
    assert capsules.write_status(db, _read(db), found, session=1, sequence=1, now=2.0)
    capsules.write_assignment(db, read_before, replace(PLACED, host_lost=True))
    assert _read(db).status == found


@pytest.mark.parametrize("verdict", [{"close": True}, {"status": CapsuleStatus()}])
def test_a_verdict_on_what_was_asked_before_is_refused(db: Connection, verdict: dict) -> None:
    read_before = _read(db)
    _ask(db, Desired.STOPPED)
    given_up = Assignment(given_up=GivenUp(generation=1, reason="too late"))
    with pytest.raises(errors.Conflict):
        capsules.write_assignment(db, read_before, given_up, **verdict)
    assert _read(db).assignment.given_up is None
    assert capsules.next_deadline(db) == 20.0


def test_a_wish_that_was_thought_out_on_an_older_one_is_refused(db: Connection) -> None:
    read_before = _read(db)
    _ask(db, Desired.STOPPED)
    with pytest.raises(errors.Conflict):
        capsules.write_spec(db, read_before, read_before.spec, deadline=30.0, now=3.0)
