"""Capsules in the database: one guarded writer for each of their three sides.

A guard is part of the statement that writes. What was read before is allowed to be stale; the write then finds no row and says so.
What runs for every request is built once, here at the top: to build a statement costs ten times what it costs to execute it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from higgins import errors
from higgins.logic import documents, statusword
from higgins.logic.quota import counted
from higgins.logic.sealed import Sealed
from higgins.model.capsule import Assignment, Capsule, CapsuleSpec, CapsuleStatus, Desired, Kind, Provision
from higgins.model.ids import CapsuleId, HostId, ProjectId
from higgins.model.query import Part, Query
from higgins.model.quota import Limits, Usage
from higgins.store import events, pages, quotas
from higgins.store.database import Connection
from higgins.store.glance import Eye, Prepared
from higgins.store.tables import capsules, hosts

Known = TypeVar("Known")
Recall = Callable[[CapsuleId, int], Known | None]
"""What is known of the capsule with this id in this revision, if anything is."""

_SORTED_BY: Mapping[str, sa.ColumnElement[Any]] = {
    "id": capsules.c.number,
    "uuid": capsules.c.id,
    "host": hosts.c.name,
    "status": capsules.c.status_word,
} | {
    name: capsules.c[name]
    for name in ("name", "project_id", "user_id", "image", "task_state", "memory", "cpu", "created_at", "updated_at")
}

_READ = (
    *("id", "project_id", "user_id", "name", "kind", "created_at", "updated_at", "deadline", "revision"),
    *("spec", "assignment", "status"),
)
_HOST_NAME = hosts.c.name.label("host_name")
_ROW: sa.Select[Any] = sa.select(*(capsules.c[name] for name in _READ), _HOST_NAME).select_from(
    capsules.outerjoin(hosts, hosts.c.id == capsules.c.host_id)
)

_FREE = capsules.c.provision.in_([Provision.NONE.value, Provision.RELEASED.value])
"""Nothing is allotted that would have to be given back."""

_MOST: sa.BindParameter[int] = sa.bindparam("most")
_GET = _ROW.where(capsules.c.id == sa.bindparam("id"))

_EVERYWHERE = _ROW.where(capsules.c.kind == sa.bindparam("kind"))
_IN_PROJECT = _EVERYWHERE.where(capsules.c.project_id == sa.bindparam("project"))
_BY_ID = capsules.c.id == sa.bindparam("ref")
_BY_NAME = sa.and_(capsules.c.folded_name == sa.bindparam("folded"), capsules.c.name == sa.bindparam("ref"))
_SEE_EVERYWHERE, _SEE_IN_PROJECT = Prepared(_EVERYWHERE.where(_BY_ID)), Prepared(_IN_PROJECT.where(_BY_ID))
_SEE_NAMED = Prepared(_IN_PROJECT.where(_BY_NAME).with_only_columns(capsules.c.id).limit(1))
_FIND_EVERYWHERE = _EVERYWHERE.where(_BY_ID), _EVERYWHERE.where(_BY_NAME).limit(2)
_FIND_IN_PROJECT = _IN_PROJECT.where(_BY_ID), _IN_PROJECT.where(_BY_NAME).limit(2)

_IDS = sa.func.json_each(sa.bindparam("ids")).table_valued("value")
_AMONG = Prepared(_EVERYWHERE.where(capsules.c.id.in_(sa.select(_IDS.c.value))))
_LAST = 2**62
_AFTER: sa.BindParameter[int] = sa.bindparam("after")
_MARKS = {
    everywhere: Prepared(rows.where(_BY_ID).with_only_columns(capsules.c.number))
    for everywhere, rows in ((True, _EVERYWHERE), (False, _IN_PROJECT))
}
_LISTED = sa.select(capsules.c.id, capsules.c.revision).where(capsules.c.kind == sa.bindparam("kind"))
_FRONTS = {
    (everywhere, descending): Prepared(
        rows.where(capsules.c.number < _AFTER if descending else capsules.c.number > _AFTER)
        .order_by(capsules.c.number.desc() if descending else capsules.c.number)
        .limit(_MOST)
    )
    for everywhere, rows in ((True, _LISTED), (False, _LISTED.where(capsules.c.project_id == sa.bindparam("project"))))
    for descending in (True, False)
}
"""The lists that are read by an index from one end to the other, by whether they are of all projects, and whether they begin with the newest."""

_UNPLACED = (
    _ROW.where(
        capsules.c.host_id.is_(None),
        capsules.c.desired != Desired.DELETED.value,
        capsules.c.given_up < capsules.c.generation,
        _FREE,
    )
    .order_by(capsules.c.number)
    .limit(_MOST)
    .offset(sa.bindparam("skip"))
)
_ON_HOST = _ROW.where(
    capsules.c.host_id == sa.bindparam("host"),
    capsules.c.provision.in_([Provision.NONE.value, Provision.HELD.value]),
)
_AMONG_THOSE_ON_HOST = _ON_HOST.where(capsules.c.id.in_(sa.bindparam("among", expanding=True)))
_OVERDUE = _ROW.where(capsules.c.deadline <= sa.bindparam("now")).order_by(capsules.c.deadline).limit(_MOST)
_UNTOLD = sa.or_(capsules.c.host_id.is_(None), capsules.c.provision == Provision.RELEASED.value)
_LEAVING = _ROW.where(
    capsules.c.desired == Desired.DELETED.value, _FREE, sa.or_(capsules.c.gone, _UNTOLD, hosts.c.down)
).limit(_MOST)
_MISJUDGED = _ROW.where(capsules.c.host_lost != hosts.c.down).limit(_MOST)
_NEXT_DEADLINE = sa.select(sa.func.min(capsules.c.deadline))

_DELETE = capsules.delete().where(
    capsules.c.id == sa.bindparam("read_id"), capsules.c.epoch == sa.bindparam("read_epoch")
)
_WRITE = (
    capsules.update()
    .where(capsules.c.id == sa.bindparam("read_id"))
    .values(revision=capsules.c.revision + 1)  # Whoever remembers this row looks again.
)
_WRITE_IF_AS_ASKED = _WRITE.where(capsules.c.generation == sa.bindparam("read_generation"))
_WRITE_IF_AS_ASSIGNED = _WRITE_IF_AS_ASKED.where(
    capsules.c.epoch == sa.bindparam("read_epoch"), capsules.c.host_id.is_not_distinct_from(sa.bindparam("read_host"))
)
_WRITE_IF_LEASED = _WRITE_IF_AS_ASSIGNED.where(capsules.c.lease_owner == sa.bindparam("read_lease"))
_WRITE_IF_NEWER = _WRITE.where(
    capsules.c.host_id == sa.bindparam("read_host"),
    capsules.c.epoch == sa.bindparam("read_epoch"),
    sa.or_(
        capsules.c.session < sa.bindparam("told_session"),
        sa.and_(
            capsules.c.session == sa.bindparam("told_session"), capsules.c.sequence < sa.bindparam("told_sequence")
        ),
    ),
)


def insert(db: Connection, capsule: Capsule, deadline: float, *, within: Limits | None = None) -> None:
    """A new capsule, which has to have settled by `deadline`. Raises Conflict if the id is taken.

    With `within`, the configured limits, Forbidden if its project's quota has no room for it.
    """
    row = _facts(capsule) | {
        "id": capsule.id,
        "project_id": capsule.project_id,
        "user_id": capsule.user_id,
        "kind": capsule.kind.value,
        "created_at": capsule.created_at,
        "deadline": deadline,
        "session": 0,
        "sequence": 0,
        "gone": False,
    }
    try:
        db.execute(capsules.insert(), row)
    except exc.IntegrityError as error:
        raise errors.Conflict(f"There is a capsule with the id {capsule.id} already.") from error
    quotas.count(db, capsule.project_id, counted(capsule), within)
    events.append(db, "create", capsule, "create")


def get(db: Connection, capsule_id: CapsuleId) -> Capsule | None:
    """The capsule with this id, in whatever project: for the control plane."""
    row = db.execute(_GET, {"id": capsule_id}).one_or_none()
    return _capsule(row) if row is not None else None


def see(eye: Eye, project: ProjectId, ref: str, kind: Kind) -> Sealed | None:
    """The one of the project with this id."""
    rows = eye.rows(_SEE_IN_PROJECT, {"kind": kind.value, "project": project, "ref": ref})
    return Sealed._make(rows[0]) if rows else None


def see_elsewhere(eye: Eye, project: ProjectId, ref: str, kind: Kind) -> Sealed | None:
    """The one of any project with this id, unless it is a name in this project: a name of one's own goes before a stranger's id."""
    wanted = {"kind": kind.value, "project": project, "ref": ref, "folded": ref.lower()}
    if eye.rows(_SEE_NAMED, wanted):
        return None
    rows = eye.rows(_SEE_EVERYWHERE, wanted)
    return Sealed._make(rows[0]) if rows else None


def see_page(
    eye: Eye, project: ProjectId | None, query: Query, kind: Kind, recall: Recall[Known]
) -> Part[Known | Sealed]:
    """A page in the order of creation, without filters. Raises NotFound for an unknown marker.

    `recall` gives what is known of the capsule with this id in this revision; only what nothing is known of is read.
    """
    wanted = {"kind": kind.value, "project": project, "most": query.limit + 1, "after": 0, "ref": query.marker}
    if query.descending:
        wanted["after"] = _LAST
    if query.marker is not None:
        mark = eye.rows(_MARKS[project is None], wanted)
        if not mark:
            raise _unmarked(query.marker, kind)
        wanted["after"] = mark[0][0]
    rows = eye.rows(_FRONTS[project is None, query.descending], wanted)
    front = rows[: query.limit]
    known = [recall(capsule_id, revision) for capsule_id, revision in front]
    unknown = [row[0] for row, one in zip(front, known, strict=True) if one is None]
    read = {row[0]: Sealed._make(row) for row in eye.rows(_AMONG, wanted | {"ids": json.dumps(unknown)})}
    items = tuple(one if one is not None else read[row[0]] for row, one in zip(front, known, strict=True))
    return Part(items=items, more=len(rows) > query.limit)


def find(db: Connection, project: ProjectId | None, ref: str, kind: Kind) -> Sequence[Sealed]:
    """Those that this id or name means to somebody in `project`, None standing for all projects."""
    by_id, by_name = _FIND_EVERYWHERE if project is None else _FIND_IN_PROJECT
    named = {"kind": kind.value, "project": project, "ref": ref, "folded": ref.lower()}
    row = db.execute(by_id, named).one_or_none()
    if row is not None:
        return (Sealed._make(row),)
    return tuple(Sealed._make(row) for row in db.execute(by_name, named))


def taken(db: Connection, project: ProjectId | None, name: str, besides: CapsuleId | None) -> bool:
    """Whether the name, in any case, is in use in the project, or in any for None."""
    statement = sa.select(capsules.c.id).where(capsules.c.folded_name == name.lower(), *_within(project))
    if besides is not None:
        statement = statement.where(capsules.c.id != besides)
    return db.execute(statement.limit(1)).first() is not None


def page(db: Connection, project: ProjectId | None, query: Query, kind: Kind) -> Part[Sealed]:
    """A page of what somebody in `project`, None standing for all, sees. Raises NotFound for an unknown marker."""
    visible = _ROW.where(capsules.c.kind == kind.value, *_within(project))
    rows = pages.rows(db, visible, capsules.c.number, _SORTED_BY, query, filtered=_filtered(query))
    if rows is None:
        raise _unmarked(str(query.marker), kind)
    return Part(items=tuple(map(Sealed._make, rows[: query.limit])), more=len(rows) > query.limit)


def count(db: Connection, project: ProjectId) -> int:
    """How many capsules a project has."""
    return int(db.execute(sa.select(sa.func.count()).where(capsules.c.project_id == project)).scalar_one())


def unplaced(db: Connection, most: int, *, skip: int = 0) -> Sequence[Capsule]:
    """Those that wait for a host, the oldest first, without the first `skip`."""
    return tuple(_capsule(row) for row in db.execute(_UNPLACED, {"most": most, "skip": skip}))


def lease_unprovisioned(db: Connection, *, owner: str, now: float, until: float, most: int) -> Sequence[Capsule]:
    """Those for which something has to be allotted or given back, leased to `owner`: nobody else gets them before `until`."""
    leaving = capsules.c.desired == Desired.DELETED.value
    idle = sa.or_(capsules.c.lease_until.is_(None), capsules.c.lease_until <= now)
    # What a host still has in use is not given back under its feet.
    in_use = sa.and_(capsules.c.provision == Provision.HELD.value, leaving, ~capsules.c.gone, hosts.c.down.is_(False))
    found = db.execute(_ROW.where(capsules.c.owed, ~in_use, idle).order_by(capsules.c.number).limit(most)).all()
    return tuple(_capsule(row) for row in found if _leased(db, row.id, idle, owner, until))


def postpone(db: Connection, capsule_id: CapsuleId, *, owner: str, until: float) -> None:
    """Have the next try of leased work not before `until`."""
    own = sa.and_(capsules.c.id == capsule_id, capsules.c.lease_owner == owner)
    db.execute(capsules.update().where(own).values(lease_until=until))


def _leased(db: Connection, capsule_id: str, idle: sa.ColumnElement[bool], owner: str, until: float) -> bool:
    statement = capsules.update().where(capsules.c.id == capsule_id, idle).values(lease_owner=owner, lease_until=until)
    return db.execute(statement).rowcount == 1


def on_host(db: Connection, host_id: HostId, among: Sequence[CapsuleId] | None = None) -> Sequence[Capsule]:
    """Those assigned to a host and provided with all they need; only those named, if some are."""
    if among is None:
        rows = db.execute(_ON_HOST, {"host": host_id})
    else:
        rows = db.execute(_AMONG_THOSE_ON_HOST, {"host": host_id, "among": list(among)})
    return tuple(_capsule(row) for row in rows)


def overdue(db: Connection, now: float, most: int) -> Sequence[Capsule]:
    """Those that should have settled by now."""
    return tuple(_capsule(row) for row in db.execute(_OVERDUE, {"now": now, "most": most}))


def leaving(db: Connection, most: int) -> Sequence[Capsule]:
    """Those asked to be deleted that hold nothing and that no host has any more: gone, never told of, or on a host that is down."""
    return tuple(_capsule(row) for row in db.execute(_LEAVING, {"most": most}))


def misjudged(db: Connection, most: int) -> Sequence[Capsule]:
    """Those that are taken for lost though their host is there, or the other way round."""
    return tuple(_capsule(row) for row in db.execute(_MISJUDGED, {"most": most}))


def next_deadline(db: Connection) -> float | None:
    """When the first of those that have not settled has to have."""
    found: float | None = db.execute(_NEXT_DEADLINE).scalar_one()
    return found


def write_spec(
    db: Connection,
    capsule: Capsule,
    spec: CapsuleSpec,
    *,
    deadline: float,
    now: float,
    verb: str | None = None,
    within: Limits | None = None,
) -> Capsule:
    """The service's write. Raises Conflict if somebody else has changed the spec since `capsule` was read.

    `verb` is what was asked for, None where nobody did. With `within`, the configured limits, Forbidden if its project's quota has no room for what grows.
    """
    newer = replace(spec, generation=capsule.spec.generation + 1)
    before = _as_now(db, capsule)
    wanted = replace(before, spec=newer, updated_at=now, deadline=deadline)
    read = {"read_generation": capsule.spec.generation}
    _guarded(db, _WRITE_IF_AS_ASKED, wanted, {"deadline": deadline, "gone": False}, **read)
    _count(db, before, wanted, within)
    events.append(db, "delete" if spec.desired is Desired.DELETED else "update", wanted, verb)
    return wanted


def write_name(db: Connection, capsule: Capsule, name: str, now: float) -> Capsule:
    """The service's write of a name. Its host has nothing to do for it; the ports of the capsule are allotted anew, for others to find it by this one."""
    before = _as_now(db, capsule)
    spec = replace(before.spec, attachments=before.spec.attachments + bool(before.spec.networks))
    wanted = replace(before, name=name, spec=spec, updated_at=now)
    _guarded(db, _WRITE_IF_AS_ASKED, wanted, {}, read_generation=capsule.spec.generation)
    events.append(db, "update", wanted, "rename")
    return wanted


