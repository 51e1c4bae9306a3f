"""The event: something changed. Feeds whoever watches."""

from dataclasses import dataclass

from higgins.model.ids import CapsuleId, ProjectId


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
    """create, update, delete: somebody asked for something; status: its word changed; gone: it is forgotten."""
    verb: str | None = None
    """Of a request: which one (start, stop, ...)."""
    status: str | None = None
    """The word a user reads, from then on."""
    reason: str | None = None
    exit_code: int | None = None
    """Of a container that has ended."""
