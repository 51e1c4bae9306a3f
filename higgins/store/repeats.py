"""Repeatable requests in the database: reserved before anything happens, answered once."""

import sqlalchemy as sa

from higgins import errors
from higgins.logic import documents
from higgins.model.ids import RequestId
from higgins.model.repeat import Answered, Begun, Repeatable, Reply
from higgins.store.database import Connection
from higgins.store.tables import repeats

# Built once: to build a statement costs ten times what it costs to execute it.
_OF = sa.and_(
    repeats.c.project_id == sa.bindparam("of_project"),
    repeats.c.user_id == sa.bindparam("of_user"),
    repeats.c.key == sa.bindparam("of_key"),
)
_GET = repeats.select().where(_OF)
_WRITE = repeats.update().where(_OF)
_DELETE = repeats.delete().where(_OF)
_KEYS = sa.select(repeats.c.project_id, repeats.c.user_id, repeats.c.key)
_OLD = _KEYS.where(repeats.c.created_at < sa.bindparam("before"))
_OLDEST = _KEYS.where(repeats.c.project_id == sa.bindparam("of_project")).order_by(repeats.c.created_at)
_kept = sa.func.count().label("kept")
_CROWDED = sa.select(repeats.c.project_id, _kept).group_by(repeats.c.project_id).having(_kept > sa.bindparam("most"))


def begin(
    db: Connection, asked: Repeatable, request_id: RequestId, *, now: float, until: float, forgotten: float
) -> Begun | Answered:
    """The turn of this request, held until `until`; or what was answered. What came before `forgotten` counts for nothing.

    Raises Conflict while somebody else has the turn, and for the key of another request.
    """
    of = _of(asked)
    row = db.execute(_GET, of).one_or_none()
    if row is not None and row.created_at < forgotten:
        db.execute(_DELETE, of)
        row = None
    if row is None:
        new = {
            "project_id": asked.project_id,
            "user_id": asked.user_id,
            "key": asked.key,
            "fingerprint": asked.fingerprint,
            "request_id": request_id,
            "created_at": now,
            "held_until": until,
        }
        db.execute(repeats.insert(), new)
        return Begun(request_id=request_id, again=False)
    if row.fingerprint != asked.fingerprint:
        raise errors.Conflict(
            "This Idempotency-Key was used for another request; choose a new one for each.",
            code="idempotency-key-reused",
        )
    first = RequestId(row.request_id)
    if row.status is not None:
        headers = documents.decode(row.headers, dict[str, str])
        return Answered(request_id=first, reply=Reply(status=row.status, headers=headers, body=row.body))
    if row.held_until is not None and row.held_until > now:
        raise errors.Conflict(
            "The first request with this Idempotency-Key is still being answered; send it again in a moment.",
            code="idempotency-key-in-use",
            retry_after=1.0,
        )
    db.execute(_WRITE, of | {"held_until": until})
    return Begun(request_id=first, again=True)


def hold(db: Connection, asked: Repeatable, *, until: float | None) -> None:
    """Keep the turn for longer; None: give it back, unanswered."""
    db.execute(_WRITE, _of(asked) | {"held_until": until})


def answer(db: Connection, asked: Repeatable, reply: Reply) -> None:
    """From now on this is the answer."""
    headers = documents.encode(dict(reply.headers)).decode()
    said = {"held_until": None, "status": reply.status, "headers": headers, "body": reply.body}
    db.execute(_WRITE, _of(asked) | said)


def prune(db: Connection, *, before: float, most: int, at_once: int) -> int:
    """Forget what came earlier, and the oldest of each project that has more than `most`; how many, at most `at_once`."""
    old = [*db.execute(_OLD.limit(at_once), {"before": before})]
    for crowd in db.execute(_CROWDED, {"most": most}).all() if len(old) < at_once else ():
        excess = min(crowd.kept - most, at_once - len(old))
        old += db.execute(_OLDEST.limit(excess), {"of_project": crowd.project_id}) if excess > 0 else ()
    if old:
        db.execute(_DELETE, [{"of_project": row.project_id, "of_user": row.user_id, "of_key": row.key} for row in old])
    return len(old)


def _of(asked: Repeatable) -> dict[str, str | float | None]:
    return {"of_project": asked.project_id, "of_user": asked.user_id, "of_key": asked.key}
