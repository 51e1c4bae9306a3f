"""The event: something changed. Feeds whoever watches."""

from collections.abc import Sequence
from dataclasses import dataclass

from higgins.model.ids import CapsuleId, ProjectId

KINDS = ("create", "update", "delete", "status", "gone")
"""create, update, delete: something was asked for; status: its word changed, or another run began or ended; gone: it is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one capsule, written in the transaction that made it."""

    number: int
    """Grows; whoever has seen a number asks for what came after it."""
    at: float
    """Seconds since the epoch."""
    project_id: ProjectId
    capsule_id: CapsuleId
    name: str
    """Of the container, as it was then."""
    kind: str
    """One of KINDS."""
    verb: str | None = None
    """Of a request: which one (start, stop, ...). None where nobody asked: a container that is removed once it has run."""
    status: str | None = None
    """The word a user reads, from then on; None once it is gone."""
    reason: str | None = None
    exit_code: int | None = None
    """Of a container that has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events somebody wants to see: those that have one of the values of each; of what is empty, all."""

    containers: Sequence[str] = ()
    """Ids, or names as they were then."""
    kinds: Sequence[str] = ()
    statuses: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the story of all changes, as one caller sees it."""

    events: Sequence[Event]
    upto: int
    """The number of the last change that was looked at, the caller's or not: what comes later follows it."""
    more: bool = False
    """Something follows already."""
    lost: bool = False
    """Before the first of these there was something that has been forgotten since."""
