"""What can be asked of a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

SORT_KEYS = (
    "id",
    "uuid",
    "name",
    "project_id",
    "user_id",
    "image",
    "status",
    "task_state",
    "memory",
    "cpu",
    "host",
    "created_at",
    "updated_at",
)
"""What a list can be sorted by. `id` is the order of creation."""

FILTERS = ("name", "image", "project_id", "user_id", "memory", "host", "task_state", "status", "auto_remove")
"""What a list can be filtered by: equal to one of the values given."""


Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which rows of a list, in which order, and which page of them."""

    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Equal to one of the values given. Those of containers are FILTERS; `auto_remove` takes the words true and false."""
    sort_key: str = "id"
    """`id` is the order of creation."""
    descending: bool = False
    limit: int = 1000
    marker: str | None = None
    """The page begins after the row with this id."""
    all_projects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[Item]):
    """A page of a list."""

    items: tuple[Item, ...]
    more: bool
    """Something follows."""
