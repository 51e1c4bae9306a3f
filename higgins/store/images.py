"""Images in the database: what was asked for on which host, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from higgins import errors
from higgins.logic import documents
from higgins.model.capsule import Progress
from higgins.model.ids import HostId, ImageId, ProjectId
from higgins.model.image import Image, ImageState
from higgins.model.query import Part, Query
from higgins.store import pages
from higgins.store.database import Connection
from higgins.store.tables import hosts, images

_ROW: sa.Select[Any] = sa.select(images, hosts.c.name.label("host_name")).select_from(
    images.join(hosts, hosts.c.id == images.c.host_id)
)
_COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {
    "id": images.c.number,
    "uuid": images.c.id,
    "image_id": images.c.digest,
    "host": hosts.c.name,
} | {name: images.c[name] for name in ("repo", "tag", "size", "project_id", "state", "created_at")}
"""By SORT_KEYS of the model."""

_WANTED = images.c.state == ImageState.WANTED.value


def insert(db: Connection, image: Image) -> None:
    db.execute(images.insert(), {"id": image.id, "created_at": image.created_at} | _facts(image))


def get(db: Connection, project: ProjectId | None, image_id: str) -> Image | None:
    """What somebody in `project`, None standing for all, sees under this id."""
    within = () if project is None else (images.c.project_id == project,)
    row = db.execute(_ROW.where(images.c.id == image_id, *within)).one_or_none()
    return _image(row) if row is not None else None


def on_host(db: Connection, host_id: HostId, repo: str, tag: str) -> Image | None:
    """The one of that name there, whoever asked for it."""
    row = db.execute(_ROW.where(images.c.host_id == host_id, images.c.repo == repo, images.c.tag == tag)).one_or_none()
    return _image(row) if row is not None else None


def page(db: Connection, project: ProjectId, query: Query) -> Part[Image]:
    """Raises NotFound for an unknown marker."""
    rows = pages.rows(db, _ROW.where(images.c.project_id == project), images.c.number, _COLUMNS, query)
    if rows is None:
        raise errors.NotFound(f"The marker {query.marker} is not an image that you can see.", code="image-not-found")
    return Part(items=tuple(_image(row) for row in rows[: query.limit]), more=len(rows) > query.limit)


def lease(db: Connection, *, owner: str, now: float, until: float, most: int) -> Sequence[Image]:
    """Those that are wanted and that nobody fetches, leased to `owner`: nobody else gets them before `until`."""
    idle = sa.or_(images.c.lease_until.is_(None), images.c.lease_until <= now)
    found = db.execute(_ROW.where(_WANTED, idle).order_by(images.c.number).limit(most)).all()
    return [_image(row) for row in found if _leased(db, row.id, idle, owner, until)]


def _leased(db: Connection, image_id: str, idle: sa.ColumnElement[bool], owner: str, until: float) -> bool:
    taken = images.update().where(images.c.id == image_id, _WANTED, idle)
    return db.execute(taken.values(lease_owner=owner, lease_until=until)).rowcount == 1


def write(db: Connection, image: Image) -> None:
    """As it is from now on, whoever worked on it."""
    released = {"lease_owner": None, "lease_until": None}
    db.execute(images.update().where(images.c.id == image.id).values(_facts(image) | released))


def write_leased(
    db: Connection, image: Image, *, owner: str, until: float | None, progress: Progress | None = None
) -> bool:
    """The write of whoever fetches it; False, and nothing is changed, if the image is gone or somebody else has it.

    The lease lasts `until`, or is given back.
    """
    values = _facts(replace(image, progress=progress)) | {
        "lease_owner": owner if until is not None else None,
        "lease_until": until,
    }
    mine = sa.and_(images.c.id == image.id, images.c.lease_owner == owner, _WANTED)
    return db.execute(images.update().where(mine).values(values)).rowcount == 1


def delete(db: Connection, image_id: ImageId) -> None:
    db.execute(images.delete().where(images.c.id == image_id))


def _facts(image: Image) -> dict[str, Any]:
    return {
        "project_id": image.project_id,
        "host_id": image.host_id,
        "repo": image.repo,
        "tag": image.tag,
        "digest": image.digest,
        "size": image.size,
        "state": image.state.value,
        "reason": image.reason,
        "progress": documents.encode(image.progress).decode() if image.progress else None,
        "deadline": image.deadline,
    }


def _image(row: sa.Row[Any]) -> Image:
    return Image(
        id=ImageId(row.id),
        project_id=ProjectId(row.project_id),
        host_id=HostId(row.host_id),
        host=row.host_name,
        repo=row.repo,
        tag=row.tag,
        digest=row.digest,
        size=row.size,
        state=ImageState(row.state),
        reason=row.reason,
        progress=documents.decode(row.progress, Progress) if row.progress else None,
        created_at=row.created_at,
        deadline=row.deadline,
    )
