"""What can be asked of a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from higgins.model.capsule import Capsule
from higgins.model.ids import CapsuleId

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which rows, in which order, and which page of them."""

    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Keys of FILTERS; `auto_remove` takes the words true and false."""
    sort_key: str = "id"
    descending: bool = False
    limit: int = 1000
    marker: CapsuleId | None = None
    """The page begins after this row."""
    all_projects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list."""

    capsules: tuple[Capsule, ...]
    more: bool
    """Something follows."""


Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which rows of a shorter list, in which order, and which page of them."""

    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Equal to one of the values given."""
    sort_key: str = "id"
    """`id` is the order of creation."""
    descending: bool = False
    limit: int = 1000
    marker: str | None = None
    """The page begins after the row with this id."""
    all_projects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[Item]):
    """A part of such a list."""

    items: tuple[Item, ...]
    more: bool
    """Something follows."""
