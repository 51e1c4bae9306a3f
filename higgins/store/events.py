"""Events in the database: appended in the transaction that changes something, read after a number, forgotten after a while."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from higgins.logic import statusword
from higgins.model.capsule import Capsule, Kind, Observation, Stage
from higgins.model.event import Event, Filter
from higgins.model.ids import CapsuleId, ProjectId
from higgins.store.database import Connection
from higgins.store.tables import events

# Built once: to build a statement costs ten times what it costs to execute it.
_APPEND = events.insert()
_BOUNDS = sa.select(sa.func.min(events.c.number), sa.func.max(events.c.number))
_YOUNG = sa.select(events.c.number).where(events.c.at >= sa.bindparam("since")).order_by(events.c.at).limit(1)
_DELETE = events.delete().where(events.c.number < sa.bindparam("first"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """The numbers of the first and the last event that are kept; 0 where there has never been one."""

    first: int
    last: int


def append(db: Connection, kind: str, capsule: Capsule, verb: str | None = None) -> None:
    """One more, about a capsule as it is from now on. It bears the time of writing: numbers and times grow together, whoever writes."""
    word, seen = statusword.describe(capsule), _seen(capsule)
    gone = kind == "gone"
    row = {
        "at": time.time(),
        "project_id": capsule.project_id,
        "capsule_id": capsule.id,
        "name": capsule.name,
        "kind": kind,
        "verb": verb,
        "status": None if gone else word.status.value,
        "reason": None if gone else word.reason,
        "exit_code": seen.exit_code if seen and seen.stage is Stage.EXITED else None,
    }
    db.execute(_APPEND, row)


def append_news(db: Connection, before: Capsule, after: Capsule) -> None:
    """A `status` if there is any news: what is said once more is none, a run that began or ended is, even when both were seen in one look."""
    if after is not before and _news(after) != _news(before):
        append(db, "status", after)


def bounds(db: Connection) -> Bounds:
    """What there is, of all projects."""
    first, last = db.execute(_BOUNDS).one()
    return Bounds(first or 0, last or 0)


def after(db: Connection, project: ProjectId | None, since: int, wanted: Filter, most: int) -> Sequence[Event]:
    """Those with greater numbers that somebody in `project`, None standing for all, wants to see, in order."""
    where: list[sa.ColumnElement[bool]] = [events.c.number > since]
    if project is not None:
        where.append(events.c.project_id == project)
    if wanted.containers:
        where.append(sa.or_(events.c.capsule_id.in_(wanted.containers), events.c.name.in_(wanted.containers)))
    if wanted.kinds:
        where.append(events.c.kind.in_(wanted.kinds))
    if wanted.statuses:
        where.append(events.c.status.in_(wanted.statuses))
    rows = db.execute(events.select().where(*where).order_by(events.c.number).limit(most))
    return tuple(_event(row) for row in rows)


def prune(db: Connection, *, since: float, most: int, at_once: int) -> int:
    """Forget what is older than `since`, and the oldest of more than `most`; how many, at most `at_once`.

    The last one stays in any case: its number tells what has been forgotten.
    """
    kept = bounds(db)
    young: int | None = db.execute(_YOUNG, {"since": since}).scalar_one_or_none()
    # Numbers have no gaps, but for what was forgotten at the front.
    first = min(max(young if young is not None else kept.last, kept.last - most + 1), kept.last, kept.first + at_once)
    return db.execute(_DELETE, {"first": first}).rowcount if first > kept.first else 0


def _news(capsule: Capsule) -> tuple[object, ...]:
    seen = [known.observed for known in capsule.status.containers.values() if known.observed]
    return (statusword.describe(capsule).status, *((one.container_id, one.started_at, one.finished_at) for one in seen))


def _seen(capsule: Capsule) -> Observation | None:
    """A container alone; of a capsule no single one's end is the end."""
    if capsule.kind is not Kind.CONTAINER:
        return None
    known = capsule.status.containers.get(capsule.spec.containers[0].id)
    return known.observed if known else None


def _event(row: sa.Row[Any]) -> Event:
    return Event(
        number=row.number,
        at=row.at,
        project_id=ProjectId(row.project_id),
        capsule_id=CapsuleId(row.capsule_id),
        name=row.name,
        kind=row.kind,
        verb=row.verb,
        status=row.status,
        reason=row.reason,
        exit_code=row.exit_code,
    )
