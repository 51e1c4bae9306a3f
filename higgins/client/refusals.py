"""From the answers of a server that refuses to failures by remedy."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from higgins import errors

_KINDS: Mapping[int, type[errors.Failure]] = {
    HTTPStatus.BAD_REQUEST: errors.Invalid,
    HTTPStatus.UNAUTHORIZED: errors.Unauthenticated,
    HTTPStatus.FORBIDDEN: errors.Forbidden,
    HTTPStatus.NOT_FOUND: errors.NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: errors.NotAcceptable,
    HTTPStatus.NOT_ACCEPTABLE: errors.NotAcceptable,
    HTTPStatus.CONFLICT: errors.Conflict,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errors.Invalid,
    HTTPStatus.TOO_MANY_REQUESTS: errors.Unavailable,
    HTTPStatus.BAD_GATEWAY: errors.Unavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: errors.Unavailable,
    HTTPStatus.GATEWAY_TIMEOUT: errors.Unavailable,
}
_SHOWN_QUOTAS = ("containers", "memory", "cpu", "disk")


def failure(status: int, headers: Mapping[str, str], body: bytes) -> errors.Failure:
    """What a refusal means, in the server's own words where it has some, and what may be done next."""
    kind = _KINDS.get(status, errors.Invalid if 400 <= status < 500 else errors.Broken)
    said, code = _said(body)
    raised = kind(_sentence(said) or f"the server answered {status}", code=code, retry_after=retry_after(headers))
    request_id = next((value for name, value in headers.items() if name.lower() == "x-openstack-request-id"), None)
    match raised:
        case errors.Unauthenticated():
            raised.add_note("Log in again: higgins login")
        case errors.Forbidden(name="container.over-quota"):
            # Of networks, volumes and the like it shows nothing: there the server's words have to do.
            if any(repr(name) in raised.message for name in _SHOWN_QUOTAS):
                raised.add_note("What there is, and may be: higgins quota show")
        case errors.Forbidden():
            raised.add_note("Ask somebody with more rights in this project; `higgins whoami` shows yours.")
        case errors.Unavailable():
            raised.add_note("Try again in a moment.")
        case errors.Broken() if request_id:
            raised.add_note(f"Tell the operator; the request was {request_id}.")
        case errors.Broken():
            raised.add_note("Tell the operator.")
    return raised


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until another try makes sense, where the server says so."""
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(said) if said.isdigit() else None


def _said(body: bytes) -> tuple[str, str | None]:
    """The words and the code of a refusal in Zun's or Keystone's shape; plain text as it is."""
    try:
        found = json.loads(body)
    except ValueError:
        text = body.decode(errors="replace").strip()
        return ("" if text.startswith("<") else text.partition("\n")[0][:300]), None
    match found:
        case {"errors": [{**first}, *_]}:
            return str(first.get("detail") or first.get("title") or ""), str(first.get("code") or "") or None
        case {"error": {"message": message}}:
            return str(message), None
        case {"error": str(message)} | {"message": str(message)}:
            return message, None
        case _:
            return "", None


def _sentence(said: Any) -> str:
    """On one line, without the full stop at its end."""
    return " ".join(str(said).split()).removesuffix(".")
