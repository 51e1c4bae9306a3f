"""Pages of lists: any order, stable, and beginning after any row."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from higgins.model.query import Query
from higgins.store.database import Connection


def rows(
    db: Connection,
    select: sa.Select[Any],
    number: sa.Column[int],
    columns: Mapping[str, sa.ColumnElement[Any]],
    listing: Query,
) -> Sequence[sa.Row[Any]] | None:
    """One row more than the page has, if there are as many; None if the marker is none of these rows.

    `number` is the order of creation, and `columns` are what can be filtered and sorted by, `uuid` among them.
    """
    key = columns[listing.sort_key]
    where: list[sa.ColumnElement[bool]] = [columns[name].in_(values) for name, values in listing.filters.items()]
    if listing.marker is not None:
        marked = select.with_only_columns(key.label("key"), number).where(columns["uuid"] == listing.marker)
        mark = db.execute(marked).one_or_none()
        if mark is None:
            return None
        where.append(_behind(key, number, mark, descending=listing.descending))
    turn = sa.desc if listing.descending else sa.asc
    ordered = select.where(*where).order_by(turn(key.is_not(None)), turn(key), turn(number))
    return db.execute(ordered.limit(listing.limit + 1)).all()


def _behind(
    key: sa.ColumnElement[Any], number: sa.Column[int], mark: sa.Row[Any], *, descending: bool
) -> sa.ColumnElement[bool]:
    """The condition for a row to follow the marker; an absent value sorts before all others."""
    later: sa.ColumnElement[bool] = number < mark.number if descending else number > mark.number
    if mark.key is None:
        beyond: sa.ColumnElement[bool] = sa.false() if descending else key.is_not(None)
        return sa.or_(beyond, sa.and_(key.is_(None), later))
    beyond = sa.or_(key < mark.key, key.is_(None)) if descending else key > mark.key
    return sa.or_(beyond, sa.and_(key == mark.key, later))
