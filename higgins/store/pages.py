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
    query: Query,
    *,
    filtered: Sequence[sa.ColumnElement[bool]] | None = None,
) -> Sequence[sa.Row[Any]] | None:
    """One row more than the page has, if there are as many; None if the marker is none of these rows.

    `number` is the order of creation, and `columns` are what can be filtered and sorted by, `uuid` among them.
    `filtered` are the conditions for the query's filters, where they are more than a column's being equal.
    """
    key = columns[query.sort_key]
    if filtered is None:
        filtered = [columns[name].in_(values) for name, values in query.filters.items()]
    where = [*filtered]
    if query.marker is not None:
        marked = select.with_only_columns(key.label("key"), number).where(columns["uuid"] == query.marker)
        mark = db.execute(marked).one_or_none()
        if mark is None:
            return None
        where.append(_behind(key, number, mark, descending=query.descending))
    turn = sa.desc if query.descending else sa.asc
    # By the order of creation alone an index leads from the first row of the page to the last.
    order = [turn(number)] if key is number else [turn(key.is_not(None)), turn(key), turn(number)]
    ordered = select.where(*where).order_by(*order)
    return db.execute(ordered.limit(query.limit + 1)).all()


def _behind(
    key: sa.ColumnElement[Any], number: sa.Column[int], mark: sa.Row[Any], *, descending: bool
) -> sa.ColumnElement[bool]:
    """The condition for a row to follow the marker; an absent value sorts before all others."""
    later: sa.ColumnElement[bool] = number < mark.number if descending else number > mark.number
    if key is number:
        return later
    if mark.key is None:
        beyond: sa.ColumnElement[bool] = sa.false() if descending else key.is_not(None)
        return sa.or_(beyond, sa.and_(key.is_(None), later))
    beyond = sa.or_(key < mark.key, key.is_(None)) if descending else key > mark.key
    return sa.or_(beyond, sa.and_(key == mark.key, later))
