"""What a project has that is no container, counted in the database, and that it gets no more of it than it may."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from higgins import errors
from higgins.logic import quota
from higgins.model.ids import ProjectId
from higgins.model.quota import UNLIMITED, Allowance, Belongings
from higgins.store.database import Connection
from higgins.store.tables import capsules, networks, security_groups, volumes

_PROJECT = sa.bindparam("project", type_=sa.String)


def _rows(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(table.c.project_id == _PROJECT)


_COUNTS: Mapping[str, sa.Select[Any]] = {
    "networks": _rows(networks),
    "security_groups": _rows(security_groups),
    "volumes": _rows(volumes),
    # Not the ports of hosts: whoever waits for a host has none of these yet, and is to get them all the same.
    "published_ports": sa.select(sa.func.coalesce(sa.func.sum(capsules.c.published), 0)).where(
        capsules.c.project_id == _PROJECT, capsules.c.published > 0
    ),
}


def check(db: Connection, project: ProjectId, more: Belongings, within: Allowance) -> None:
    """Raises Forbidden, code `over-quota`, if a project would have too much with that much more. What it does not ask for is not looked at.

    To be asked in the transaction that adds them, before it does. Nothing is reserved, and no row is taken: a write has the whole database to itself from
    its beginning (BEGIN IMMEDIATE), also before other processes, so that of two who ask at once the second counts what the first has got. On a database
    that lets several write at the same time, both could get the last one: there the row of the project's quota would have to be locked first.
    """
    asked = [name for name in quota.BELONGINGS if getattr(more, name) > 0 and getattr(within, name) != UNLIMITED]
    there = {name: db.execute(_COUNTS[name], {"project": project}).scalar_one() for name in asked}
    refusal = quota.surplus(within, Belongings(**there), more)
    if refusal is not None:
        raise errors.Forbidden(refusal, code="over-quota")
