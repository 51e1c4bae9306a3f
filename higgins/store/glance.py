"""Reads of a few rows by an index, so short that asking a thread for them would cost many times what they do."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

Result = TypeVar("Result")

_DIALECT = sqlite.dialect(paramstyle="named")
_CACHE_KIB = 32 * 1024


class Prepared:
    """A select that is written out once. Its columns must be of kinds that need no conversion: text and numbers."""

    def __init__(self, select: sa.Select[Any]) -> None:
        compiled = select.compile(dialect=_DIALECT)
        self.text = str(compiled)
        self.known: Mapping[str, Any] = {name: value for name, value in compiled.params.items() if value is not None}


class Eye:
    """Sees one consistent view of the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, prepared: Prepared, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """All rows of a select; `given` are its parameters by name."""
        return self._connection.execute(prepared.text, {**prepared.known, **given}).fetchall()


class Glances:
    """A connection of its own that waits for nobody: in WAL mode a reader need not, but for a moment after a crash.

    It belongs to the thread that looks first: SQLite's errors say so to any other.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._connection: sqlite3.Connection | None = None

    def look(self, work: Callable[[Eye], Result]) -> Result:
        """What `work` makes of one view. Raises sqlite3.DatabaseError for what goes wrong, and where it would have to wait."""
        connection = self._connection or self._connect()
        connection.execute("BEGIN")
        try:
            return work(Eye(connection))
        finally:
            # After some errors SQLite has ended it by itself. A view that stayed open would keep the log of writes growing.
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        # A file that is not there must not be made by a look.
        address = f"{Path(self._name).absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(address, uri=True, timeout=0.0, isolation_level=None)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA query_only = ON")
        self._connection = connection
        return connection
