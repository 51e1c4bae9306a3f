"""Every refusal in the shape that the API's clients read."""

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import Struct

from higgins import errors
from higgins.api import failures

_log = logging.getLogger(__name__)
_TITLES: Mapping[str, str] = {"microversion-unsupported": "Requested microversion is unsupported"}


class Refusal(Struct, kw_only=True):
    """Why a request was refused."""

    # Always empty, as in Zun; the id is in the header.
    request_id: str = ""
    code: str
    status: int
    title: str
    detail: str
    links: list[str] = []


class Refusals(Struct):
    """What a refused request is answered with."""

    errors: list[Refusal]


class Login(Struct):
    """Why a caller is not known."""

    code: int
    title: str
    message: str


class Unauthorized(Struct):
    """What a caller who is not known is answered with, in the words of Keystone's middleware."""

    error: Login


def of_failure(failure: errors.Failure, login: str) -> web.Response:
    """The answer to a failure. `login` is where a caller who is not known can log in."""
    status = failures.status(failure)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return _unauthorized(login)
        case HTTPStatus.NOT_ACCEPTABLE:
            # Clients know these by their status: Zun gives them no code.
            return refuse(status, failure.message, title=_TITLES.get(failure.name, status.phrase))
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            return of_trouble(failure)
        case HTTPStatus.SERVICE_UNAVAILABLE:
            headers = {"Retry-After": failures.retry_after(failure)}
            return refuse(status, failure.message, code=failure.name, headers=headers)
        case _:
            known = failure.retry_after is not None
            headers = {"Retry-After": failures.retry_after(failure)} if known else {}
            return refuse(status, failure.message, code=failure.name, headers=headers)


def of_trouble(trouble: BaseException) -> web.Response:
    """The answer when the service itself is at fault: the caller learns an id, the log learns the rest."""
    correlation = uuid.uuid4()
    _log.error("a request failed, correlation id %s", correlation, exc_info=trouble)
    return refuse(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"Your request could not be handled because of a problem in the server. Error Correlation id is: {correlation}",
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
    )


def refuse(
    status: HTTPStatus,
    detail: str,
    *,
    title: str | None = None,
    code: str = "",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A refusal with these words."""
    refusal = Refusal(code=f"container.{code}", status=status, title=title or detail, detail=detail)
    return _respond(status, Refusals([refusal]), headers)


def _unauthorized(login: str) -> web.Response:
    # Not ours: this is what Keystone's middleware answers, and what clients of every OpenStack service expect.
    words = Login(401, "Unauthorized", "The request you have made requires authentication.")
    return _respond(HTTPStatus.UNAUTHORIZED, Unauthorized(words), {"WWW-Authenticate": f'Keystone uri="{login}"'})


def _respond(status: HTTPStatus, body: object, headers: Mapping[str, str] | None) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)
