"""Failures as they travel: with their remedy, so that whoever asked knows what to do, however far away it failed."""

import asyncio
from dataclasses import dataclass

import grpc

from higgins import errors
from higgins.logic import documents


class StreamOver(Exception):
    """What a stream within the process raises when it is over."""


BREAKS = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError, StreamOver)
"""What is raised when a stream is over, or gets over during a call on it."""

_REMEDIES = (
    (errors.Invalid, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.Forbidden, grpc.StatusCode.PERMISSION_DENIED),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.Conflict, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.NotAcceptable, grpc.StatusCode.OUT_OF_RANGE),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.Broken, grpc.StatusCode.INTERNAL),
)
_BY_NAME: dict[str, type[errors.Failure]] = {remedy.__name__: remedy for remedy, _ in _REMEDIES}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    remedy: str
    """The name of its class."""
    message: str
    code: str | None = None
    retry_after: float | None = None


def pack(failure: errors.Failure) -> bytes:
    """A failure as a document."""
    remedy = _remedy(failure).__name__
    return documents.encode(
        _Failed(remedy=remedy, message=failure.message, code=failure.name, retry_after=failure.retry_after)
    )


def unpack(document: bytes) -> errors.Failure:
    """The failure that was packed; Broken for a remedy that only a newer peer knows."""
    failed = documents.decode(document, _Failed)
    remedy = _BY_NAME.get(failed.remedy, errors.Broken)
    return remedy(failed.message, code=failed.code, retry_after=failed.retry_after)


def status(failure: errors.Failure) -> grpc.StatusCode:
    """The gRPC status that comes closest."""
    return dict(_REMEDIES)[_remedy(failure)]


def _remedy(failure: errors.Failure) -> type[errors.Failure]:
    return next((remedy for remedy, _ in _REMEDIES if isinstance(failure, remedy)), errors.Broken)
