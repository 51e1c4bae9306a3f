"""One database: reads side by side, writes in one transaction each, and on SQLite many writes in one commit.

A unit of work is a plain function of a connection. It runs in a thread, may run again from the beginning after a rollback, and must therefore
do nothing but SQL. Its result reaches the caller only once it is durable.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import make_url

from higgins import errors
from higgins.store.glance import Eye, Glances

Connection = sa.Connection
Result = TypeVar("Result")

_READERS = 4
_LONGEST_BATCH = 64
"""Writes that share one commit at most: long enough to pay for the disk's flush, short enough that the first does not wait for long."""
_BUSY_SECONDS = 10


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]

    def settle(self, result: Any, failure: BaseException | None) -> None:
        def tell() -> None:
            if self.done.done():  # The caller was cancelled meanwhile; the write stands.
                return
            if failure is not None:
                self.done.set_exception(failure)
            else:
                self.done.set_result(result)

        try:
            self.loop.call_soon_threadsafe(tell)
        except RuntimeError:
            return  # The loop is closed: nobody is left to tell.


class Database:
    """Where every durable noun lives. Open it once in a process, close it at the end."""

    def __init__(self, url: str) -> None:
        """`url` is an SQLAlchemy URL, such as `sqlite:////var/lib/higgins/higgins.sqlite`. Raises Invalid for one that cannot be used."""
        try:
            parsed = make_url(url)
        except exc.ArgumentError as error:
            raise errors.Invalid(
                f"the database URL {url!r} cannot be read; an example: sqlite:////var/lib/higgins/higgins.sqlite"
            ) from error
        if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
            raise errors.Invalid(
                f"the database {parsed.render_as_string()} is not one that this release can use; give the path of an SQLite file, "
                "as in sqlite:////var/lib/higgins/higgins.sqlite"
            )
        self.name = parsed.database
        self.engine = sa.create_engine(
            parsed, pool_size=_READERS + 1, max_overflow=0, connect_args={"check_same_thread": False}
        )
        event.listen(self.engine, "connect", _prepare_sqlite)
        event.listen(self.engine, "begin", _begin_sqlite)
        self._glances = Glances(self.name)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_until_closed, name="store-write", daemon=True)

    def open(self) -> None:
        """Check that the file can be written and start writing. Raises Unavailable with the path and what to do."""
        if Path(self.name).is_dir():
            raise errors.Unavailable(f"the database file {self.name} is a directory; name a file")
        try:
            with self.engine.connect() as connection:
                connection.execution_options(writes=True)
                connection.exec_driver_sql("PRAGMA user_version = 1")
                connection.commit()
        except exc.DBAPIError as error:
            raise self._translated(error) from error
        self._writer.start()

    def close(self) -> None:
        """Finish the writes that were handed in, then let go of the file."""
        if self._writer.is_alive():
            self._jobs.put(None)
            self._writer.join()
        self._readers.shutdown()
        self._glances.close()
        self.engine.dispose()

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` makes of one consistent view of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in a transaction and return its result once that is durable; if it raises, nothing of it is kept."""
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future())
        self._jobs.put(job)
        result: Result = await job.done
        return result

    async def glance(self, work: Callable[[Eye], Result]) -> Result:
        """The same as `read`, for work that takes a few rows by an index: done at once, on the thread of the caller, whom no writer can hold up."""
        # Everybody waits meanwhile: 0.05 ms for a container, 3 for a page of 1,000 that are remembered, 15 for one of which nothing is.
        # To ask a thread costs several times what the container does, and is no relief: the interpreter runs one thread at a time.
        try:
            return self._glances.look(work)
        except sqlite3.DatabaseError:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._look_again, work)

    def write_now(self, work: Callable[[Connection], Result]) -> Result:
        """The same for commands that have no event loop; waits for other processes that write."""
        try:
            with self.engine.connect() as connection:
                connection.execution_options(writes=True)
                with connection.begin():
                    return work(connection)
        except exc.DBAPIError as error:
            raise self._translated(error) from error

    def read_now(self, work: Callable[[Connection], Result]) -> Result:
        """`read` for commands that have no event loop."""
        return self._read(work)

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        try:
            with self.engine.connect() as connection, connection.begin():
                return work(connection)
        except exc.DBAPIError as error:
            raise self._translated(error) from error

    def _look_again(self, work: Callable[[Eye], Result]) -> Result:
        """Where a glance was not possible: with patience, and with what goes wrong in words."""
        try:
            return self._read(lambda db: work(Eye(_driver(db))))
        except sqlite3.DatabaseError as error:
            raise self._explained(str(error)) from error

    def _write_until_closed(self) -> None:
        last = False
        while not last:
            batch: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                batch.append(job)
                if len(batch) == _LONGEST_BATCH or self._jobs.empty():
                    break
                job = self._jobs.get()
            last = job is None
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Job]) -> None:
        """One transaction for all; a savepoint each, so that one that fails takes nobody with it."""
        ended: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            with self.engine.connect() as connection:
                connection.execution_options(writes=True)
                with connection.begin():
                    for job in batch:
                        ended.append(self._attempt(connection, job))
        except exc.DBAPIError as error:
            failure = self._translated(error)
            failure.__cause__ = error
            ended = [(job, None, failure) for job in batch]
        except Exception as error:  # noqa: BLE001 - the loop of this thread: whatever happens to one batch, the next one is written
            ended = [(job, None, error) for job in batch]
        for job, result, trouble in ended:
            job.settle(result, trouble)

    def _attempt(self, connection: Connection, job: _Job) -> tuple[_Job, Any, BaseException | None]:
        try:
            with connection.begin_nested():
                return job, job.work(connection), None
        except exc.DBAPIError as error:
            if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                raise  # The disk or the file: the engine has rolled back the whole batch.
            failure = self._translated(error)
            failure.__cause__ = error
            return job, None, failure
        except Exception as error:  # noqa: BLE001 - whoever handed the work in is told
            return job, None, error

    def _translated(self, error: exc.DBAPIError) -> errors.Failure:
        return self._explained(str(error.orig))

    def _explained(self, words: str) -> errors.Failure:
        match words:
            case _ if "readonly" in words or "unable to open" in words:
                remedy = "check that the directory exists and that this user may write the file and its directory"
            case _ if "full" in words:
                remedy = "free some space on that disk"
            case _ if "locked" in words:
                remedy = "another process holds it; try again, or stop the process that does"
            case _ if "not a database" in words or "malformed" in words:
                remedy = "the file is damaged or something else; restore it from a copy or move it away"
            case _ if "no such table" in words or "no such column" in words:
                remedy = "bring it up to date with `higgins db upgrade`"
            case _:
                return errors.Broken(f"the database {self.name} refused a statement: {words}")
        return errors.Unavailable(f"the database {self.name} cannot be used: {words}; {remedy}")


def _driver(db: Connection) -> sqlite3.Connection:
    connection: Any = db.connection.driver_connection
    return cast(sqlite3.Connection, connection)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: a write has to say so at once (BEGIN IMMEDIATE), or two
    # processes could both read, both want to write, and one would fail without waiting.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
