"""The Containers API with somebody logged in: asks, tries again where that is safe, and sorts refusals by remedy."""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from higgins import errors
from higgins.client import refusals
from higgins.client.connection import PATIENCE, Connection, Lost, Place, Trust, Upload
from higgins.client.identity import Session

VERSION = "1.41"
TRIES = 3
LONGEST_WAIT = 5.0
"""Seconds that a Retry-After may ask for before it is left to the caller."""

Document = Mapping[str, Any]
Query = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session, and the newest version of the API that its server is known to speak."""

    session: Session
    version: str = VERSION


class Cloud:
    """The Containers API of one deployment, for one project. Raises failures by remedy, in the server's words."""

    def __init__(
        self,
        opened: Opened,
        trust: Trust,
        *,
        renew: Callable[[], Session] | None = None,
        keep: Callable[[Opened], None] = lambda _: None,
    ) -> None:
        """`renew` logs in anew when a token has ended early; `keep` is told what is worth remembering for the next time."""
        if opened.session.endpoint is None:
            raise errors.NotFound("the catalogue of this login has no containers service")
        self.trust = trust
        self.place = Place.of(opened.session.endpoint)
        self._opened = opened
        self._renew = renew
        self._keep = keep
        self._connection = Connection(self.place, trust)
        self._debug = bool(os.environ.get("HIGGINS_DEBUG"))
        self._ahead = 0.0

    @property
    def session(self) -> Session:
        """Who is logged in."""
        return self._opened.session

    @property
    def version(self) -> tuple[int, int]:
        """The version of the API in which it is asked."""
        major, _, minor = self._opened.version.partition(".")
        return int(major), int(minor)

    @property
    def now(self) -> float:
        """The server's time, as of its last answer: ages are told by the clock that the moments come from."""
        return time.time() + self._ahead

    def get(self, path: str, query: Query | None = None, *, patience: float = PATIENCE) -> Any:
        """The document at that path."""
        return self._read(self.ask("GET", path, query, patience=patience))

    def post(self, path: str, query: Query | None = None, body: Document | None = None) -> Any:
        """Ask for something once, however often it has to be sent."""
        return self._read(self.ask("POST", path, query, body))

    def patch(self, path: str, body: Document) -> Any:
        """Change something."""
        return self._read(self.ask("PATCH", path, None, body))

    def put(self, path: str, body: Document) -> Any:
        """Say what something is to be."""
        return self._read(self.ask("PUT", path, None, body))

    def delete(self, path: str, query: Query | None = None) -> None:
        """Remove something."""
        self._read(self.ask("DELETE", path, query))

    def pages(self, path: str, key: str, query: Query) -> Iterator[Document]:
        """Every item of a list, page by page."""
        asked = {**query}
        while True:
            page = self.get(path, asked)
            yield from page[key]
            if not page.get("next") or not page[key]:
                return
            asked["marker"] = page[key][-1]["uuid"]

    def apart(self) -> "Cloud":
        """The same with a connection of its own, for another thread or a long answer."""
        return Cloud(self._opened, self.trust, renew=self._renew, keep=self._keep)

    def stream(self, path: str, query: Query | None = None, *, accept: str, patience: float | None = None) -> "Stream":
        """An answer of unknown length; a connection of its own carries it."""
        apart = self.apart()
        answer = apart.ask("GET", path, query, accept=accept, patience=patience or PATIENCE)
        return Stream(answer, apart._connection)

    def upload(self, method: str, path: str, query: Query, content_type: str) -> tuple[Upload, Callable[[], None]]:
        """A body to be written, and what ends it: returns when the server has taken all of it, and raises what it refuses."""
        apart = Connection(self.place, self.trust)
        upload = apart.upload(
            method, _target(path, query), {**self._headers("application/json"), "Content-Type": content_type}
        )

        def finish() -> None:
            answer = upload.answer()
            body = apart.read(answer)
            apart.close()
            if answer.status >= 400:
                raise refusals.failure(answer.status, dict(answer.headers), body)

        return upload, finish

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Document | None = None,
        *,
        accept: str = "application/json",
        patience: float = PATIENCE,
    ) -> http.client.HTTPResponse:
        """The answer to a request that was not refused, not yet read."""
        content = None if body is None else json.dumps(body).encode()
        key = {"Idempotency-Key": os.urandom(16).hex()} if method == "POST" else {}
        typed = {"Content-Type": "application/json"} if content is not None else {}
        renewed = False
        for attempt in range(1, TRIES + 1):
            headers = {**self._headers(accept), **typed, **(key if self.version >= (1, 41) else {})}
            # What changes something may be sent again only if the server knows that it is the same.
            safe = attempt < TRIES and (method == "GET" or "Idempotency-Key" in headers)
            try:
                answer = self._once(method, _target(path, query), headers, content, patience)
                if answer.status < 400:
                    return answer
                refused = self._connection.read(answer)
            except Lost:
                if not safe:
                    raise
                time.sleep(0.1)
                continue
            failure = refusals.failure(answer.status, dict(answer.headers), refused)
            match failure:
                case errors.Unauthenticated() if self._renew is not None and not renewed:
                    self._know(Opened(session=self._renew(), version=self._opened.version))
                    renewed = True
                case errors.NotAcceptable() if (offered := _offered(failure.message)) not in (
                    None,
                    self._opened.version,
                ):
                    self._know(Opened(session=self.session, version=offered or VERSION))
                case errors.Unavailable(retry_after=wait) | errors.Conflict(retry_after=wait) if (
                    wait is not None and safe
                ):
                    if wait > LONGEST_WAIT:
                        raise failure
                    time.sleep(wait)
                case _:
                    raise failure
        raise failure

    def token_headers(self) -> Mapping[str, str]:
        """What proves who asks."""
        return {"X-Auth-Token": self.session.token}

    def _headers(self, accept: str) -> dict[str, str]:
        return {
            **self.token_headers(),
            "Accept": accept,
            "OpenStack-API-Version": f"container {self._opened.version}",
            "User-Agent": "higgins",
        }

    def _once(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None, patience: float
    ) -> http.client.HTTPResponse:
        began = time.monotonic()
        answer = self._connection.ask(method, target, headers, content, patience=patience)
        if self._debug:
            took = (time.monotonic() - began) * 1000
            sys.stderr.write(f"> {method} {self.place}{self.place.path}{target} {answer.status} in {took:.0f} ms\n")
        if date := answer.headers.get("Date"):
            # Whole seconds: a difference of less than two is none.
            ahead = parsedate_to_datetime(date).timestamp() - time.time()
            self._ahead = ahead if abs(ahead) > 2 else 0.0
        return answer

    def _read(self, answer: http.client.HTTPResponse) -> Any:
        content = self._connection.read(answer)
        if not content:
            return None
        try:
            return json.loads(content)
        except ValueError as error:
            raise errors.Unavailable(f"what answers at {self.place} is no containers service") from error

    def _know(self, opened: Opened) -> None:
        self._opened = opened
        self._keep(opened)


