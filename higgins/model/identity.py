"""Who asks, and what the local identity knows of users, projects and roles."""

from dataclasses import dataclass
from enum import Enum
from typing import NewType

from higgins.model.ids import ProjectId, UserId

CredentialId = NewType("CredentialId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user acting in a project, as an identity service vouched for."""

    user_id: UserId
    project_id: ProjectId
    roles: frozenset[str]
    """Implied roles included: an admin is also manager, member and reader."""


@dataclass(frozen=True, slots=True)
class ById:
    """What has this id."""

    id: str


@dataclass(frozen=True, slots=True)
class ByName:
    """What has this name, whatever the case of its letters."""

    name: str


Reference = ById | ByName


class Scope(Enum):
    """What a token is asked for when no project is named."""

    DEFAULT = "default"
    """The only project in which the user has a role; no project if there are several or none."""
    NONE = "none"
    """No project: good for finding out which there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who can log in."""

    id: UserId
    name: str
    enabled: bool = True
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What containers belong to."""

    id: ProjectId
    name: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role that a user has in a project."""

    user: User
    project: Project
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredential:
    """A secret with which a program acts for a user in one project, with some of the user's roles."""

    id: CredentialId
    name: str
    description: str | None = None
    user_id: UserId
    project_id: ProjectId
    roles: frozenset[str]
    """As asked for; those that the user has lost since give nothing."""
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token stands for; the secret itself is nowhere."""

    audit_id: str
    """Names the token in answers and logs."""
    user: User
    project: Project | None
    roles: frozenset[str]
    """Implied roles included; none without a project."""
    methods: tuple[str, ...]
    """How its holder logged in."""
    credential: ApplicationCredential | None = None
    """With which one, where it was with one."""
    issued_at: float
    expires_at: float
