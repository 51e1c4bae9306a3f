"""Asks a registry what it has, through its HTTP API (version 2)."""

import asyncio
import base64
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec
from yarl import URL

from higgins import errors
from higgins.drivers.names import Names
from higgins.model.live import Hit
from higgins.model.registry import Login

CERTIFICATES = Path("/etc/docker/certs.d")
"""Where a Docker Engine looks for the authorities that a registry's certificate may come from: DOMAIN/*.crt."""
_PATIENCE = aiohttp.ClientTimeout(total=20, sock_connect=5)
_PAGE = 1000
_MOST_PAGES = 10
_MOST_HITS = 25
_MOST_TAGS = 100
_LONGEST = 4 << 20
"""Bytes of an answer that are read."""
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')

Shape = TypeVar("Shape")


class _Catalogue(msgspec.Struct):
    repositories: list[str] | None = None


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class RegistryApi:
    """One registry, while the block runs. All methods raise Unavailable if it does not answer, and Forbidden if it refuses the login."""

    def __init__(self, login: Login, *, insecure: bool = False) -> None:
        """Without a username nobody logs in. One that is `insecure` need not prove who it is, and may speak HTTP alone."""
        self._login = login
        self._insecure = insecure
        self._headers: dict[str, str] = {}

    async def __aenter__(self) -> "RegistryApi":
        trusted = False if self._insecure else await asyncio.to_thread(_authorities, self._login.domain)
        connector = aiohttp.TCPConnector(ssl=trusted, resolver=Names())
        self._session = aiohttp.ClientSession(connector=connector, timeout=_PATIENCE)
        self._at = URL(f"https://{self._login.domain}/v2/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def search(self, term: str, *, exact: bool) -> Sequence[Hit]:
        """The images whose name contains the term, or is it; at most 25, with at most 100 of their tags."""
        await self._find()
        names = None if exact else await self._catalogue(term)
        # One that does not list what it has still tells what it knows of a name.
        hits = [await self._hit(name) for name in (names if names is not None else [term])[:_MOST_HITS]]
        return [hit for hit in hits if hit is not None]

    async def _find(self) -> None:
        """Whether it speaks HTTPS; where that is not asked of it, HTTP will do."""
        if not self._insecure:
            return
        try:
            async with self._session.get(self._at):
                return
        except (aiohttp.ClientError, TimeoutError):
            self._at = self._at.with_scheme("http")

    async def _catalogue(self, term: str) -> Sequence[str] | None:
        """None where it does not tell."""
        found: list[str] = []
        place = self._at.join(URL("_catalog")).with_query(n=_PAGE)
        for _ in range(_MOST_PAGES):
            answer = await self._ask(place)
            if answer.status != 200:
                return None
            found += [name for name in self._read(answer, _Catalogue).repositories or () if term in name]
            following = re.search(r'<([^>]+)>; *rel="?next', answer.headers.get("Link", ""))
            if following is None:
                break
            place = self._at.join(URL(following[1]))
            if place.origin() != self._at.origin():
                break
        return sorted(found)

    async def _hit(self, name: str) -> Hit | None:
        answer = await self._ask(self._at.join(URL(f"{name}/tags/list")))
        if answer.status != 200:
            return None
        tags = self._read(answer, _Tags).tags
        # All its tags may have been deleted.
        return Hit(name=f"{self._login.domain}/{name}", tags=tuple(sorted(tags)[:_MOST_TAGS])) if tags else None

    async def _ask(self, place: URL) -> _Answer:
        answer = await self._get(place, self._headers)
        if answer.status == 401 and (header := answer.headers.get("WWW-Authenticate")):
            self._headers = await self._authorization(header)
            answer = await self._get(place, self._headers)
        if answer.status == 401 and self._login.username:
            raise errors.Forbidden(
                f"Registry {self._login.domain} refuses the credentials of {self._login.username}: correct them.",
                code="registry-refuses",
            )
        if answer.status >= 500 or answer.status == 429:
            raise errors.Unavailable(
                f"Registry {self._login.domain} cannot be searched now: it answers {answer.status}."
            )
        return answer

    async def _authorization(self, wanted: str) -> dict[str, str]:
        """What a registry that asks for it is told: the credentials themselves, or a token that another server gives for them."""
        kind, _, rest = wanted.partition(" ")
        basic = _basic(self._login)
        if kind.lower() != "bearer":
            return basic
        told = dict(_PARAMETER.findall(rest))
        try:
            realm = URL(told.get("realm", "")).update_query(
                {k: v for k, v in told.items() if k in ("service", "scope")}
            )
        except ValueError:
            return {}
        # In clear nobody is asked but the registry itself: credentials would be read on the way, and a registry must not be able to have whatever
        # only this host reaches asked for something, such as the service that tells a virtual machine about itself.
        if realm.scheme != "https" and realm.host != self._at.host:
            return {}
        answer = await self._get(realm, basic)
        token = self._read(answer, _Token) if answer.status == 200 else _Token()
        return (
            {"Authorization": f"Bearer {token.token or token.access_token}"}
            if token.token or token.access_token
            else {}
        )

    async def _get(self, place: URL, headers: Mapping[str, str]) -> _Answer:
        try:
            async with self._session.get(place, headers=headers, allow_redirects=False) as response:
                body = bytearray()
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > _LONGEST:
                        raise errors.Unavailable(f"Registry {self._login.domain} answers more than anybody can read.")
                return _Answer(response.status, response.headers, bytes(body))
        except aiohttp.ClientConnectorCertificateError as error:
            raise errors.Unavailable(distrusted(self._login.domain)) from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise errors.Unavailable(f"Registry {self._login.domain} does not answer.") from error

    def _read(self, answer: _Answer, shape: type[Shape]) -> Shape:
        try:
            return msgspec.json.decode(answer.body, type=shape)
        except msgspec.MsgspecError as error:
            raise errors.Unavailable(f"What answers at {self._login.domain} does not speak like a registry.") from error


def distrusted(domain: str) -> str:
    """What to do about a registry's certificate."""
    return f"the host does not trust the certificate of registry {domain}: put that of its authority into {CERTIFICATES}/{domain}/ca.crt on the host"


def _authorities(domain: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in sorted((CERTIFICATES / domain).glob("*.crt")):
        context.load_verify_locations(file)
    return context


def _basic(login: Login) -> dict[str, str]:
    if not login.username:
        return {}
    both = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    return {"Authorization": f"Basic {both}"}
