"""A capsule as it lies in the database: it can be compared and passed on without being opened."""

from typing import NamedTuple

from higgins.logic import documents
from higgins.model.capsule import Assignment, Capsule, CapsuleSpec, CapsuleStatus, Kind
from higgins.model.ids import CapsuleId, ProjectId, UserId


class Sealed(NamedTuple):
    """All that is known of one capsule, its three sides as JSON documents. Where id and revision are the same, so is the rest."""

    id: CapsuleId
    project_id: ProjectId
    user_id: UserId
    name: str
    kind: str
    created_at: float
    updated_at: float | None
    deadline: float | None
    revision: int
    spec: str
    assignment: str
    status: str
    host: str | None

    def open(self) -> Capsule:
        """The capsule."""
        return Capsule(
            id=self.id,
            project_id=self.project_id,
            user_id=self.user_id,
            name=self.name,
            kind=Kind(self.kind),
            created_at=self.created_at,
            updated_at=self.updated_at,
            spec=documents.decode(self.spec, CapsuleSpec),
            assignment=documents.decode(self.assignment, Assignment),
            status=documents.decode(self.status, CapsuleStatus),
            host=self.host,
            deadline=self.deadline,
        )
