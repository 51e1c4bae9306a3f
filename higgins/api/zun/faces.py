"""Containers as JSON, remembered: what a container looks like is worked out once and spliced into answers until something of it changes."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import msgspec

from higgins.api.zun import views
from higgins.logic import statusword
from higgins.logic.sealed import Sealed
from higgins.model.ids import CapsuleId, ProjectId, UserId
from higgins.model.query import Part, Query

_MOST = 256 << 20
"""Bytes of faces that are remembered: some hundred and fifty thousand of the usual kind."""
_IN_ONE_GO = 64
"""Containers that are looked at before others are answered in between: some ten milliseconds."""
_AROUND = 800
"""Bytes that a face takes besides its JSON."""
_SPLICED = frozenset({"uuid", "links", "status_detail"})
"""What a face is cut at: where a policy hides one of these, nothing is remembered."""
_MARK = secrets.token_hex(16)
"""Stands where an age will stand. Nobody knows it, so that nobody can have it in a label."""

_encode = msgspec.json.Encoder().encode

Hidden = Callable[[ProjectId, UserId], frozenset[str]]
"""The fields that a reader does not see of what belongs to a project and was made by a user."""


class Face(NamedTuple):
    """One container as some readers see it."""

    id: CapsuleId
    links: int
    """Where links would stand."""
    start: bytes
    """Up to the age, or all of it."""
    since: float | None
    end: bytes

    def at(self, now: float) -> tuple[bytes, ...]:
        return (self.start,) if self.since is None else (self.start, _age(int(now - self.since)), self.end)


@dataclass(slots=True)
class _Known:
    """The faces of one container, by what of it is hidden."""

    revision: int
    project_id: ProjectId
    user_id: UserId
    faces: dict[frozenset[str], Face] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(len(face.start) + len(face.end) + _AROUND for face in self.faces.values())


class Faces:
    """Writes containers as JSON, byte for byte as `views.container` encoded would be.

    A face is good for as long as the container's revision is the one that was looked at.
    """

    def __init__(self, most: int = _MOST) -> None:
        """`most` is how many bytes may be remembered."""
        self._most = most
        self._known: dict[CapsuleId, _Known] = {}
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes that are remembered."""
        return self._size

    def recall(self, capsule_id: CapsuleId, revision: int, hidden: Hidden) -> Face | None:
        """The face of a container in this revision, if it is remembered."""
        known = self._known.get(capsule_id)
        if known is None or known.revision != revision:
            return None
        return known.faces.get(hidden(known.project_id, known.user_id))

    def one(self, sealed: Sealed, *, now: float, hidden: frozenset[str], address: str) -> bytes:
        """One container, with links that begin with `address`, without the fields that are `hidden`."""
        if hidden & _SPLICED:
            return _encode(views.container(sealed.open(), now=now, hidden=hidden, address=address))
        face = self._face(sealed, hidden)
        shown = b"".join(face.at(now))
        return b'%s"links":%s,%s' % (shown[: face.links], _encode(views.links(sealed.id, address)), shown[face.links :])

    async def page(self, page: Part[Face | Sealed], query: Query, *, now: float, hidden: Hidden, address: str) -> bytes:
        """A page of a list, as a ContainerList. Its faces are those that `recall` gave for these readers."""
        pieces: list[bytes] = []
        looks = 0
        for one in page.items:
            pieces.append(b",")
            if isinstance(one, Face):
                pieces += one.at(now)
                continue
            looks += 1
            if looks % _IN_ONE_GO == 0:
                await asyncio.sleep(0)
            pieces += self._row(one, now, hidden)
        pieces[:1] = [b'{"containers":[']
        last = page.items[-1].id if page.more and page.items else None
        # Joined once: it is a megabyte, which to copy takes as long as to know what is in it.
        return b"".join((*pieces, b'],"next":', _encode(views.following(query, last, address)), b"}"))

    def _row(self, sealed: Sealed, now: float, hidden: Hidden) -> tuple[bytes, ...]:
        fields = hidden(sealed.project_id, sealed.user_id)
        if fields & _SPLICED:
            return (_encode(views.container(sealed.open(), now=now, hidden=fields)),)
        return self._face(sealed, fields).at(now)

    def _face(self, sealed: Sealed, hidden: frozenset[str]) -> Face:
        face = self.recall(sealed.id, sealed.revision, lambda *_: hidden)
        return face if face is not None else self._look(sealed, hidden)

    def _look(self, sealed: Sealed, hidden: frozenset[str]) -> Face:
        known = self._forget(sealed.id)
        if known is None or known.revision != sealed.revision:
            known = _Known(sealed.revision, sealed.project_id, sealed.user_id)
        face = known.faces[hidden] = _looked_at(sealed, hidden)
        self._known[sealed.id] = known
        self._size += known.size
        while self._size > self._most:
            # The one that was looked at first, however long ago it was shown last: to know that would cost more than to look again.
            self._forget(next(iter(self._known)))
        return face

    def _forget(self, capsule_id: CapsuleId) -> _Known | None:
        known = self._known.pop(capsule_id, None)
        if known is not None:
            self._size -= known.size
        return known


def _looked_at(sealed: Sealed, hidden: frozenset[str]) -> Face:
    capsule = sealed.open()
    shown = views.container(capsule, now=0.0, hidden=hidden)
    links = len(_encode({"uuid": shown.uuid}))
    said = statusword.phrase(capsule)
    if said is None or said.since is None:
        return Face(sealed.id, links, _encode(shown), None, b"")
    shown.status_detail = f"{said.text}{_MARK}{said.end}"
    start, _, end = _encode(shown).partition(_MARK.encode())
    return Face(sealed.id, links, start, said.since, end)


@lru_cache(maxsize=4096)
def _age(seconds: int) -> bytes:
    return statusword.age(seconds).encode()
