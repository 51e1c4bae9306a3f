"""Quotas in the database: the limits of projects and of classes, and what counts towards them.

What a project has is one row of sums, which the writers of `store.capsules` keep in the transaction that changes a capsule. It is taken by one
conditional update, so that two who ask at once cannot both get the last of it, and costs the same however much there is.
"""

from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from higgins import errors
from higgins.logic import quota as decisions
from higgins.model.ids import ProjectId
from higgins.model.quota import DEFAULT_CLASS, Limits, Overrides, Quota, Usage
from higgins.store.database import Connection
from higgins.store.tables import quota_classes, quotas

# Built once: to build a statement costs ten times what it costs to execute it.
_NAMES = tuple(each.name for each in fields(Limits))
_NONE = {f"used_{name}": 0 for name in _NAMES}
_PROJECT = sa.bindparam("project", type_=sa.String)
_THIS = quotas.update().where(quotas.c.project_id == _PROJECT)


def _limit(name: str, own: sa.ColumnElement[Any] | sa.ScalarSelect[Any], class_name: str | None) -> Any:
    """A limit of one's own, else that of a class, else the configured one."""
    of_class = quota_classes.c.name == (sa.bindparam("class") if class_name is None else class_name)
    theirs = sa.select(quota_classes.c[name]).where(of_class).scalar_subquery()
    return sa.func.coalesce(own, theirs, sa.bindparam(f"configured_{name}", type_=sa.BigInteger))


def _own(column: str) -> sa.ScalarSelect[int]:
    return sa.select(quotas.c[column]).where(quotas.c.project_id == _PROJECT).scalar_subquery()


def _fits(name: str) -> sa.ColumnElement[bool]:
    limit = _limit(name, quotas.c[name], DEFAULT_CLASS)
    room = limit * decisions.MICRO if name == "cpu" else limit
    more = sa.bindparam(f"more_{name}", type_=sa.BigInteger)
    return sa.or_(more <= 0, limit < 0, quotas.c[f"used_{name}"] + more <= room)


_COUNT = _THIS.values(
    {quotas.c[f"used_{name}"]: quotas.c[f"used_{name}"] + sa.bindparam(f"more_{name}") for name in _NAMES}
)
_COUNT_IF_IT_FITS = _COUNT.where(*(_fits(name) for name in _NAMES))
_QUOTA: sa.Select[Any] = sa.select(
    *(_limit(name, _own(name), DEFAULT_CLASS).label(name) for name in _NAMES),
    *(sa.func.coalesce(_own(name), 0).label(name) for name in _NONE),
)
_CLASS: sa.Select[Any] = sa.select(*(_limit(name, sa.null(), None).label(name) for name in _NAMES))


def count(db: Connection, project: ProjectId, more: Usage, within: Limits | None = None) -> None:
    """What a project has becomes that much more, or less. `within` are the configured limits, where limits are to be heeded: then Forbidden, code
    `over-quota`, if something that grows would be above the one in force."""
    if more == Usage():
        return
    changes = {
        "project": project,
        "more_containers": more.containers,
        "more_memory": more.memory,
        "more_disk": more.disk,
        "more_cpu": more.microcores,
    }
    statement = _COUNT if within is None else _COUNT_IF_IT_FITS
    values = changes if within is None else changes | _configured(within)
    if db.execute(statement, values).rowcount == 1:
        return
    # Nothing of this project has been counted before, or there is too much.
    if _begun(db, quotas, project_id=project) and db.execute(statement, values).rowcount == 1:
        return
    raise _over(of(db, project, within or Limits()), more)


def check(db: Connection, project: ProjectId, more: Usage, within: Limits) -> None:
    """Raises what `count` would raise, and counts nothing."""
    quota = of(db, project, within)
    if decisions.exceeded(quota, more):
        raise _over(quota, more)


def of(db: Connection, project: ProjectId, configured: Limits) -> Quota:
    """How a project stands."""
    row = db.execute(_QUOTA, {"project": project} | _configured(configured)).one()
    used = Usage(containers=row.used_containers, memory=row.used_memory, disk=row.used_disk, microcores=row.used_cpu)
    return Quota(limits=_limits(row), used=used)


def of_class(db: Connection, name: str, configured: Limits) -> Limits:
    """The limits of a class; those configured where it has none, or is not known."""
    return _limits(db.execute(_CLASS, {"class": name} | _configured(configured)).one())


def write(db: Connection, project: ProjectId, overrides: Overrides) -> None:
    """These limits are the project's own from now on; those that are None stay as they are."""
    _begun(db, quotas, project_id=project)
    _set(db, quotas.update().where(quotas.c.project_id == project), overrides)


def write_class(db: Connection, name: str, overrides: Overrides) -> None:
    """The same for a class."""
    _begun(db, quota_classes, name=name)
    _set(db, quota_classes.update().where(quota_classes.c.name == name), overrides)


def forget(db: Connection, project: ProjectId) -> None:
    """The project has no limits of its own any more."""
    db.execute(quotas.update().where(quotas.c.project_id == project).values(dict.fromkeys(_NAMES)))


def _over(quota: Quota, more: Usage) -> errors.Forbidden:
    return errors.Forbidden(decisions.refusal(quota, more), code="over-quota")


def _begun(db: Connection, table: sa.Table, **key: str) -> bool:
    """Have a row with this key; False if there was one already."""
    ((column, value),) = key.items()
    if db.execute(sa.select(table.c[column]).where(table.c[column] == value)).first() is not None:
        return False
    try:
        with db.begin_nested():
            db.execute(table.insert(), key | (_NONE if table is quotas else {}))
    except exc.IntegrityError:
        pass  # Somebody was quicker.
    return True


def _set(db: Connection, statement: sa.Update, overrides: Overrides) -> None:
    given = {name: value for name, value in asdict(overrides).items() if value is not None}
    if given:
        db.execute(statement.values(given))


def _configured(limits: Limits) -> dict[str, int]:
    return {f"configured_{name}": getattr(limits, name) for name in _NAMES}


def _limits(row: sa.Row[Any]) -> Limits:
    return Limits(containers=row.containers, memory=row.memory, disk=row.disk, cpu=row.cpu)
