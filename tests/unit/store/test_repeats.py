"""Of the answers that are kept for those who ask again no project has more than its part."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from higgins.model.ids import ProjectId, RequestId, UserId
from higgins.model.repeat import Begun, Repeatable
from higgins.store import repeats, schema
from higgins.store.database import Connection, Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    database = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    schema.upgrade(database)
    with database.engine.begin() as connection:
        yield connection
    database.engine.dispose()


def _asked(project: str, number: int) -> Repeatable:
    return Repeatable(project_id=ProjectId(project), user_id=UserId("u"), key=f"k{number}", fingerprint="f")


def _begin(db: Connection, project: str, number: int) -> bool:
    """Whether it is the first time, as far as anybody remembers."""
    asked, now = _asked(project, number), float(number)
    begun = repeats.begin(db, asked, RequestId("req"), now=now, until=now, forgotten=-1.0)
    assert isinstance(begun, Begun)
    return not begun.again


def test_of_a_project_that_has_too_many_the_oldest_are_forgotten_and_others_lose_nothing(db: Connection) -> None:
    for number in range(5):
        assert _begin(db, "p1", number)
        assert _begin(db, "p2", number)
    assert repeats.prune(db, before=0.0, most=5, at_once=10) == 0
    assert _begin(db, "p1", 5)
    assert _begin(db, "p1", 6)
    assert repeats.prune(db, before=0.0, most=5, at_once=1) == 1
    assert repeats.prune(db, before=0.0, most=5, at_once=10) == 1
    assert [_begin(db, "p1", number) for number in range(2, 7)] == [False] * 5
    assert [_begin(db, "p2", number) for number in range(5)] == [False] * 5