def write_assignment(
    db: Connection,
    capsule: Capsule,
    assignment: Assignment,
    *,
    status: CapsuleStatus | None = None,
    close: bool = False,
    lease: str | None = None,
) -> Capsule:
    """The control plane's write. Raises Conflict if the assignment is not the one that was read any more.

    `status` forgets what an earlier host said when the capsule leaves it. With `close` nothing is waited for any more. `lease` is that of whoever
    worked on it outside of a transaction, and ends with the write; it is a Conflict if somebody else has taken over. The first two are verdicts on
    what was read: Conflict if something else has been asked for since.
    """
    before = capsule.assignment
    now = _as_now(db, capsule)
    if (close or status) and now.spec.generation != capsule.spec.generation:
        raise _overtaken(capsule)
    wanted = replace(now, assignment=assignment, status=status or now.status)
    extra: dict[str, Any] = {"deadline": None} if close else {}
    if assignment.host_id != before.host_id:
        wanted = replace(wanted, host=None)
        extra |= {"session": 0, "sequence": 0}  # Every host counts its own sessions.
    read = {"read_generation": now.spec.generation, "read_epoch": before.epoch, "read_host": before.host_id}
    if lease is None:
        _guarded(db, _WRITE_IF_AS_ASSIGNED, wanted, extra, **read)
    else:
        extra |= {"lease_owner": None, "lease_until": None}
        _guarded(db, _WRITE_IF_LEASED, wanted, extra, **read, read_lease=lease)
    _count(db, now, wanted)
    events.append_news(db, now, wanted)
    return wanted


