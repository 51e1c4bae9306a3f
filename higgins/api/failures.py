"""What each kind of failure is called in HTTP."""

import math
from collections.abc import Mapping
from http import HTTPStatus

from higgins import errors

STATUS: Mapping[type[errors.Failure], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Broken: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def status(failure: errors.Failure) -> HTTPStatus:
    """The status of this failure, or of the nearest kind it belongs to."""
    for kind in type(failure).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def retry_after(failure: errors.Failure) -> str:
    """Whole seconds for a Retry-After header; five where the failure does not know better."""
    return str(max(1, math.ceil(failure.retry_after if failure.retry_after is not None else 5)))
