"""Sending a request again: whoever does not know whether it was taken asks once more, and nothing happens twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from higgins.aio.beside import beside
from higgins.model.ids import RequestId
from higgins.model.repeat import Answered, Begun, Repeatable, Reply
from higgins.store import repeats
from higgins.store.database import Database

_DAY = 86_400.0


class Turn:
    """One go at answering a request."""

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self.reply: Reply | None = None
        """To be given to everybody who sends the same again; while there is none, the next one has another go."""


class Repeats:
    """Reserves a request's key before anything happens, and keeps its answer.

    Whoever dies between the effect and the answer leaves a key that is held for `hold` seconds more. The next one then has a go under the request id of
    the first: whatever a request changes is recorded under its id in the transaction that changes it, so the verbs see what has happened already.
    """

    def __init__(
        self, database: Database, *, keep: float = _DAY, hold: float = 10.0, clock: Callable[[], float] = time.time
    ) -> None:
        """`keep` is how many seconds an answer is kept."""
        self._database = database
        self._keep = keep
        self._hold = hold
        self._clock = clock

    @asynccontextmanager
    async def turn(self, asked: Repeatable, request_id: RequestId) -> AsyncIterator[Turn | Answered]:
        """The turn, kept while the block runs, or what was answered already.

        Raises Conflict while somebody else has the turn (code `idempotency-key-in-use`) and for the key of another request
        (`idempotency-key-reused`).
        """
        now = self._clock()
        found = await self._database.write(
            lambda db: repeats.begin(db, asked, request_id, now=now, until=now + self._hold, forgotten=now - self._keep)
        )
        if isinstance(found, Answered):
            yield found
            return
        turn = Turn(found)
        try:
            async with beside() as start:
                start(self._holding(asked))
                yield turn
        finally:
            reply = turn.reply
            if reply is None:
                await self._database.write(lambda db: repeats.hold(db, asked, until=None))
            else:
                await self._database.write(lambda db: repeats.answer(db, asked, reply))

    async def _holding(self, asked: Repeatable) -> None:
        """What takes long is not begun by somebody else meanwhile."""
        while True:
            await asyncio.sleep(self._hold / 3)
            await self._database.write(partial(repeats.hold, asked=asked, until=self._clock() + self._hold))