def write_status(
    db: Connection,
    capsule_id: CapsuleId,
    status: CapsuleStatus,
    *,
    host_id: HostId,
    epoch: int,
    session: int,
    sequence: int,
    now: float,
) -> Capsule | None:
    """The host's write. None, and nothing is changed, if it is older than what is stored, or from an assignment that is gone."""
    capsule = get(db, capsule_id)
    if capsule is None:
        return None
    # What is only said once more is no change; but what was said before it is older from now on.
    wanted = capsule if status == capsule.status else replace(capsule, status=status, updated_at=now)
    gone = wanted.settled and not status.failed and capsule.spec.desired is Desired.DELETED
    extra = {"session": session, "sequence": sequence, "gone": gone} | ({"deadline": None} if wanted.settled else {})
    read = {"read_host": host_id, "read_epoch": epoch, "told_session": session, "told_sequence": sequence}
    try:
        _guarded(db, _WRITE_IF_NEWER, wanted, extra, **read)
    except errors.Conflict:
        return None
    _count(db, capsule, wanted)
    events.append_news(db, capsule, wanted)
    return wanted


def delete(db: Connection, capsule: Capsule) -> bool:
    """Forget a capsule and its actions; False if somebody has changed its assignment, or been quicker."""
    if not db.execute(_DELETE, {"read_id": capsule.id, "read_epoch": capsule.assignment.epoch}).rowcount:
        return False
    quotas.count(db, capsule.project_id, Usage() - counted(capsule))
    events.append(db, "gone", capsule)
    return True


