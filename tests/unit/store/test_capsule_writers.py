"""Each side of a capsule has one writer, and none undoes what another wrote while it was thinking."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    Provision,
)
from higgins.model.host import Host, Inventory
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


def _report(
    db: Connection, status: CapsuleStatus, *, host: HostId = HOST, epoch: int = 1, session: int = 1, sequence: int = 1
) -> Capsule | None:
    return capsules.write_status(db, ID, status, host_id=host, epoch=epoch, session=session, sequence=sequence, now=5.0)


def test_a_placement_does_not_undo_what_was_asked_while_it_was_chosen(db: Connection) -> None:
    read_before = _read(db)
    _ask(db, Desired.DELETED)
    capsules.write_assignment(db, read_before, PLACED)
    after = _read(db)
    assert (after.spec.desired, after.spec.generation, after.assignment.host_id) == (Desired.DELETED, 2, HOST)


def test_an_assignment_does_not_undo_what_the_host_has_found_meanwhile(db: Connection) -> None:
    read_before = capsules.write_assignment(db, _read(db), PLACED)
    found = CapsuleStatus(generation=1, settled=True)
    assert _report(db, found)
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


@pytest.mark.parametrize(
    "stale",
    [
        {"sequence": 4},
        {"sequence": 5},
        {"session": 1, "sequence": 99},
        {"epoch": 1},
        {"epoch": 3},
        {"host": HostId("h2")},
    ],
)
def test_what_is_older_or_from_elsewhere_changes_nothing(db: Connection, stale: dict) -> None:
    capsules.write_assignment(db, _read(db), replace(PLACED, epoch=2))
    said: dict[str, Any] = {"session": 2, "sequence": 5, "epoch": 2}
    assert _report(db, CapsuleStatus(generation=1, settled=True), **said)
    before = _read(db)
    assert _report(db, CapsuleStatus(reason="old"), **(said | {"sequence": 6} | stale)) is None
    assert _read(db) == before


def test_a_new_session_counts_from_one_again(db: Connection) -> None:
    capsules.write_assignment(db, _read(db), PLACED)
    assert _report(db, CapsuleStatus(), session=1, sequence=50)
    assert _report(db, CapsuleStatus(reason="news"), session=2, sequence=1)
    assert _read(db).status.reason == "news"


def test_another_host_counts_its_own_sessions(db: Connection) -> None:
    """One that has just joined must not be taken for a voice from the past."""
    other = HostId("h2")
    hosts.register(db, Host(id=other, name="h2", created_at=1.0))
    first = capsules.write_assignment(db, _read(db), PLACED)
    assert _report(db, CapsuleStatus(), session=57, sequence=1000)
    free = capsules.write_assignment(db, first, Assignment(epoch=1), status=CapsuleStatus())
    capsules.write_assignment(db, free, Assignment(host_id=other, epoch=2))
    assert _report(db, CapsuleStatus(generation=1, settled=True), host=other, epoch=2, session=1, sequence=1)


def test_what_is_said_twice_is_no_change_but_what_was_said_in_between_is_old_then(db: Connection) -> None:
    capsules.write_assignment(db, _read(db), PLACED)
    _report(db, CapsuleStatus(reason="a"), sequence=1)
    before = _read(db)
    capsules.write_status(
        db, ID, CapsuleStatus(reason="a"), host_id=HOST, epoch=1, session=1, sequence=9, now=before.created_at + 99
    )
    assert _read(db) == before
    assert _report(db, CapsuleStatus(reason="b"), sequence=5) is None


def test_a_status_undoes_neither_spec_nor_assignment_nor_name(db: Connection) -> None:
    placed = capsules.write_assignment(db, _read(db), PLACED)
    _ask(db, Desired.DELETED)
    capsules.write_name(db, _read(db), "other", 3.0)
    _report(db, CapsuleStatus(generation=1, settled=True))
    after = _read(db)
    assert (after.spec.desired, after.name, after.assignment) == (Desired.DELETED, "other", placed.assignment)
    assert capsules.next_deadline(db) == 20.0, "an answer to an earlier wish ended the waiting for the newer"
    assert capsules.leaving(db, 9) == ()


def test_a_wish_does_not_undo_a_placement_nor_a_finding(db: Connection) -> None:
    read_before = _read(db)
    capsules.write_assignment(db, read_before, PLACED)
    _report(db, CapsuleStatus(generation=1, settled=True))
    capsules.write_spec(db, read_before, replace(read_before.spec, desired=Desired.STOPPED), deadline=9.0, now=3.0)
    after = _read(db)
    assert after.assignment == PLACED
    assert after.status == CapsuleStatus(generation=1, settled=True)


def test_a_second_placement_of_what_is_placed_is_refused(db: Connection) -> None:
    read_before = _read(db)
    capsules.write_assignment(db, read_before, PLACED)
    with pytest.raises(errors.Conflict):
        capsules.write_assignment(db, read_before, replace(PLACED, epoch=1))


def test_what_is_settled_is_waited_for_no_more(db: Connection) -> None:
    capsules.write_assignment(db, _read(db), PLACED)
    _report(db, CapsuleStatus(generation=1, settled=True))
    assert capsules.next_deadline(db) is None


def _revision(db: Connection) -> int:
    (found,) = capsules.find(db, None, ID, Kind.CONTAINER)
    return found.revision


def _lease(db: Connection) -> None:
    wanted = replace(_read(db).assignment, provision=Provision.WANTED)
    capsules.write_assignment(db, _read(db), wanted)
    assert capsules.lease_unprovisioned(db, owner="me", now=1.0, until=9.0, most=9)


def _provide(db: Connection) -> None:
    _lease(db)
    held = replace(_read(db).assignment, provision=Provision.HELD)
    capsules.write_assignment(db, _read(db), held, lease="me")


@pytest.mark.parametrize(
    "write",
    [
        lambda db: _ask(db, Desired.STOPPED),
        lambda db: capsules.write_name(db, _read(db), "other", now=3.0),
        lambda db: capsules.write_assignment(db, _read(db), replace(PLACED, epoch=2)),
        lambda db: capsules.write_assignment(db, _read(db), PLACED, close=True),
        _provide,
        lambda db: _report(db, CapsuleStatus(generation=1, reason="slow")),
        lambda db: hosts.connected(
            db, HOST, name="renamed", availability_zone="nova", inventory=Inventory(runtime="docker"), now=1.0
        ),
    ],
)
def test_whatever_changes_changes_the_revision(db: Connection, write: Callable[[Connection], object]) -> None:
    capsules.write_assignment(db, _read(db), PLACED)
    known = {_revision(db)}
    for _ in range(2):
        before = capsules.find(db, None, ID, Kind.CONTAINER)
        write(db)
        if capsules.find(db, None, ID, Kind.CONTAINER) != before:
            assert _revision(db) not in known
        known.add(_revision(db))
    assert len(known) > 1


def test_what_was_forgotten_takes_nothing_in(db: Connection) -> None:
    capsules.write_assignment(db, _read(db), PLACED)
    capsules.delete(db, _read(db))
    assert _report(db, CapsuleStatus(generation=1, settled=True)) is None
    assert capsules.get(db, ID) is None
