"""The action: one request's story, and its steps."""

from dataclasses import dataclass
from enum import StrEnum

from higgins.model.ids import CapsuleId, ProjectId, RequestId, UserId


class Outcome(StrEnum):
    """How an action or a step ended."""

    SUCCESS = "success"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened on the way."""

    name: str
    started_at: float
    finished_at: float | None = None
    outcome: Outcome | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Who asked for what, when, and what became of it."""

    request_id: RequestId
    capsule_id: CapsuleId
    project_id: ProjectId
    user_id: UserId
    verb: str
    generation: int
    """It is done once the host has settled on this generation of the spec."""
    started_at: float
    finished_at: float | None = None
    outcome: Outcome | None = None
    message: str | None = None
    deadline: float | None = None
    """When it counts as failed; None once it is over. Filled in on reading."""
    steps: tuple[Step, ...] = ()
