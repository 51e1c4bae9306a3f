"""Consoles: tokens with which a WebSocket takes a seat at a terminal, once and soon."""

import hashlib
import re
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from higgins import errors
from higgins.model.capsule import Capsule
from higgins.model.console import Console
from higgins.model.identity import Caller
from higgins.model.ids import CapsuleId, ExecId
from higgins.model.live import Attach, Enter
from higgins.store import consoles
from higgins.store.database import Connection, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What its holder connects with. The token is known to nobody else, this service included."""

    token: str
    capsule_id: CapsuleId
    exec_id: ExecId | None = None


class Consoles:
    """Gives tokens out and takes them back. Each is good once, for `lifetime` seconds, for what it was given for."""

    def __init__(self, database: Database, *, lifetime: float = 60.0, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._lifetime = lifetime
        self._clock = clock

    def new_exec_id(self) -> ExecId:
        """The name of a command that has not begun."""
        return ExecId(secrets.token_hex(32))

    def issue(self, db: Connection, caller: Caller, capsule: Capsule, request: Attach | Enter) -> Ticket:
        """A token for the caller; whether the caller may is decided before."""
        now = self._clock()
        console = Console(
            capsule_id=capsule.id,
            project_id=caller.project_id,
            user_id=caller.user_id,
            roles=caller.roles,
            request=request,
            expires_at=now + self._lifetime,
        )
        token = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        consoles.remove_expired(db, now)
        consoles.insert(db, _digest(token), console)
        return Ticket(token=token, capsule_id=capsule.id, exec_id=console.exec_id)

    @asynccontextmanager
    async def redeemed(self, ticket: Ticket) -> AsyncIterator[Console]:
        """The console, taken for as long as the block runs. Raises Forbidden for a ticket that is not good, or no more."""
        digest, now = _digest(ticket.token), self._clock()

        def work(db: Connection) -> Console:
            console = consoles.redeem(db, digest, now)
            if console is None or (console.capsule_id, console.exec_id) != (ticket.capsule_id, ticket.exec_id):
                # In a transaction: one that is shown for something else is still good for what it was given for.
                raise errors.Forbidden(
                    "The console's token is not good for this, was used before or has expired; ask for another one.",
                    code="console-token-refused",
                )
            return console

        console = await self._database.write(work)
        try:
            yield console
        finally:
            await self._database.write(lambda db: consoles.remove(db, digest))

    def entered(self, db: Connection, caller: Caller, capsule_id: CapsuleId, exec_id: str) -> Console:
        """The console of a command. Raises Invalid unless it is one of that container that the caller's project has asked for."""
        found = consoles.entered(db, capsule_id, ExecId(exec_id)) if re.fullmatch("[0-9a-f]{64}", exec_id) else None
        if found is None or found.project_id != caller.project_id:
            raise errors.Invalid(f"no such exec instance: {exec_id[:64]}", code="invalid")
        return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
