"""Logging in: Keystone's API v3, as any Keystone and Higgins' own login speak it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from higgins import errors
from higgins.client import refusals
from higgins.client.connection import Connection, Place, Trust

TYPES = ("container", "application-container")
"""What the service is called in a catalogue."""

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A user or a project: by id, or by name and domain."""

    id: str | None = None
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None

    def document(self) -> dict[str, Any]:
        if self.id is not None:
            return {"id": self.id}
        domain = {"id": self.domain_id} if self.domain_id else {"name": self.domain_name or "Default"}
        return {"name": self.name, "domain": domain}

    def __str__(self) -> str:
        return self.name or self.id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """Who logs in with a password, for which project; None: for none."""

    user: Named
    password: str
    project: Named | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredential:
    """What a program logs in with; it brings its own project."""

    id: str | None = None
    name: str | None = None
    user: Named | None = None
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldToken:
    """A token that somebody else got."""

    token: str


Proof = Password | ApplicationCredential | HeldToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A login: what it is worth, and where the service is."""

    token: str
    expires_at: float
    """Seconds since the epoch."""
    user_id: str
    user: str
    project_id: str | None
    project: str | None
    roles: tuple[str, ...]
    endpoint: str | None
    """Where the Containers API answers; None where the catalogue has none."""


class Login:
    """The login of one deployment. Raises Unauthenticated for wrong credentials."""

    def __init__(self, url: str, trust: Trust, *, region: str | None = None, interface: str = "public") -> None:
        """`url` may leave out the version, and even the path."""
        self._connection = Connection(Place.of(url), trust)
        self.url = url.rstrip("/")
        self._region = region
        self._interface = interface.removesuffix("URL")
        self._root = "" if self.url.endswith("/v3") else "/v3"

    @classmethod
    def at(cls, url: str, trust: Trust) -> "Login":
        """The one that is found below an address. Raises NotFound if there is none."""
        given = url.rstrip("/")
        for tried in dict.fromkeys((given, f"{given}/v3", f"{given}/identity/v3")):
            if tried.endswith("/v3") and cls(tried, trust).there():
                return cls(tried, trust)
        failure = errors.NotFound(f"there is no login at {given}")
        failure.add_note("The address of a Keystone often ends in /v3 or :5000; Higgins' own in :9517.")
        raise failure

    def there(self) -> bool:
        """Whether it answers as a login does."""
        answer = self._connection.ask("GET", f"{self._root}/", JSON, None)
        try:
            version = json.loads(self._connection.read(answer))["version"]["id"]
        except (ValueError, KeyError, TypeError):
            return False
        return str(version).startswith("v3")

    def log_in(self, proof: Proof) -> Session:
        """A session of its own; of a token that somebody else got, the session that it belongs to."""
        match proof:
            case HeldToken(token=token):
                body, _ = self._ask("GET", "/auth/tokens", token, headers={"X-Subject-Token": token})
            case _:
                body, token = self._ask("POST", "/auth/tokens", None, {"auth": _auth(proof)})
        return self._session(token, body)

    def projects(self, session: Session) -> Sequence[Mapping[str, Any]]:
        """Those that the user can work in."""
        body, _ = self._ask("GET", "/auth/projects", session.token)
        found: Sequence[Mapping[str, Any]] = body["projects"]
        return found

    def make_credential(self, session: Session, name: str, expires_at: datetime) -> ApplicationCredential:
        """An application credential for the session's project. Raises what the server refuses it with."""
        wanted = {
            "name": name,
            "description": "Made by `higgins login`.",
            "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%S"),
        }
        path = f"/users/{session.user_id}/application_credentials"
        body, _ = self._ask("POST", path, session.token, {"application_credential": wanted})
        made = body["application_credential"]
        return ApplicationCredential(id=made["id"], name=made["name"], secret=made["secret"])

    def forget_credential(self, session: Session, credential_id: str) -> None:
        """Make it worthless. Raises Forbidden where only a session that came from a password may."""
        self._ask("DELETE", f"/users/{session.user_id}/application_credentials/{credential_id}", session.token)

    def log_out(self, session: Session) -> None:
        """Make its token worthless."""
        self._ask("DELETE", "/auth/tokens", session.token, headers={"X-Subject-Token": session.token})

    def _ask(
        self,
        method: str,
        path: str,
        token: str | None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, str]:
        """The answer, and the token that came with it."""
        sent = {**JSON, **({"X-Auth-Token": token} if token else {}), **(headers or {})}
        content = None if body is None else json.dumps(body).encode()
        answer = self._connection.ask(method, self._root + path, sent, content)
        read = self._connection.read(answer)
        if answer.status >= 400:
            raise refusals.failure(answer.status, dict(answer.headers), read)
        try:
            return json.loads(read) if read else None, answer.headers.get("X-Subject-Token", "")
        except ValueError as error:
            raise errors.Unavailable(f"what answers at {self.url} is no login") from error

    def _session(self, token: str, body: Any) -> Session:
        try:
            told = body["token"]
            project = told.get("project") or {}
            return Session(
                token=token,
                expires_at=datetime.fromisoformat(told["expires_at"]).timestamp(),
                user_id=told["user"]["id"],
                user=told["user"]["name"],
                project_id=project.get("id"),
                project=project.get("name"),
                roles=tuple(role["name"] for role in told.get("roles") or ()),
                endpoint=self._endpoint(told.get("catalog") or ()),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise errors.Unavailable(f"what answers at {self.url} is no login of API v3") from error

    def _endpoint(self, catalog: Sequence[Mapping[str, Any]]) -> str | None:
        for service in catalog:
            for endpoint in service.get("endpoints", ()) if service.get("type") in TYPES else ():
                region = endpoint.get("region_id") or endpoint.get("region")
                if endpoint.get("interface") == self._interface and self._region in (None, region):
                    return str(endpoint["url"]).rstrip("/")
        return None


def _auth(proof: Password | ApplicationCredential) -> dict[str, Any]:
    match proof:
        case Password(user=user, password=password, project=project):
            by = {"methods": ["password"], "password": {"user": {**user.document(), "password": password}}}
            return {"identity": by, **({"scope": {"project": project.document()}} if project else {})}
        case ApplicationCredential():
            held: dict[str, Any] = {"secret": proof.secret}
            if proof.id is not None:
                held["id"] = proof.id
            else:
                held |= {"name": proof.name, "user": (proof.user or Named()).document()}
            return {"identity": {"methods": ["application_credential"], "application_credential": held}}
