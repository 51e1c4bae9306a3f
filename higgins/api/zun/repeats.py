"""The Idempotency-Key: a request that is sent again is answered as it was the first time."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from higgins import errors
from higgins.api import failures, requestid
from higgins.api.zun.microversion import OURS, Version
from higgins.model.identity import Caller
from higgins.model.repeat import Answered, Repeatable, Reply
from higgins.service.repeats import Repeats

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_LONGEST = 256 * 1024
"""Bytes of an answer that is kept."""

Do = Callable[[bool], Awaitable[web.StreamResponse]]
"""Answers the request; it is told whether somebody has begun with it before."""


def asked(request: web.Request, version: Version) -> bool:
    """Whether the caller wants to be able to send this request again."""
    return HEADER in request.headers and request.method == "POST" and version >= OURS


async def once(
    repeats: Repeats,
    request: web.Request,
    version: Version,
    caller: Caller,
    do: Do,
    refused: Callable[[errors.Failure], web.Response],
) -> web.StreamResponse:
    """What `do` answers, the first time; the same again, with a header that says so, every other time.

    An answer that says nothing final, such as that the service is at fault, is not kept, nor is one that must not be stored: the next time is another go.
    """
    repeatable = Repeatable(
        project_id=caller.project_id,
        user_id=caller.user_id,
        key=_key(request.headers[HEADER]),
        fingerprint=await _fingerprint(request, version),
    )
    async with repeats.turn(repeatable, request[requestid.KEY]) as turn:
        if isinstance(turn, Answered):
            request[requestid.KEY] = turn.request_id
            return _replayed(turn.reply)
        request[requestid.KEY] = turn.begun.request_id
        try:
            response = await do(turn.begun.again)
        except errors.Failure as failure:
            if failures.status(failure) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            response = refused(failure)
        turn.reply = _reply(response)
        return response


def _key(said: str) -> str:
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", said):
        raise errors.Invalid(
            f"The header {HEADER} must have from 1 to 255 printable ASCII characters.", code="invalid-idempotency-key"
        )
    return said


async def _fingerprint(request: web.Request, version: Version) -> str:
    try:
        body = await request.read()
    except (ConnectionError, web.RequestPayloadError) as error:
        raise errors.Invalid(f"The body cannot be read: {error}", code="invalid") from error
    whole = hashlib.sha256()
    for part in (request.method, request.raw_path, f"{version}", request.content_type):
        # Bytes that came raw over the wire are lone surrogates here.
        whole.update(part.encode(errors="surrogateescape") + b"\0")
    whole.update(body)
    return whole.hexdigest()


def _reply(response: web.StreamResponse) -> Reply | None:
    if not isinstance(response, web.Response) or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    # Such an answer holds a secret.
    if "no-store" in response.headers.get("Cache-Control", ""):
        return None
    body = response.body if isinstance(response.body, bytes) else b""
    kept = body.decode() if len(body) <= _LONGEST else None
    return Reply(status=response.status, headers=dict(response.headers), body=kept)


def _replayed(reply: Reply) -> web.Response:
    if reply.body is None:
        raise errors.Conflict(
            "This request was answered already, with more than is kept; send it under a new key if it shall happen again.",
            code="idempotency-answer-not-kept",
        )
    body = reply.body.encode() or None
    return web.Response(status=reply.status, body=body, headers={**reply.headers, REPLAYED: "true"})
