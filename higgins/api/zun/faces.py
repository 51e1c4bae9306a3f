"""Containers as JSON, remembered: what a container looks like is worked out once and spliced into answers until something of it changes."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from higgins.api.zun import views
from higgins.logic import statusword
from higgins.logic.sealed import Sealed
from higgins.model.query import Part, Query

_MOST = 8192
"""Faces that are remembered; each takes some 4 KB."""
_SPLICED = frozenset({"uuid", "links", "status_detail"})
"""What a face is cut at: where a policy hides one of these, nothing is remembered."""
_MARK = secrets.token_hex(16)
"""Stands where an age will stand. Nobody knows it, so that nobody can have it in a label."""

_encode = msgspec.json.Encoder().encode


class _Face(NamedTuple):
    """One container as some readers see it."""

    sealed: Sealed
    links: int
    """Where links would stand."""
    start: bytes
    """Up to the age, or all of it."""
    since: float | None
    end: bytes


class Faces:
    """Writes containers as JSON, byte for byte as `views.container` encoded would be.

    A face is good for as long as the container, as it lies in the database, is equal to the one that was looked at.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._faces: dict[tuple[str, frozenset[str]], _Face] = {}

    def __len__(self) -> int:
        return len(self._faces)

    def one(self, sealed: Sealed, *, now: float, hidden: frozenset[str], address: str) -> bytes:
        """One container, with links that begin with `address`, without the fields that are `hidden`."""
        if hidden & _SPLICED:
            return _encode(views.container(sealed.open(), now=now, hidden=hidden, address=address))
        face = self._face(sealed, hidden)
        links = _encode(views.links(sealed.id, address))
        start = b'%s"links":%s,%s' % (face.start[: face.links], links, face.start[face.links :])
        return start if face.since is None else start + _age(now, face.since) + face.end

    def page(
        self, page: Part[Sealed], query: Query, *, now: float, hidden: Callable[[Sealed], frozenset[str]], address: str
    ) -> bytes:
        """A page of a list, as a ContainerList."""
        rows = b",".join([self._row(sealed, now, hidden(sealed)) for sealed in page.items])
        last = page.items[-1].id if page.more and page.items else None
        following = _encode(views.following(query, last, address))
        return b'{"containers":[%s],"next":%s}' % (rows, following)

    def _row(self, sealed: Sealed, now: float, hidden: frozenset[str]) -> bytes:
        if hidden & _SPLICED:
            return _encode(views.container(sealed.open(), now=now, hidden=hidden))
        _, _, start, since, end = self._face(sealed, hidden)
        return start if since is None else start + _age(now, since) + end

    def _face(self, sealed: Sealed, hidden: frozenset[str]) -> _Face:
        key = (sealed.id, hidden)
        known = self._faces.get(key)
        if known is not None and known.sealed == sealed:
            return known
        if known is None and len(self._faces) >= self._most:
            # The one that was looked at first, however long ago it was looked at last: to know that would cost more than to look again.
            del self._faces[next(iter(self._faces))]
        face = self._faces[key] = _looked_at(sealed, hidden)
        return face


def _looked_at(sealed: Sealed, hidden: frozenset[str]) -> _Face:
    capsule = sealed.open()
    shown = views.container(capsule, now=0.0, hidden=hidden)
    links = len(_encode({"uuid": shown.uuid}))
    said = statusword.phrase(capsule)
    if said is None or said.since is None:
        return _Face(sealed, links, _encode(shown), None, b"")
    shown.status_detail = f"{said.text}{_MARK}{said.end}"
    start, _, end = _encode(shown).partition(_MARK.encode())
    return _Face(sealed, links, start, said.since, end)


def _age(now: float, since: float) -> bytes:
    return statusword.age(now, since).encode()
