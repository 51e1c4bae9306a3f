"""The routes of the login, and how its refusals look."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from higgins import errors
from higgins.api import failures, requestid
from higgins.api.identity import forms, views
from higgins.logic import access
from higgins.model.identity import ById, ByName, Token
from higgins.service.identity import Issued, LocalIdentity

_log = logging.getLogger(__name__)

_TOKEN, _SUBJECT = "X-Auth-Token", "X-Subject-Token"
_WRONG = "The request you have made requires authentication."

Answer = Awaitable[web.Response]


class _Error(msgspec.Struct):
    code: int
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Door:
    """The login of this identity."""

    identity: LocalIdentity
    region: str = "RegionOne"
    public_url: str | None = None
    """How clients reach the service, where that is not how they called it."""

    def routes(self) -> list[web.RouteDef]:
        """Everything that can be asked; what answers GET answers HEAD. Paths begin where the login is mounted."""
        credentials = "/v3/users/{user}/application_credentials"
        routes: list[tuple[str, str, Callable[[web.Request], Answer]]] = [
            ("GET", "", self.versions),
            ("GET", "/", self.versions),
            ("GET", "/v3", self.version),
            ("GET", "/v3/", self.version),
            ("POST", "/v3/auth/tokens", self.log_in),
            ("GET", "/v3/auth/tokens", self.show_token),
            ("DELETE", "/v3/auth/tokens", self.log_out),
            ("GET", "/v3/auth/catalog", self.catalog),
            ("GET", "/v3/auth/projects", self.own_projects),
            ("GET", "/v3/users/{user}", self.user),
            ("GET", "/v3/users/{user}/projects", self.projects),
            ("GET", "/v3/roles", self.roles),
            ("GET", "/v3/roles/{role}", self.role),
            ("POST", credentials, self.create_credential),
            ("GET", credentials, self.credentials),
            ("GET", credentials + "/{credential}", self.credential),
            ("DELETE", credentials + "/{credential}", self.delete_credential),
        ]
        return [web.route(method, path, handler) for method, path, handler in routes]

    async def versions(self, request: web.Request) -> web.Response:
        """There is one; clients take the address from it."""
        return _json({"versions": {"values": [views.version(self._door(request))]}}, HTTPStatus.MULTIPLE_CHOICES)

    async def version(self, request: web.Request) -> web.Response:
        return _json({"version": views.version(self._door(request))})

    async def log_in(self, request: web.Request) -> web.Response:
        asked = (await forms.read(request, forms.LogIn)).auth
        issued = await self._issue(asked)
        body = views.token(issued.token, self._catalog(request))
        return _json({"token": body}, HTTPStatus.CREATED, {_SUBJECT: issued.secret, "Vary": _TOKEN})

    async def _issue(self, asked: forms.Auth) -> Issued:
        proof, scope = asked.identity, forms.scope(asked)
        match proof.methods:
            case ["password"] if proof.password:
                user = forms.reference(proof.password.user, "auth.identity.password.user")
                return await self.identity.log_in(user, proof.password.user.password, scope)
            case ["token"] if proof.token:
                return await self.identity.rescope(proof.token.id, scope)
            case ["application_credential"] if proof.application_credential:
                if asked.scope is not None:
                    raise errors.Invalid("auth.scope: an application credential brings its own project.")
                held = proof.application_credential
                where = "auth.identity.application_credential"
                if held.id is not None:
                    return await self.identity.log_in_with_credential(ById(held.id), None, held.secret)
                if held.name is None:
                    raise errors.Invalid(f"{where}: it needs an id, or a name and a user.")
                owner = forms.reference(held.user, f"{where}.user")
                return await self.identity.log_in_with_credential(ByName(held.name), owner, held.secret)
            case ["password" | "token" | "application_credential" as method]:
                raise errors.Invalid(f"auth.identity.{method}: it is missing.")
            case _:
                raise errors.Invalid(
                    "auth.identity.methods: one of password, token and application_credential is offered."
                )

    async def show_token(self, request: web.Request) -> web.Response:
        subject = await self.identity.inspect(await self._token(request), _secret(request, _SUBJECT))
        body = views.token(subject, self._catalog(request))
        return _json({"token": body}, headers={_SUBJECT: _secret(request, _SUBJECT), "Vary": _TOKEN})

    async def log_out(self, request: web.Request) -> web.Response:
        secret = _secret(request, _SUBJECT)
        await self.identity.inspect(await self._token(request), secret)
        await self.identity.log_out(secret)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def catalog(self, request: web.Request) -> web.Response:
        token = await self._token(request)
        if token.project is None:
            raise errors.Forbidden("A token for no project has no catalogue.")
        links = {"self": f"{self._door(request)}/v3/auth/catalog"}
        return _json({"catalog": views.catalog(self._base(request), self.region), "links": links})

    async def own_projects(self, request: web.Request) -> web.Response:
        return await self._projects(request, await self._token(request))

    async def projects(self, request: web.Request) -> web.Response:
        token = await self._token(request)
        self.identity.check_own(token, request.match_info["user"])
        return await self._projects(request, token)

    async def user(self, request: web.Request) -> web.Response:
        token = await self._token(request)
        self.identity.check_own(token, request.match_info["user"])
        return _json({"user": views.user(token.user, self._door(request))})

    async def roles(self, request: web.Request) -> web.Response:
        await self._token(request)
        wanted = request.query.get("name")
        every = views.roles(self._door(request))
        return self._list(request, "roles", [role for role in every if wanted in (None, role.name)])

    async def role(self, request: web.Request) -> web.Response:
        await self._token(request)
        for role in views.roles(self._door(request)):
            if role.id == request.match_info["role"]:
                return _json({"role": role})
        raise errors.NotFound(f"There is no such role; the roles are {', '.join(access.ROLES)}.")

    async def create_credential(self, request: web.Request) -> web.Response:
        token = await self._token(request)
        user_id = self.identity.check_own(token, request.match_info["user"], changing=True)
        wanted = (await forms.read(request, forms.CreateCredential)).application_credential
        for field, asked in (
            ("secret", wanted.secret),
            ("unrestricted", wanted.unrestricted),
            ("access_rules", wanted.access_rules),
        ):
            if asked:
                raise errors.Invalid(f"application_credential.{field}: this is not offered; leave it out.")
        if token.project is None or wanted.project_id not in (None, token.project.id):
            raise errors.Invalid(
                "application_credential.project_id: it is for the project of the token, which must have one."
            )
        credential, secret = await self.identity.create_credential(
            user_id,
            token.project.id,
            wanted.name,
            roles=forms.roles(wanted),
            description=wanted.description,
            expires_at=forms.expiry(wanted),
        )
        body = views.credential(credential, self._door(request), secret)
        return _json({"application_credential": body}, HTTPStatus.CREATED)

    async def credentials(self, request: web.Request) -> web.Response:
        user_id = self.identity.check_own(await self._token(request), request.match_info["user"])
        wanted = request.query.get("name")
        found = await self.identity.credentials(user_id)
        shown = [views.credential(one, self._door(request)) for one in found if wanted in (None, one.name)]
        return self._list(request, "application_credentials", shown)

    async def credential(self, request: web.Request) -> web.Response:
        user_id = self.identity.check_own(await self._token(request), request.match_info["user"])
        found = await self.identity.credential(user_id, request.match_info["credential"])
        return _json({"application_credential": views.credential(found, self._door(request))})

    async def delete_credential(self, request: web.Request) -> web.Response:
        user_id = self.identity.check_own(await self._token(request), request.match_info["user"], changing=True)
        await self.identity.delete_credential(user_id, request.match_info["credential"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _projects(self, request: web.Request, token: Token) -> web.Response:
        found = await self.identity.projects(token.user.id)
        return self._list(request, "projects", [views.project(one, self._door(request)) for one in found])

    async def _token(self, request: web.Request) -> Token:
        return await self.identity.token(request.headers.get(_TOKEN, ""))

    def _list(self, request: web.Request, name: str, shown: list[Any]) -> web.Response:
        links = {"self": f"{self._base(request)}{request.path}", "previous": None, "next": None}
        return _json({name: shown, "links": links})

    def _catalog(self, request: web.Request) -> list[views.Service] | None:
        return None if "nocatalog" in request.query else views.catalog(self._base(request), self.region)

    def _base(self, request: web.Request) -> str:
        return self.public_url.rstrip("/") if self.public_url else f"{request.scheme}://{request.host}"

    def _door(self, request: web.Request) -> str:
        return f"{self._base(request)}/identity"


def application(
    identity: LocalIdentity, *, region: str = "RegionOne", public_url: str | None = None
) -> web.Application:
    """The login, to be mounted with `add_subapp("/identity", ...)`. It shows its own refusals and gives its own request ids."""
    app = web.Application(middlewares=[requestid.middleware, _refusals])
    app.on_response_prepare.append(requestid.stamp)
    app.add_routes(Door(identity, region, public_url).routes())
    return app


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        if not all(map(_is_text, (request.host, request.path, request.query_string))):
            raise errors.Invalid("The address of the request is not UTF-8.")
        return await handler(request)
    except errors.Failure as failure:
        return _refusal(request, failure)
    except web.HTTPException as refusal:
        status = HTTPStatus(refusal.status)
        allowed = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else {}
        return _refuse(status, f"{refusal.reason}: {request.method} {request.path}", allowed)


def _refusal(request: web.Request, failure: errors.Failure) -> web.Response:
    status = failures.status(failure)
    headers = {}
    if failure.retry_after is not None or status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = failures.retry_after(failure)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = f'Keystone uri="{request.scheme}://{request.host}/identity"'
            return _refuse(status, failure.message or _WRONG, headers)
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("%s failed", request.get(requestid.KEY), exc_info=failure)
            return _refuse(status, "The login is not in order; the log of the service has the cause.", headers)
        case _:
            return _refuse(status, failure.message, headers)


def _refuse(status: HTTPStatus, message: str, headers: dict[str, str]) -> web.Response:
    return _json({"error": _Error(status, status.phrase, message)}, status, headers)


def _secret(request: web.Request, header: str) -> str:
    if not (secret := request.headers.get(header)):
        raise errors.Invalid(f"The header {header} is missing.")
    return secret


def _is_text(raw: str) -> bool:
    """Bytes that are not UTF-8 arrive as lone surrogates, which neither an answer nor a database can hold."""
    return raw.isascii() or not any("\ud800" <= char <= "\udfff" for char in raw)


def _json(body: object, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)
