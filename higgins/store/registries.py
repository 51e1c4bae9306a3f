"""Registries in the database, with their passwords as the service encrypted them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from higgins import errors
from higgins.model.ids import CapsuleId, HostId, ProjectId, RegistryId, UserId
from higgins.model.query import Part, Query
from higgins.model.registry import Registry
from higgins.store import pages
from higgins.store.database import Connection
from higgins.store.tables import capsules, registries, registry_uses

_COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {"id": registries.c.number, "uuid": registries.c.id} | {
    name: registries.c[name]
    for name in ("name", "domain", "username", "project_id", "user_id", "created_at", "updated_at")
}
"""By SORT_KEYS and FILTERS of the model."""


class Stored(NamedTuple):
    """A registry as it lies in the database."""

    registry: Registry
    password: str | None
    """Encrypted."""


def insert(db: Connection, registry: Registry, password: str | None) -> None:
    db.execute(
        registries.insert(),
        {"id": registry.id, "created_at": registry.created_at, "password": password} | _facts(registry),
    )


def find(db: Connection, project: ProjectId | None, ref: str) -> Sequence[Stored]:
    """Those that this id or name means to somebody in `project`, None standing for all projects."""
    within = () if project is None else (registries.c.project_id == project,)
    row = db.execute(registries.select().where(registries.c.id == ref, *within)).one_or_none()
    if row is not None:
        return (_stored(row),)
    return tuple(
        _stored(row) for row in db.execute(registries.select().where(registries.c.name == ref, *within).limit(2))
    )


def at(db: Connection, project: ProjectId, domain: str) -> Stored | None:
    """The one that a project stored first for this domain."""
    mine = registries.select().where(registries.c.project_id == project, registries.c.domain == domain)
    row = db.execute(mine.order_by(registries.c.number).limit(1)).one_or_none()
    return _stored(row) if row is not None else None


def every(db: Connection, ids: Iterable[RegistryId] | None = None) -> Sequence[Stored]:
    """These, or all."""
    statement = registries.select()
    if ids is not None:
        wanted = list(ids)
        if not wanted:
            return ()
        statement = statement.where(registries.c.id.in_(wanted))
    return tuple(_stored(row) for row in db.execute(statement))


def page(db: Connection, project: ProjectId | None, query: Query) -> Part[Registry]:
    """Raises NotFound for an unknown marker."""
    select = registries.select()
    if project is not None:
        select = select.where(registries.c.project_id == project)
    rows = pages.rows(db, select, registries.c.number, _COLUMNS, query)
    if rows is None:
        raise errors.NotFound(
            f"The marker {query.marker} is not a registry that you can see.", code="registry-not-found"
        )
    found = tuple(_stored(row).registry for row in rows[: query.limit])
    return Part(items=found, more=len(rows) > query.limit)


def write(db: Connection, registry: Registry, password: str | None, now: float) -> Registry:
    """As it is from now on."""
    changed = replace(registry, updated_at=now)
    values = _facts(changed) | {"password": password, "updated_at": now}
    db.execute(registries.update().where(registries.c.id == registry.id).values(values))
    return changed


def write_password(db: Connection, registry_id: RegistryId, before: str, after: str) -> None:
    """The same password, encrypted anew; nothing if it has been changed meanwhile."""
    unchanged = sa.and_(registries.c.id == registry_id, registries.c.password == before)
    db.execute(registries.update().where(unchanged).values(password=after))


def users(db: Connection, registry_id: RegistryId) -> Sequence[tuple[CapsuleId, HostId]]:
    """The capsules that are on a host and name it, with their hosts."""
    on_host = sa.select(capsules.c.id, capsules.c.host_id).join(
        registry_uses, registry_uses.c.capsule_id == capsules.c.id
    )
    found = on_host.where(registry_uses.c.registry_id == registry_id, capsules.c.host_id.is_not(None))
    return [(CapsuleId(row.id), HostId(row.host_id)) for row in db.execute(found)]


def delete(db: Connection, registry_id: RegistryId) -> None:
    """Raises Conflict while a container names it."""
    if db.execute(
        sa.select(registry_uses.c.capsule_id).where(registry_uses.c.registry_id == registry_id).limit(1)
    ).first():
        raise errors.Conflict("Containers use this registry: delete them first.")
    db.execute(registries.delete().where(registries.c.id == registry_id))


def use(db: Connection, capsule_id: CapsuleId, ids: Iterable[RegistryId]) -> None:
    """These are named by the capsule's containers. Raises NotFound for one that is gone."""
    for registry_id in set(ids):
        try:
            db.execute(registry_uses.insert(), {"capsule_id": capsule_id, "registry_id": registry_id})
        except exc.IntegrityError as error:
            raise errors.NotFound(f"Registry {registry_id} could not be found.", code="registry-not-found") from error


def _facts(registry: Registry) -> dict[str, Any]:
    return {
        "project_id": registry.project_id,
        "user_id": registry.user_id,
        "name": registry.name,
        "domain": registry.domain,
        "username": registry.username,
    }


def _stored(row: sa.Row[Any]) -> Stored:
    return Stored(
        registry=Registry(
            id=RegistryId(row.id),
            project_id=ProjectId(row.project_id),
            user_id=UserId(row.user_id),
            name=row.name,
            domain=row.domain,
            username=row.username,
            created_at=row.created_at,
            updated_at=row.updated_at,
        ),
        password=row.password,
    )
