"""Actions in the database: what was asked, and what became of it."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from higgins.logic import documents
from higgins.model.action import Action, Outcome, Step
from higgins.model.ids import CapsuleId, ProjectId, RequestId, UserId
from higgins.store.database import Connection
from higgins.store.tables import actions, capsules

# Built once: to build a statement costs ten times what it costs to execute it.
_OF = sa.select(actions, capsules.c.deadline).join(capsules, capsules.c.id == actions.c.capsule_id)
_KNOWN = (
    sa.select(actions.c.number)
    .where(actions.c.capsule_id == sa.bindparam("of_capsule"), actions.c.request_id == sa.bindparam("of_request"))
    .limit(1)
)
_OPEN = sa.select(actions.c.number, actions.c.steps).where(
    actions.c.capsule_id == sa.bindparam("of_capsule"),
    actions.c.generation == sa.bindparam("of_generation"),
    actions.c.finished_at.is_(None),
)
_TELL = actions.update().where(actions.c.number == sa.bindparam("of_number"))
_CLOSE = actions.update().where(
    actions.c.capsule_id == sa.bindparam("of_capsule"),
    actions.c.generation <= sa.bindparam("upto"),
    actions.c.finished_at.is_(None),
)


_CONTROL = {"schedule"}
"""Steps of the control plane's own."""


def insert(db: Connection, action: Action) -> None:
    """A new action, open unless it says otherwise."""
    db.execute(
        actions.insert(),
        {
            "capsule_id": action.capsule_id,
            "request_id": action.request_id,
            "project_id": action.project_id,
            "user_id": action.user_id,
            "verb": action.verb,
            "generation": action.generation,
            "started_at": action.started_at,
            "finished_at": action.finished_at,
            "outcome": action.outcome.value if action.outcome else None,
            "message": action.message,
        },
    )


def known(db: Connection, capsule_id: CapsuleId, request_id: RequestId) -> bool:
    """Whether this request has done to the capsule what it asked for: it is being tried again."""
    return db.execute(_KNOWN, {"of_capsule": capsule_id, "of_request": request_id}).first() is not None


def of(db: Connection, capsule_id: CapsuleId) -> Sequence[Action]:
    """All actions of a capsule, newest first."""
    rows = db.execute(_OF.where(actions.c.capsule_id == capsule_id).order_by(actions.c.number.desc()))
    return tuple(_action(row) for row in rows)


def get(db: Connection, capsule_id: CapsuleId, request_id: RequestId) -> Action | None:
    """One of them."""
    row = db.execute(
        _OF.where(actions.c.capsule_id == capsule_id, actions.c.request_id == request_id)
        .order_by(actions.c.number.desc())
        .limit(1)
    ).one_or_none()
    return _action(row) if row is not None else None


def tell(db: Connection, capsule_id: CapsuleId, generation: int, steps: Sequence[Step]) -> None:
    """What has been done, all in all, for the open action of this generation; after what was told of other steps by whoever did those."""
    names = {step.name for step in steps}
    for row in db.execute(_OPEN, {"of_capsule": capsule_id, "of_generation": generation}).all():
        before = _steps(row)
        after = (*(step for step in before if step.name in _CONTROL - names), *steps)
        if after != before:
            db.execute(_TELL, {"of_number": row.number, "steps": documents.encode(after).decode()})


def close(
    db: Connection, capsule_id: CapsuleId, *, upto: int, outcome: Outcome, message: str | None, now: float
) -> None:
    """End the open actions of a capsule that waited for generation `upto` or an earlier one."""
    ended = {"finished_at": now, "outcome": outcome.value, "message": message}
    db.execute(_CLOSE, {"of_capsule": capsule_id, "upto": upto} | ended)


def _action(row: sa.Row[Any]) -> Action:
    return Action(
        request_id=RequestId(row.request_id),
        capsule_id=CapsuleId(row.capsule_id),
        project_id=ProjectId(row.project_id),
        user_id=UserId(row.user_id),
        verb=row.verb,
        generation=row.generation,
        started_at=row.started_at,
        finished_at=row.finished_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        message=row.message,
        # What is open waits for a generation that has not settled: by then it has, or is given up.
        deadline=row.deadline if row.finished_at is None else None,
        steps=_steps(row)[::-1],
    )


def _steps(row: Any) -> tuple[Step, ...]:
    return documents.decode(row.steps, tuple[Step, ...]) if row.steps else ()