def _as_now(db: Connection, capsule: Capsule) -> Capsule:
    """Whoever writes one side must not write the others over with what they were when `capsule` was read."""
    now = get(db, capsule.id)
    if now is None:
        raise _overtaken(capsule)
    return now


def _guarded(db: Connection, write: sa.Update, wanted: Capsule, extra: Mapping[str, Any], **read: object) -> None:
    """`read` is what has to be there still, by the names that the statement gives it."""
    written = db.execute(write, _facts(wanted) | dict(extra) | {"read_id": wanted.id} | read)
    if written.rowcount != 1:
        raise _overtaken(wanted)


def _count(db: Connection, before: Capsule, now: Capsule, within: Limits | None = None) -> None:
    """Whoever writes a capsule keeps the sum of its project, whichever side it is: how much it counts for depends on all of them."""
    quotas.count(db, now.project_id, counted(now) - counted(before), within)


def _overtaken(capsule: Capsule) -> errors.Conflict:
    return errors.Conflict(
        f"{capsule.name or capsule.id} has been changed by somebody else meanwhile; look at it and try again."
    )


def _facts(capsule: Capsule) -> dict[str, Any]:
    """Everything that is derived from the three sides, and the sides themselves."""
    spec, assignment = capsule.spec, capsule.assignment
    word = statusword.describe(capsule)
    limits = spec.claim()
    return {
        "name": capsule.name,
        "folded_name": capsule.name.lower(),
        "updated_at": capsule.updated_at,
        "generation": spec.generation,
        "desired": spec.desired.value,
        "image": spec.containers[0].image[:255],
        "cpu": limits.cpu,
        "memory": limits.memory,
        "auto_remove": spec.auto_remove,
        "published": len(spec.published),
        "host_id": assignment.host_id,
        "epoch": assignment.epoch,
        "given_up": assignment.given_up.generation if assignment.given_up else 0,
        "host_lost": assignment.host_lost,
        "provision": assignment.provision.value,
        "owed": capsule.owed,
        "status_word": word.status.value,
        "task_state": word.task,
        "spec": documents.encode(spec).decode(),
        "assignment": documents.encode(assignment).decode(),
        "status": documents.encode(capsule.status).decode(),
    }


def _capsule(row: sa.Row[Any]) -> Capsule:
    return Sealed._make(row).open()


def _unmarked(marker: str, kind: Kind) -> errors.NotFound:
    return errors.NotFound(f"The marker {marker} is not a {kind} that you can see.", code=f"{kind}-not-found")


def _within(project: ProjectId | None) -> Sequence[sa.ColumnElement[bool]]:
    return () if project is None else (capsules.c.project_id == project,)


def _filtered(query: Query) -> Sequence[sa.ColumnElement[bool]]:
    return [_filter(name, values) for name, values in query.filters.items()]


def _filter(name: str, values: Sequence[str]) -> sa.ColumnElement[bool]:
    match name:
        case "auto_remove":
            return capsules.c.auto_remove.in_([value == "true" for value in values])
        case "memory":
            return capsules.c.memory.in_([int(value) for value in values if value.isdecimal() and len(value) < 16])
        case _:
            return _SORTED_BY[name].in_(values)
