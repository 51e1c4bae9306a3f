"""Every change is told once, in the transaction that makes it, and forgotten after a while."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.model.capsule import Assignment, Capsule, CapsuleStatus, Desired, GivenUp, Stage
from higgins.model.event import Event, Filter
from higgins.model.ids import HostId, ProjectId
from higgins.store import capsules, events, hosts, schema
from higgins.store.database import Connection, Database
from higgins.testing import builders

P1 = ProjectId("p1")
HOST = builders.host()
ALL = Filter()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    database = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    schema.upgrade(database)
    with database.engine.connect() as connection:
        hosts.register(connection, HOST)
        yield connection
    database.engine.dispose()


def _made(db: Connection) -> Capsule:
    """A new one on a host, of which nothing is told but that it was asked for."""
    capsule = builders.capsule()
    capsules.insert(db, capsule, deadline=1e12)
    return capsules.write_assignment(db, capsule, Assignment(host_id=HOST.id, epoch=1))


def _report(db: Connection, capsule: Capsule, status: CapsuleStatus, sequence: int, host: HostId = HOST.id) -> None:
    capsules.write_status(db, capsule.id, status, host_id=host, epoch=1, session=1, sequence=sequence, now=time.time())


def _told(db: Connection, since: int = 0) -> list[tuple[str, str | None, str | None, int | None]]:
    return [(one.kind, one.verb, one.status, one.exit_code) for one in events.after(db, None, since, ALL, 1000)]


def test_a_life_is_told_in_order_and_each_change_once(db: Connection) -> None:
    capsule = _made(db)
    spec = capsule.spec
    _report(db, capsule, builders.status(spec, Stage.CREATED, settled=False), 1)
    _report(db, capsule, builders.status(spec, Stage.RUNNING), 2)
    _report(db, capsule, builders.status(spec, Stage.EXITED), 3)
    gone = capsules.get(db, capsule.id)
    assert gone is not None
    capsules.write_spec(db, gone, replace(gone.spec, desired=Desired.DELETED), deadline=1e12, now=2.0, verb="delete")
    capsules.delete(db, gone)
    assert _told(db) == [
        ("create", "create", "Creating", None),
        ("status", None, "Created", None),
        ("status", None, "Running", None),
        ("status", None, "Stopped", 0),
        ("delete", "delete", "Deleting", 0),
        ("gone", None, None, 0),
    ]


def test_what_is_reported_again_or_changes_no_word_is_no_news(db: Connection) -> None:
    capsule = _made(db)
    running = builders.status(capsule.spec)
    _report(db, capsule, running, 1)
    _report(db, capsule, running, 2)
    _report(db, capsule, replace(running, activity="looking around"), 3)
    _report(db, capsule, builders.status(capsule.spec, Stage.EXITED), 2)
    assert _told(db)[1:] == [("status", None, "Running", None)]


def test_a_run_that_was_over_before_it_was_seen_is_told(db: Connection) -> None:
    capsule = _made(db)
    (container,) = capsule.spec.containers
    for sequence, code in enumerate((3, 4), 1):
        seen = builders.observation(container, Stage.EXITED, exit_code=code, started_at=10.0 * sequence)
        known = {container.id: replace(builders.status(capsule.spec).containers[container.id], observed=seen)}
        _report(db, capsule, builders.status(capsule.spec, containers=known), sequence)
    assert _told(db)[1:] == [("status", None, "Stopped", 3), ("status", None, "Stopped", 4)]


def test_what_the_control_plane_gives_up_is_told_with_its_reason(db: Connection) -> None:
    capsule = _made(db)
    given_up = GivenUp(generation=1, reason="no host took it")
    capsules.write_assignment(db, capsule, replace(capsule.assignment, given_up=given_up), close=True)
    last = events.after(db, None, 1, ALL, 9)[-1]
    assert (last.kind, last.status, last.reason) == ("status", "Error", "no host took it")


def test_a_write_that_is_refused_is_not_told(db: Connection) -> None:
    capsule = _made(db)
    capsules.write_name(db, capsule, "other", 2.0)
    capsules.write_spec(db, capsule, capsule.spec, deadline=9.0, now=3.0, verb="start")
    with pytest.raises(errors.Conflict):
        capsules.write_spec(db, capsule, capsule.spec, deadline=9.0, now=3.0, verb="stop")
    stale = replace(capsule, assignment=Assignment(epoch=7))
    capsules.delete(db, stale)
    assert [(kind, verb) for kind, verb, *_ in _told(db)] == [
        ("create", "create"),
        ("update", "rename"),
        ("update", "start"),
    ]


def test_everybody_sees_what_they_asked_for_and_their_own_only(db: Connection) -> None:
    def told(project: str | None, wanted: Filter = ALL, since: int = 0, most: int = 9) -> list[int]:
        return [one.number for one in events.after(db, ProjectId(project) if project else None, since, wanted, most)]

    web, other = builders.capsule(name="web"), builders.capsule(project_id=ProjectId("p2"))
    for capsule in (web, other):
        capsules.insert(db, capsule, deadline=1e12)
    capsules.write_name(db, web, "front", 2.0)
    assert (told("p1"), told("p2"), told("p3"), told(None)) == ([1, 3], [2], [], [1, 2, 3])
    assert told(None, since=1, most=1) == [2]
    assert told("p1", Filter(containers=["web"])) == [1]
    assert told("p1", Filter(containers=["front", "web"])) == [1, 3]
    assert told("p1", Filter(containers=[web.id], kinds=["update"])) == [3]
    assert told(None, Filter(statuses=["Running"])) == []


@pytest.mark.parametrize(
    ("age", "most", "left"), [(50.0, 100, [6, 7, 8, 9, 10]), (1000.0, 3, [8, 9, 10]), (-5.0, 100, [10])]
)
def test_what_is_old_or_too_much_is_forgotten_but_never_the_last(
    db: Connection, age: float, most: int, left: list[int]
) -> None:
    for _ in range(10):
        capsules.insert(db, builders.capsule(), deadline=1e12)
    now = time.time()
    _age(db, upto=5, by=100.0)
    while events.prune(db, since=now - age, most=most, at_once=2):
        pass
    assert [one.number for one in events.after(db, None, 0, ALL, 99)] == left
    assert events.bounds(db) == events.Bounds(left[0], 10)


def _age(db: Connection, *, upto: int, by: float) -> None:
    db.exec_driver_sql(f"UPDATE events SET at = at - {by} WHERE number <= {upto}")


def test_an_event_tells_whose_it_was_and_when(db: Connection) -> None:
    before = time.time()
    capsule = builders.capsule(name="web")
    capsules.insert(db, capsule, deadline=1e12)
    (event,) = events.after(db, P1, 0, ALL, 9)
    assert event == Event(
        number=1,
        at=event.at,
        project_id=P1,
        capsule_id=capsule.id,
        name="web",
        kind="create",
        verb="create",
        status="Creating",
    )
    assert before <= event.at <= time.time()
