"""The registry: where images come from, and with which credentials."""

from dataclasses import dataclass, field

from higgins.model.ids import ProjectId, RegistryId, UserId

SORT_KEYS = ("id", "uuid", "name", "domain", "username", "project_id", "user_id", "created_at", "updated_at")
"""What a list of registries can be sorted by. `id` is the order of creation."""
FILTERS = ("name", "domain", "username", "project_id", "user_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A registry's address with credentials; leaves the control plane only towards a host that needs it, and is never printed."""

    domain: str
    """`host[:port]`, as it stands in front of an image's name."""
    username: str = ""
    """Empty: no credentials are needed."""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One that a project has stored. Its password is not part of it: nobody gets it back."""

    id: RegistryId
    project_id: ProjectId
    user_id: UserId
    name: str
    domain: str
    username: str | None = None
    created_at: float
    updated_at: float | None = None
