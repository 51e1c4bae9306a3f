"""Lists of registries and images: which page is asked for, and where the next one is."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from higgins.api.zun import translate, values
from higgins.api.zun.forms import SortDirection
from higgins.api.zun.values import said
from higgins.api.zun.verbs import Ask
from higgins.model.query import Part, Query

Item = TypeVar("Item")


class Paging(Struct, kw_only=True):
    """Which page of a list, in which order."""

    limit: Annotated[values.Limit | None, said("How many at most; a deployment may give fewer.")] = None
    marker: Annotated[str | None, said("The id of the last one of the page before; of a zone, its name.")] = None
    sort_key: Annotated[str | None, said("A field to sort by; the refusal of any other lists them.")] = None
    sort_dir: Annotated[SortDirection | None, said("Upwards or downwards; nothing: upwards.")] = None


def query(
    asked: Paging,
    longest: int,
    keys: Sequence[str],
    filters: Mapping[str, str | list[str] | None] | None = None,
    *,
    all_projects: bool = False,
) -> Query:
    """A page of at most `longest`. Raises Invalid for a sort key or direction that there is not."""
    sort_key = asked.sort_key or "id"
    translate.check_order(sort_key, asked.sort_dir, keys)
    given = {name: value for name, value in (filters or {}).items() if value is not None}
    return Query(
        filters={name: [value] if isinstance(value, str) else value for name, value in given.items()},
        sort_key=sort_key,
        descending=asked.sort_dir == "desc",
        limit=min(longest, asked.limit or longest),
        marker=asked.marker,
        all_projects=all_projects,
    )


def following(ask: Ask[Any], collection: str, asked: Query, part: Part[Any]) -> str | None:
    """The address of the next page, with everything that was asked of this one."""
    if not part.more:
        return None
    pairs = [
        *((name, value) for name, given in asked.filters.items() for value in given),
        *([("all_projects", "true")] if asked.all_projects else []),
        ("sort_key", asked.sort_key),
        ("sort_dir", "desc" if asked.descending else "asc"),
        ("limit", str(asked.limit)),
        ("marker", part.items[-1].id),
    ]
    return f"{ask.address}/v1/{collection}?{urlencode(pairs)}"
