"""Volumes in the database, who uses them, and the files that are mounted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from higgins import errors
from higgins.model.ids import CapsuleId, FileId, HostId, ProjectId, UserId, VolumeId
from higgins.model.query import Part, Query
from higgins.model.volume import Volume
from higgins.store import pages
from higgins.store.database import Connection
from higgins.store.tables import files, volume_uses, volumes

_COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {"id": volumes.c.number, "uuid": volumes.c.id} | {
    name: volumes.c[name] for name in ("name", "size", "project_id", "user_id", "created_at")
}
"""By SORT_KEYS and FILTERS of the model."""
_USERS = (
    sa.select(sa.func.count())
    .where(volume_uses.c.volume_id == volumes.c.id)
    .correlate(volumes)
    .scalar_subquery()
    .label("users")
)
_READ: sa.Select[Any] = sa.select(*volumes.c, _USERS)


def insert(db: Connection, volume: Volume) -> None:
    """Raises Conflict for a name that the project has for another."""
    try:
        db.execute(volumes.insert(), _facts(volume))
    except exc.IntegrityError as error:
        raise errors.Conflict(
            f"A volume with the name {volume.name} already exists.", code="volume-already-exists"
        ) from error


def find(db: Connection, project: ProjectId | None, ref: str) -> Sequence[Volume]:
    """Those that this id or name means to somebody in `project`, None standing for all projects."""
    within = () if project is None else (volumes.c.project_id == project,)
    row = db.execute(_READ.where(volumes.c.id == ref, *within)).one_or_none()
    if row is not None:
        return (_volume(row),)
    return tuple(_volume(row) for row in db.execute(_READ.where(volumes.c.name == ref, *within).limit(2)))


def every(db: Connection, ids: Iterable[VolumeId]) -> Sequence[Volume]:
    """These, without those that there are not."""
    wanted = list(ids)
    if not wanted:
        return ()
    return tuple(_volume(row) for row in db.execute(_READ.where(volumes.c.id.in_(wanted))))


def page(db: Connection, project: ProjectId | None, query: Query) -> Part[Volume]:
    """Raises NotFound for an unknown marker."""
    select = _READ if project is None else _READ.where(volumes.c.project_id == project)
    rows = pages.rows(db, select, volumes.c.number, _COLUMNS, query)
    if rows is None:
        raise errors.NotFound(f"The marker {query.marker} is not a volume that you can see.", code="volume-not-found")
    return Part(items=tuple(_volume(row) for row in rows[: query.limit]), more=len(rows) > query.limit)


def delete(db: Connection, volume_id: VolumeId) -> None:
    """Its host removes what is left of it. Raises Conflict while a container uses it."""
    unused = ~sa.exists().where(volume_uses.c.volume_id == volumes.c.id)
    used = errors.Conflict("Containers use this volume: delete them first.", code="volume-in-use")
    try:
        deleted = db.execute(volumes.delete().where(volumes.c.id == volume_id, unused)).rowcount
    except exc.IntegrityError as error:
        raise used from error  # Somebody has begun to in this moment.
    if not deleted and every(db, [volume_id]):
        raise used


def use(db: Connection, capsule_id: CapsuleId, project: ProjectId, ids: Iterable[VolumeId]) -> None:
    """These are mounted by the capsule's containers. Raises NotFound for one that is gone, or another project's."""
    for volume_id in set(ids):
        mine = sa.select(sa.literal(capsule_id), volumes.c.id).where(
            volumes.c.id == volume_id, volumes.c.project_id == project
        )
        try:
            used = db.execute(volume_uses.insert().from_select(["capsule_id", "volume_id"], mine)).rowcount
        except exc.IntegrityError as error:
            raise missing(volume_id) from error
        if not used:
            raise missing(volume_id)


def missing(ref: str) -> errors.NotFound:
    return errors.NotFound(f"Volume {ref} could not be found.", code="volume-not-found")


def homes(db: Connection, ids: Iterable[VolumeId]) -> frozenset[HostId]:
    """The hosts on which these lie; those that nobody has used yet lie on none."""
    return frozenset(volume.host_id for volume in every(db, ids) if volume.host_id is not None)


def bind(db: Connection, ids: Iterable[VolumeId], host_id: HostId) -> Sequence[VolumeId] | None:
    """They lie on this host from now on; those of them that lay on none until now. None, and nothing changes, if one lies elsewhere."""
    bound: list[VolumeId] = []
    # In one order for everybody, so that two who bind the same do not wait for each other.
    for volume_id in sorted(ids):
        free = sa.and_(volumes.c.id == volume_id, volumes.c.host_id.is_(None))
        if db.execute(volumes.update().where(free).values(host_id=host_id)).rowcount:
            bound.append(volume_id)
        elif homes(db, [volume_id]) != {host_id}:
            unbind(db, bound)
            return None
    return bound


def unbind(db: Connection, ids: Sequence[VolumeId]) -> None:
    """Take a binding back that nobody has seen yet."""
    if ids:
        db.execute(volumes.update().where(volumes.c.id.in_(ids)).values(host_id=None))


def lying(db: Connection, host_id: HostId) -> int:
    """How many lie on a host."""
    counted = sa.select(sa.func.count()).where(volumes.c.host_id == host_id)
    return int(db.execute(counted).scalar_one())


def gone(db: Connection, host_id: HostId, ids: Sequence[VolumeId]) -> Sequence[VolumeId]:
    """Those of these that do not lie on the host, for ever: they have been deleted, or lie on another."""
    there = sa.or_(volumes.c.host_id == host_id, volumes.c.host_id.is_(None))
    kept = set(db.execute(sa.select(volumes.c.id).where(volumes.c.id.in_(ids), there)).scalars()) if ids else set()
    return [volume_id for volume_id in ids if volume_id not in kept]


def take_along(db: Connection, capsule_id: CapsuleId) -> Sequence[VolumeId]:
    """Those that go with a capsule, unless somebody else uses them too. To be asked before it goes, and deleted after."""
    others = volume_uses.alias()
    alone = ~sa.exists().where(others.c.volume_id == volumes.c.id, others.c.capsule_id != capsule_id)
    found = sa.select(volumes.c.id).join(volume_uses, volume_uses.c.volume_id == volumes.c.id)
    mine = found.where(volume_uses.c.capsule_id == capsule_id, volumes.c.auto_remove, alone)
    return [VolumeId(each) for each in db.execute(mine).scalars()]


def write_files(db: Connection, capsule_id: CapsuleId, contents: Mapping[FileId, bytes]) -> None:
    """What lies in the files that a capsule's containers mount."""
    for file_id, content in contents.items():
        db.execute(files.insert(), {"id": file_id, "capsule_id": capsule_id, "content": content})


def contents(db: Connection, capsules: Sequence[CapsuleId]) -> Mapping[FileId, bytes]:
    """What lies in the files of these capsules."""
    if not capsules:
        return {}
    found = sa.select(files.c.id, files.c.content).where(files.c.capsule_id.in_(capsules))
    return {FileId(row.id): bytes(row.content) for row in db.execute(found)}


def _facts(volume: Volume) -> dict[str, Any]:
    return {
        "id": volume.id,
        "project_id": volume.project_id,
        "user_id": volume.user_id,
        "name": volume.name or None,
        "size": volume.size,
        "host_id": volume.host_id,
        "auto_remove": volume.auto_remove,
        "created_at": volume.created_at,
    }


def _volume(row: sa.Row[Any]) -> Volume:
    return Volume(
        id=VolumeId(row.id),
        project_id=ProjectId(row.project_id),
        user_id=UserId(row.user_id),
        name=row.name or "",
        size=row.size,
        host_id=HostId(row.host_id) if row.host_id is not None else None,
        auto_remove=row.auto_remove,
        created_at=row.created_at,
        users=row.users,
    )
