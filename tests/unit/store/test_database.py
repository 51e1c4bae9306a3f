"""Many writes share a commit, and none notices: each is kept whole or not at all, and told only once it is durable."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from higgins import errors
from higgins.store.database import Connection, Database
from higgins.store.glance import Eye, Prepared


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/some.sqlite")
    opened.open()
    opened.write_now(lambda db: db.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY, m INTEGER)"))
    yield opened
    opened.close()


def _insert(db: Connection, number: int, other: int = 0) -> int:
    db.execute(sa.text("INSERT INTO t VALUES (:n, :m)"), {"n": number, "m": other})
    return number


def _inserting(number: int) -> Callable[[Connection], int]:
    return lambda db: _insert(db, number)


def _numbers(db: Connection) -> list[int]:
    return [row[0] for row in db.execute(sa.text("SELECT n FROM t ORDER BY n"))]


async def _together(*works: Awaitable[object]) -> list[object]:
    """Every result or failure."""
    ended: list[object] = [None] * len(works)

    async def one(place: int, work: Awaitable[object]) -> None:
        try:
            ended[place] = await work
        except Exception as error:  # noqa: BLE001 - which one is what is asked
            ended[place] = error

    async with asyncio.TaskGroup() as group:
        for place, work in enumerate(works):
            group.create_task(one(place, work))
    return ended


async def test_a_write_that_fails_takes_nobody_with_it(database: Database) -> None:
    def fails(db: Connection) -> None:
        _insert(db, 1000)
        raise errors.Conflict("no")

    def collides(db: Connection) -> None:
        _insert(db, 1001)
        _insert(db, 1001)

    def is_wrong(db: Connection) -> None:
        _insert(db, 1002)
        db.exec_driver_sql("SELECT 1 FROM nowhere")

    def overflows(db: Connection) -> None:
        _insert(db, 2**70)

    ended = await _together(
        *(database.write(_inserting(n)) for n in range(20)),
        *(database.write(work) for work in (fails, collides, is_wrong, overflows)),
        *(database.write(_inserting(n)) for n in range(20, 40)),
    )
    assert [one for one in ended if isinstance(one, int)] == list(range(40))
    assert [type(one) for one in ended[20:24]] == [errors.Conflict, errors.Broken, errors.Unavailable, OverflowError]
    assert await database.read(_numbers) == list(range(40))


async def test_what_is_answered_is_there_for_everybody(database: Database) -> None:
    for number in range(20):
        await database.write(_inserting(number))
        with sqlite3.connect(database.name) as other:
            assert other.execute("SELECT count(*) FROM t WHERE n = ?", (number,)).fetchone() == (1,)


async def test_a_reading_sees_one_moment(database: Database) -> None:
    """Two numbers that only ever change together are never seen apart, however long the reading takes."""

    def start(db: Connection) -> None:
        _insert(db, 1)
        _insert(db, 2)

    def change(db: Connection) -> None:
        db.execute(sa.text("UPDATE t SET m = m + 1 WHERE n = 1"))
        db.execute(sa.text("UPDATE t SET m = m + 1 WHERE n = 2"))

    between = threading.Event()

    def look(db: Connection) -> tuple[int, int]:
        first = db.execute(sa.text("SELECT m FROM t WHERE n = 1")).scalar_one()
        between.wait(5)
        return first, db.execute(sa.text("SELECT m FROM t WHERE n = 2")).scalar_one()

    await database.write(start)
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(database.read(look))
        await asyncio.sleep(0.05)
        await _together(*(database.write(change) for _ in range(50)))
        between.set()
    first, second = looking.result()
    assert first == second


async def test_a_caller_who_is_cancelled_leaves_the_others_alone(database: Database) -> None:
    async def impatient() -> None:
        async with asyncio.timeout(0):
            await database.write(lambda db: _insert(db, 1))

    ended = await _together(impatient(), database.write(lambda db: _insert(db, 2)))
    assert isinstance(ended[0], TimeoutError)
    assert ended[1] == 2
    assert await database.write(lambda db: _insert(db, 3)) == 3


async def test_closing_finishes_what_was_handed_in(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/some.sqlite")
    database.open()
    database.write_now(lambda db: db.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY, m INTEGER)"))
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(database.write(_inserting(number)))
        await asyncio.sleep(0)
        database.close()
    with sqlite3.connect(database.name) as other:
        assert other.execute("SELECT count(*) FROM t").fetchone() == (200,)


def test_a_path_that_cannot_be_written_is_said_with_what_to_do(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "missing" / "x.sqlite", "directory exists"), (tmp_path, "is a directory")):
        with pytest.raises(errors.Unavailable, match=words) as told:
            Database(f"sqlite:///{path}").open()
        assert str(path) in told.value.message


def test_a_file_that_is_something_else_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"this is not a database at all, only some words" * 50)
    with pytest.raises(errors.Unavailable, match="something else"):
        Database(f"sqlite:///{path}").open()


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_this_release_cannot_use_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(errors.Invalid, match="sqlite:///"):
        Database(url)


WRITER = textwrap.dedent(
    """
    import asyncio, sys
    import sqlalchemy as sa
    from higgins.store.database import Database

    async def main(path, first):
        database = Database(f"sqlite:///{path}")
        database.open()
        database.write_now(lambda db: db.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, m INTEGER)"))
        async def client(number):
            while True:
                await database.write(lambda db: db.execute(sa.text("INSERT INTO t VALUES (:n, :n)"), {"n": number}))
                print(number, flush=True)
                number += 16
        async with asyncio.TaskGroup() as group:
            for number in range(16):
                group.create_task(client(first + number))

    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    """
)


@pytest.mark.parametrize("seed", range(3))
def test_killed_in_the_middle_of_many_writes_it_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "some.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(150 + 77 * seed)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = {row[0] for row in other.execute("SELECT n FROM t")}
    assert set(told) <= kept


_SEEN = Prepared(sa.select(sa.column("n")).select_from(sa.table("t")).order_by(sa.column("n")))
_NOWHERE = Prepared(sa.select(sa.column("n")).select_from(sa.table("nowhere")))


def _glance(eye: Eye) -> list[int]:
    return [row[0] for row in eye.rows(_SEEN, {})]


async def test_a_glance_waits_for_no_writer(database: Database) -> None:
    begun, over = threading.Event(), threading.Event()

    def slow(db: Connection) -> int:
        _insert(db, 1)
        begun.set()
        assert over.wait(10)
        return 1

    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(slow))
        assert await asyncio.to_thread(begun.wait, 10)
        assert await database.glance(_glance) == []
        over.set()
    assert await database.glance(_glance) == [1]


async def test_a_glance_sees_one_state_of_things(database: Database) -> None:
    def look(eye: Eye) -> tuple[list[int], list[int]]:
        before = _glance(eye)
        database.write_now(_inserting(1))
        return before, _glance(eye)

    assert await database.glance(look) == ([], [])
    assert await database.glance(_glance) == [1]


async def test_a_glance_at_what_is_not_there_says_what_to_do(database: Database) -> None:
    with pytest.raises(errors.Unavailable, match="higgins db upgrade"):
        await database.glance(lambda eye: eye.rows(_NOWHERE, {}))


async def test_a_glance_that_would_have_to_wait_waits_in_a_thread(database: Database) -> None:
    tried: list[threading.Thread] = []

    def look(eye: Eye) -> list[int]:
        tried.append(threading.current_thread())
        if len(tried) == 1:
            raise sqlite3.OperationalError("database is locked")
        return _glance(eye)

    assert await database.glance(look) == []
    assert tried[0] is threading.current_thread() is not tried[1]


async def test_a_glance_that_is_given_up_leaves_no_view_behind(database: Database) -> None:
    def look(eye: Eye) -> None:
        _glance(eye)
        raise errors.NotFound("it is not there")

    with pytest.raises(errors.NotFound):
        await database.glance(look)
    await database.write(_inserting(1))
    assert await database.glance(lambda eye: (_glance(eye), threading.current_thread())) == (
        [1],
        threading.current_thread(),
    )


async def test_a_glance_makes_no_file(tmp_path: Path) -> None:
    away = Database(f"sqlite:///{tmp_path}/away/higgins.sqlite")
    with pytest.raises(errors.Unavailable, match="check that the directory exists"):
        await away.glance(_glance)
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_glances_from_several_loops_do_not_meet(database: Database) -> None:
    await database.write(_inserting(1))
    assert await database.glance(_glance) == [1]

    def elsewhere() -> list[int]:
        return asyncio.run(database.glance(_glance))

    async with asyncio.TaskGroup() as group:
        looks = [group.create_task(asyncio.to_thread(elsewhere)) for _ in range(4)]
    assert [look.result() for look in looks] == [[1]] * 4
    assert await database.glance(_glance) == [1]
