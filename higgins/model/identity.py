"""Who asks."""

from dataclasses import dataclass

from higgins.model.ids import ProjectId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user acting in a project, as an identity service vouched for."""

    user_id: UserId
    project_id: ProjectId
    roles: frozenset[str]
    """Implied roles included: an admin is also manager, member and reader."""
