"""Consoles in the database: under the digest of a token, who may connect to what, once."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from higgins.logic import documents
from higgins.model.console import Console
from higgins.model.ids import CapsuleId, ExecId, ProjectId, UserId
from higgins.model.live import Attach, Enter
from higgins.store.database import Connection
from higgins.store.tables import consoles


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """What the column `request` holds: one of the two, and the roles of who asked."""

    attach: Attach | None = None
    enter: Enter | None = None
    roles: frozenset[str] = frozenset()


def insert(db: Connection, digest: str, console: Console) -> None:
    """A new one. Fails if its capsule is gone."""
    request = console.request
    document = _Document(
        attach=request if isinstance(request, Attach) else None,
        enter=request if isinstance(request, Enter) else None,
        roles=console.roles,
    )
    db.execute(
        consoles.insert(),
        {
            "digest": digest,
            "capsule_id": console.capsule_id,
            "project_id": console.project_id,
            "user_id": console.user_id,
            "exec_id": console.exec_id,
            "request": documents.encode(document).decode(),
            "expires_at": console.expires_at,
            "used_at": None,
        },
    )


def redeem(db: Connection, digest: str, now: float) -> Console | None:
    """Take it, if nobody has yet and it is not too late; of two who try, one gets it."""
    good = (consoles.c.digest == digest, consoles.c.used_at.is_(None), consoles.c.expires_at > now)
    if db.execute(consoles.update().where(*good).values(used_at=now)).rowcount != 1:
        return None
    return _console(db.execute(consoles.select().where(consoles.c.digest == digest)).one())


def entered(db: Connection, capsule_id: CapsuleId, exec_id: ExecId) -> Console | None:
    """The one through which that command of that capsule is, was or will be run."""
    row = db.execute(
        consoles.select().where(consoles.c.exec_id == exec_id, consoles.c.capsule_id == capsule_id)
    ).one_or_none()
    return _console(row) if row is not None else None


def remove(db: Connection, digest: str) -> None:
    """It is over."""
    db.execute(consoles.delete().where(consoles.c.digest == digest))


def remove_expired(db: Connection, now: float) -> None:
    """Those that nobody came for. What is in use stays until it is removed, or its capsule is."""
    db.execute(consoles.delete().where(consoles.c.expires_at <= now, consoles.c.used_at.is_(None)))


def _console(row: sa.Row[Any]) -> Console:
    document = documents.decode(row.request, _Document)
    request = document.attach or document.enter
    assert request is not None
    return Console(
        capsule_id=CapsuleId(row.capsule_id),
        project_id=ProjectId(row.project_id),
        user_id=UserId(row.user_id),
        roles=document.roles,
        request=request,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
