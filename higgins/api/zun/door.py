"""The Containers API over HTTP: who asks, which route, which version, what parameters; then the verb, then the answer."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack, aclosing
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web

from higgins import errors
from higgins.api import requestid
from higgins.api.zun import dryrun, envelope, microversion, openapi, parameters, repeats, routes, streams, values
from higgins.api.zun.faces import Faces
from higgins.api.zun.microversion import Version
from higgins.api.zun.pace import Pace
from higgins.api.zun.routes import Found, Missed, Route
from higgins.api.zun.verbs import Answer, Ask, Door, Services, Socket, Stream
from higgins.model.capsule import Resources
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId, UserId
from higgins.protocols.identity import Identity
from higgins.service.policy import Policy

_SILENT = 60.0
"""Seconds in which the next piece of a body has to come."""


def application(
    services: Services,
    identity: Identity,
    policy: Policy,
    *,
    bounds: values.Bounds | None = None,
    defaults: Resources | None = None,
    max_limit: int = 1000,
    max_body: int = 1 << 20,
    max_archive: int = 32 << 20,
    console_url: str | None = None,
    origins: Collection[str] = (),
    pace: Pace | None = None,
    public_url: str | None = None,
    login_url: str | None = None,
    others: Mapping[str, web.Application] | None = None,
    now: Callable[[], float] = time.time,
) -> web.Application:
    """The API as an aiohttp application, ready to be served.

    `bounds` and `defaults` are what a container may and does get; `max_limit` is the longest page and `max_body` the largest request body in bytes.
    `max_archive` is the largest archive in bytes that may come inside JSON. `public_url` is where clients reach this server, without a slash at the
    end; None: whatever the request says. `login_url` is where they log in; None: `/identity/v3` at the same address. `console_url` is what
    addresses of consoles begin with, `ws://` or `wss://`; None: as the request did. `origins` are the names of other hosts whose pages may open
    them. `others` are applications served beside this one, by the prefix of their paths.
    """
    bounds = bounds or values.Bounds()
    door = Door(
        services=services,
        policy=policy,
        defaults=defaults or Resources(),
        max_limit=max_limit,
        now=now,
        faces=Faces(),
        document=openapi.document(bounds),
        max_archive=max_archive,
        console_url=console_url.rstrip("/") if console_url else None,
        origins=frozenset(name.lower() for name in origins),
        pace=pace or Pace(),
    )
    front = _Front(door, identity, values.reader(bounds), public_url=public_url, login_url=login_url)
    app = web.Application(middlewares=[requestid.middleware], client_max_size=max_body)
    app.on_response_prepare.append(requestid.stamp)
    app.on_shutdown.append(front.leave)
    for prefix, other in (others or {}).items():
        app.add_subapp(prefix, other)
    # One route for all paths, line breaks in them too: aiohttp's own would neither forgive an empty segment nor answer in our words.
    app.router.add_route("*", r"/{path:[\s\S]*}", front.answer)
    return app


class _Front:
    """What every request goes through."""

    def __init__(
        self,
        door: Door,
        identity: Identity,
        read: Callable[[type, Any], Any],
        *,
        public_url: str | None,
        login_url: str | None,
    ) -> None:
        self._door = door
        self._identity = identity
        self._read = read
        self._public_url = public_url.rstrip("/") if public_url else None
        self._login_url = login_url
        self._leaving = asyncio.Event()

    async def leave(self, _: web.Application) -> None:
        """Break off what would go on for ever."""
        self._leaving.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request whatever, in the API's own words also when it is a refusal."""
        version: Version | None = None
        try:
            found = routes.find(request.method, request.rel_url.raw_path)
            public = isinstance(found, Found) and found.route.public
            caller = _NOBODY if public else await self._caller(request)
            if isinstance(found, Missed):
                return _missed(request, found)
            version = _version(request, found.route)
            response = await self._once(request, found, version, caller)
        except errors.Failure as failure:
            response = self._refused(request, failure)
        except web.HTTPRequestEntityTooLarge as refusal:
            response = envelope.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, refusal.text or refusal.reason)
        except ConnectionError as trouble:
            # Where nobody is left to be told, nothing has gone wrong.
            response = web.Response() if streams.gone(request) else envelope.of_trouble(trouble)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log the reason
            response = envelope.of_trouble(trouble)
        if version is not None and not response.prepared:
            response.headers.update(microversion.headers(version))
            if version < microversion.OURS:
                # Zun's clients stumble over it, and what was refused, and why, is never read.
                response.headers.popall("Retry-After", None)
        return response

    async def _caller(self, request: web.Request) -> Caller:
        token = request.headers.get("X-Auth-Token", "")
        # No token has ever had other characters, and what identifies it would stumble over them.
        if not token or not token.isascii():
            raise errors.Unauthenticated("There is no token.")
        return await self._identity.caller(token)

    def _refused(self, request: web.Request, failure: errors.Failure) -> web.Response:
        return envelope.of_failure(failure, self._login_url or f"{self._address(request)}/identity/v3")

    async def _once(
        self, request: web.Request, found: Found, version: Version | None, caller: Caller
    ) -> web.StreamResponse:
        """The first time, and what was answered then every other time, where the caller has given the request a key."""
        # What takes files is not held whole, and does no harm when it is done twice.
        if version is None or found.route.takes is not None or not repeats.asked(request, version):
            return await self._do(request, found, version, caller)
        # Of what does not happen there is nothing to be remembered: the same key is still good for the thing itself.
        if await self._is_dry(request, found.route):
            return await self._do(request, found, version, caller)
        return await repeats.once(
            self._door.services.repeats,
            request,
            version,
            caller,
            lambda again: self._do(request, found, version, caller, again=again),
            partial(self._refused, request),
        )

    async def _is_dry(self, request: web.Request, route: Route) -> bool:
        try:
            return route.dry and bool(self._read(values.Truth, await parameters.one(request, route, dryrun.NAME)))
        except (errors.Invalid, ValueError):
            return False  # Nothing was said of it, or nothing that is understood.

    async def _do(
        self, request: web.Request, found: Found, version: Version | None, caller: Caller, *, again: bool = False
    ) -> web.StreamResponse:
        route = found.route
        if route.json_only and request.content_type != parameters.JSON:
            wanted = f"Unsupported Content-Type; the body must be {parameters.JSON}."
            return envelope.refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, wanted)
        spoken = version or microversion.MIN
        raw = route.takes is not None and request.content_type == route.takes and spoken >= microversion.OURS
        query, body = await parameters.given(request, route, most=self._most(route, raw=raw))
        async with AsyncExitStack() as held:
            ask = Ask(
                caller=caller,
                request=request[requestid.KEY],
                address=self._address(request),
                version=spoken,
                headers=request.headers,
                path=found.path,
                params=route.form.read(query, body, spoken, self._read),
                body=await held.enter_async_context(aclosing(parameters.pieces(request, _SILENT))) if raw else None,
                gone=partial(streams.gone, request),
                again=again,
                held=held,
            )
            match await route.verb(self._door, ask):
                case Answer(body=content, headers=headers, content_type=content_type, status=status):
                    kind = content_type if content else None
                    status = status or route.ok
                    return web.Response(status=status, body=content or None, headers=headers, content_type=kind)
                case Stream() as answer:
                    return await streams.respond(request, answer, route.ok, microversion.headers(spoken), self._leaving)
                case Socket(serve=serve):
                    return await serve(request, self._leaving)

    def _most(self, route: Route, *, raw: bool) -> int | None:
        if route.takes is None:
            return None
        # In base64 four characters stand for three bytes; around them there is little else.
        return 0 if raw else self._door.max_archive * 4 // 3 + 64 * 1024

    def _address(self, request: web.Request) -> str:
        return self._public_url or f"{request.scheme}://{routes.readable(request.host)}"


_NOBODY = Caller(user_id=UserId(""), project_id=ProjectId(""), roles=frozenset())
"""Who asks for what anybody may read."""


def _missed(request: web.Request, missed: Missed) -> web.Response:
    if not missed.allowed:
        status = HTTPStatus.NOT_FOUND
        return envelope.refuse(status, "The resource could not be found.", title=status.phrase)
    status = HTTPStatus.METHOD_NOT_ALLOWED
    detail = f"The method {request.method} is not allowed for this resource."
    return envelope.refuse(status, detail, title=status.phrase, headers={"Allow": ", ".join(missed.allowed)})


def _version(request: web.Request, route: Route) -> Version | None:
    if not route.versioned:
        return None
    version = microversion.negotiate(request.headers.get(microversion.HEADER))
    if not route.there(version):
        raise errors.NotAcceptable(
            f"Version {version} was requested but the requested API is not supported for this version."
        )
    return version
