"""Requests that their callers may send again, under a key of their own, without anything happening twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from higgins.model.ids import ProjectId, RequestId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatable:
    """Which request of which caller."""

    project_id: ProjectId
    user_id: UserId
    key: str
    """The caller's choice."""
    fingerprint: str
    """Of all that was asked: the key of one request is not good for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What was answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    """None: it was too long to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """It is the caller's turn to be answered."""

    request_id: RequestId
    """Under which whatever it causes is recorded; of a request that was begun before, the same as then."""
    again: bool
    """It was begun before, and nobody knows how far it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """It has been answered already."""

    request_id: RequestId
    reply: Reply
