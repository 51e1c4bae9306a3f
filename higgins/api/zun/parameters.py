"""What a request carries in its query and its body, before anything is known about its meaning."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from higgins import errors
from higgins.api.zun import routes, texts
from higgins.api.zun.routes import Route

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")
"""Methods whose parameters may stand in the query or in a body."""


async def given(
    request: web.Request, route: Route, *, most: int | None = None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What the query says and, where there can be one, the body of `most` bytes; None: as the server is set. 0 leaves it where it is."""
    if not route.form.names and not route.form.strict:
        return {}, {}
    with_body = request.method in WITH_BODY and request.body_exists and most != 0
    opaque = route.form.opaque
    query = _pairs(request.rel_url.raw_query_string, opaque)
    body = await _body(request, opaque, most) if with_body else {}
    for name in route.form.texts:
        if isinstance(text := body.get(name), str):
            # Beside others: reading YAML takes its time.
            body[name] = await asyncio.to_thread(texts.read, name, text)
    return query, body


async def one(request: web.Request, route: Route, name: str) -> Any:
    """What is said of a single parameter, for whoever has to know before all of them are read; None: nothing."""
    opaque = route.form.opaque
    query = _pairs(request.rel_url.raw_query_string, opaque)
    body = await _body(request, opaque, None) if request.body_exists else {}
    return body.get(name, query.get(name))


async def pieces(request: web.Request, within: float) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Raises Invalid if it breaks off, or if nothing comes for so many seconds."""
    try:
        while True:
            async with asyncio.timeout(within):
                piece = await request.content.readany()
            if not piece:
                return
            yield piece
    except TimeoutError as error:
        raise errors.Invalid(f"The body has stopped coming for {within:g} seconds.", code="invalid") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise errors.Invalid(f"The body cannot be read: {error}", code="invalid") from error


async def _body(request: web.Request, opaque: Sequence[str], most: int | None) -> dict[str, Any]:
    try:
        raw = await (request if most is None else request.clone(client_max_size=most)).read()
    except (ConnectionError, web.RequestPayloadError) as error:
        raise errors.Invalid(f"The body cannot be read: {error}", code="invalid") from error
    if request.content_type == FORM:
        return _pairs(raw.decode(errors="replace"), opaque)
    if not raw:
        return {}
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise errors.Invalid(f"The body is not valid JSON: {error}", code="invalid") from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise errors.Invalid("The body must be a JSON object.", code="invalid")
    texts.check({name: value for name, value in body.items() if name not in opaque})
    return body


def _pairs(text: str, opaque: Sequence[str]) -> dict[str, Any]:
    """The parameters of a query string or a form; one that is repeated becomes a list."""
    found: dict[str, Any] = {}
    if not text:
        return found
    try:
        pairs = parse_qsl(routes.readable(text), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise errors.Invalid("There are too many parameters.", code="invalid") from error
    for name, value in pairs:
        if "\0" in value and name not in opaque:
            raise errors.Invalid(f"The parameter '{name}' has a NUL character in it.", code="invalid")
        match found.get(name):
            case None:
                found[name] = value
            case list() as several:
                several.append(value)
            case one:
                found[name] = [one, value]
    return found