class Stream:
    """The body of an answer, piece by piece as it comes."""

    def __init__(self, answer: http.client.HTTPResponse, connection: Connection) -> None:
        self.headers = answer.headers
        self._answer = answer
        self._connection = connection

    def read(self, most: int = 64 * 1024) -> bytes:
        """What there is, at most so many bytes; waits for the first. Empty at the end. Raises Lost if the end is missing."""
        piece: bytes = self._connection.translated(lambda: self._answer.read1(most))
        if not piece and self._answer.length:
            raise Lost("the answer ended too early")
        return piece

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece

    def close(self) -> None:
        """Leave; the server notices."""
        self._connection.close()


def path(*segments: str) -> str:
    """A path made of words that may hold anything."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def _target(path: str, query: Query | None) -> str:
    pairs = list(_pairs(query or {}))
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _pairs(query: Query) -> Iterable[tuple[str, str]]:
    for name, value in query.items():
        match value:
            case None:
                continue
            case bool():
                yield name, "true" if value else "false"
            case list() | tuple():
                yield from ((name, str(one)) for one in value)
            case _:
                yield name, str(value)


def _offered(refusal: str) -> str | None:
    """The newest version that a server has to offer which refuses ours: ... [container 1.1, container 1.40]."""
    _, found, version = refusal.rpartition("container ")
    return version.rstrip("].") if found else None
