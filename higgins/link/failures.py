"""Failures as they travel: with their remedy, so that whoever asked knows what to do, however far away it failed."""

import asyncio

import grpc

from higgins import errors
from higgins.link import higgins_pb2 as wire

BREAKS = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)
"""What grpc raises when a stream is over, or gets over during a call on it."""

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


def pack(failure: errors.Failure) -> wire.Failed:
    """A failure as a message."""
    return wire.Failed(
        remedy=_remedy(failure).__name__, message=failure.message, code=failure.name, retry_after=failure.retry_after
    )


def unpack(failed: wire.Failed) -> errors.Failure:
    """The failure that was packed; Broken for a remedy that only a newer peer knows."""
    remedy = _BY_NAME.get(failed.remedy, errors.Broken)
    retry_after = failed.retry_after if failed.HasField("retry_after") else None
    return remedy(failed.message, code=failed.code or None, retry_after=retry_after)


def status(failure: errors.Failure) -> grpc.StatusCode:
    """The gRPC status that comes closest."""
    return dict(_REMEDIES)[_remedy(failure)]


def _remedy(failure: errors.Failure) -> type[errors.Failure]:
    return next((remedy for remedy, _ in _REMEDIES if isinstance(failure, remedy)), errors.Broken)
