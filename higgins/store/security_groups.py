"""Security groups in the database, and which capsules have them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from higgins import errors
from higgins.logic import documents
from higgins.model.ids import CapsuleId, ProjectId, SecurityGroupId
from higgins.model.network import Rule, SecurityGroup
from higgins.model.query import Part, Query
from higgins.store import pages
from higgins.store.database import Connection
from higgins.store.tables import security_group_uses, security_groups

_COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {"id": security_groups.c.number, "uuid": security_groups.c.id} | {
    name: security_groups.c[name] for name in ("name", "project_id", "created_at")
}


def insert(db: Connection, group: SecurityGroup) -> None:
    """Raises Conflict if the id is taken."""
    row = {
        "id": group.id,
        "project_id": group.project_id,
        "name": group.name,
        "rules": documents.encode(group.rules).decode(),
        "created_at": group.created_at,
    }
    try:
        db.execute(security_groups.insert(), row)
    except exc.IntegrityError as error:
        raise errors.Conflict(f"There is a security group with the id {group.id} already.") from error


def find(db: Connection, project: ProjectId | None, ref: str) -> Sequence[SecurityGroup]:
    """Those that this id or name means to somebody in `project`, None standing for all projects; at most two."""
    within = () if project is None else (security_groups.c.project_id == project,)
    row = db.execute(security_groups.select().where(security_groups.c.id == ref, *within)).one_or_none()
    if row is not None:
        return (_group(row),)
    named = security_groups.select().where(security_groups.c.name == ref, *within).limit(2)
    return tuple(_group(row) for row in db.execute(named))


def among(db: Connection, ids: Iterable[SecurityGroupId]) -> Mapping[SecurityGroupId, SecurityGroup]:
    """Those that are there, by their ids."""
    wanted = [*ids]
    if not wanted:
        return {}
    rows = db.execute(security_groups.select().where(security_groups.c.id.in_(wanted)))
    return {SecurityGroupId(row.id): _group(row) for row in rows}


def page(db: Connection, project: ProjectId | None, query: Query) -> Part[SecurityGroup]:
    """Raises NotFound for an unknown marker."""
    select = security_groups.select()
    if project is not None:
        select = select.where(security_groups.c.project_id == project)
    rows = pages.rows(db, select, security_groups.c.number, _COLUMNS, query)
    if rows is None:
        raise errors.NotFound(
            f"The marker {query.marker} is not a security group that you can see.", code="security-group-not-found"
        )
    return Part(items=tuple(_group(row) for row in rows[: query.limit]), more=len(rows) > query.limit)


def delete(db: Connection, group_id: SecurityGroupId) -> None:
    """Raises Conflict while a capsule has it."""
    used = sa.select(security_group_uses.c.capsule_id).where(security_group_uses.c.group_id == group_id)
    if db.execute(used.limit(1)).first():
        raise errors.Conflict("Containers have this security group: delete them first, or take it from them.")
    db.execute(security_groups.delete().where(security_groups.c.id == group_id))


def use(db: Connection, capsule_id: CapsuleId, ids: Iterable[SecurityGroupId]) -> None:
    """These, and no others, are those of the capsule from now on."""
    db.execute(security_group_uses.delete().where(security_group_uses.c.capsule_id == capsule_id))
    for group_id in ids:
        db.execute(security_group_uses.insert(), {"capsule_id": capsule_id, "group_id": group_id})


def _group(row: sa.Row[Any]) -> SecurityGroup:
    return SecurityGroup(
        id=SecurityGroupId(row.id),
        project_id=ProjectId(row.project_id),
        name=row.name,
        rules=documents.decode(row.rules, tuple[Rule, ...]),
        created_at=row.created_at,
    )
