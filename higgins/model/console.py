"""The console: a seat at a container's terminal that somebody may take once."""

from dataclasses import dataclass

from higgins.model.ids import CapsuleId, ExecId, ProjectId, UserId
from higgins.model.live import Attach, Enter


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Who may connect to what, and until when. The token that proves it is not part of it: only its digest is kept."""

    capsule_id: CapsuleId
    project_id: ProjectId
    user_id: UserId
    roles: frozenset[str]
    """Those that its caller had: what they allow is looked up again when the seat is taken."""
    request: Attach | Enter
    expires_at: float
    """Seconds since the epoch."""
    used_at: float | None = None

    @property
    def exec_id(self) -> ExecId | None:
        """None: the container's own terminal."""
        return self.request.exec_id if isinstance(self.request, Enter) else None
