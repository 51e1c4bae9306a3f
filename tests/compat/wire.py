"""HTTP as it is: somebody asks an endpoint, and what came back."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

PATIENCE = 60
"""Seconds in which everything has to be answered."""
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Their names in small letters."""
    content: bytes

    @property
    def body(self) -> Any:
        """What the JSON says; None also where there is no JSON."""
        return (
            json.loads(self.content) if self.content and self.headers.get("content-type", "").startswith(JSON) else None
        )

    @property
    def refusal(self) -> Mapping[str, Any]:
        """The one refusal in the envelope; nothing where it is another."""
        body = self.body
        return body["errors"][0] if isinstance(body, dict) and body.get("errors") else {}


class Party:
    """Somebody who asks one server, over one connection. Nothing is tidied on its way: no path, no header, no redirect."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self._parts = urlsplit(address)
        self._token = token
        self._connection = _connected(self._parts)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        version: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer. A body of bytes is sent as it is, another one as JSON; `version` is the value of the header, None for none."""
        target = self._parts.path.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        sent = {"Accept": JSON}
        if self._token is not None:
            sent["X-Auth-Token"] = self._token
        if version is not None:
            sent["OpenStack-API-Version"] = version
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if content is not None:
            sent["Content-Type"] = JSON
        elif method in ("POST", "PUT", "PATCH"):
            sent["Content-Length"] = "0"
        return self._send(method, target, content, {**sent, **(headers or {})})

    def _send(self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]) -> Answer:
        try:
            return _exchange(self._connection, method, target, content, headers)
        except (http.client.BadStatusLine, ConnectionError):
            # A server may close what was idle.
            self._connection.close()
            self._connection = _connected(self._parts)
            return _exchange(self._connection, method, target, content, headers)


def login(environment: Mapping[str, str]) -> str:
    """A token for whom the OS_* variables of OpenStack's clients name. KeyError: one is missing."""
    if "OS_APPLICATION_CREDENTIAL_ID" in environment:
        credential = {
            "id": environment["OS_APPLICATION_CREDENTIAL_ID"],
            "secret": environment["OS_APPLICATION_CREDENTIAL_SECRET"],
        }
        asked: dict[str, Any] = {
            "identity": {"methods": ["application_credential"], "application_credential": credential}
        }
    else:
        user = {
            "name": environment["OS_USERNAME"],
            "domain": {"name": environment.get("OS_USER_DOMAIN_NAME", "Default")},
            "password": environment["OS_PASSWORD"],
        }
        project = {
            "name": environment["OS_PROJECT_NAME"],
            "domain": {"name": environment.get("OS_PROJECT_DOMAIN_NAME", "Default")},
        }
        asked = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
    answer = Party(environment["OS_AUTH_URL"]).ask("POST", "/auth/tokens", body={"auth": asked})
    assert answer.status == 201, f"nobody can log in: {answer.content!r}"
    return answer.headers["x-subject-token"]


def _connected(parts: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=PATIENCE)


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    content: bytes | None,
    headers: Mapping[str, str],
) -> Answer:
    connection.request(method, target, content, dict(headers))
    response = connection.getresponse()
    return Answer(
        status=response.status,
        headers={name.lower(): value for name, value in response.getheaders()},
        content=response.read(),
    )
