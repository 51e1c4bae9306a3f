"""Pages of a list against a plain model: whatever the order and the filters, every row comes exactly once."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higgins import errors
from higgins.logic import statusword
from higgins.logic.sealed import Sealed
from higgins.model.capsule import Assignment, Capsule, Desired, Kind, Resources, Stage
from higgins.model.host import Host
from higgins.model.ids import CapsuleId, HostId, ProjectId, UserId
from higgins.model.query import FILTERS, SORT_KEYS, Query
from higgins.store import capsules, hosts
from higgins.store.database import Connection, Database
from higgins.store.glance import Eye
from higgins.store.tables import metadata
from higgins.testing.builders import capsule, container, spec, status

P1, P2 = ProjectId("p1"), ProjectId("p2")
NAMES = ["a", "b", "B", "ä", "z"]


@st.composite
def stored(draw: st.DrawFn) -> Capsule:
    one = container(
        name=draw(st.sampled_from(NAMES)),
        image=draw(st.sampled_from(["busybox", "nginx"])),
        limits=Resources(cpu=draw(st.sampled_from([0.0, 0.5, 1.0])), memory=draw(st.sampled_from([0, 64, 512]))),
    )
    wanted = spec(one, desired=draw(st.sampled_from(Desired)), auto_remove=draw(st.booleans()))
    host = draw(st.sampled_from([None, "h1", "h2"]))
    return capsule(
        wanted,
        project_id=draw(st.sampled_from([P1, P1, P2])),
        user_id=UserId(draw(st.sampled_from(["u1", "u2"]))),
        created_at=draw(st.sampled_from([1.0, 2.0])),
        updated_at=draw(st.sampled_from([None, 1.0, 2.0])),
        assignment=Assignment(host_id=HostId(host) if host else None, epoch=1 if host else 0),
        status=status(wanted, draw(st.sampled_from(Stage)), settled=draw(st.booleans())),
        host=host,
    )


def column(one: Capsule, key: str) -> Any:
    """What is sorted and filtered by."""
    word = statusword.describe(one)
    match key:
        case "uuid":
            return one.id
        case "image":
            return one.spec.containers[0].image
        case "status":
            return word.status.value
        case "task_state":
            return word.task
        case "memory":
            return one.spec.claim().memory
        case "cpu":
            return one.spec.claim().cpu
        case "auto_remove":
            return one.spec.auto_remove
        case _:
            return getattr(one, key)


def expected(rows: list[Capsule], project: ProjectId | None, query: Query) -> list[CapsuleId]:
    """The whole list, as a few lines of Python would make it."""
    found = [
        (number, one)
        for number, one in enumerate(rows)
        if project in (None, one.project_id)
        and all(
            (str(column(one, key)).lower() if key == "auto_remove" else str(column(one, key))) in values
            for key, values in query.filters.items()
            if column(one, key) is not None or not values
        )
        and all(column(one, key) is not None for key in query.filters)
    ]

    def place(entry: tuple[int, Capsule]) -> tuple[Any, ...]:
        number, one = entry
        if query.sort_key == "id":
            return (number,)
        value = column(one, query.sort_key)
        return (value is not None, value if value is not None else 0, number)

    return [one.id for _, one in sorted(found, key=place, reverse=query.descending)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('pages')}/some.sqlite")
    metadata.create_all(made.engine)
    yield made
    made.engine.dispose()


@contextmanager
def holding(database: Database, rows: list[Capsule]) -> Iterator[Connection]:
    """With nothing else in it, and nothing kept."""
    with database.engine.connect() as db, db.begin() as transaction:
        for name in ("h1", "h2"):
            hosts.register(db, Host(id=HostId(name), name=name, created_at=1.0))
        for one in rows:
            capsules.insert(db, one, deadline=99.0)
        yield db
        transaction.rollback()


def pages(db: Connection, project: ProjectId | None, query: Query) -> Iterator[list[Capsule]]:
    """All pages, one after the other, each begun after the last row of the one before."""
    for _ in itertools.count():
        page = capsules.page(db, project, query, Kind.CONTAINER)
        if not query.filters and query.sort_key == "id":
            assert capsules.see_page(_eye(db), project, query, Kind.CONTAINER, _nothing_known) == page
            seen = capsules.see_page(_eye(db), project, query, Kind.CONTAINER, lambda *which: which)
            assert (list(seen.items), seen.more) == ([(one.id, one.revision) for one in page.items], page.more)
        yield [one.open() for one in page.items]
        if not page.more:
            return
        assert len(page.items) == query.limit
        query = replace(query, marker=page.items[-1].id)


def _nothing_known(*_: object) -> Sealed | None:
    return None


def _eye(db: Connection) -> Eye:
    connection: Any = db.connection.driver_connection
    return Eye(connection)


filters = st.fixed_dictionaries(
    {},
    optional={
        "name": st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
        "image": st.just(["nginx"]),
        "project_id": st.just(["p2"]),
        "user_id": st.just(["u1"]),
        "memory": st.sampled_from([["64"], ["64", "512"], ["many"]]),
        "host": st.just(["h1"]),
        "task_state": st.just(["container_starting", "container_creating"]),
        "status": st.just(["Running", "Stopped", "Creating"]),
        "auto_remove": st.sampled_from([["true"], ["false"], ["true", "false"]]),
    },
)


@settings(max_examples=60)
@given(
    rows=st.lists(stored(), max_size=9),
    descending=st.booleans(),
    limit=st.integers(1, 4),
    wanted=st.one_of(st.just({}), filters),
    project=st.sampled_from([P1, P2, None]),
    keys=st.lists(st.sampled_from(SORT_KEYS), min_size=1, max_size=4, unique=True),
)
def test_over_all_pages_every_row_comes_once_and_in_order(
    database: Database,
    rows: list[Capsule],
    descending: bool,
    limit: int,
    wanted: dict[str, list[str]],
    project: ProjectId | None,
    keys: list[str],
) -> None:
    with holding(database, rows) as db:
        for key in keys:
            query = Query(filters=wanted, sort_key=key, descending=descending, limit=limit)
            found = [one.id for page in pages(db, project, query) for one in page]
            assert found == expected(rows, project, query), key


@given(one=stored())
@settings(max_examples=30)
def test_what_is_stored_comes_back_as_it_was(database: Database, one: Capsule) -> None:
    with holding(database, [one]) as db:
        assert capsules.get(db, one.id) == replace(one, deadline=99.0)


def test_every_filter_that_is_offered_can_be_asked_for(database: Database) -> None:
    with holding(database, []) as db:
        for key in FILTERS:
            assert capsules.page(db, None, Query(filters={key: ["x"]}), Kind.CONTAINER).items == ()


@pytest.mark.parametrize("descending", [False, True])
def test_a_project_reads_its_list_from_the_index_alone(database: Database, descending: bool) -> None:
    front = capsules._FRONTS[False, descending]
    wanted = {**front.known, "kind": "container", "project": P1, "after": 0, "most": 9}
    with holding(database, []) as db:
        connection: Any = db.connection.driver_connection
        (step,) = connection.execute(f"EXPLAIN QUERY PLAN {front.text}", wanted).fetchall()
    assert "USING COVERING INDEX ix_capsules_listed (project_id=? AND number" in step[-1]


def test_a_marker_of_another_project_is_as_unknown_as_one_that_does_not_exist(database: Database) -> None:
    other = capsule(project_id=P2)
    with holding(database, [other]) as db:
        for marker in (other.id, CapsuleId("nothing")):
            with pytest.raises(errors.NotFound):
                capsules.page(db, P1, Query(marker=marker), Kind.CONTAINER)
            with pytest.raises(errors.NotFound):
                capsules.see_page(_eye(db), P1, Query(marker=marker), Kind.CONTAINER, _nothing_known)
